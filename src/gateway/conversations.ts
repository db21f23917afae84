// What each frame of a client does: begins a run, continues a thread, cancels, answers a ping.
//
//   frame ─▶ asked before? ─▶ its first ack, again
//     └─▶ agent and thread ─▶ the thread's line ─▶ run ─▶ frames of the session
//
// Invariants:
//   CN1. Each type of frame has exactly one handler, or nothing opens.
//   CN2. A request that comes again is answered with its first ack, and begins nothing; the same holds after a restart.
//   CN3. A frame is answered with an ack or an error of its own, never with both, and a frame that is refused begins
//        nothing.

import { createHash } from "node:crypto";
import type { Trace } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { GatewayMetrics } from "./door.ts";
import { type Ack, deprecation, errorFrame, type Frame, type FrameOf, type FrameType, frameTypes } from "./frames.ts";
import { checkAgent, knownAgents } from "./known-agents.ts";
import { endFrameOf, openRuns, type Order } from "./runs.ts";
import type { Session, Sessions } from "./sessions.ts";
import { notFound, openThreads, type Threads } from "./threads.ts";
import type { Caller } from "./tokens.ts";

/** Who sent a frame, and where the answers go. */
export type Speaker = { session: Session; caller: Caller; trace: Trace };

/** `given` is the old name of its type, if it had one. */
type Handler<T extends FrameType> = (frame: FrameOf<T>, speaker: Speaker, given?: string) => void;
type AnyHandler = readonly [type: string, handler: (frame: never, speaker: Speaker, given?: string) => void];

type Means = {
  troupe: Troupe;
  sessions: Sessions;
  report: Report;
  metrics: GatewayMetrics | undefined;
  /** Whom a message is for that names no agent. */
  defaultAgent: string | undefined;
  /** How many runs may be open, or wait for their turn. */
  runsMax: number;
};

/** How many runs of a session are told of when its frames are not known any more. */
const endsTold = 100;

/** By type; throws unless each type has one and there is no other. */
export function handlersOf(handlers: readonly AnyHandler[]): ReadonlyMap<string, AnyHandler[1]> {
  const table = new Map<string, AnyHandler[1]>();
  for (const [type, handler] of handlers) {
    if (table.has(type)) throw new Error(`frames of type '${type}' have two handlers`);
    if (!(frameTypes as readonly string[]).includes(type)) throw new Error(`there are no frames of type '${type}'`);
    table.set(type, handler);
  }
  const missing = frameTypes.filter((type) => !table.has(type));
  if (missing.length > 0) throw new Error(`frames of type ${missing.join(", ")} have no handler`);
  return table;
}

export function openConversations({ troupe, sessions, report, metrics, defaultAgent, runsMax }: Means) {
  const threads: Threads = openThreads(troupe, report);
  const runs = openRuns(troupe, report);
  /** Those that wait for their turn, by the id that their run will have. */
  const waiting = new Map<string, Order>();
  let isDraining = false;

  /** Valid, and not allowed or not possible now. */
  function decline({ session }: Speaker, requestId: string, thrown: unknown): void {
    const error = fromUnknown(thrown);
    const { code, message } = error;
    const level = code === "INTERNAL_ERROR" ? "error" : "warn";
    report(level, "a frame was declined", { code, session: session.id, request: requestId, reason: message });
    metrics?.refused(code);
    sessions.tell(session, requestId, errorFrame(error));
  }

  /** Answers what was asked before; false if it is new. */
  function isRepeated({ session }: Speaker, frame: Frame & { id: string }): boolean {
    const known = session.requests.get(frame.id);
    if (!known) return false;
    if (known.content !== contentOf(frame)) {
      const message = `the id '${clip(frame.id)}' was used for another request: nothing is begun for this one`;
      const details = { given: frame.id };
      sessions.tell(session, frame.id, { type: "warning", code: "IDEMPOTENCY_CONFLICT", message, details });
    }
    if (known.ack) sessions.tell(session, frame.id, { ...known.ack, duplicate: true });
    else known.again += 1;
    return true;
  }
  function acknowledge({ session }: Speaker, requestId: string, ack: Ack): void {
    const request = session.requests.get(requestId);
    sessions.tell(session, requestId, ack);
    if (!request) return;
    request.ack = ack;
    for (; request.again > 0; request.again -= 1) sessions.tell(session, requestId, { ...ack, duplicate: true });
  }
  /** What was not taken is nothing that could come again. */
  function refuse(speaker: Speaker, requestId: string, thrown: unknown): void {
    const request = speaker.session.requests.get(requestId);
    speaker.session.requests.delete(requestId);
    for (let times = (request?.again ?? 0) + 1; times > 0; times -= 1) decline(speaker, requestId, thrown);
  }

  // ── what begins a run ──

  type Wanted = { id: string; agent: string | undefined; thread: string; text: string; data: Data; given?: string };
  type Data = Readonly<Record<string, unknown>>;

  function agentIn(named: string | undefined, data: Data, otherwise: string | null | undefined): string {
    const wanted = named ?? data["agent_id"] ?? data["agent_type"] ?? otherwise ?? defaultAgent;
    if (wanted === undefined || wanted === null) {
      const known = knownAgents(troupe).join(", ");
      const errors = [{ field: "agent_id", message: `is missing: there is no default; there are ${known}` }];
      throw new TroupeError("VALIDATION_FAILED", "this message names no agent", { errors });
    }
    if (typeof wanted !== "string" || !isDefinitionId(wanted)) {
      const errors = [{ field: named === undefined ? "data.agent_id" : "agent_id", message: "is no id of an agent" }];
      throw new TroupeError("VALIDATION_FAILED", "this message names no agent", { errors });
    }
    checkAgent(troupe, wanted);
    return wanted;
  }

  function want(type: FrameType, wanted: Wanted, agentId: string, speaker: Speaker): void {
    const { session, trace } = speaker;
    const { id: requestId, thread: threadId, text, data, given } = wanted;
    const runId = troupe.system.id();
    const order: Order = {
      runId,
      correlationId: troupe.system.id(),
      agentId,
      threadId,
      sessionId: session.id,
      requestId,
      input: { user_request: text, thread_id: threadId, data },
      streams: data["stream"] === true,
      trace,
      accepted({ run_id, correlation_id }, duplicate) {
        const ids = { run_id, thread_id: threadId, correlation_id };
        acknowledge(speaker, requestId, {
          type: "ack",
          accepted_type: type,
          status: "ACKNOWLEDGED",
          ...ids,
          duplicate,
        });
      },
      refused(error) {
        waiting.delete(runId);
        refuse(speaker, requestId, error);
      },
      tell(frame, isToken) {
        // What may be dropped is dropped before it is numbered.
        if (!isToken || !sessions.isSlow(session)) sessions.tell(session, requestId, frame);
      },
      over: () => threads.ended(threadId, runId),
    };
    const known = runs.knownAs(session.id, requestId);
    if (known !== undefined) return runs.takeUp(order, known);
    if (runs.open() + waiting.size >= runsMax) {
      const details = { limit: "runs", max: runsMax };
      throw new TroupeError("RATE_LIMITED", `${runsMax} runs are open or wait already; try again later`, details);
    }
    waiting.set(runId, order);
    threads.want(threadId, runId, agentId, {
      begins() {
        waiting.delete(runId);
        runs.begin(order);
      },
      waits(before) {
        if (given !== undefined) return;
        const message = `something runs in thread '${clip(threadId)}': the ack comes when this message has its turn`;
        const details = { run_id: runId, thread_id: threadId, before };
        sessions.tell(session, requestId, { type: "warning", code: "THREAD_BUSY", message, details });
      },
      refused: (error) => order.refused(error),
    });
  }

  /** Whatever goes wrong on the way is answered. */
  function take(type: FrameType, frame: Frame & { id: string }, speaker: Speaker, act: () => void): void {
    if (isRepeated(speaker, frame)) return;
    sessions.request(speaker.session, frame.id, contentOf(frame));
    try {
      if (speaker.caller.scope === "read") {
        const message = `the token '${speaker.caller.name}' may only read: it needs the scope run for ${type}`;
        throw new TroupeError("FORBIDDEN", message, { scope: "run" });
      }
      if (isDraining) {
        throw new TroupeError("INVALID_STATE", "the daemon is stopping: come back in a moment", { status: "stopping" });
      }
      act();
    } catch (error) {
      refuse(speaker, frame.id, error);
    }
  }

  const startAgent: Handler<"start_agent"> = (frame, speaker, given) => {
    if (given !== undefined) sessions.tell(speaker.session, frame.id, deprecation(given));
    take("start_agent", frame, speaker, () => {
      const { id, agent_id: agent, user_request: text, data = {} } = frame;
      const agentId = agentIn(agent, data, undefined);
      const thread = frame.thread_id ?? troupe.system.id();
      want("start_agent", { id, agent, thread, text, data, ...(given && { given }) }, agentId, speaker);
    });
  };

  const userMessage: Handler<"user_message"> = (frame, speaker) =>
    take("user_message", frame, speaker, () => {
      const { id, thread_id: thread, content: text, data = {} } = frame;
      const held = threads.agentOf(thread);
      if (held === undefined) throw notFound(thread);
      want("user_message", { id, agent: undefined, thread, text, data }, agentIn(undefined, data, held), speaker);
    });

  const chat: Handler<"chat"> = (frame, speaker) =>
    take("chat", frame, speaker, () => {
      const { id, agent_id: agent, content: text, data = {} } = frame;
      const thread = frame.thread_id ?? troupe.system.id();
      const held = frame.thread_id === undefined ? undefined : threads.agentOf(thread);
      want("chat", { id, agent, thread, text, data }, agentIn(agent, data, held), speaker);
    });

  const cancel: Handler<"cancel"> = (frame, speaker) =>
    take("cancel", frame, speaker, () => {
      const { id, run_id, reason = "canceled by a client" } = frame;
      const ack = { type: "ack", accepted_type: "cancel", status: "ACKNOWLEDGED", duplicate: false } as const;
      const order = waiting.get(run_id);
      if (!order) {
        // Others need not wait for it: it is answered when the engine has.
        return void runs.cancel(run_id, reason, {
          accepted: (names) => acknowledge(speaker, id, { ...ack, run_id, ...names }),
          refused: (error) => refuse(speaker, id, error),
        });
      }
      const { threadId: thread_id, correlationId: correlation_id } = order;
      threads.ended(thread_id, run_id);
      acknowledge(speaker, id, { ...ack, run_id, thread_id, correlation_id });
      order.refused(new TroupeError("AGENT_CANCELED", `it was canceled before its turn: ${reason}`));
    });

  const ping: Handler<"ping"> = ({ id }, { session }) => sessions.tell(session, id ?? null, { type: "pong" });

  const table = handlersOf([
    ["start_agent", startAgent],
    ["user_message", userMessage],
    ["chat", chat],
    ["cancel", cancel],
    ["ping", ping],
  ]);

  return {
    threads,
    handle: (frame: Frame, speaker: Speaker, given?: string): void =>
      table.get(frame.type)?.(frame as never, speaker, given),
    /**
     * A session that is not known here: its runs of before a restart go on, and are told of. `all`: how those ended
     * that have, too.
     */
    async recall(speaker: Speaker, all: boolean): Promise<void> {
      const { session } = speaker;
      for (const row of (await threads.runsOfSession(session.id, endsTold)).reverse()) {
        const requestId = row.labels?.["request"] ?? "";
        const names = {
          run_id: row.execId,
          thread_id: row.labels?.["thread"] ?? "",
          correlation_id: row.correlationId,
          agent_id: row.id,
          agent_exec_id: row.execId,
        };
        if (isTerminal(row.status)) {
          if (all) sessions.tell(session, requestId, { ...names, ...endFrameOf(row) });
        } else {
          runs.resume(
            {
              runId: row.execId,
              correlationId: row.correlationId,
              agentId: row.id,
              threadId: names.thread_id,
              sessionId: session.id,
              requestId,
              input: { user_request: "", thread_id: names.thread_id, data: {} },
              streams: false,
              trace: {},
              accepted: () => undefined,
              refused: () => undefined,
              tell: (frame) => sessions.tell(session, requestId, frame),
              over: () => undefined,
            },
            row,
          );
        }
      }
    },
    /** Takes nothing more; whoever waits for a turn is told. */
    drain(): void {
      isDraining = true;
      threads.close();
    },
    open: () => runs.open(),
    stats: () => ({ runs: runs.open(), waiting: waiting.size, ...threads.stats() }),
    close: () => runs.close(),
  };
}

/** What makes two requests the same: all that they say, but not when. It is kept for long, so it is short. */
const contentOf = (frame: Frame): string => createHash("sha256").update(JSON.stringify(frame)).digest("base64");
