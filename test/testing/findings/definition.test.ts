// Goal: what a definition says on purpose is no finding, and what is found is said of the right place.
// Method: sound workflows that look like flawed ones give nothing; the corpus of pairs beside holds the flawed ones.

import { describe, expect, test } from "vitest";
import type { Problem, TaskSpec, WorkflowSpec } from "../../../src/language/spec.ts";
import { called, flawOfProblem, flawsOf } from "../../../src/testing/findings/definition.ts";
import type { Subject } from "../../../src/testing/findings/flaw.ts";

const subjectOf = (spec: WorkflowSpec, ...others: WorkflowSpec[]): Subject => ({
  spec,
  workflows: new Map([spec, ...others].map((one) => [one.id, one])),
  agents: new Map(),
  tools: new Map(),
});
const found = (spec: Omit<WorkflowSpec, "id">): string[] =>
  flawsOf(subjectOf({ id: "w", ...spec })).map(({ id, task = "", path }) => `${id} ${task} ${path?.join(".")}`);

const agent = (id: string, more: object = {}): TaskSpec =>
  ({ id, type: "agent", agent: "worker", ...more }) as TaskSpec;
const wait = (id: string, wait: object, more: object = {}): TaskSpec =>
  ({ id, type: "wait", wait, timeout: "1h", ...more }) as TaskSpec;

describe("a loop is right", () => {
  test.each<[string, TaskSpec[]]>([
    [
      "with a route out of it",
      [
        agent("a", { next: "r" }),
        { id: "r", type: "route", cases: [{ when: "${{ tasks.a.output.ok }}", next: "z" }], default: "a" },
        agent("z"),
      ],
    ],
    [
      "if failure leads back once and then fails",
      [agent("a", { on_error: "b" }), agent("b", { next: "c" }), agent("c")],
    ],
    [
      "if only some failures lead back",
      [agent("a", { on_error: [{ codes: ["BUSY"], next: "b" }] }), wait("b", { duration: "1m" }, { next: "a" })],
    ],
    [
      "if somebody is asked each time",
      [agent("a", { on_error: "b" }), agent("b", { pause_before: "again?", next: "a" })],
    ],
    [
      "if whoever is asked may say no",
      [
        agent("a", { on_error: "ask" }),
        wait("ask", { approval: "again?" }, { next: "r" }),
        { id: "r", type: "route", cases: [{ when: "${{ tasks.ask.output.approved }}", next: "a" }], default: "z" },
        agent("z"),
      ],
    ],
  ])("%s", (_what, tasks) => {
    expect(found({ tasks })).toEqual([]);
  });

  test("in a branch it is looked at by itself", () => {
    const branches = { one: [agent("a", { next: "b" }), agent("b", { next: "a" })], two: [agent("c")] };
    expect(found({ tasks: [{ id: "p", type: "parallel", branches }] })).toEqual([
      "never-ends a tasks.0.branches.one.0.id",
    ]);
  });
});

describe("a wait is right", () => {
  test.each<[string, TaskSpec[]]>([
    ["if its signal comes from outside", [wait("a", { signal: "go" })]],
    [
      "if the signal is sent before it",
      [{ id: "s", type: "signal", signal: "go", next: "a" }, wait("a", { signal: "go" })],
    ],
    [
      "if a branch beside it sends the signal",
      [
        {
          id: "p",
          type: "parallel",
          branches: { a: [wait("a", { signal: "go" })], b: [{ id: "s", type: "signal", signal: "go" }] },
        },
      ],
    ],
    [
      "if one way to it sends the signal and another does not",
      [
        { id: "r", type: "route", cases: [{ when: "${{ input.x }}", next: "a" }], default: "s" },
        wait("a", { signal: "go" }),
        { id: "s", type: "signal", signal: "go", next: "a" },
      ],
    ],
    [
      "if what sends it behind goes to somebody else",
      [wait("a", { signal: "go" }, { next: "s" }), { id: "s", type: "signal", signal: "go", to: "${{ input.other }}" }],
    ],
    ["if its match looks at the payload", [wait("a", { signal: "go", match: "${{ signal.payload.n > 3 }}" })]],
    ["if its match looks at the signal as a whole", [wait("a", { signal: "go", match: "${{ signal != null }}" })]],
  ])("%s", (_what, tasks) => {
    expect(found({ tasks })).toEqual([]);
  });
});

describe("an approval is right", () => {
  const ask = (more: object = {}): TaskSpec => wait("ask", { approval: "yes?" }, more);
  test.each<[string, Omit<WorkflowSpec, "id">]>([
    ["if it is all there is", { tasks: [ask()] }],
    ["if its answer is what the run gives", { tasks: [agent("a", { next: "ask" }), ask()] }],
    [
      "if its answer is part of the result",
      { tasks: [ask({ next: "z" }), agent("z")], result: "${{ tasks.ask.output }}" },
    ],
    [
      "if its answer is handed on as a whole",
      { tasks: [ask({ next: "z" }), agent("z", { with: "${{ tasks.ask.output }}" })] },
    ],
    [
      "if a function may read it",
      {
        tasks: [
          ask({ next: "z" }),
          agent("z", { with: ({ tasks }: { tasks: Record<string, unknown> }) => tasks["ask"] }),
        ],
      },
    ],
    [
      "if it is read by brackets",
      { tasks: [ask({ next: "z" }), agent("z", { with: { ok: '${{ tasks["ask"].output.approved }}' } })] },
    ],
  ])("%s", (_what, spec) => {
    expect(found(spec)).toEqual([]);
  });

  test("reading its comment alone does not look at the answer", () => {
    const tasks = [ask({ next: "z" }), agent("z", { with: { why: "${{ default(tasks.ask.output.comment, '') }}" } })];
    expect(found({ tasks })).toEqual(["refusal-ignored ask tasks.0.wait.approval"]);
  });
});

describe("ways are right", () => {
  test.each<[string, TaskSpec[]]>([
    ["for a code of the callee's own", [agent("a", { on_error: [{ codes: ["MY_CODE"], next: "z" }] }), agent("z")]],
    [
      "for one code and then any",
      [agent("a", { on_error: [{ codes: ["X"], next: "y" }, { next: "z" }] }), agent("y"), agent("z")],
    ],
    [
      "if two entries share one of their codes",
      [
        agent("a", {
          on_error: [
            { codes: ["X"], next: "y" },
            { codes: ["X", "Y"], next: "z" },
          ],
        }),
        agent("y"),
        agent("z"),
      ],
    ],
  ])("%s", (_what, tasks) => {
    expect(found({ tasks })).toEqual([]);
  });

  test("the second of two entries with the same codes is never taken", () => {
    const errors = [{ codes: ["X"], next: "z" }, { codes: ["X"], next: "y" }, { next: "y" }];
    const tasks = [agent("a", { on_error: errors }), agent("y"), agent("z")];
    expect(found({ tasks })).toEqual(["unreachable-route a tasks.0.on_error.1.next"]);
  });
});

test("all that is called is looked at, once, and what calls itself has an end", () => {
  const call = (id: string, workflow: string): TaskSpec => ({ id, type: "workflow", workflow, detached: true });
  const one: WorkflowSpec = { id: "one", tasks: [call("a", "two"), call("b", "two")] };
  const two: WorkflowSpec = { id: "two", tasks: [call("c", "one"), agent("d", { next: "d" })] };
  expect(called(subjectOf(one, two)).map(({ spec }) => spec.id)).toEqual(["one", "two"]);
  expect(flawsOf(subjectOf(one, two)).map(({ workflow, task }) => `${workflow}.${task}`)).toEqual(["two.d"]);
});

test("what loading tells is a finding if it is one, with its task", () => {
  const problem = (code: string, path: Problem["path"], severity: Problem["severity"]): Problem => {
    return { code, path, severity, message: "so", file: "w.yaml", line: 1, col: 1 };
  };
  const definition = { id: "w", tasks: [{ id: "a", branches: { x: [{ id: "b", retry: { max_attempts: 3 } }] } }] };
  const inner = ["tasks", 0, "branches", "x", 0];
  const idOf = (...given: Parameters<typeof problem>) => {
    const flaw = flawOfProblem(problem(...given), definition);
    return flaw && `${flaw.id} ${flaw.workflow} ${flaw.task}`;
  };
  expect(idOf("UNREACHABLE_TASK", inner, "error")).toBe("unreachable-task w b");
  expect(idOf("UNSATISFIABLE_TIMEOUT", [...inner, "retry", "max_attempts"], "warning")).toBe(
    "retries-outlive-deadline w b",
  );
  expect(idOf("UNSATISFIABLE_TIMEOUT", ["tasks", 0, "timeout"], "warning")).toBe("timeout-never-fires w a");
  expect(idOf("UNSATISFIABLE_TIMEOUT", ["tasks", 0, "wait", "duration"], "error")).toBe("wait-never-satisfied w a");
  expect(idOf("UNKNOWN_TASK", ["tasks", 0, "next"], "error")).toBeUndefined();
});
