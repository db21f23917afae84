// Goal: an order is carried out once, within the limits, and leaves nothing behind.
//
// Method: a real server, handlers that the test holds, and the stand of the conformance kit as the daemon.

import { expect, test } from "vitest";
import {
  ackOf,
  cancelAgent,
  errorOf,
  isKey,
  orderAgent,
  orderTool,
  outputOf,
  resultOf,
  statusOf,
} from "../../src/conformance/orders.ts";
import { at } from "../../src/conformance/stand.ts";
import { holdingBed, missing, targetOf, until } from "./holding.ts";

const bed = holdingBed();

test("RU1: an order that comes again is begun once, acknowledged each time, and answered the same", async () => {
  const stand = bed.stand();
  const { held, target } = await bed.holding();
  const order = orderAgent(stand, target, "held", {});
  await ackOf(stand, order);
  const again = orderAgent(stand, target, "held", {}, { like: order });
  expect(at(await ackOf(stand, again), "payload.context")).toMatchObject({ duplicate: true });
  expect(held).toHaveLength(1);
  held[0]?.end({ n: 1 });
  const first = await resultOf(stand, order);
  const late = orderAgent(stand, target, "held", {}, { like: order });
  expect(at(await ackOf(stand, late), "payload.context")).toMatchObject({ duplicate: true });
  const second = await resultOf(stand, late);
  expect(at(second, "metadata.message_id")).toBe(at(first, "metadata.message_id"));
  expect(held).toHaveLength(1);
});

test("RU2: more than it may is refused and not begun, and what has ended makes room", async () => {
  const stand = bed.stand();
  const { held, target } = await bed.holding();
  const orders = [1, 2, 3].map(() => orderAgent(stand, target, "held", {}));
  const acks = await Promise.all(orders.map((order) => ackOf(stand, order)));
  expect(acks.map(statusOf)).toEqual(["ACKNOWLEDGED", "ACKNOWLEDGED", "ERROR"]);
  expect(errorOf(acks[2]).code).toBe("AGENT_RUNTIME_BUSY");
  orderTool(stand, "held", {});
  await until(() => held.length === 3);
  const busy = await resultOf(stand, orderTool(stand, "held", {}));
  expect(at(busy, "payload.result.error")).toMatchObject({
    code: "TOOL_DISPATCH_FAILED",
    details: { reason: "all_busy" },
  });
  held[0]?.end({});
  await resultOf(stand, orders[0] ?? missing());
  const taken = orderAgent(stand, target, "held", {}, { like: orders[2] ?? missing() });
  expect(statusOf(await ackOf(stand, taken))).toBe("ACKNOWLEDGED");
});
test("RU3: the tools that an agent has called end with it", async () => {
  const stand = bed.stand();
  const calls: string[] = [];
  stand.serve("slow", (call) => void calls.push(String(at(call, "tool.exec_id"))));
  const { runtimeId } = await bed.serve({
    agents: [
      {
        id: "caller",
        async handler(_, { tool }) {
          void tool("slow", {}).catch(() => undefined);
          await until(() => calls.length === 1);
          return { done: true };
        },
      },
    ],
  });
  const target = targetOf("caller", runtimeId);
  const order = orderAgent(stand, target, "caller", {});
  expect(outputOf(await resultOf(stand, order))).toEqual({ done: true });
  const canceled = await stand.first(isKey("command:ToolCancel", calls[0] ?? ""));
  expect(at(canceled, "payload.context.cause")).toBe("caller_lost");
});

test("a cancel with nobody waiting for it ends the handler in silence", async () => {
  const stand = bed.stand();
  const { held, target } = await bed.holding();
  const order = orderAgent(stand, target, "held", {});
  await until(() => held.length === 1);
  await ackOf(stand, cancelAgent(stand, target, order, "timed_out"));
  await until(() => held[0]?.signal.aborted === true);
  await stand.wait(200);
  expect(stand.heard.some(({ subject }) => subject === order.resultTo)).toBe(false);
});

test("a cancel is acknowledged on the reply it came with, whatever stands in it", async () => {
  const stand = bed.stand();
  const { target } = await bed.holding();
  const order = orderAgent(stand, target, "unknown", {});
  await ackOf(stand, order);
  const [inbox, sentAt] = [stand.inbox(), stand.heard.length];
  const payload = { context: { attempt: 1, cause: "requested", reason: "test" }, reply_to_subject: order.resultTo };
  const command = { type: "command:AgentRuntimeCancel", ...order.sections, agent_runtime: target.runtime, payload };
  const origin = { source: "AD", correlationId: order.correlationId } as const;
  stand.send(command as never, origin, { reply: inbox });
  expect(errorOf(await ackOf(stand, { inbox, sentAt })).code).toBe("EXECUTION_NOT_FOUND");
});

test("content that lies in an object store is refused, and begins nothing", async () => {
  const stand = bed.stand();
  const { prefix } = await bed.stranger();
  const { held, target } = await bed.holding();
  const input = { $ref: `${prefix}_OBJECTS/${"a".repeat(64)}`, size: 5 };
  const refused = await ackOf(stand, orderAgent(stand, target, "held", input));
  expect({ status: statusOf(refused), code: errorOf(refused).code }).toEqual({
    status: "ERROR",
    code: "PAYLOAD_TOO_LARGE",
  });
  const failed = await resultOf(stand, orderTool(stand, "held", input));
  expect(errorOf(failed).code).toBe("PAYLOAD_TOO_LARGE");
  expect(held).toHaveLength(0);
});
