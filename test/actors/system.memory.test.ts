// What the actor system lets go of: of what has been let out nothing is held for the sake of what still waits.
//
// Method: a troupe whose commits happen when the test says so, and a collection of garbage when it says so.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { troupe } from "../../src/runtime/troupe.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Whatever is under way without the disk, and a turn of the loop, so that nothing on the stack holds on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what has been let out is let go of while later records wait for the disk", async () => {
  const acts: (() => void)[] = [];
  let isHeld = false;
  const store = openMemory({ disk: makeDisk(), commit: (act) => (isHeld ? acts.push(act) : queueMicrotask(act)) });
  const it = await troupe({
    store,
    clock: virtualClock(1_790_000_000_000),
    random: randomFrom(1),
    agents: [{ id: "clerk", handler: () => ({ seen: true }) }],
    workflows: [{ id: "agent", tasks: [{ id: "ask", type: "agent", agent: "clerk" }] }],
  });
  await turn();
  isHeld = true;
  const heard: WeakRef<object>[] = [];
  it.subscribe(({ said }) => heard.push(new WeakRef(said)));
  const { result } = it.start("agent");
  await turn();
  acts.splice(0).forEach((act) => act());
  // Its handler has answered, and that is not on the disk.
  await turn();
  expect(it.stats().waiting).toBe(1);
  expect(heard).toHaveLength(1);
  collect();
  expect(heard[0]?.deref()).toBeUndefined();
  isHeld = false;
  acts.splice(0).forEach((act) => act());
  expect(await result()).toMatchObject({ status: "SUCCESS" });
  await it.stop();
});
