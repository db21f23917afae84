// Goal: what the stand keeps and judges is what came, and of whom.
//
// Method: it is given deliveries by hand, over the transport in memory.

import { beforeEach, expect, test } from "vitest";
import { openStand, type Stand } from "../../src/conformance/stand.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import type { Connection } from "../../src/transport/transport.ts";
import { rest, uuid } from "../kit/bridged.ts";

const clock = virtualClock(0);
let stand: Stand;
let other: Connection;
const fault = (error: unknown): never => {
  throw error;
};

beforeEach(() => {
  const transport = memoryTransport({ clock });
  const connection = transport.connect({ name: "stand", onFault: fault });
  other = transport.connect({ name: "runtime", onFault: fault });
  stand = openStand({ connection, clock, prefix: "p", layout: "flow", patienceMs: 1_000 });
});

test("CS1: a broken rule stays broken, and one that was kept can still break", () => {
  stand.judge("starts", true);
  expect(stand.verdicts.get("starts")).toEqual({ is: "kept" });
  stand.judge("starts", false, "this", "that");
  stand.judge("starts", true);
  stand.untried("starts", "it came too late");
  expect(stand.verdicts.get("starts")).toEqual({ is: "broken", expected: "this", came: "that" });
  stand.untried("thinks", "nothing came");
  expect(stand.verdicts.get("thinks")).toEqual({ is: "untried", because: "nothing came" });
});

test("CS2: what has the correlation of an order is of the runtime under test, and nothing else is", async () => {
  const order = {
    type: "command:ToolCancel",
    tool: { exec_id: uuid(1) },
    payload: { context: { cause: "requested", reason: "x" } },
  };
  stand.send(order as never, { source: "TE", correlationId: uuid(7) });
  for (const correlation of [uuid(7), uuid(8)]) {
    const body = { metadata: { correlation_id: correlation }, n: correlation };
    void other.publish(`p.events.agent.instance.${uuid(1)}.started`, new TextEncoder().encode(JSON.stringify(body)));
  }
  await rest();
  expect(stand.heard.map((one) => stand.isOurs(one))).toEqual([true, false]);
});

test("what has come is found, and what does not come is nothing once its time is over", async () => {
  void other.publish(`p.rejected.internal_error`, new TextEncoder().encode("{"));
  await rest();
  const found = await stand.first((one) => one.flaw?.code);
  expect(found).toBe("INVALID_ENVELOPE");
  const missing = stand.first(() => undefined, 500);
  clock.advance(501);
  expect(await missing).toBeUndefined();
});
