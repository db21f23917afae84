// What the calls of a play are called: by where they stand in the definition, for ids are others in every play.
//
//   charge   charge@2 second attempt   charge#2 second pass of a loop   pages[3]/fetch   pay/charge in a child workflow
//
// Invariants:
//   L1. The same call has the same name in every play that comes to it, also when a crash makes it come again.
//   L2. No two calls of a play have the same name, but one that a crash makes come again.

import type { Run } from "../../actors/run.ts";
import type { Outcome, Place } from "./trial.ts";

export type Places = ReturnType<typeof newPlaces>;

/** The run that began a run, and the task that did. */
type Caller = { run: string; task: string };

/** Names by execution of a task, with what the passes of one loop have in common; and what is before those of a run. */
type Known = {
  names: Map<string, { stem: string; name: string }>;
  passes: Map<string, number>;
  paths: Map<string, string>;
};
const nothing = (): Known => ({ names: new Map(), passes: new Map(), paths: new Map() });
const copyOf = ({ names, passes, paths }: Known): Known => ({
  names: new Map(names),
  passes: new Map(passes),
  paths: new Map(paths),
});

export function newPlaces(
  runOf: (id: string) => Run | undefined,
  homeOf: (execId: string) => string | undefined,
  known: Known = nothing(),
) {
  const { names, passes, paths } = copyOf(known);

  function callerOf({ facts }: Run): Caller | undefined {
    if (facts.parent) return facts.parent;
    // Nobody waits for a detached one, and it was begun by a task all the same.
    const task = facts.order?.payload.context.parent_exec_id;
    const run = task === undefined ? undefined : homeOf(task);
    return task === undefined || run === undefined ? undefined : { run, task };
  }

  /** What comes before the tasks of a run: nothing, or the task that began it. */
  function pathOf(runId: string): string {
    const found = paths.get(runId);
    if (found !== undefined) return found;
    const run = runOf(runId);
    const caller = run && callerOf(run);
    const task = caller && runOf(caller.run)?.executions.get(caller.task);
    const path = caller && task ? `${nameOf(caller.run, caller.task, task.id)}/` : "";
    paths.set(runId, path);
    return path;
  }

  function itemsAround(run: Run, taskExecId: string): string {
    const { frames, frameOf } = run.facts;
    let text = "";
    for (let key = frameOf[taskExecId]; key !== undefined && key !== "";) {
      const frame = frames[key];
      if (!frame) break;
      const container = run.executions.get(key.slice(0, key.lastIndexOf("#")));
      if (frame.index !== undefined && container) text = `${container.id}[${frame.index}]/${text}`;
      key = frame.outer;
    }
    return text;
  }

  function nameOf(runId: string, taskExecId: string, taskId: string): string {
    const found = names.get(taskExecId);
    if (found) return found.name;
    const run = runOf(runId);
    const stem = `${pathOf(runId)}${run ? itemsAround(run, taskExecId) : ""}${taskId}`;
    const pass = (passes.get(stem) ?? 0) + 1;
    passes.set(stem, pass);
    const name = pass === 1 ? stem : `${stem}#${pass}`;
    names.set(taskExecId, { stem, name });
    return name;
  }

  return {
    pathOf,
    known: (): Known => copyOf({ names, passes, paths }),
    /** One attempt of a task. */
    placeOf(runId: string, task: { id: string; exec_id: string }, attempt: number): Place {
      const name = nameOf(runId, task.exec_id, task.id);
      return attempt > 1 ? `${name}@${attempt}` : name;
    },
    /** What a crash took back was not: what comes instead has its name. */
    keepOnly(isKnown: (execId: string) => boolean): void {
      for (const [execId, { stem }] of Array.from(names)) {
        if (isKnown(execId)) continue;
        names.delete(execId);
        passes.set(stem, (passes.get(stem) ?? 1) - 1);
      }
      for (const run of Array.from(paths.keys())) if (!isKnown(run)) paths.delete(run);
    },
  };
}

/** What is planned for each place: for itself, for all attempts (`charge@*`), or for all items (`pages[*]/fetch`). */
export function planOf(calls: Readonly<Record<Place, Outcome>>): (place: Place) => Outcome | undefined {
  const isForMany = Object.keys(calls).some((place) => place.includes("*"));
  if (!isForMany) return (place) => calls[place];
  return (place) => {
    const items = place.replaceAll(/\[\d+\]/g, "[*]");
    return calls[place] ?? calls[`${firstOf(place)}@*`] ?? calls[items] ?? calls[`${firstOf(items)}@*`];
  };
}

/** The task that a place names, without where it stands and which time it is. */
export const taskIn = (place: Place): string => place.slice(place.lastIndexOf("/") + 1).replace(/[#@!].*$/, "");
/** The same place at its first attempt. */
export const firstOf = (place: Place): Place => place.replace(/@\d+$/, "");
