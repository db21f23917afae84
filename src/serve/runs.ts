// The runs of a runtime: the chart of each handler, those of the tools that agents call, what both say and wait for.
//
//   order ─▶ handler-run ─perform─▶ handler ─returned, threw─▶ handler-run ─▶ result
//                │  └─call─▶ tool-execution ─▶ order of a tool ─▶ result, or silence ─▶ the handler goes on
//              cancel ─▶ its signal is aborted
//
// The charts are those of the engine; a run lives in memory alone, and the dispatcher decides what becomes of it when
// this process dies.
//
// Invariants:
//   RU1. An order that comes again begins nothing: while it runs it is acknowledged as a duplicate, and after its end
//        it is answered the same again.
//   RU2. No more handlers are at work than the limits say, and none begins once the runtime drains.
//   RU3. Whatever an agent has called ends with it.
//   RU4. A handler begins after the acknowledgment and the word that it has started have left.

import type { AnyStateMachine } from "xstate";
import { afterTurn, type Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import type { Handlers, Means as HandlerMeans } from "../actors/handlers.ts";
import type { Actor } from "../actors/run.ts";
import type { Cue } from "../machines/cues.ts";
import { handlerRun } from "../machines/handler-run.ts";
import { fire, silence, start, type Stamp, type Step, step, type Timer } from "../machines/step.ts";
import { toolExecution } from "../machines/tool-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { Trace } from "../protocol/envelope.ts";
import { fromUnknown, type WireError } from "../protocol/errors.ts";
import type { Warning } from "../protocol/fields.ts";
import type { Report } from "../protocol/report.ts";
import { referencesIn } from "../protocol/references.ts";
import { newAnswered } from "./answered.ts";
import type { ServeLimits } from "./options.ts";
import type { Post } from "./post.ts";

/** A command as it was heard. */
export type Heard = {
  word: Word;
  id: string;
  correlationId: string;
  trace: Trace;
  /** Where its acknowledgment goes, or the result of a tool. */
  reply: string | undefined;
  warnings: readonly Warning[];
};

type AgentOrder = Message<"command:AgentRuntimeExecute">;
type ToolOrder = Message<"command:ToolExecute">;

type Placed = Actor & { by: "AR" | "XE"; timers: Map<string, () => void> };
type Run = { id: string; heard: Heard; actors: Map<string, Placed>; used?: { tokens: number; cost: number } };
/** What a word of a chart is because of: the command that it answers, if it does. */
type Cause = { id: string; heard?: Heard };

export type Runs = ReturnType<typeof newRuns>;

type Means = {
  clock: Clock;
  post: Post;
  runtime: { id: string; exec_id: string };
  limits: ServeLimits;
  /** Where content lies that is too large for a message. */
  objectStore: string;
  stamp: () => Stamp;
  /** Why an order of these cannot be carried out, whoever is at work. */
  problemOf: (kind: "agent" | "tool", id: string, input: unknown) => WireError | null;
  handlers: () => Handlers;
  report: Report;
};

const handlerAt = (execId: string): string => `handler/${execId}`;
const callAt = (execId: string): string => `call/${execId}`;

export function newRuns({ clock, post, runtime, limits, objectStore, stamp, problemOf, handlers, report }: Means) {
  const runs = new Map<string, Run>();
  const calls = new Map<string, Run>();
  const answered = newAnswered({ answersMax: limits.answers, bytesMax: limits.answerBytes });
  const idle: (() => void)[] = [];
  const work: (() => void)[] = [];
  let isAtWork = false;
  let isDraining = false;

  /** One after the other: a chart never hears something while another speaks. */
  function turn(act: () => void): void {
    work.push(act);
    if (isAtWork) return;
    isAtWork = true;
    try {
      for (let next = work.shift(); next; next = work.shift()) attempt(next);
    } finally {
      isAtWork = false;
    }
    if (runs.size === 0) for (const settle of idle.splice(0)) settle();
  }
  function attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      const { message: reason, stack } = fromUnknown(error);
      report("error", "a run could not go on", { reason, stack });
    }
  }

  function enter(
    run: Run,
    address: string,
    machine: AnyStateMachine,
    input: object,
    by: "AR" | "XE",
    to: string | null,
  ) {
    const begun = start(machine, input as never, stamp()) as unknown as Step<AnyStateMachine>;
    const cause = { run: run.id, from: "", id: run.heard.id };
    const actor: Placed = { machine, life: begun.life, by, reportsTo: to, cause, timers: new Map() };
    run.actors.set(address, actor);
    settle(run, address, actor, begun, { id: run.heard.id, heard: run.heard });
  }
  function tell(run: Run, address: string, word: Word, cause: Cause): boolean {
    const actor = run.actors.get(address);
    if (!actor) return false;
    const taken = step(actor.machine, actor.life, { ...word, ...stamp() } as never) as Step<AnyStateMachine>;
    settle(run, address, actor, taken, cause);
    return true;
  }
  function ring(run: Run, address: string, timer: Timer): void {
    const actor = run.actors.get(address);
    if (!actor) return;
    actor.timers.delete(keyOf(timer));
    const taken = fire(actor.machine, actor.life, timer, stamp()) as Step<AnyStateMachine>;
    settle(run, address, actor, taken, { id: run.heard.id });
  }

  function settle(run: Run, address: string, actor: Placed, taken: Step<AnyStateMachine>, cause: Cause): void {
    actor.life = taken.life;
    for (const timer of taken.cancelled) {
      actor.timers.get(keyOf(timer))?.();
      actor.timers.delete(keyOf(timer));
    }
    for (const timer of taken.armed) {
      // Of a run that may wait as long as it likes.
      if (timer.dueAt === Infinity) continue;
      const cancel = clock.alarm(timer.dueAt, () => turn(() => ring(run, address, timer)));
      actor.timers.set(keyOf(timer), cancel);
    }
    for (const message of taken.messages) speak(run, address, actor, message as Word, cause);
    if (taken.life.snapshot.status === "done") end(run, address, actor);
  }
  function end(run: Run, address: string, actor: Placed): void {
    for (const cancel of actor.timers.values()) cancel();
    run.actors.delete(address);
    handlers().release(address);
    if (address.startsWith("call/")) calls.delete(execIdOf(address));
    // Refused: asked again, it may be taken.
    if (actor.machine === handlerRun && actor.life.snapshot.value === "dismissed") {
      answered.keep(execIdOf(address), undefined, clock.now());
    }
    if (run.actors.size === 0) runs.delete(run.id);
  }

  function speak(run: Run, address: string, actor: Placed, word: Word, cause: Cause): void {
    if (word === silence || word.type === "silence") return;
    const { correlationId, trace } = run.heard;
    const way = { correlationId, trace, cause: cause.id };
    const later = (act: () => void): void => void work.push(act);
    // What was said before has left the process by then, whatever the handler does to it.
    if (word.type === "cue:Perform") return afterTurn(() => turn(() => handlers().perform(run.id, address)));
    if (word.type === "cue:Abort") {
      const { cause: why, reason } = word as unknown as Cue<"cue:Abort">;
      return later(() => {
        handlers().abort(run.id, address, why, reason);
        endCalls(run, address, "requested", reason);
      });
    }
    if (word.type === "cue:CallEnded") {
      const { exec_id, result } = word as unknown as Cue<"cue:CallEnded">;
      return later(() => handlers().called(exec_id, result));
    }
    if (word.type === "command:ToolExecute") return call(run, address, word, way);
    if (word.type === "result:CommandAck") return acknowledge(word, cause, way);
    const said = post.say(warned(word, run.heard), actor.by, way);
    if (word.type === "result:AgentExecutionResult" || word.type === "result:ToolExecutionResult") {
      answered.keep(execIdOf(address), said, clock.now());
      endCalls(run, address, "caller_lost", "the agent has ended");
    }
  }

  /** Whoever does not say where it wants it, gets none. */
  function acknowledge(
    word: Word,
    { heard }: Cause,
    way: { correlationId: string; trace: Trace; cause: string },
  ): void {
    const to = word.to ?? heard?.reply;
    if (!heard || to === undefined) return;
    post.say(warned(word, heard), "AR", { ...way, cause: heard.id, to });
  }

  function call(
    run: Run,
    address: string,
    word: Word,
    way: { correlationId: string; trace: Trace; cause: string },
  ): void {
    const execId = execIdOf(address);
    calls.set(execId, run);
    try {
      post.order(word, way, execId);
    } catch (error) {
      report("warn", "a tool could not be called", { tool: word.tool?.id, reason: fromUnknown(error).message });
      work.push(() => void tell(run, address, { type: "cue:NoResponder" }, { id: run.heard.id }));
    }
  }
  function endCalls(run: Run, from: string, cause: "requested" | "caller_lost", reason: string): void {
    const open = [...run.actors].filter(([, actor]) => actor.reportsTo === from).map(([address]) => address);
    for (const address of open) {
      tell(run, address, { type: "cue:EndCall", exec_id: "", cause, reason }, { id: run.heard.id });
    }
  }

  function begin(heard: Heard, kind: "agent" | "tool", order: AgentOrder | ToolOrder): void {
    const { id: name, exec_id: execId } = kind === "agent" ? (order as AgentOrder).agent : (order as ToolOrder).tool;
    const running = runs.get(execId);
    if (running) return void tell(running, handlerAt(execId), heard.word, { id: heard.id, heard });
    const known = answered.find(execId, clock.now());
    if (known) return repeat(heard, kind, known.answer);
    const problem = elsewhere(order.payload) ?? problemOf(kind, name, order.payload.context.input) ?? roomFor(kind);
    if (!problem) handlers().reserve(kind, execId, handlerAt(execId));
    const run: Run = { id: execId, heard, actors: new Map() };
    runs.set(execId, run);
    const input = { order, runtime, isRemote: true, ...(problem && { problem }) };
    enter(run, handlerAt(execId), handlerRun, input, kind === "agent" ? "AR" : "XE", null);
  }
  function repeat(heard: Heard, kind: "agent" | "tool", answer: Parameters<Post["repeat"]>[0] | undefined): void {
    const { word, id: cause, correlationId, trace } = heard;
    if (kind === "agent") {
      const { agent, payload } = word as unknown as AgentOrder;
      const context = { attempt: payload.context.attempt, duplicate: true };
      const ack = { type: "result:CommandAck", agent_runtime: runtime, agent };
      const taken = { ...ack, payload: { status: "ACKNOWLEDGED", result: null, context } };
      acknowledge(taken, { id: cause, heard }, { correlationId, trace, cause });
      if (answer) post.repeat(answer);
    } else if (answer) post.repeat(answer, heard.reply);
  }
  /** Content that lies in an object store is not fetched here. */
  function elsewhere(content: object): WireError | null {
    if (referencesIn(content, objectStore).length === 0) return null;
    const message = "the content lies in an object store, which this runtime does not read";
    return { code: "PAYLOAD_TOO_LARGE", message, details: { store: objectStore } };
  }
  function roomFor(kind: "agent" | "tool"): WireError | null {
    const max = limits[kind === "agent" ? "agents" : "tools"];
    const limit = { limit: `${kind}s`, max };
    if (isDraining && kind === "agent")
      return { code: "AGENT_RUNTIME_BUSY", message: "the runtime drains", details: {} };
    if (handlers().running(kind) < max) return null;
    const message = `${max} ${kind}s are at work, and no more may be`;
    if (kind === "agent") return { code: "AGENT_RUNTIME_BUSY", message, details: limit };
    return { code: "TOOL_DISPATCH_FAILED", message, details: { reason: "all_busy", ...limit } };
  }

  function cancelAgent(heard: Heard): void {
    const { agent, payload } = heard.word as unknown as Message<"command:AgentRuntimeCancel">;
    const run = runs.get(agent.exec_id);
    if (run && tell(run, handlerAt(agent.exec_id), heard.word, { id: heard.id, heard })) return;
    const message = `agent execution '${agent.exec_id}' does not run here`;
    const error: WireError = { code: "EXECUTION_NOT_FOUND", message, details: {} };
    const { attempt } = payload.context;
    const context = attempt === undefined ? {} : { attempt };
    const { correlationId, trace, id: cause } = heard;
    const word = { type: "result:CommandAck", agent_runtime: runtime, agent } as Word;
    const refused = { ...word, to: payload.reply_to_subject, payload: { status: "ERROR", result: { error }, context } };
    acknowledge(refused as Word, { id: cause, heard }, { correlationId, trace, cause });
  }

  return {
    /** A command that was understood. */
    hear(heard: Heard): void {
      const { word } = heard;
      turn(() => {
        if (word.type === "command:AgentRuntimeExecute") begin(heard, "agent", word as unknown as AgentOrder);
        else if (word.type === "command:AgentRuntimeCancel") cancelAgent({ ...heard, word: answeredAt(heard) });
        else if (word.type === "command:ToolExecute") {
          begin(heard, "tool", answeredAt(heard) as unknown as ToolOrder);
        } else if (word.type === "command:ToolCancel") {
          const run = runs.get(word.tool?.exec_id ?? "");
          if (run) tell(run, handlerAt(run.id), word, { id: heard.id, heard });
        }
      });
    },
    /** The answer to a call of ours, or word that nobody takes it; false if there is no such call. */
    answer(execId: string, word: Word, messageId: string): boolean {
      const run = calls.get(execId);
      const error = elsewhere(Object(word["payload"]) as object);
      const heard = error ? ({ ...word, payload: { ...failed(word), result: { error } } } as Word) : word;
      if (run) turn(() => void tell(run, callAt(execId), heard, { id: messageId || run.heard.id }));
      return run !== undefined;
    },
    /** What the functions of agents and tools need of their charts. */
    forHandlers: {
      actor: (run, address) => runs.get(run)?.actors.get(address),
      correlationId: (run) => runs.get(run)?.heard.correlationId ?? "",
      trace: (run) => {
        const { traceparent } = runs.get(run)?.heard.trace ?? {};
        return traceparent === undefined ? undefined : runs.get(run)?.heard.trace;
      },
      send: (runId, input) => turn(() => sent(runId, input)),
      publish: (runId, by, word) => {
        const run = runs.get(runId);
        if (!run) return;
        const { correlationId, trace, id: cause } = run.heard;
        post.say(word, by === "XE" ? "XE" : "AR", { correlationId, trace, cause });
      },
    } satisfies Partial<HandlerMeans>,
    drain(): void {
      isDraining = true;
    },
    inFlight: (): number => runs.size,
    /** Resolves when nothing is under way. */
    settled: (): Promise<void> =>
      runs.size === 0 ? Promise.resolve() : new Promise((resolve) => void idle.push(resolve)),
    /** Its time is over: tools fail now, agents are known to be lost when the runtime leaves. */
    giveUp(reason: string): void {
      turn(() => {
        for (const run of runs.values()) {
          const error = { message: reason, code: "RUNTIME_STOPPED" };
          const isTool = run.heard.word.type === "command:ToolExecute";
          const cue = { type: "cue:Threw", exec_id: run.id, error, thought: true } as unknown as Word;
          if (isTool) tell(run, handlerAt(run.id), cue, { id: run.heard.id });
          for (const actor of run.actors.values()) for (const cancel of actor.timers.values()) cancel();
        }
        runs.clear();
        calls.clear();
        handlers().stop(reason);
      });
    },
  };

  function sent(runId: string, input: Parameters<HandlerMeans["send"]>[1]): void {
    const run = runs.get(runId);
    if (!run || !("cue" in input)) return;
    const { address, cue } = input;
    const word = cue as unknown as Word;
    if (word.type === "cue:Call") return beginCall(run, address, word as unknown as Cue<"cue:Call">);
    if (word.type === "cue:Used") return use(run, word as unknown as Cue<"cue:Used">);
    tell(run, address, word.type === "cue:Returned" ? spent(run, word) : word, { id: run.heard.id });
  }
  function beginCall(
    run: Run,
    from: string,
    { id: name, exec_id, input }: Cue<"cue:Call"> & { input?: unknown },
  ): void {
    const { workflow, task, agent, payload } = run.heard.word as unknown as AgentOrder;
    const parents = { ...(workflow && { workflow }), ...(task && { task }), agent };
    const { attempt } = payload.context;
    const call = { parents, callee: { id: name, exec_id }, attempt, input, timeoutMs: limits.toolTimeoutMs };
    enter(run, callAt(exec_id), toolExecution, call, "AR", from);
  }
}

function use(run: Run, { tokens, cost }: Cue<"cue:Used">): void {
  const { used = { tokens: 0, cost: 0 } } = run;
  run.used = { tokens: used.tokens + tokens, cost: used.cost + cost };
}
/** What an agent has used up travels in its result: there is no other way to whoever counts it. */
function spent({ used }: Run, word: Word): Word {
  const output = word["output"] as Readonly<Record<string, unknown>>;
  if (!used || "usage" in output || Object.keys(output).length === 0) return word;
  return { ...word, output: { ...output, usage: used } };
}

/** Where the answer is wanted is what the message came with, if that is not what stands in it. */
function answeredAt({ word, reply }: Heard): Word {
  if (reply === undefined) return word;
  return { ...word, payload: { ...(word["payload"] as object), reply_to_subject: reply } } as Word;
}

/** An answer as one that could not be given. */
const failed = (word: Word): object => ({ ...(word["payload"] as object), status: "FAILURE" });

const keyOf = ({ id, visit }: Timer): string => `${id} ${visit}`;
const execIdOf = (address: string): string => address.slice(address.indexOf("/") + 1);

/** A reply says which old words its command used. */
function warned(word: Word, { warnings }: Heard): Word {
  if (warnings.length === 0 || !word.type.startsWith("result:")) return word;
  const payload = word["payload"] as { context?: object };
  return { ...word, payload: { ...payload, context: { ...payload.context, warnings } } };
}
