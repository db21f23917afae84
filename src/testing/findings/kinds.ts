// Every kind of finding, once: how bad it is, what is so, by which rule it is told, and what mends it. docs/check.md is
// made of this table.
//
// An error or a warning makes `troupe check` fail. A note does not: it says what nobody promised, so that nobody can
// tell whether it is wrong.

export type Severity = "error" | "warning" | "note";

export type Kind = {
  severity: Severity;
  /** In a few words. */
  title: string;
  /** When it is said, and when not. */
  rule: string;
  fix: string;
};

const kindsById = {
  "never-ends": {
    severity: "error",
    title: "a run does not come to an end",
    rule:
      "A loop that no way leads out of, or none while one of its tasks keeps failing; a run that comes to" +
      " the limit of steps because nothing in its loop changes what its routes ask for; a run that stands" +
      " still although nothing holds it. A pause that the definition asks for (`pause_before`, a budget" +
      " that pauses) is none.",
    fix:
      "give the loop a way out: a route that ends it, or `retry` with `max_attempts` in place of an" +
      " `on_error` that leads back",
  },
  "success-despite-failure": {
    severity: "error",
    title: "a run succeeds although something in it failed, and nobody looks",
    rule:
      "The run ends as SUCCESS, a lane of a `best_effort` container failed, and no expression of the" +
      " workflow reads the container's output or the failed task. An `on_error` takes a failure on" +
      " purpose, and so does a `race` that somebody won.",
    fix: "read `errors` or `counts` of the container's output (in a route or in `result`), or use `strategy: all`",
  },
  "refusal-ignored": {
    severity: "error",
    title: "an approval that is refused is taken like one that is given",
    rule:
      "A wait for an approval has a `next`, and no expression of the workflow reads `approved` of its" +
      " output or the output as a whole: a refusal is an ordinary output.",
    fix: "route on `tasks.<wait>.output.approved` right after the wait",
  },
  "handler-path-fails": {
    severity: "error",
    title: "the path that handles a failure fails itself, on its own input",
    rule:
      "A task that an `on_error` led to, or one after it, or one of an `undo`, fails with" +
      " EXPRESSION_ERROR because it reads the output of a task that failed or did not run, or a field" +
      " that the error does not have.",
    fix: "read it with `default(…, …)` or ask `has(…)` first: a task that failed has no output",
  },
  "expression-fails": {
    severity: "error",
    title: "an expression fails on data that may come",
    rule:
      "A task or the result fails with EXPRESSION_ERROR on data that the schemas allow, or because it" +
      " reads a task that did not succeed on this path.",
    fix: "make the field `required` in the schema, or read it with `default(…, …)`",
  },
  "no-route": {
    severity: "error",
    title: "a route has no way for data that may come",
    rule: "A route without `default` fails with NO_ROUTE on data that the schemas allow.",
    fix: "give the route a `default`",
  },
  "input-violates-schema": {
    severity: "error",
    title: "what a task hands on is not what is asked for",
    rule:
      "A task fails with VALIDATION_FAILED: its `with` breaks the `input` of its agent, tool or workflow" +
      " on data that the schemas allow.",
    fix:
      "give the input or output that it is made of a schema as narrow as the callee's, or fill in what" +
      " may be missing",
  },
  "output-violates-schema": {
    severity: "error",
    title: "what comes out breaks its schema",
    rule:
      "A run fails with VALIDATION_FAILED because its result breaks the `output` of its workflow, on data" +
      " that the schemas allow; or what a handler that was handed in gives breaks its own `output`.",
    fix: "make `result` of what every path has, or widen `output`",
  },
  "unpromised-data": {
    severity: "note",
    title: "something fails on data of which nothing is promised",
    rule:
      "An expression, a route, an input or the result fails on what comes from an agent, a tool, a child," +
      " a signal or an input that has no schema. It may never be so; nobody can tell.",
    fix: "give whatever it comes from an `output` or `input`: then it is either checked, or known to be wrong",
  },
  "unreachable-task": {
    severity: "error",
    title: "a task can never run",
    rule: "No way leads to it, or only ways that are never taken.",
    fix: "lead a way to it, or take it out",
  },
  "unreachable-route": {
    severity: "error",
    title: "a way can never be taken",
    rule:
      "A case or `default` of a route that no data chooses: those before it take everything, or it asks" +
      " for a value that the schema does not allow. An entry of `on_error` behind one that takes every" +
      " error, or for codes that such a task never has. It is said where it can be told for all data:" +
      " conditions that compare with written values.",
    fix: "put the narrower case first, mend the value it asks for, or take the case out",
  },
  "wait-never-satisfied": {
    severity: "error",
    title: "a wait that nothing can end but its timeout",
    rule:
      "A `match` that is false for every signal of its name; a signal that only this run itself sends," +
      " and only after the wait; a time that is longer than its own limit.",
    fix: "mend the `match`, send the signal before the wait or beside it, or make the time shorter",
  },
  "timeout-never-fires": {
    severity: "warning",
    title: "a time limit that is never reached",
    rule:
      "It is longer than a limit around it, which always comes first: of a container, the workflow, a" +
      " child, undoing.",
    fix: "make it shorter than what is around it, or leave it out",
  },
  "timeout-always-fires": {
    severity: "error",
    title: "a time limit that comes before any success",
    rule: "The shortest way to success takes longer than the limit, by its waits alone.",
    fix: "make the limit longer than the waits inside, or the waits shorter",
  },
  "retries-outlive-deadline": {
    severity: "warning",
    title: "retries that go on beyond the deadline",
    rule:
      "All attempts with their delays, each as long as its `timeout` allows, take longer than a limit" +
      " around the task: what is around it times out before the task has failed, so its `on_error` never" +
      " hears of it.",
    fix: "fewer attempts, a shorter `timeout`, or a `total_timeout` below what is around it",
  },
  "compensation-missed": {
    severity: "error",
    title: "something that was done is not undone",
    rule:
      "A run ends without success and an `undo` block failed: on its own expression or input, because one" +
      " call of it failed and was not tried again, or over `undo_timeout`. Nothing is said where every" +
      " attempt of its retry failed, or where a crash, a pause or a jump of the clock took its time.",
    fix: "give the tasks of `undo` a `retry`, and let them read only what is there",
  },
  "compensation-repeated": {
    severity: "error",
    title: "something is undone twice",
    rule:
      "In one run the same call (agent or tool, with the same input) succeeds in an `undo` block and on a" +
      " path that an `on_error` led to, after what it undoes.",
    fix: "undo it in one place: in `undo`, or on the path of the error",
  },
  "budget-exceeded": {
    severity: "error",
    title: "a budget does not last",
    rule:
      "A run ends with BUDGET_EXCEEDED, or is paused by its budget, by what the handlers said they used;" +
      " a warning where only failures and retries come to that. The time of a budget counts in fair" +
      " weather only.",
    fix: "raise the budget, or make fewer calls: fewer attempts, a loop with an end",
  },
  "limit-exceeded": {
    severity: "error",
    title: "a limit of the engine or of a definition is hit",
    rule:
      "A run that nobody disturbed meets PAYLOAD_TOO_LARGE, a full queue (RATE_LIMITED, all_busy), or a" +
      " limit of items or depth.",
    fix: "raise the limit, or ask for less at once (`max_concurrency`, a larger `queue_max`)",
  },
  "not-idempotent-twice": {
    severity: "error",
    title: "a call that must not come twice comes twice",
    rule:
      "An agent or tool marked `idempotent: false` is called again for the same task: after a crash, or" +
      " in an attempt that follows one whose outcome nobody knows (a timeout, a runtime that was lost).",
    fix:
      "let the handler remember `context.idempotencyKey`, and take the mark away; `never_on` with the" +
      " codes of timeouts keeps retries from repeating it, though not a crash",
  },
  "expectation-failed": {
    severity: "error",
    title: "an expectation does not hold",
    rule: "What was given with `--expect`, or as a property in TypeScript, is not true of a run, or fails on it.",
    fix: "mend the workflow, or what is expected of it",
  },
  "engine-defect": {
    severity: "error",
    title: "the engine itself did something wrong",
    rule:
      "INTERNAL_ERROR, a run that was parked, a record that may not follow the one before, a replay that" + " differs.",
    fix: "please report it with the file that `--out` writes: it is ours to mend",
  },
} as const satisfies Record<string, Kind>;

export type FindingId = keyof typeof kindsById;
export const kinds: Readonly<Record<FindingId, Kind>> = kindsById;
