// The functions of agents and tools at work: begun after the disk knows of them, told to stop, and answered for.
//
// Invariants:
//   F1. A handler is begun only while its chart runs; one that was canceled before is not begun.
//   F2. Whatever a handler returns or throws becomes one cue, and what it does after that is dropped.
//   F3. Its signal is aborted when its run is canceled, over its time, or stopped with the process.

import type { AgentDefinition, AgentHandler } from "../agents/agent.ts";
import type { Log } from "../protocol/handler.ts";
import type { Outcome } from "../machines/speech.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { type Trace, traceIdOf } from "../protocol/envelope.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { isPromise } from "../language/function.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import type { ToolDefinition, ToolHandler } from "../tools/tool.ts";
import { checkedUsage } from "./budget.ts";
import { beatOf } from "./beat.ts";
import { execIdIn, type Word } from "./component.ts";
import type { Actor } from "./run.ts";
import type { Clock } from "./clock.ts";
import { contentOf, outputOf, thrownOf } from "./handler-outcome.ts";
import type { Input } from "./react.ts";
import type { Redactor, Stream } from "./redact.ts";
import { inCall, outOfCall } from "./stray.ts";

export type Handlers = ReturnType<typeof newHandlers>;

type Kind = "agent" | "tool";
type Order = Message<"command:AgentRuntimeExecute"> | Message<"command:ToolExecute">;
type Work = {
  kind: Kind;
  run: string;
  address: string;
  controller: AbortController;
  thought: boolean;
  /** What it says piece by piece, if there are secrets to look for. */
  tokens: Stream | undefined;
  calls: Map<string, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>;
  called: number;
};

export type Means = {
  clock: Clock;
  payloadBytes: number;
  stepBytes: number;
  /** Values of the environment, by name. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Takes the values of secrets out of whatever comes from a handler, if there are any. */
  redactor(): Redactor | undefined;
  agents: ReadonlyMap<string, AgentDefinition>;
  tools: ReadonlyMap<string, ToolDefinition>;
  /** The handler itself; those that are modules are loaded before anything begins. */
  handlerOf(definition: AgentDefinition | ToolDefinition): AgentHandler | ToolHandler;
  actor(run: string, address: string): Actor | undefined;
  correlationId(run: string): string;
  trace(run: string): Trace | undefined;
  send(run: string, input: Input): void;
  /** News that is not recorded. */
  publish(run: string, by: Code, word: Word): void;
  id(): string;
  log: (fields: Readonly<Record<string, unknown>>) => Log;
};

export function newHandlers(given: Means) {
  const means: Means = {
    ...given,
    send: (run, input) => outOfCall(() => given.send(run, input)),
    publish: (run, by, word) => outOfCall(() => given.publish(run, by, word)),
  };
  const works = new Map<string, Work>();
  const callers = new Map<string, Work>();
  /** Promised a place, and begun once the disk knows of it. */
  const due = new Map<string, { kind: Kind; run: string }>();
  const counts = { agent: 0, tool: 0 };

  function begin(work: Work, order: Order): unknown {
    const { kind, run } = work;
    const { id, exec_id } =
      kind === "agent"
        ? (order as Message<"command:AgentRuntimeExecute">).agent
        : (order as Message<"command:ToolExecute">).tool;
    const definition = means[kind === "agent" ? "agents" : "tools"].get(id);
    if (!definition)
      throw new TroupeError(kind === "agent" ? "AGENT_NOT_FOUND" : "TOOL_NOT_FOUND", `there is no ${kind} '${id}'`);
    const { attempt, input, timeout_config, last_step: lastStep, agent_request: asked } = order.payload.context;
    const timeoutMs = timeout_config.timeout_duration_ms;
    const given = fitting(definition, kind, input);
    const thinking = (text: string): void => {
      work.thought = true;
      progress(work, order, "Thinking", { text: clean(String(text)) });
    };
    const trace = means.trace(run);
    const context = {
      signal: work.controller.signal,
      attempt,
      ...(lastStep !== undefined && { lastStep }),
      idempotencyKey: keyOf(order, exec_id),
      deadline: timeoutMs > 0 ? new Date(means.clock.now() + timeoutMs) : null,
      execId: exec_id,
      env: envOf(definition),
      correlationId: means.correlationId(run),
      ...(trace && { trace: Object.freeze({ ...trace }) }),
      log: means.log({ [kind]: id, exec_id, attempt, ...(trace && { trace_id: traceIdOf(trace) }) }),
      step: (said: unknown) => {
        const step = contentOf(said, means.stepBytes, "the step", "stepBytes");
        progress(work, order, "Step", { step: clean(step) });
      },
      ...(kind === "agent" && {
        ...(asked?.action !== undefined && { action: asked.action }),
        thinking,
        think: thinking,
        usage: (spent: unknown) => {
          const cue = { type: "cue:Used", ...checkedUsage(spent) };
          if (works.get(work.address) === work) means.send(run, { on: "said", address: work.address, cue });
        },
        token: (text: string) => token(work, order, String(text)),
        tool: (toolId: string, toolInput: unknown) => {
          // Whoever watches sees an agent think before it acts, whether it says what or not.
          if (!work.thought) progress(work, order, "Thinking", { text: "thinking" });
          work.thought = true;
          return callTool(work, toolId, toolInput);
        },
      }),
    };
    return (means.handlerOf(definition) as AgentHandler)(given, context as Parameters<AgentHandler>[1]);
  }

  const clean = <T>(said: T): T => {
    const redactor = means.redactor();
    return redactor ? (redactor.value(said) as T) : said;
  };

  /** A value may be said in several pieces: what may be the beginning of one is held back. */
  function token(work: Work, order: Order, piece: string): void {
    work.tokens ??= means.redactor()?.stream();
    const text = work.tokens ? work.tokens.push(piece) : piece;
    if (text !== "" || piece === "") progress(work, order, "Token", { text });
  }
  function lastToken(work: Work, order: Order): void {
    const text = work.tokens?.end() ?? "";
    if (text !== "") progress(work, order, "Token", { text });
  }

  /** What the definition names, and nothing else of this process. */
  const envOf = ({ env }: AgentDefinition | ToolDefinition): Readonly<Record<string, string>> => {
    if (!env) return noEnv;
    const known = env.filter((name) => Object.hasOwn(means.environment, name));
    const values = known.map((name) => [name, means.environment[name]]);
    return Object.freeze(Object.fromEntries(values.filter(([, value]) => value !== undefined)));
  };

  /** The same whenever the same attempt is run again; of a tool that an agent called, by the place of the call. */
  const keyOf = (order: Order, execId: string): string => {
    const caller = order.type === "command:ToolExecute" ? order.agent : undefined;
    const of = order.task?.exec_id ?? execId;
    return `${of}:${order.payload.context.attempt}${caller ? `:${callKeys.get(execId) ?? execId}` : ""}`;
  };
  const callKeys = new Map<string, string>();

  let news = 0;
  function progress(work: Work, order: Order, kind: "Thinking" | "Token" | "Step", context: object): void {
    if (works.get(work.address) !== work) return;
    const isAgent = order.type === "command:AgentRuntimeExecute";
    const { workflow, task } = order;
    // A tool that an agent called names it: what it says of itself does not say how far the task is.
    const caller = isAgent ? undefined : order.agent;
    const own = isAgent ? { agent: order.agent } : { tool: order.tool, ...(caller && { agent: caller }) };
    news += 1;
    const payload = { context: { attempt: order.payload.context.attempt, seq: news, ...context } };
    const type = `progress:${isAgent ? "Agent" : "Tool"}${kind}`;
    const word = { type, ...(workflow && { workflow }), ...(task && { task }), ...own, payload } as Word;
    beat(work, word);
    means.publish(work.run, isAgent ? "AR" : "XE", word);
  }

  /** Its task hears of it, if that lives here. */
  function beat({ run }: Work, progressed: Word): void {
    const word = beatOf(means.actor(run, `task/${progressed.task?.exec_id}`), progressed);
    if (!word) return;
    means.send(run, { on: "message", told: false, word, by: "TE", from: "", run: "", id: means.id(), cause: null });
  }

  function callTool(work: Work, id: string, input: unknown): Promise<unknown> {
    if (works.get(work.address) !== work || work.controller.signal.aborted) {
      return Promise.reject(new TroupeError("TOOL_CANCELED", `tool '${id}' is not called: the agent has ended`));
    }
    let content: unknown;
    try {
      if (!isDefinitionId(clean(String(id)))) {
        throw new TroupeError("TOOL_NOT_FOUND", `'${String(id)}' is no id of a tool`);
      }
      content = clean(contentOf(input ?? {}, means.payloadBytes, `the input of tool '${id}'`));
    } catch (error) {
      return Promise.reject(error);
    }
    const exec_id = means.id();
    work.called += 1;
    callKeys.set(exec_id, String(work.called));
    return new Promise((resolve, reject) => {
      work.calls.set(exec_id, { resolve, reject });
      callers.set(exec_id, work);
      const cue = { type: "cue:Call", kind: "tool", id, exec_id, input: content };
      means.send(work.run, { on: "said", address: work.address, cue: cue as unknown as Word });
    });
  }

  function settle(work: Work, cue: Word): void {
    // The chart may have ended without it, or the handler begun anew.
    if (works.get(work.address) !== work) return;
    forget(work);
    means.send(work.run, { on: "cue", address: work.address, cue });
  }
  function forget(work: Work): void {
    works.delete(work.address);
    counts[work.kind] -= 1;
    for (const [exec_id, { reject }] of work.calls) {
      callers.delete(exec_id);
      callKeys.delete(exec_id);
      reject(new TroupeError("TOOL_CANCELED", "the agent that called has ended"));
    }
    work.calls.clear();
  }

  function dismiss(work: Work, reason: string): void {
    forget(work);
    work.controller.abort(new TroupeError(canceledCodes[work.kind], reason));
  }

  function returned(work: Work, order: Order, output: unknown): void {
    const exec_id = execIdIn(work.address);
    const { thought } = work;
    lastToken(work, order);
    try {
      const data = outputOf(answerOf(order, output), means.payloadBytes, means.redactor());
      settle(work, { type: "cue:Returned", exec_id, output: data, thought } as unknown as Word);
    } catch (error) {
      threw(work, order, error);
    }
  }
  /** As its definition wants it. An answer that breaks it is the callee's own failure. */
  function answerOf(order: Order, output: unknown): unknown {
    const isTool = order.type === "command:ToolExecute";
    const { id } = isTool ? order.tool : order.agent;
    const checked = schemaOf((isTool ? means.tools : means.agents).get(id)?.output).check(output);
    if (!checked.errors) return checked.value;
    const { message, details } = wrong(`the output of ${isTool ? "tool" : "agent"} '${id}'`, checked.errors);
    throw Object.assign(new Error(message), { code: isTool ? "TOOL_OUTPUT_INVALID" : "OUTPUT_INVALID", details });
  }

  function threw(work: Work, order: Order, thrown: unknown): void {
    lastToken(work, order);
    const error = thrownOf(thrown, means.redactor());
    const { thought } = work;
    settle(work, { type: "cue:Threw", exec_id: execIdIn(work.address), error, thought } as unknown as Word);
  }

  return {
    /** How many are at work, or about to be. */
    running: (kind: Kind): number => counts[kind],
    /** A place among them, from now until it has ended. */
    reserve(kind: Kind, run: string, address: string): void {
      if (due.has(address) || works.has(address)) return;
      due.set(address, { kind, run });
      counts[kind] += 1;
    },
    /** Its chart has ended: what has not begun will not. */
    release(address: string): void {
      const place = due.get(address);
      if (place && due.delete(address)) counts[place.kind] -= 1;
    },
    /** Begins the handler of a chart, unless it has ended meanwhile. */
    perform(run: string, address: string): void {
      const actor = means.actor(run, address);
      if (actor?.life.snapshot.value !== "running" || works.has(address)) return;
      const { order } = (actor.life as { snapshot: { context: unknown } } satisfies { snapshot: unknown }).snapshot
        .context as { order: Order };
      const kind = order.type === "command:ToolExecute" ? "tool" : "agent";
      const work: Work = {
        kind,
        run,
        address,
        controller: new AbortController(),
        thought: false,
        tokens: undefined,
        calls: new Map(),
        called: 0,
      };
      works.set(address, work);
      if (!due.delete(address)) counts[kind] += 1;
      try {
        const given = inCall(
          (error) => outOfCall(() => threw(work, order, error)),
          () => begin(work, order),
        );
        if (isPromise(given)) {
          Promise.resolve(given).then(
            (output: unknown) => returned(work, order, output),
            (error: unknown) => threw(work, order, error),
          );
        } else returned(work, order, given);
      } catch (error) {
        threw(work, order, error);
      }
    },
    abort(run: string, address: string, cause: string, reason: string): void {
      const work = works.get(address);
      if (work) return work.controller.abort(new TroupeError(canceledCodes[work.kind], reason || cause, { cause }));
      // It was canceled before the disk knew that it should begin: nothing will ever answer for it but this.
      if (means.actor(run, address)?.life.snapshot.value !== "canceling") return;
      const error = { message: "the handler was canceled before it began" };
      const cue = { type: "cue:Threw", exec_id: execIdIn(address), error, thought: true } as unknown as Word;
      means.send(run, { on: "cue", address, cue });
    },
    /** A run is no more: whatever works for it is told to stop, and not listened to. */
    abandon(run: string, reason: string): void {
      for (const [address, place] of due) if (place.run === run && due.delete(address)) counts[place.kind] -= 1;
      for (const work of works.values()) if (work.run === run) dismiss(work, reason);
    },
    /** A tool that an agent called has ended. */
    called(execId: string, result: Outcome): void {
      const work = callers.get(execId);
      const call = work?.calls.get(execId);
      if (!work || !call) return;
      callers.delete(execId);
      callKeys.delete(execId);
      work.calls.delete(execId);
      if ("output" in result) return call.resolve(result.output);
      const { code, message, details } = result.error;
      const cause = details?.["cause_code"];
      const error = new TroupeError(code, message, details ?? {});
      call.reject(typeof cause === "string" ? Object.assign(error, { code: cause }) : error);
    },
    /** Aborts all; what they answer after that is dropped. */
    stop(reason: string): void {
      for (const work of works.values()) dismiss(work, reason);
    },
    /** Nobody is at work, or about to be. */
    isIdle: (): boolean => works.size === 0 && due.size === 0,
  };
}

/**
 * What the handler is given, its defaults filled in: a copy, for what a handler does to it must not reach the charts.
 * A task or tool executor has checked it; who calls an agent past them learns of it as of any failure of the agent.
 */
function fitting({ id, input: schema }: AgentDefinition | ToolDefinition, kind: Kind, input: unknown): unknown {
  const checked = schemaOf(schema).check(structuredClone(input));
  if (!checked.errors) return checked.value;
  const { message, details } = wrong(`the input of ${kind} '${id}'`, checked.errors);
  throw Object.assign(new Error(message), { code: "INPUT_INVALID", details });
}

const noEnv = Object.freeze({});

const canceledCodes = { agent: "AGENT_CANCELED", tool: "TOOL_CANCELED" } as const;
