// What is wrong with a definition that loads, told without running it: of one workflow, and of all that it can call.

import { isObject } from "../../protocol/json.ts";
import type { Path, Problem } from "../../language/spec.ts";
import { unreachable } from "./dead-ways.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import type { FindingId } from "./kinds.ts";
import { endless } from "./loops.ts";
import { walkTasks } from "./tasks.ts";
import { contradictions } from "./times.ts";
import { hopeless } from "./waits.ts";

export function flawsOf(subject: Subject): PlacedFlaw[] {
  return called(subject).flatMap((one) => [
    ...unreachable(one),
    ...endless(one),
    ...hopeless(one),
    ...contradictions(one),
  ]);
}

/** The workflow, and those that it calls, however deep. */
export function called(subject: Subject): Subject[] {
  const all = new Map<string, Subject>();
  const open = [subject.spec];
  for (let spec = open.pop(); spec; spec = open.pop()) {
    if (all.has(spec.id)) continue;
    all.set(spec.id, { ...subject, spec });
    for (const { task } of walkTasks(spec)) {
      const child = task.type === "workflow" ? subject.workflows.get(task.workflow) : undefined;
      if (child) open.push(child);
    }
  }
  return [...all.values()];
}

/** What loading tells of a definition and is a finding here. Everything else that it tells keeps it from running. */
export function flawOfProblem({ code, path, message, severity }: Problem, definition: unknown): PlacedFlaw | undefined {
  const id = idOf(code, path, severity);
  const { id: workflow } = isObject(definition) ? definition : {};
  return id && flaw(id, { workflow: String(workflow), task: taskAt(path, definition), path, says: message });
}

/** The innermost task that a path leads through. */
function taskAt(path: Path, definition: unknown): string | undefined {
  let value = definition;
  let task: string | undefined;
  for (const step of path) {
    value = Array.isArray(value) ? value[Number(step)] : isObject(value) ? value[String(step)] : undefined;
    if (typeof step === "number" && isObject(value) && typeof value["id"] === "string") task = value["id"];
  }
  return task;
}

function idOf(code: string, path: Problem["path"], severity: Problem["severity"]): FindingId | undefined {
  if (code === "UNREACHABLE_TASK") return "unreachable-task";
  if (code !== "UNSATISFIABLE_TIMEOUT") return undefined;
  if (severity === "error") return "wait-never-satisfied";
  return path.at(-1) === "max_attempts" ? "retries-outlive-deadline" : "timeout-never-fires";
}
