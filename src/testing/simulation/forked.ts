// I16: a fork equals a fresh run that was given the same results. What is compared, and which runs can be.

import { journalOf } from "../../actors/record.ts";
import { innerBlocks } from "../../language/blocks.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Disk } from "../../store/memory.ts";
import type { Scenario } from "./scenario.ts";

/** How a run ended, and which of its own tasks it went through, without what differs from run to run. */
export type Course = { status: string; code: string | null; output: unknown; tasks: string[] };

/**
 * What a run uses up or keeps for later counts from its beginning: a fork has used nothing and kept nothing, and its
 * calls are not held back by those before them. How long a pause takes is for people to say.
 */
export const isComparable = ({ workflows, agents, tools, limits }: Scenario): boolean =>
  // Where tools are few, a detached child may have taken the one that the run wanted, and not the fork.
  limits.tools === undefined &&
  workflows.every(({ budget, rate, tasks }) => !budget && !rate && tasks.every(isRepeatable)) &&
  [...agents, ...tools].every(({ rate }) => rate === undefined);

const isRepeatable = (task: TaskSpec): boolean =>
  task.type !== "signal" &&
  task.pause_before === undefined &&
  innerBlocks(task).every(({ block }) => block.every(isRepeatable)) &&
  (task.undo ?? []).every(isRepeatable);

/** What is undone is of no account: a fork undoes only what it did itself. */
export function courseOf(disk: Disk, run: string, spec: WorkflowSpec): Course {
  const row = disk.rows.get(run);
  const { result } = JSON.parse(row?.body ?? "{}") as { result?: { output?: unknown } | null };
  const lines = (disk.runs.get(run)?.records ?? []).flatMap(journalOf);
  const tasks = lines.flatMap(({ type, envelope }) => {
    if (type !== "event:TaskScheduled") return [];
    const { id } = envelope["task"] as { id: string };
    return spec.tasks.some((task) => task.id === id) ? [id] : [];
  });
  return { status: row?.status ?? "", code: row?.errorCode ?? null, output: plain(result?.output ?? null), tasks };
}

/** Ids differ from run to run, and the order in which names are listed says nothing. */
function plain(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>");
  if (Array.isArray(value)) return value.map(plain).sort((one, other) => (textOf(one) < textOf(other) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, part]) => [name, plain(part)]));
}
const textOf = (value: unknown): string => JSON.stringify(value);

/** Where a run can be forked so that what follows is known: tasks that it went through once. */
export const placesIn = ({ tasks }: Course): string[] =>
  tasks.filter((id) => tasks.indexOf(id) === tasks.lastIndexOf(id));

/** In what a fork from a task differs from the run it comes from, if it does. */
export function differs(fresh: Course, forked: Course, from: string): string | undefined {
  const rest = fresh.tasks.slice(fresh.tasks.indexOf(from));
  if (String(rest) !== String(forked.tasks)) return `goes through [${forked.tasks.join()}], not [${rest.join()}]`;
  const [one, other] = [fresh, forked].map(({ status, code, output }) => textOf({ status, code, output }));
  return one === other ? undefined : `ends with ${other}, not ${one}`;
}
