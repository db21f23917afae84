// I6, I11, I12: what those outside saw, were promised and were answered, held against the log.

import { isTerminal } from "../../protocol/statuses.ts";
import type { End } from "../../runtime/endings.ts";
import type { Evidence, Line, Told } from "./evidence.ts";

/** I6: what was acknowledged is in the log: ends, commands, and what keys stand for. */
export function* survival(
  { asked, lines, disk, jumpedMs }: Evidence,
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  for (const { what, answer, withinMs, execId, key, at } of asked) {
    if (!answer || "code" in answer || execId === null) continue;
    const isBetween = (time: number): boolean => time >= at - jumpedMs && time <= answer.at + jumpedMs;
    if (withinMs === null) {
      const { status } = answer.told as End;
      const isThere = (byExecution.get(execId) ?? []).some((one) => one.status === status && isTerminal(status));
      if (!isThere) yield `'${what}' was answered with ${status}, of which the log of ${execId} knows nothing`;
      if (key !== null && disk.keys.get(key)?.execId !== execId) yield `key '${key}' of ${execId} is lost`;
    } else {
      const isThere = lines.some((line) => commands[what]?.includes(line.type) && isBetween(line.at));
      if (!isThere) yield `'${what}' of ${execId} was acknowledged, and is not in the log`;
    }
  }
  const begun = new Map<string, string>();
  const known = new Set(lines.filter(({ type }) => type === "command:WorkflowExecute").map(({ run }) => run));
  for (const { key, execId } of asked) {
    if (key === null || execId === null || !known.has(execId)) continue;
    const first = begun.get(key);
    if (first !== undefined && first !== execId) yield `key '${key}' began both ${first} and ${execId}`;
    begun.set(key, execId);
  }
}
const commands: { readonly [what: string]: readonly string[] } = {
  signal: ["command:WorkflowSignal"],
  pause: ["command:WorkflowPause"],
  resume: ["command:WorkflowResume", "command:TaskResume"],
  approve: ["command:TaskResume", "command:WorkflowResume"],
  cancel: ["command:WorkflowCancel", "command:TaskCancel"],
  "cancel part": ["command:WorkflowCancel", "command:TaskCancel", "command:AgentCancel"],
};

/** I11: whatever was seen is in the log as it was seen, and a handler begins after its order is on disk. */
export function* whatWasSeen({ seen, begun, records, lines }: Evidence): Generator<string> {
  const bySeq = new Map(records.map((record) => [record.seq, record]));
  const ids = new Map<number, string[]>();
  for (const { seq, envelope } of lines) {
    const known = ids.get(seq);
    const id = envelope.metadata["message_id"] ?? "";
    if (known) known.push(id);
    else ids.set(seq, [id]);
  }
  for (const { life, committed } of seen) {
    const record = bySeq.get(committed.seq);
    const recorded = committed.said.filter(({ fleeting }) => fleeting !== true).map(({ id }) => id);
    const isSame = record?.run === committed.run && String(ids.get(committed.seq) ?? []) === String(recorded);
    if (!isSame) yield `life ${life} showed record ${committed.seq} of ${committed.run}, which the log does not have`;
  }
  const ordered = new Map<string, number>();
  for (const line of lines) {
    const execId = orderedIn(line);
    if (execId !== undefined && !ordered.has(execId)) ordered.set(execId, line.seq);
  }
  for (const { execId, kind, seq } of begun) {
    const orderSeq = ordered.get(execId) ?? Infinity;
    if (orderSeq > seq) yield `the handler of ${kind} ${execId} began at ${seq}, before its order was on disk`;
  }
}
function orderedIn({ type, envelope }: Line): string | undefined {
  const callee = type === "command:ToolExecute" ? "tool" : type === "command:AgentRuntimeExecute" ? "agent" : undefined;
  return callee && (envelope[callee] as { exec_id: string }).exec_id;
}

/** I12: every request has an answer in time, and an error says why. */
export function* answers({ asked, jumpedMs, hadTrouble }: Evidence): Generator<string> {
  for (const { what, at, withinMs, answer, isLost, execId } of asked) {
    if (isLost && !answer) continue;
    if (!answer) {
      yield `'${what}' of ${execId} was never answered`;
      continue;
    }
    if (withinMs !== null && answer.at - at > withinMs + jumpedMs) {
      yield `'${what}' of ${execId} was answered after ${answer.at - at} ms`;
    }
    if (!("code" in answer)) continue;
    const isUnclear = answer.message === "" || (answer.code === "INTERNAL_ERROR" && !hadTrouble);
    if (isUnclear) yield `'${what}' of ${execId} was answered with ${answer.code}: ${answer.message}`;
  }
}
