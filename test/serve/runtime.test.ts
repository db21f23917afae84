// Goal: a runtime comes and goes without a loss.
//
// Method: a real server, handlers that the test holds, and the stand of the conformance kit as the daemon.

import { expect, test } from "vitest";
import { ackOf, orderAgent, orderTool, resultOf, statusOf } from "../../src/conformance/orders.ts";
import { at, type Target } from "../../src/conformance/stand.ts";
import { holdingBed, missing, targetOf, until } from "./holding.ts";

const bed = holdingBed();

test("RT1: it hears an order that is sent as soon as it registers, and leaves after its last answer", async () => {
  const stand = bed.stand();
  const name = (one: { body: unknown }): unknown => at(one as never, "metadata.message_type");
  const early = stand.first((one) => {
    if (name(one) !== "AgentRuntimeRegistered") return undefined;
    const runtime = one.body["agent_runtime"] as Target["runtime"];
    const target = targetOf(runtime.id, runtime.exec_id);
    return { target, order: orderAgent(stand, target, "held", {}) };
  });
  const { held, serving } = await bed.holding();
  const { order } = (await early) ?? missing();
  expect(statusOf(await ackOf(stand, order))).toBe("ACKNOWLEDGED");
  await until(() => held.length === 1);
  const stopped = serving.stop();
  const draining = await stand.first((one) => (at(one, "payload.context.draining") === true ? one : undefined));
  expect(draining).toBeDefined();
  held[0]?.end({ n: 1 });
  await stopped;
  await serving.ended;
  const gone = await stand.first((one) => (name(one) === "AgentRuntimeDeregistered" ? one : undefined));
  const result = await resultOf(stand, order);
  expect(statusOf(result)).toBe("SUCCESS");
  expect(stand.heard.indexOf(result ?? missing())).toBeLessThan(stand.heard.indexOf(gone ?? missing()));
});

test("RT2: what does not end in time is given up: a tool's caller is told, an agent's is not", async () => {
  const stand = bed.stand();
  const { held, serving, target } = await bed.holding();
  const order = orderAgent(stand, target, "held", {});
  const call = orderTool(stand, "held", {});
  await until(() => held.length === 2);
  await serving.stop(50);
  expect(at(await resultOf(stand, call), "payload.result.error.details.cause_code")).toBe("RUNTIME_STOPPED");
  const gone = await stand.first((one) => (one.parsed?.key === "event:AgentRuntimeDeregistered" ? one : undefined));
  expect(gone).toBeDefined();
  expect(stand.heard.some(({ subject }) => subject === order.resultTo)).toBe(false);
  expect(held.every(({ signal }) => signal.aborted)).toBe(true);
});
