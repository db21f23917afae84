// What a signal has to carry for a wait to take it: what the wait's `match` holds it against.

import { valueOf } from "../../language/expression.ts";
import type { Scope, TaskSpec } from "../../language/spec.ts";
import type { Run } from "../../actors/run.ts";
import { readsIn } from "./reads.ts";

/** A payload that the wait takes, as far as its conditions are comparisons; `{}` if it asks for nothing. */
export function signalFitting(task: TaskSpec | undefined, run: Run | undefined): unknown {
  if (task?.type !== "wait" || !("signal" in task.wait)) return {};
  const payload: Record<string, unknown> = {};
  for (const { path, literals, equals, as } of readsIn(task.wait.match)) {
    const [root, field, ...rest] = path;
    if (root !== "signal" || field !== "payload" || rest.length === 0) continue;
    const value = equals === undefined ? (literals[0] ?? (as === "boolean" ? true : undefined)) : known(equals, run);
    if (value !== undefined) set(payload, rest, value);
  }
  return payload;
}

/** What an expression gives for the run as it stands; nothing if it cannot be worked out. */
function known(source: string, run: Run | undefined): unknown {
  if (!run) return undefined;
  const { facts, id, correlationId } = run;
  const workflow = { id: facts.definition?.id ?? "", exec_id: id, correlation_id: correlationId, started_at: "" };
  try {
    return valueOf(source, { input: facts.input, tasks: facts.tasks, workflow } as Scope);
  } catch {
    // Then the wait is not satisfied, and the report shows a wait that nobody can satisfy.
    return undefined;
  }
}

function set(within: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) within[key] = value;
  else {
    const inner = within[key];
    const next = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
    within[key] = next;
    set(next, rest, value);
  }
}
