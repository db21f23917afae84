// Goal: a check fails a test with the story of what is wrong and what plays it again, and passes once that is mended.
// Method: a workflow whose failure path reads what is not there, its mended twin, and an expectation that may not hold.

import { assert, check } from "fast-check";
import { expect, test } from "vitest";
import { defineTool, defineWorkflow } from "../../../src/index.ts";
import type { Played } from "../../../src/testing/check/trial.ts";
import { checkWorkflow, CheckFailure, workflowProperty } from "../../../src/testing/door/check-workflow.ts";
import { charge } from "./order.ts";

const tell = defineTool({ id: "tell", handler: () => ({}), output: { type: "object" } });
const telling = (about: string) =>
  defineWorkflow({
    id: "sale",
    input: { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] },
    tasks: [
      { id: "pay", type: "tool", tool: "charge", with: { sum: "${{ input.sum }}" }, next: "done", on_error: "close" },
      { id: "close", type: "tool", tool: "tell", with: { about }, next: "done" },
      { id: "done", type: "tool", tool: "tell" },
    ],
  });
const flawed = telling("${{ tasks.pay.output.receipt }}");
const mended = telling("${{ default(tasks.pay.output.receipt, 'nothing') }}");
const tools = [charge, tell];
const runs = 150;

const thrownBy = async (checking: Promise<unknown>): Promise<CheckFailure> => {
  const thrown: unknown = await checking.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(CheckFailure);
  return thrown as CheckFailure;
};

test("W1: what is wrong is thrown with its story, its remedy and its replay, the same each time", async () => {
  const thrown = await thrownBy(checkWorkflow(flawed, { tools, runs }));
  expect(thrown.message).toContain("error handler-path-fails  sale close");
  expect(thrown.message).toContain("2. `pay` calls tool `charge` and fails with FAILED");
  expect(thrown.message).toContain('again: checkWorkflow(…, { replay: "1:pay=fails.FAILED" })');
  expect((await thrownBy(checkWorkflow(flawed, { tools, runs }))).message).toBe(thrown.message);
  const again = await thrownBy(checkWorkflow(flawed, { tools, replay: "1:pay=fails.FAILED" }));
  expect(again.findings.map(({ id, task }) => [id, task])).toEqual([["handler-path-fails", "close"]]);
  expect((await checkWorkflow(mended, { tools, replay: "1:pay=fails.FAILED" })).findings).toEqual([]);
});

test("what is mended passes, and gives what was looked at", async () => {
  const { report } = await checkWorkflow(mended, { tools, runs });
  expect(report).toMatchObject({ runs, seed: 1 });
});

test("what a test expects of every run is CEL, or a function that throws or gives false", async () => {
  const always = "tasks.close.status == 'NOT_RUN'";
  const cel = await thrownBy(checkWorkflow(mended, { tools, runs, expect: always }));
  expect(cel.findings.map(({ id }) => id)).toEqual(["expectation-failed"]);
  const neverCloses = ({ calls }: Played): boolean => calls.every(({ task }) => task !== "close");
  const own = await thrownBy(checkWorkflow(mended, { tools, runs, expect: neverCloses }));
  expect(own.message).toContain("neverCloses does not hold of a run that ended as SUCCESS");
  expect(own.findings[0]?.shown?.replay).toBe("1:pay=fails.FAILED");
  await checkWorkflow(mended, { tools, runs, expect: [() => undefined, "true"] });
});

test("what agents and tools answer may be said, and whoever is not there is refused", async () => {
  const answers = { charge: { receipt: "R-1" } };
  await checkWorkflow(mended, { tools, runs: 20, answers });
  await expect(checkWorkflow(mended, { tools, answers: { chrge: {} } })).rejects.toThrow("did you mean 'charge'?");
});

test("a workflow is checked from its file as well", async () => {
  const { workflow } = await checkWorkflow("examples/hello/workflows/hello.yaml", { runs: 50 });
  expect(workflow).toBe("hello");
});

test("as a property fast-check finds it, and shrinks it to the one fault", async () => {
  const property = await workflowProperty(flawed, { tools });
  const { failed, counterexample, errorInstance } = await check(property, { seed: 1, numRuns: 200 });
  expect(failed).toBe(true);
  const [trial] = counterexample ?? [];
  expect(Object.keys(trial?.calls ?? {})).toHaveLength(1);
  expect(trial?.disturbances).toEqual([]);
  expect(String(errorInstance)).toContain("handler-path-fails");
  await assert(await workflowProperty(mended, { tools }), { seed: 1, numRuns: 100 });
});
