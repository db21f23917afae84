// Goal: nothing that is no order begins anything, and nobody else's orders are heard.
//
// Method: a real server, and bytes that no dispatcher would send.

import { expect, test } from "vitest";
import { errorOf, statusOf } from "../../src/conformance/orders.ts";
import { at } from "../../src/conformance/stand.ts";
import { holdingBed } from "./holding.ts";

const bed = holdingBed();

test("IN1: what is no message is answered, kept as a dead letter, and begins nothing", async () => {
  const stand = bed.stand();
  const { held, target } = await bed.holding();
  const subject = stand.subjects.build({
    key: "command:AgentRuntimeExecute",
    layout: "flow",
    params: { rt: target.runtime.exec_id, agent: "held" },
  });
  const { inbox } = stand.raw(subject, '{"metadata":{}}');
  const refused = await stand.first((one) => (one.subject === inbox ? one : undefined));
  expect({ status: statusOf(refused), code: errorOf(refused).code }).toEqual({
    status: "ERROR",
    code: "INVALID_ENVELOPE",
  });
  const kept = await stand.first((one) => (one.parsed?.key === "log:MessageRejected" ? one : undefined));
  expect(at(kept, "payload.context.original_body")).toBe('{"metadata":{}}');
  expect(held).toHaveLength(0);
});

test("IN2: a tool that it does not serve has nobody there, whatever else it serves", async () => {
  await bed.holding();
  const { prefix, connection } = await bed.stranger();
  const asked = connection.request(`${prefix}.commands.tool._.execute.other`, new Uint8Array(), { timeoutMs: 10_000 });
  await expect(asked).rejects.toMatchObject({ code: "NO_RESPONDER" });
});
