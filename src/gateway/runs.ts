// The runs of conversations: begun, followed from the first word to the last, and never left without an end.
//
//   begin ─▶ TaskTrigger ─▶ CommandAck ─▶ ack          no ack in five seconds: COMMAND_TIMEOUT
//     words of the run ─▶ run-frames ─▶ frames         no end by its deadline and a grace: API_TIMEOUT
//     cancel ─▶ TaskCancel ─▶ CommandAck ─▶ ack ─▶ the end, which was held back until then
//
// Invariants:
//   RN1. Every request that is begun is answered once: with an ack, or with an error.
//   RN2. Every run that was acknowledged ends once, in time, whatever became of the agent.
//   RN3. The end of a run is told after the ack of a cancel that was under way.
//   RN4. Nobody listens to the engine while no run is open.

import { type Trace, traceIdOf } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { OutFrame, RunFrame, RunNames } from "./frames.ts";
import { endOf, newRunFrames, type RunFrames, type Word } from "./run-frames.ts";
import { markOf, type RunLabels, via } from "./threads.ts";

/** One thing that was asked for, and whoever hears what comes of it. */
export type Order = {
  runId: string;
  correlationId: string;
  agentId: string;
  threadId: string;
  sessionId: string;
  requestId: string;
  input: { user_request: string; thread_id: string; data: Readonly<Record<string, unknown>> };
  streams: boolean;
  trace: Trace;
  /** It was taken; `duplicate`: before a restart, and this is the run that it began then. */
  accepted(names: RunNames, duplicate: boolean): void;
  refused(error: TroupeError): void;
  tell(frame: OutFrame, isToken: boolean): void;
  /** Nothing comes any more. */
  over(): void;
};
type Row = Awaited<ReturnType<Troupe["list"]>>["items"][number];

type CancelAnswer = {
  accepted(names: { thread_id: string; correlation_id: string }): void;
  refused(error: unknown): void;
};

type Run = {
  order: Order;
  runId: string;
  correlationId: string;
  frames: RunFrames;
  isAccepted: boolean;
  /** It was told that nobody took it: what comes after all is not told. */
  isSilent: boolean;
  /** What the agent has, once that is known. */
  timeoutMs: number;
  cancels: number;
  held: RunFrame[];
  cancelAlarm: () => void;
};

const ackMs = 5_000;
/** The executor has 5 s more than the agent; and 15 s are left for the word of it. */
const afterTimeoutMs = 20_000;
/** A task may wait a minute for its executor. */
const untilStartedMs = 60_000 + afterTimeoutMs;
const defaultTimeoutMs = 30_000;
/** Among these it is said what time a run has. */
const firstLines = 10;
/** How long a request that comes again finds its run, also after a restart: as long as frames can be replayed. */
const keyMs = 600_000;

export type Runs = ReturnType<typeof openRuns>;

export function openRuns(troupe: Troupe, report: Report) {
  const { clock } = troupe;
  const runs = new Map<string, Run>();
  let off: (() => void)[] = [];

  // ── following ──

  function listen(): void {
    if (off.length > 0) return;
    off.push(
      troupe.system.subscribe(({ run: id, at, said }) => {
        const run = runs.get(id);
        if (!run) return;
        for (const { word, disposition } of said) {
          // What is said after it was refused, or has ended, is of no interest any more.
          if (disposition === undefined && runs.get(id) === run) hear(run, word, at);
        }
      }),
      troupe.onNews(({ run: id, word }) => {
        const run = runs.get(id);
        if (run) tellAll(run, run.frames.hear(word, clock.now()));
      }),
    );
  }

  function hear(run: Run, word: Word, at: number): void {
    const { type } = word;
    if (type === "result:CommandAck" && word.task?.exec_id === run.runId && !run.isAccepted) acknowledged(run, word);
    if (runs.get(run.runId) !== run) return;
    if (type === "event:TaskScheduled" || type === "event:AgentExecutionStarted") noteTimeout(run, word, at);
    tellAll(run, run.frames.hear(word, at));
  }

  function acknowledged(run: Run, word: Word): void {
    const { status, result } = word["payload"] as { status: string; result?: { error: TroupeError } | null };
    if (status === "ACKNOWLEDGED") accept(run, false);
    else refuse(run, errorIn(result?.error));
  }
  function accept(run: Run, duplicate: boolean): void {
    run.isAccepted = true;
    if (!duplicate) setDeadline(run, clock.now() + untilStartedMs + run.timeoutMs);
    if (!run.isSilent) run.order.accepted(namesOf(run), duplicate);
  }
  function refuse(run: Run, error: TroupeError): void {
    close(run);
    if (!run.isSilent) run.order.refused(error);
    run.order.over();
  }

  /** Its own time begins when the agent does; before that it may wait for an executor. */
  function noteTimeout(run: Run, word: Word, at: number): void {
    if (word.type === "event:AgentExecutionStarted") return setDeadline(run, at + run.timeoutMs + afterTimeoutMs);
    const { context } = word["payload"] as { context: { timeout_config?: { timeout_duration_ms: number } } };
    run.timeoutMs = context.timeout_config?.timeout_duration_ms ?? run.timeoutMs;
    setDeadline(run, at + untilStartedMs + run.timeoutMs);
  }
  /** Of a run of before a restart only the journal knows what time it has. */
  async function recallTimeout(run: Run): Promise<void> {
    const lines = await troupe.history(run.runId, { limit: firstLines });
    const scheduled = lines.find(({ type }) => type === "event:TaskScheduled");
    if (scheduled && runs.get(run.runId) === run) {
      noteTimeout(run, { ...scheduled.envelope, type: scheduled.type } as unknown as Word, clock.now());
    }
  }
  function followOn(run: Run): void {
    setDeadline(run, clock.now() + untilStartedMs + run.timeoutMs);
    recallTimeout(run).catch((error: unknown) => {
      report("error", "the journal of a run cannot be read", { run: run.runId, reason: fromUnknown(error).message });
    });
  }
  function setDeadline(run: Run, at: number): void {
    run.cancelAlarm();
    run.cancelAlarm = clock.alarm(at, () => {
      const message = "nothing was heard of the end of the run by its deadline";
      report("error", message, { code: "API_TIMEOUT", run: run.runId });
      tellAll(run, run.frames.giveUp({ code: "API_TIMEOUT", message }, clock.now()));
    });
  }

  const namesOf = (run: Run): RunNames => ({
    run_id: run.runId,
    thread_id: run.order.threadId,
    correlation_id: run.correlationId,
    agent_id: run.order.agentId,
    agent_exec_id: run.frames.agentExecId(),
  });

  function tellAll(run: Run, frames: readonly RunFrame[]): void {
    for (const frame of frames) {
      if (frame.type === "agent_completed" && run.cancels > 0) run.held.push(frame);
      else tell(run, frame);
    }
  }
  function tell(run: Run, frame: RunFrame): void {
    const isToken = frame.type === "agent_thinking" && frame.kind === "token";
    const isEnd = frame.type === "agent_completed";
    if (isEnd) close(run);
    if (!run.isSilent) run.order.tell({ ...namesOf(run), ...frame }, isToken);
    if (isEnd) run.order.over();
  }
  /** Its end is not told before the ack of the cancel is. */
  function hold(run: Run): void {
    run.cancels += 1;
    run.frames.hush(true);
  }
  function letGo(run: Run): void {
    run.cancels -= 1;
    if (run.cancels === 0) for (const frame of run.held.splice(0)) tell(run, frame);
  }
  function close(run: Run): void {
    run.cancelAlarm();
    runs.delete(run.runId);
    if (runs.size === 0) for (const end of off.splice(0)) end();
  }

  function open(order: Order, runId: string, correlationId: string, isResumed: boolean): Run {
    const frames = newRunFrames({ run: runId, streams: order.streams, isResumed, began: clock.now() });
    const run: Run = {
      order,
      runId,
      correlationId,
      frames,
      isAccepted: false,
      isSilent: false,
      timeoutMs: defaultTimeoutMs,
      cancels: 0,
      held: [],
      cancelAlarm: () => {},
    };
    runs.set(runId, run);
    listen();
    return run;
  }

  // ── beginning ──

  /** The run that the same request began before a restart. */
  function takeUp(order: Order, runId: string): void {
    const followed = runs.get(runId);
    if (followed) {
      // It was given up too soon: whoever asked again hears of it from here on.
      const { over } = followed.order;
      followed.order = {
        ...order,
        over() {
          over();
          order.over();
        },
      };
      followed.isSilent = false;
      return accept(followed, true);
    }
    const row = troupe.get(runId);
    const run = open(order, runId, row.correlationId, true);
    followOn(run);
    accept(run, true);
    if (isTerminal(row.status)) tell(run, endFrameOf(row));
  }

  function begin(order: Order): void {
    const { runId, correlationId, agentId, threadId, sessionId, requestId } = order;
    const labels: RunLabels = { via, session: sessionId, thread: threadId, request: requestId };
    const trace = traceIdOf(order.trace) === undefined ? {} : { trace: order.trace };
    const idempotencyKey = keyOf(sessionId, requestId);
    const marks = [markOf.thread(threadId), markOf.session(sessionId)];
    const more = { execId: runId, correlationId, by: "GW" as const, idempotencyKey, keyMs, marks, ...trace };
    const run = open(order, runId, correlationId, false);
    run.cancelAlarm = clock.alarm(clock.now() + ackMs, () => {
      order.refused(new TroupeError("COMMAND_TIMEOUT", `the run was not acknowledged in ${ackMs} ms: send it again`));
      run.isSilent = true;
      setDeadline(run, clock.now() + untilStartedMs + run.timeoutMs);
    });
    try {
      const handle = troupe.startOne({ agent: agentId }, order.input, { ...more, labels });
      if (!handle.duplicate) return;
      close(run);
      takeUp(order, handle.execId);
    } catch (thrown) {
      close(run);
      const error = fromUnknown(thrown);
      const { exec_id } = error.details;
      // The same request, in other words: it is answered as the first time.
      if (error.code === "IDEMPOTENCY_CONFLICT" && typeof exec_id === "string") takeUp(order, exec_id);
      else refuse(run, error);
    }
  }

  return {
    begin,
    /** The run that a request began already, before a restart or before its session was forgotten. */
    knownAs: (sessionId: string, requestId: string): string | undefined =>
      troupe.startedBy(keyOf(sessionId, requestId)),
    takeUp,
    /** A run that is not ours to tell of, as it stands: one of before a restart, that goes on. */
    resume(order: Order, row: Row): void {
      if (runs.has(row.execId)) return;
      const run = open(order, row.execId, row.correlationId, true);
      run.isAccepted = true;
      followOn(run);
      // It may have ended since it was found.
      const now = troupe.get(row.execId);
      if (isTerminal(now.status)) tell(run, endFrameOf(now));
    },
    /** Asks the engine to end a run. Its end is held back until whoever asked was told what came of that. */
    async cancel(runId: string, reason: string, answer: CancelAnswer): Promise<void> {
      const run = runs.get(runId);
      if (run) hold(run);
      try {
        const row = troupe.get(runId);
        if (row.entity !== "task" || row.run !== runId || row.labels?.["via"] !== via) {
          throw new TroupeError("EXECUTION_NOT_FOUND", `'${runId}' is no run of a conversation`, { exec_id: runId });
        }
        await troupe.requestCancel(runId, reason, "GW");
        answer.accepted({ thread_id: row.labels["thread"] ?? "", correlation_id: row.correlationId });
      } catch (error) {
        answer.refused(error);
        if (run) tellAll(run, run.frames.hush(false));
      }
      if (run) letGo(run);
    },
    open: (): number => runs.size,
    /** Nobody is told anything any more; the runs go on. */
    close(): void {
      for (const run of Array.from(runs.values())) close(run);
    },
  };
}

const keyOf = (sessionId: string, requestId: string): string => `conversation/${sessionId}/${requestId}`;

/** How a run ended that nobody followed. */
export function endFrameOf(row: Row): RunFrame {
  const result = row.result as Parameters<typeof endOf>[1];
  const about = row.about as { reason?: string } | null;
  const { status, outcome } = endOf(row.status, result, about?.reason);
  const duration_ms = Math.max(0, (row.endedAt ?? row.createdAt) - row.createdAt);
  return { type: "agent_completed", status, ...outcome, duration_ms };
}

const errorIn = (error: { code: TroupeError["code"]; message: string; details?: TroupeError["details"] } | undefined) =>
  error
    ? new TroupeError(error.code, error.message, error.details ?? {})
    : new TroupeError("INTERNAL_ERROR", "the run was refused without an error");
