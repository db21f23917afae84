// How each execution stands, made from what was said: every state event is recorded, and moves a row or does not.
//
// Invariants:
//   M1. The rows of a run are a function of its messages: made again from the log they are the same.
//   M2. An event that the transition tables do not allow moves nothing, and is kept with its disposition.

import { catalogue, type Key } from "../protocol/catalogue.ts";
import { type Entity, isTerminal } from "../protocol/statuses.ts";
import type { Data } from "../protocol/fields.ts";
import { type EventKey, nothingRecorded, record, type Disposition } from "../protocol/transitions.ts";
import type { Row } from "../store/store.ts";
import type { Word } from "./component.ts";
import type { Said } from "./react.ts";
import type { Run } from "./run.ts";

type Name = { id: string; exec_id: string };

export type Execution = {
  execId: string;
  entity: Entity;
  id: string;
  parents: Partial<Record<"workflow" | "task" | "agent", Name>>;
  parent: string | null;
  status: string;
  attempt: number;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  isOpen: boolean;
  error: { code: string; message: string } | null;
  /** What came of it; only of a run's root, since the others' stands in the log. */
  result: unknown;
  /** Why it waits or is paused, and who ended it, as they said it. */
  about: unknown;
  seen: readonly string[];
  /** Of a workflow: what it began with, what it has used up, and what it has undone. */
  story?: Story;
};
type Story = { lineage?: object; usage?: object; undo?: object };

type Payload = {
  status: string;
  result?: { output?: unknown; error?: { code: string; message: string } } | null;
  context: { attempt?: number; parent_exec_id?: string; [field: string]: unknown };
};

/**
 * Where an execution stands among those of its run, and what its row is called: its id. The first call of a direct run
 * has the id of the run's task, and is told apart by its kind.
 */
export const placeOf = ({ execId, entity, parents }: Pick<Execution, "execId" | "entity" | "parents">): string =>
  placeAt(entity, execId, parents.task?.exec_id);
export const placeAt = (entity: Entity, execId: string, taskExecId?: string): string =>
  entity !== "task" && taskExecId === execId ? `${execId}/${entity}` : execId;

/** A command that creates something makes its row, before the first event. */
const creating: { readonly [key in Key]?: Entity } = { "command:WorkflowExecute": "workflow" };

/** Records a message of the run, if it is one that moves something. */
export function recordEvent(
  run: Run,
  { id, word }: Pick<Said, "id" | "word">,
  at: number,
  changed: Set<string>,
  undo: (() => void)[],
): Disposition {
  const key = word.type as Key;
  const created = creating[key];
  const { kind, entity } = catalogue[key];
  if (created === undefined && (kind !== "event" || !entity)) return "applied";
  const own = word[created ?? (entity as Entity)] as Name | undefined;
  // Of another run is recorded there.
  const home = word.workflow?.exec_id;
  if (!own || (home !== undefined && home !== run.id && created === undefined)) return "applied";
  if (created !== undefined && own.exec_id !== run.id) return "applied";
  const before = run.executions.get(placeAt(created ?? (entity as Entity), own.exec_id, word.task?.exec_id));
  if (created !== undefined) {
    if (before) return "applied";
    put(run, { ...born(created, own, word, at), status: "PENDING" }, changed, undo);
    return "applied";
  }
  const payload = word["payload"] as Payload;
  const view = before ? { status: before.status, attempt: before.attempt, seen: before.seen } : nothingRecorded;
  const attempt = payload.context.attempt;
  const { disposition, view: after } = record(view, {
    type: key as EventKey,
    messageId: id,
    attempt,
    status: payload.status,
  });
  if (disposition !== "applied") {
    // It shows in no row, and is a duplicate when it comes again.
    if (before && disposition !== "duplicate") put(run, { ...before, seen: seenIn(after) }, new Set(), undo);
    return disposition;
  }
  const base = before ?? born(entity as Entity, own, word, at);
  put(run, moved(run, base, after, payload, key, at), changed, undo);
  return disposition;
}

function put(run: Run, execution: Execution, changed: Set<string>, undo: (() => void)[]): void {
  const place = placeOf(execution);
  const before = run.executions.get(place);
  undo.push(() => (before ? run.executions.set(place, before) : run.executions.delete(place)));
  run.executions.set(place, execution);
  changed.add(place);
}

function born(entity: Entity, { id, exec_id }: Name, word: Word, at: number): Execution {
  const { workflow, task, agent } = word;
  const parents = {
    ...(entity !== "workflow" && workflow && { workflow: workflow as Name }),
    ...(entity !== "task" && entity !== "workflow" && task && { task }),
    ...(entity === "tool" && agent && { agent }),
  };
  const place = (word["payload"] as Payload | undefined)?.context.parent_exec_id;
  const lineage = (word["payload"] as Payload | undefined)?.context["lineage"];
  const nearest = parents.agent ?? parents.task ?? parents.workflow;
  return {
    execId: exec_id,
    entity,
    id,
    parents,
    parent: place ?? nearest?.exec_id ?? null,
    status: nothingRecorded.status,
    attempt: 0,
    createdAt: at,
    startedAt: null,
    endedAt: null,
    isOpen: true,
    error: null,
    result: null,
    about: null,
    seen: [],
    ...(lineage !== undefined && { story: { lineage: ancestryIn(lineage as Data) } }),
  };
}

function moved(
  run: Run,
  base: Execution,
  view: { status: string; attempt: number; seen: readonly string[] },
  payload: Payload,
  key: Key,
  at: number,
): Execution {
  const isOver = isTerminal(view.status);
  const error = payload.result?.error;
  const isRoot = placeOf(base) === run.id;
  const { wait, reason, paused_by, canceled_by, delay_ms, usage, undo: undone } = payload.context as Data;
  const isTold = usage !== undefined || undone !== undefined;
  const about = defined({ wait, reason, paused_by, canceled_by, delay_ms });
  return {
    ...base,
    status: view.status,
    attempt: view.attempt,
    seen: seenIn(view),
    startedAt: base.startedAt ?? (view.status === "RUNNING" ? at : null),
    endedAt: isOver ? at : null,
    isOpen: !isOver,
    error: error
      ? { code: error.code, message: error.message }
      : isOver || key === "event:TaskRetryScheduled"
        ? null
        : base.error,
    result: isRoot && isOver ? (payload.result ?? null) : base.result,
    about: Object.keys(about).length > 0 ? about : null,
    ...(isTold && { story: { ...base.story, ...defined({ usage, undo: undone }) } }),
  };
}

/** A message that comes again is known by its event and attempt; its id is needed where there is no attempt. */
const seenIn = ({ attempt, seen }: Pick<Execution, "attempt" | "seen">): readonly string[] =>
  attempt > 0 ? seen.filter((mark) => mark.includes("#")) : seen;

/** From where it came: what it was given of the results there stands in its order. */
const ancestryIn = ({ kind, from_exec_id, from_task }: Data): object => ({ kind, from_exec_id, from_task });

function defined(fields: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) kept[name] = value;
  return kept;
}

/** As the store keeps it. */
export function rowOf(run: Run, execution: Execution): Row {
  const { execId, entity, id, parent, status, attempt, createdAt, endedAt, error } = execution;
  const { startedAt, parents, result, about, story } = execution;
  const isRoot = placeOf(execution) === run.id;
  const labels = isRoot ? run.facts.labels : null;
  const flow = isRoot ? run.facts.flow : undefined;
  const words = [id, execId, ...(error ? [error.code, error.message] : []), ...Object.entries(labels ?? {}).flat()];
  return {
    execId: placeOf(execution),
    entity,
    id,
    run: run.id,
    parent,
    status,
    attempt,
    correlationId: run.correlationId,
    createdAt,
    endedAt,
    errorCode: error?.code ?? null,
    text: words.join(" "),
    labels,
    body: JSON.stringify({ startedAt, parents, error, result, about, ...story, ...(flow && { flow }) }),
  };
}
