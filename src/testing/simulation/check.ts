// The checkers of what a simulation leaves behind, by the name of their invariant. I5 and I9 are looked at in the play.

import { placeAt } from "../../actors/state-manager.ts";
import { catalogue, isKey, type Key } from "../../protocol/catalogue.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import { type EventKey, nothingRecorded, record, type Recording } from "../../protocol/transitions.ts";
import { delaysAndAttempts } from "./check-policy.ts";
import { containers } from "./check-containers.ts";
import { limits } from "./check-limits.ts";
import { compensation } from "./check-undo.ts";
import { triggers } from "./check-triggers.ts";
import { answers, survival, whatWasSeen } from "./check-outside.ts";
import type { Evidence, Finding, Line, Told } from "./evidence.ts";

/** What is said within the grace of everything that is told to stop, one after the other. */
const graceMs = 30_000;

export function check(evidence: Evidence): Finding[] {
  const told = eventsOf(evidence.lines);
  const byExecution = Map.groupBy(told, ({ execId }) => execId);
  const checkers: [Finding["invariant"], Iterable<string>][] = [
    ["I1", ends(evidence)],
    ["I2", terminalEvents(byExecution)],
    ["I3", afterTheParent(evidence, byExecution)],
    ["I4", handlersAfterCancel(evidence, byExecution)],
    ["I6", survival(evidence, byExecution)],
    ["I7", delaysAndAttempts(evidence, byExecution)],
    ["I8", legality(evidence, byExecution)],
    ["I10", doubles(evidence)],
    ["I11", whatWasSeen(evidence)],
    ["I12", answers(evidence)],
    ["I13", containers(evidence, byExecution)],
    ["I14", compensation(evidence, told)],
    ["I15", limits(evidence, byExecution)],
    ["I17", triggers(evidence, byExecution)],
  ];
  return checkers.flatMap(([invariant, complaints]) => [...complaints].map((what) => ({ invariant, what })));
}

function eventsOf(lines: readonly Line[]): Told[] {
  return lines.flatMap((line) => {
    if (!isKey(line.type) || catalogue[line.type].kind !== "event") return [];
    const { entity } = catalogue[line.type];
    const own = entity && (line.envelope[entity] as { exec_id?: string } | undefined);
    if (!entity || own?.exec_id === undefined) return [];
    const { context, status } = line.envelope["payload"] as { status: string; context: { attempt?: number } };
    const task = line.envelope["task"] as { exec_id?: string } | undefined;
    return [
      { ...line, entity, execId: placeAt(entity, own.exec_id, task?.exec_id), attempt: context.attempt ?? 0, status },
    ];
  });
}

const isApplied = ({ disposition }: Line): boolean => disposition === "applied";
/** The word that ended an execution, if no retry followed it. */
function endOf(told: readonly Told[]): Told | undefined {
  const last = told
    .filter(isApplied)
    .filter(({ type }) => type !== "event:AgentDispatchFailed")
    .at(-1);
  return last && isTerminal(last.status) ? last : undefined;
}

/** I1: whatever began has ended. */
function* ends({ disk }: Evidence): Generator<string> {
  for (const [run, { state }] of disk.runs) {
    if (state && state.state !== "ended") yield `run ${run} is ${state.state}`;
  }
  for (const { execId, entity, status, id } of disk.rows.values()) {
    if (entity !== "agent_runtime" && !isTerminal(status)) yield `${entity} '${id}' ${execId} stands at ${status}`;
  }
}

/** I2: one terminal event for each execution and attempt, and nothing is applied after it but a retry. */
function* terminalEvents(byExecution: ReadonlyMap<string, readonly Told[]>): Generator<string> {
  for (const [execId, told] of byExecution) {
    if (told[0]?.entity === "agent_runtime") continue;
    let ended: Told | undefined;
    for (const one of told.filter(isApplied)) {
      if (ended && one.attempt <= ended.attempt) {
        const after = `after '${ended.type}' of attempt ${ended.attempt}`;
        yield `${execId}: ${after} came '${one.type}' of attempt ${one.attempt}`;
      }
      if (isTerminal(one.status) && one.type !== "event:AgentDispatchFailed") ended = one;
    }
  }
}

/**
 * I3: nothing begins below what has ended, but for orders that were on their way; all below ends within the grace. Over
 * a wire a cancel may be lost on its way: then what it was for goes on until it settles.
 */
function* afterTheParent(
  { disk, lines, troubleMs, scenario }: Evidence,
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  if (scenario.wire) return;
  const apart = detachedIn(lines);
  for (const { execId, parent, id } of disk.rows.values()) {
    // What was detached goes its own way.
    if (apart.has(execId)) continue;
    const over = parent === null ? undefined : endOf(byExecution.get(parent) ?? []);
    if (!over) continue;
    const told = byExecution.get(execId) ?? [];
    // In one process an order is carried out at the same moment; on a transport it takes a while.
    const wayMs = scenario.foreigners.length > 0 ? graceMs + troubleMs : 0;
    const begun = told.find(
      (one) => one.line > over.line && one.at > over.at + wayMs && isApplied(one) && isBeginning(one.type),
    );
    if (begun) yield `'${id}' ${execId} said '${begun.type}' after '${over.type}' of its parent ${parent}`;
    const end = endOf(told);
    const lateMs = (end?.at ?? Infinity) - over.at;
    // A child that undoes what it did takes its time.
    const mayUndo = scenario.workflows.some((spec) => spec.id === id && JSON.stringify(spec).includes('"undo":'));
    if (lateMs > graceMs + troubleMs && !mayUndo)
      yield `'${id}' ${execId} ended ${lateMs} ms after its parent ${parent}`;
  }
}
const detachedIn = (lines: readonly Line[]): ReadonlySet<string> =>
  new Set(
    lines
      .filter(({ type, envelope }) => {
        const { context } = envelope["payload"] as { context?: { detached?: true } };
        return type === "command:WorkflowExecute" && context?.detached === true;
      })
      .map(({ envelope }) => (envelope["workflow"] as { exec_id: string }).exec_id),
  );
const isBeginning = (type: string): boolean =>
  type.endsWith("ExecutionStarted") || ["event:TaskScheduled", "event:TaskRetryScheduled"].includes(type);

/** I4: no handler begins when its cancel, or its end, is on disk. Over a wire a cancel may be lost on its way to it. */
function* handlersAfterCancel(
  { begun, lines, scenario }: Evidence,
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  if (scenario.wire) return;
  const cancels = new Map<string, number>();
  for (const { type, seq, envelope } of lines) {
    const callee = type === "command:ToolCancel" ? "tool" : type === "command:AgentRuntimeCancel" ? "agent" : null;
    const execId = callee && (envelope[callee] as { exec_id: string }).exec_id;
    if (execId && !cancels.has(execId)) cancels.set(execId, seq);
  }
  for (const { execId, seq, kind } of begun) {
    const canceledAt = cancels.get(execId) ?? Infinity;
    if (canceledAt <= seq) yield `the handler of ${kind} ${execId} began at ${seq}, after its cancel at ${canceledAt}`;
    // The first call of a direct run has the id of its task.
    const told = byExecution.get(`${execId}/${kind}`) ?? byExecution.get(execId) ?? [];
    const ended = told.find((one) => isApplied(one) && isTerminal(one.status));
    if (ended && ended.type !== "event:AgentDispatchFailed" && ended.seq <= seq)
      yield `the handler of ${kind} ${execId} began at ${seq}, after its end at ${ended.seq}`;
  }
}

/** I8: what was applied may follow what went before, by the protocol's tables; and nothing of ours is illegal. */
function* legality({ disk }: Evidence, byExecution: ReadonlyMap<string, readonly Told[]>): Generator<string> {
  for (const [execId, told] of byExecution) {
    const [first] = told;
    // What another run says of it is recorded in its own.
    const home = disk.rows.get(execId)?.run ?? first?.run;
    let view: Recording = { ...nothingRecorded, ...(first?.entity === "workflow" && { status: "PENDING" }) };
    for (const one of told.filter(({ run }) => run === home)) {
      const { payload, metadata } = one.envelope as Line["envelope"] & { payload: { context: { attempt?: number } } };
      const messageId = metadata["message_id"] ?? "";
      const { attempt } = payload.context;
      const recorded = record(view, { type: one.type as EventKey, messageId, attempt, status: one.status });
      // Whether it came twice or too late is the same to whoever reads it: it moved nothing.
      const isUnmoved = [recorded.disposition, one.disposition].every((how) => how === "late" || how === "duplicate");
      if (recorded.disposition !== one.disposition && !isUnmoved) {
        yield `'${one.type}' of ${execId} was recorded as ${one.disposition}, and is ${recorded.disposition}`;
      }
      if (recorded.disposition === "illegal") yield `'${one.type}' of ${execId} may not follow ${view.status}`;
      ({ view } = recorded);
    }
  }
}

/** I10: a message that comes again changes nothing, and no handler is begun twice by one process. */
function* doubles({ begun, lines }: Evidence): Generator<string> {
  const known = new Map<string, Line>();
  for (const line of lines) {
    const id = line.envelope.metadata["message_id"] ?? "";
    if (!known.has(id)) {
      known.set(id, line);
      continue;
    }
    const effects = lines.filter(
      ({ seq, disposition, type }) => seq === line.seq && disposition === "applied" && isEvent(type),
    );
    const own = effects.filter(({ line: at }) => at !== line.line);
    if (own.length > 0) yield `'${line.type}' ${id} came again and led to '${own[0]?.type}'`;
  }
  const begins = new Map<string, number>();
  for (const { execId, life, kind } of begun) {
    const place = `${kind} ${execId} in life ${life}`;
    begins.set(place, (begins.get(place) ?? 0) + 1);
  }
  for (const [place, count] of begins) if (count > 1) yield `the handler of ${place} was begun ${count} times`;
}
const isEvent = (type: string): boolean => isKey(type) && catalogue[type as Key].kind === "event";
