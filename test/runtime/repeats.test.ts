// Goal: a command with a key is carried out once, whoever asks again and whatever happened between. Method: a workflow
// that waits for a signal, told the same by several at once, after its answer, and after a crash.

import { expect, test } from "vitest";
import { type Bed, openBed, refusal } from "./bed.ts";

const waits = {
  id: "waits",
  tasks: [{ id: "hear", type: "wait", wait: { signal: "go" }, timeout: "20h" }],
} as never;

const said = async ({ t }: Bed, execId: string, type: string): Promise<number> =>
  (await t.history(execId)).filter((line) => line.type === type).length;

async function begun(bed: Bed): Promise<string> {
  const { execId } = bed.t.start("waits");
  await bed.pass(10);
  return execId;
}
/** Time passes while it is asked for. */
async function told(bed: Bed, act: () => Promise<void>): Promise<void> {
  const done = act();
  await bed.pass(10);
  await done;
}

test("RP1: it is said once to a run, by however many at once, afterwards, and after a crash", async () => {
  const bed = await openBed({ workflows: [waits] });
  const execId = await begun(bed);
  const key = { idempotencyKey: "k" };
  const pause = (one: Bed) => () => one.t.pause(execId, "lunch", key);
  const both = [pause(bed)(), pause(bed)()];
  await bed.pass(10);
  await Promise.all(both);
  await told(bed, pause(bed));
  bed.store.crash();
  const next = await openBed({ workflows: [waits], disk: bed.disk, clock: bed.clock });
  await told(next, pause(next));
  expect(await said(next, execId, "command:WorkflowPause")).toBe(1);
  expect(next.t.get(execId).status).toBe("PAUSED");
});

test("RP1: a refusal is repeated as it was", async () => {
  const bed = await openBed({ workflows: [waits] });
  const execId = await begun(bed);
  const resume = () => bed.t.resume(execId, undefined, { idempotencyKey: "k" });
  const first = refusal(resume);
  await bed.pass(10);
  const second = refusal(resume);
  await bed.pass(10);
  expect((await first).code).toBe("INVALID_STATE");
  expect(await second).toEqual(await first);
  expect(await said(bed, execId, "command:WorkflowResume")).toBe(1);
});

test("RP2: the same key for other content is refused, at once and later; another run is another matter", async () => {
  const bed = await openBed({ workflows: [waits] });
  const [one, other] = [await begun(bed), await begun(bed)];
  const key = { idempotencyKey: "k" };
  const first = bed.t.signal(one, "ready", 1, key);
  const wrong = refusal(() => bed.t.signal(one, "ready", 2, key));
  await bed.pass(10);
  await first;
  expect((await wrong).code).toBe("IDEMPOTENCY_CONFLICT");
  expect((await refusal(() => bed.t.pause(one, "lunch", key))).code).toBe("IDEMPOTENCY_CONFLICT");
  await told(bed, () => bed.t.signal(other, "ready", 2, key));
  expect(await said(bed, other, "command:WorkflowSignal")).toBe(1);
});

test("a key that is none is refused", async () => {
  const bed = await openBed({ workflows: [waits] });
  const execId = await begun(bed);
  expect((await refusal(() => bed.t.pause(execId, "x", { idempotencyKey: "" }))).code).toBe("VALIDATION_FAILED");
});
