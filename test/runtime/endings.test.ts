// Goal: nobody waits for ever for what has ended.
// Method: runs that end, are forgotten, and are asked for by whoever held on to them.

import { expect, test } from "vitest";
import { openBed, refusal, second, settled } from "./bed.ts";

const fine = { id: "fine", handler: () => ({ ok: true }) };
const workflows = [
  { id: "works", tasks: [{ id: "a", type: "tool" as const, tool: "fine" }] },
  { id: "waits", tasks: [{ id: "w", type: "wait" as const, wait: { duration: "10s" } }] },
];

test("W1: a result that retention has forgotten is refused, by handle and by id", async () => {
  const bed = await openBed({ tools: [fine], workflows, limits: { retentionMs: 5_000 } });
  const handle = bed.t.start("works", {}, { idempotencyKey: "k" });
  await settled();
  expect(await handle.result()).toMatchObject({ status: "SUCCESS" });
  await bed.pass(20 * second);
  const forgotten = { code: "EXECUTION_NOT_FOUND", message: expect.stringContaining("kept for 5000 ms") };
  expect(await refusal(() => handle.result())).toMatchObject(forgotten);
  expect(await refusal(() => bed.t.result(handle.execId))).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
});

test("W1: who waits while it ends and is forgotten at once is told how it ended", async () => {
  const bed = await openBed({ tools: [fine], workflows, limits: { retentionMs: 0 } });
  const { execId, result } = bed.t.start("waits");
  const early = result();
  await settled();
  const late = bed.t.result(execId);
  await bed.pass(20 * second);
  expect(await early).toMatchObject({ status: "SUCCESS" });
  expect(await late).toMatchObject({ status: "SUCCESS" });
});

test("W1: a second start with the same key waits for a run of which nothing is on disk yet", async () => {
  const bed = await openBed({ tools: [fine], workflows });
  const one = bed.t.start("works", {}, { idempotencyKey: "k" });
  const two = bed.t.start("works", {}, { idempotencyKey: "k" });
  expect(two.duplicate).toBe(true);
  expect(await two.result()).toEqual(await one.result());
});
