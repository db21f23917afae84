// Goal: one command for many does to each what it would do by itself, and tells what came of each.
// Method: runs in several states, and queries that find some of them.

import { expect, test } from "vitest";
import { type Bed, heldAgent, openBed, refusal, second, settled } from "./bed.ts";

const nobody = "01920000-0000-7000-8000-000000000000";

async function bedOf() {
  const held = heldAgent("slow");
  let isBroken = true;
  const bed: Bed = await openBed({
    agents: [
      held.definition,
      {
        id: "fickle",
        handler: (input) => {
          if (isBroken) throw new Error("broken");
          return { input };
        },
      },
    ],
    workflows: [
      { id: "w", tasks: [{ id: "a", type: "agent", agent: "slow" }] },
      { id: "f", tasks: [{ id: "a", type: "agent", agent: "fickle", with: { n: "${{ input.n }}" } }] },
    ],
  });
  return { ...bed, held, mend: () => void (isBroken = false) };
}

test("cancelAll ends what the query finds, with a report of each, and nothing else", async () => {
  const { t, held, pass } = await bedOf();
  const labels = { team: "red" };
  const red = Array.from({ length: 150 }, () => t.start("w", {}, { labels }));
  const blue = t.start("w", {}, { labels: { team: "blue" } });
  await settled();
  const reporting = t.cancelAll({ labels }, "no more red");
  await pass(second);
  const report = await reporting;
  expect(report).toMatchObject({ matched: 150, failed: [] });
  expect(report.canceled.map(({ execId }) => execId).sort()).toEqual(red.map(({ execId }) => execId).sort());
  expect(report.canceled.every(({ changed, children }) => changed && children.length === 2)).toBe(true);
  expect(t.get(red[0]?.execId ?? "")).toMatchObject({ status: "CANCELED", about: { reason: "no more red" } });
  expect(t.get(blue.execId).status).toBe("RUNNING");
  expect(held.runs.filter(({ context }) => context.signal.aborted)).toHaveLength(150);
  expect(await t.cancelAll({ labels }), "they have ended").toEqual({ matched: 0, canceled: [], failed: [] });
});

test("retryAll begins ended ones anew, with the same input, labels and what each repeats", async () => {
  const { t, mend } = await bedOf();
  const ends = await Promise.all([1, 2].map((n) => t.run("f", { n }, { labels: { batch: "b" } })));
  expect(ends.map(({ status }) => status)).toEqual(["FAILED", "FAILED"]);
  mend();
  const good = await t.run("f", { n: 3 }, { labels: { batch: "b" } });
  const { retried, ...rest } = await t.retryAll({ labels: { batch: "b" } });
  expect(rest).toEqual({ matched: 2, failed: [] });
  expect(retried.map(({ retryOf }) => retryOf).sort()).toEqual(ends.map(({ execId }) => execId).sort());
  for (const { execId, retryOf } of retried) {
    const n = retryOf === ends[0]?.execId ? 1 : 2;
    expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { input: { n } } });
    expect(t.get(execId).labels).toEqual({ batch: "b", retry_of: retryOf });
  }
  expect((await t.list({ labels: { retry_of: ends[0]?.execId ?? "" } })).items).toHaveLength(1);
  expect(good.status, "what ended well is retried only if it is asked for").toBe("SUCCESS");
  expect((await t.retryAll({ labels: { batch: "b" }, status: ["SUCCESS"] })).matched).toBe(3);
});

test("a retry repeats its input also when it is retried itself, and may have a label more than others", async () => {
  const { t } = await bedOf();
  const labels = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`l${index}`, "x"]));
  const { execId } = await t.run("f", { n: 1 }, { labels });
  const one = await t.retry(execId);
  await t.result(one.execId);
  const two = await t.retry(one.execId);
  expect(await t.result(two.execId)).toMatchObject({ status: "FAILED" });
  expect(t.get(two.execId).labels).toEqual({ ...labels, retry_of: one.execId });
});

test("retry repeats a workflow that another one called", async () => {
  const { t, mend } = await bedOf();
  await t.define({
    workflows: [{ id: "outer", tasks: [{ id: "c", type: "workflow", workflow: "f", with: { n: 9 } }] }],
  });
  await t.run("outer");
  const [inner] = (await t.list({ id: "f" })).items;
  mend();
  const { execId } = await t.retry(inner?.execId ?? "");
  expect(await t.result(execId)).toMatchObject({ status: "SUCCESS", output: { input: { n: 9 } } });
});

test("what cannot be retried is refused, and in bulk told with its code", async () => {
  const { t } = await bedOf();
  const { execId } = t.start("w");
  await settled();
  expect((await refusal(() => t.retry(nobody))).code).toBe("EXECUTION_NOT_FOUND");
  expect(await refusal(() => t.retry(execId))).toMatchObject({ code: "INVALID_STATE", details: { status: "RUNNING" } });
  const [task] = (await t.list({ entity: "task" })).items;
  expect((await refusal(() => t.retry(task?.execId ?? ""))).code).toBe("INVALID_STATE");
  expect(await t.retryAll({ status: ["RUNNING"] }), "they have not ended").toMatchObject({ matched: 0 });
});

test("one that fails is told, and the others are retried", async () => {
  const one = await bedOf();
  await one.t.run("f", { n: 1 });
  const gone = await one.t.run("f", { n: 2 });
  await one.t.stop();
  const { t } = await openBed({ disk: one.disk, clock: one.clock });
  expect(await t.retryAll({})).toMatchObject({
    matched: 2,
    retried: [],
    failed: [{ code: "WORKFLOW_NOT_FOUND" }, { execId: gone.execId, code: "WORKFLOW_NOT_FOUND" }],
  });
});

test("a query with a name that is none is refused: a slip of the pen must not cancel everything", async () => {
  const { t } = await bedOf();
  for (const act of [() => t.cancelAll({ lables: { a: "b" } } as object), () => t.retryAll({ stauts: [] } as object)]) {
    expect(await refusal(act)).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("did you mean"),
    });
  }
  expect((await refusal(() => t.cancelAll({ limit: 3 } as object))).code).toBe("VALIDATION_FAILED");
});
