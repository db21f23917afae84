// What whoever checks expects of every run, as CEL over how it ended: `status`, `output`, `error`, `input`, `tasks`.
//
// Every task of the workflow is there: one that did not run has the status NOT_RUN, so that asking for it is no error.

import { meant } from "../../language/defects.ts";
import { expressionOf } from "../../language/expression.ts";
import type { Scope } from "../../language/spec.ts";
import { fromUnknown, TroupeError } from "../../protocol/errors.ts";
import type { Judge, Played } from "../check/trial.ts";
import { contentOf, tasksIn } from "./evidence.ts";
import { flaw } from "./flaw.ts";

const names = ["status", "output", "error", "input", "tasks", "workflow"];

/** The judge of one expectation. What is no expression, or names what is not there, is refused at once. */
export function expecting(source: string): Judge {
  const expression = expressionOf(source);
  const stranger =
    "flaw" in expression ? expression.unknown : expression.names.find(({ name }) => !names.includes(name))?.name;
  if (stranger !== undefined) {
    const hint = meant(stranger, names) ?? `there is ${names.join(", ")}`;
    throw refused(source, `there is no '${stranger}' here; ${hint}`);
  }
  if ("flaw" in expression) throw refused(source, expression.flaw);
  return (played) => {
    const unknown = expression.tasks.find(({ name }) => !tasksIn(played.definition).has(name));
    if (unknown) throw refused(source, `workflow '${played.definition.id}' has no task '${unknown.name}'`);
    const failed = failing(() => expression.evaluate(scopeOf(played)));
    if (failed === undefined) return [];
    const why = failed === "" ? "" : `: ${failed}`;
    const says = `"${source}" does not hold of a run that ended as ${played.status}${why}`;
    const found = flaw("expectation-failed", { workflow: played.definition.id, path: [], says });
    return [{ ...found, title: `expected: ${source}` }];
  };
}

function failing(holds: () => unknown): string | undefined {
  try {
    const given = holds();
    if (given === true) return undefined;
    return given === false ? "" : `it gives ${JSON.stringify(given)}, neither true nor false`;
  } catch (thrown) {
    return fromUnknown(thrown).message;
  }
}

/** A run by what came of it. */
function scopeOf(played: Played): Scope {
  const tasks: Record<string, { status: string; output?: unknown; error?: unknown }> = {};
  for (const id of tasksIn(played.definition).keys()) tasks[id] = { status: "NOT_RUN" };
  for (const { entity, id, status, parents } of played.executions) {
    if (entity === "task" && parents.workflow?.exec_id === played.run) tasks[id] = { status };
  }
  for (const line of played.lines) {
    const { task, workflow, payload } = contentOf(line);
    const fact = task && tasks[task.id];
    if (!fact || workflow?.exec_id !== played.run || line.disposition !== "applied") continue;
    const { output, error } = payload?.result ?? {};
    if (line.word.type === "event:TaskExecutionSuccess") fact.output = output;
    if (error && fact.status !== "SUCCESS" && line.word.type.startsWith("event:TaskExecution")) {
      fact.error = { ...error, cause_code: error.details?.["cause_code"] ?? null };
    }
  }
  const { status, output, error, run, trial } = played;
  return {
    status,
    output,
    error,
    input: trial.input,
    tasks,
    workflow: { id: trial.workflow, exec_id: run },
  } as unknown as Scope;
}

const refused = (source: string, why: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `--expect '${source}' is no expectation: ${why}`, { expect: source });
