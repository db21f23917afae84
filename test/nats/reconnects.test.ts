// Goal: fifty lost connections leave nothing behind: no timer, socket, consumer or memory.
// Method: scripts/torture, with few rounds; `npm run reconnects -- --count 1000` is the same for longer.

import { expect, test } from "vitest";
import { leaks, type Reconnected, reconnects } from "../../scripts/torture/reconnects.ts";

test("after fifty reconnects all is as after half of them, and every run has ended well", async () => {
  const done = await reconnects(50);
  expect(done).toMatchObject({ reconnects: 50, ended: 50 });
  expect(leaks(done)).toEqual([]);
});

test("what has grown is found", () => {
  const before = { timers: 10, sockets: 4, consumers: 6, heapBytes: 1_000 };
  const all = (afterwards: typeof before): string[] =>
    leaks({ before, afterwards } as Reconnected).map((leak) => leak.split(":", 1).join());
  expect(all({ timers: 50, sockets: 54, consumers: 56, heapBytes: 3_000 })).toEqual([
    "timers",
    "sockets",
    "consumers",
    "heap",
  ]);
  expect(all(before)).toEqual([]);
});
