// The frames of one run, in the one order that clients rely on, whatever order things are heard in.
//
//   words of the run ─▶ started · (thinking | executing … completed)* · agent_completed ─▶ frames
//
// Invariants:
//   RF1. agent_started comes first and once; it is missing only where the agent never began.
//   RF2. An agent_thinking comes before the first tool frame, and before SUCCESS.
//   RF3. Tool frames come in pairs, executing before completed, each pair once.
//   RF4. agent_completed comes last and once, with a result or an error.
//   RF5. A partner that was not heard is supplied, and says that it is synthetic; nothing comes after the end.

import type { News } from "../runtime/troupe.ts";
import type { Failure, Outcome, RunFrame, RunStatus, ToolEnd } from "./frames.ts";

/** A word of a run, as the engine says it. */
export type Word = News["word"];

type Payload = {
  status?: string;
  result?: { output?: unknown; error?: Failure } | null;
  duration_ms?: number | null;
  context?: { input?: unknown; text?: string; step?: unknown; reason?: string; canceled_by?: string };
};
type Thought = Extract<RunFrame, { type: "agent_thinking" }>;

/** What is thought before it is known that the agent has begun, or while it is being canceled. */
const earlyMax = 100;

const thinking = { type: "agent_thinking", kind: "thought", text: "thinking" } as const;
const synthetic = { synthetic: true } as const;

export type RunFrames = ReturnType<typeof newRunFrames>;

/**
 * `isResumed`: it was begun before a restart, and what came then has been told. `streams`: tokens are wanted. `began`
 * is when, for a run whose events do not say how long it took.
 */
export function newRunFrames({ run, streams, isResumed, began }: Given) {
  let isStarted = isResumed;
  let hasThought = isResumed;
  let isOver = false;
  let isHushed = false;
  let agentExecId = run;
  const early: Thought[] = [];
  const inputs = new Map<string, unknown>();
  const openTools = new Map<string, string>();
  const endedTools = new Set<string>();

  function* start(isHeard: boolean): Generator<RunFrame> {
    if (isStarted) return;
    isStarted = true;
    yield { type: "agent_started", ...(!isHeard && synthetic) };
    for (const thought of early.splice(0)) yield* think(thought);
  }
  function* think(thought: Thought): Generator<RunFrame> {
    if (isStarted && !isHushed) {
      hasThought = true;
      yield thought;
    } else if (early.length < earlyMax) early.push(thought);
  }
  function* thinkAloud(): Generator<RunFrame> {
    for (const thought of early.splice(0)) {
      hasThought = true;
      yield thought;
    }
  }
  /** All that has to stand before an agent acts, or answers. */
  function* prepare(): Generator<RunFrame> {
    yield* start(false);
    yield* thinkAloud();
    if (hasThought) return;
    hasThought = true;
    yield { ...thinking, ...synthetic };
  }
  function* toolStarted(id: string, execId: string, isHeard: boolean): Generator<RunFrame> {
    if (openTools.has(execId) || endedTools.has(execId)) return;
    yield* prepare();
    openTools.set(execId, id);
    const names = { tool_id: id, tool_exec_id: execId, input: inputs.get(execId) ?? {} };
    inputs.delete(execId);
    yield { type: "tool_executing", ...names, ...(!isHeard && synthetic) };
  }
  function* toolEnded(id: string, execId: string, end: ToolEnd, isHeard: boolean): Generator<RunFrame> {
    if (endedTools.has(execId)) return;
    yield* toolStarted(id, execId, false);
    openTools.delete(execId);
    endedTools.add(execId);
    yield { type: "tool_completed", tool_id: id, tool_exec_id: execId, ...end, ...(!isHeard && synthetic) };
  }
  function* end(status: RunStatus, outcome: Outcome, durationMs: number, isHeard: boolean): Generator<RunFrame> {
    if (status === "SUCCESS") yield* prepare();
    else if (early.length > 0) yield* start(false);
    early.length = 0;
    const isCanceled = status === "CANCELED";
    for (const [execId, id] of Array.from(openTools)) yield* toolEnded(id, execId, unfinished(isCanceled), false);
    isOver = true;
    const frame = { type: "agent_completed" as const, status, ...outcome, duration_ms: durationMs };
    yield { ...frame, ...(!isHeard && synthetic) };
  }

  function* about(word: Word, at: number): Generator<RunFrame> {
    const payload = (word["payload"] ?? {}) as Payload;
    const { agent, tool } = word;
    if (word.type === "event:AgentExecutionStarted") {
      agentExecId = agent?.exec_id ?? run;
      yield* start(true);
    } else if (word.type.startsWith("progress:Agent")) yield* thoughtOf(word, payload);
    else if (agent && tool) {
      if (word.type === "command:ToolExecute") inputs.set(tool.exec_id, payload.context?.input);
      if (word.type === "event:ToolExecutionStarted") yield* toolStarted(tool.id, tool.exec_id, true);
      const ended = toolEndIn(word.type, payload);
      if (ended) yield* toolEnded(tool.id, tool.exec_id, ended, true);
    } else if (word.task?.exec_id === run) {
      const ended = endIn(word.type, payload);
      if (ended) yield* end(ended.status, ended.outcome, payload.duration_ms ?? Math.max(0, at - began), true);
    }
  }
  function* thoughtOf({ type }: Word, { context = {} }: Payload): Generator<RunFrame> {
    if (type === "progress:AgentThinking") yield* think({ ...thinking, text: context.text ?? "" });
    if (type === "progress:AgentStep") yield* think({ type: "agent_thinking", kind: "step", step: context.step });
    if (type === "progress:AgentToken" && streams) {
      yield* think({ type: "agent_thinking", kind: "token", text: context.text ?? "" });
    }
  }

  return {
    /** What a word of the run is told as; `at` is when it was said. */
    hear: (word: Word, at: number): RunFrame[] => (isOver ? [] : [...about(word, at)]),
    /** Ends it although nobody has said so. */
    giveUp: (error: Failure, at: number): RunFrame[] =>
      isOver ? [] : [...end("TIMED_OUT", { result: null, error }, Math.max(0, at - began), false)],
    /** While it is being canceled, thoughts are told only where something has to stand before what follows. */
    hush(hushed: boolean): RunFrame[] {
      isHushed = hushed;
      return isOver || hushed || !isStarted ? [] : [...thinkAloud()];
    },
    agentExecId: (): string => agentExecId,
    isOver: (): boolean => isOver,
  };
}

type Given = { run: string; streams: boolean; isResumed: boolean; began: number };

const failed = (error: Failure | undefined): Failure =>
  error ?? { code: "INTERNAL_ERROR", message: "it ended without an error" };

const unfinished = (isCanceled: boolean): ToolEnd => ({
  status: isCanceled ? "CANCELED" : "FAILED",
  result: null,
  error: {
    code: isCanceled ? "TOOL_CANCELED" : "CALLER_LOST",
    message: "the run ended before the tool was heard of again",
  },
  duration_ms: null,
});

function toolEndIn(type: string, { result, duration_ms = null, context }: Payload): ToolEnd | undefined {
  if (type === "event:ToolExecutionSuccess") {
    return { status: "SUCCESS", result: result?.output ?? {}, error: null, duration_ms };
  }
  if (type === "event:ToolExecutionFailed") {
    const error = failed(result?.error);
    return { status: error.code === "TOOL_ERROR" ? "TOOL_ERROR" : "FAILED", result: null, error, duration_ms };
  }
  if (type !== "event:ToolExecutionCanceled") return undefined;
  const error = result?.error ?? { code: "TOOL_CANCELED", message: context?.reason ?? "the tool was canceled" };
  return { status: "CANCELED", result: null, error, duration_ms };
}

const timeouts: ReadonlySet<string> = new Set(["AGENT_INVOCATION_TIMEOUT", "API_TIMEOUT"]);

/** The status of a run that failed with this error. */
function statusOf({ code }: Failure): RunStatus {
  if (timeouts.has(code)) return "TIMED_OUT";
  if (code === "AGENT_ERROR") return "AGENT_ERROR";
  return code === "AGENT_CANCELED" ? "CANCELED" : "FAILED";
}

type Ended = { status: RunStatus; outcome: Outcome };

function endIn(type: string, { result, context }: Payload): Ended | undefined {
  const status = {
    "event:TaskExecutionSuccess": "SUCCESS",
    "event:TaskExecutionFailed": "FAILED",
    "event:TaskExecutionTimedOut": "TIMED_OUT",
    "event:TaskExecutionCanceled": "CANCELED",
  }[type];
  return status === undefined ? undefined : endOf(status, result, context?.reason);
}

/** How a task of this status, with this result, is told. */
export function endOf(status: string, result: Payload["result"], reason?: string): Ended {
  if (status === "SUCCESS") return { status, outcome: { result: result?.output ?? {}, error: null } };
  if (status === "CANCELED") {
    const error = result?.error ?? { code: "AGENT_CANCELED", message: reason ?? "the run was canceled" };
    return { status, outcome: { result: null, error } };
  }
  const error = failed(result?.error);
  return { status: status === "TIMED_OUT" ? status : statusOf(error), outcome: { result: null, error } };
}
