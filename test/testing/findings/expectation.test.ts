// Goal: an expectation is told to hold exactly if it does, also of tasks that did not run; what is none is refused.

import { describe, expect, test } from "vitest";
import type { TaskSpec } from "../../../src/language/spec.ts";
import { expecting } from "../../../src/testing/findings/expectation.ts";
import { callee, judged } from "./bed.ts";

const agent = (id: string, more: object = {}): TaskSpec =>
  ({ id, type: "agent", agent: "worker", ...more }) as TaskSpec;
const tasks = [agent("a", { on_error: "b" }), agent("b")];

async function broken(source: string, isFailing = false): Promise<string[]> {
  const calls = isFailing ? { a: { do: "fails", code: "BROKEN" } as const } : {};
  const given = { agents: [callee("worker")], trial: { calls, input: { n: 3 } }, own: [expecting(source)] };
  return (await judged({ id: "w", tasks }, given)).found;
}

describe("an expectation", () => {
  test.each([
    ["status == 'SUCCESS'", false],
    ["status == 'FAILED' || tasks.a.status == 'SUCCESS'", false],
    ["tasks.b.status == 'NOT_RUN'", false],
    ["has(tasks.b.output) == false", false],
    ["tasks.a.status == 'FAILED' && tasks.a.error.cause_code == 'BROKEN'", true],
    ["tasks.b.output.ok == output.ok", true],
    ["input.n == 3 && workflow.id == 'w'", false],
    ["error == null", false],
  ])("%s holds", async (source, isFailing) => {
    expect(await broken(source, isFailing)).toEqual([]);
  });

  test.each([
    ["status == 'FAILED'", false],
    ["tasks.b.status == 'SUCCESS'", false],
    ["tasks.b.output.ok", false],
    ["input.n", false],
    ["tasks.a.status == 'SUCCESS'", true],
  ])("%s does not hold", async (source, isFailing) => {
    expect(await broken(source, isFailing)).toEqual(["expectation-failed"]);
  });

  test.each([
    ["status = 'SUCCESS'", /is no expectation: /],
    ["statsu == 'SUCCESS'", /there is no 'statsu' here/],
    ["env.KEY == 'x'", /there is no 'env' here/],
  ])("%s is refused", (source, why) => {
    expect(() => expecting(source)).toThrow(why);
  });

  test("of a task that the workflow does not have nothing is expected", async () => {
    await expect(broken("tasks.c.status == 'SUCCESS'")).rejects.toThrow("workflow 'w' has no task 'c'");
  });
});
