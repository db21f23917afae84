// A runtime on a connection: what it hears, runs and says, put together; it drains and leaves when it is stopped.
//
// Invariants:
//   RT1. It listens before it registers, and leaves after its last answer.
//   RT2. Who goes on too long is given up when the grace is over: a tool's caller is told, an agent's is not.

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import { type Handlers, newHandlers } from "../actors/handlers.ts";
import { envelopeBytes } from "../actors/limits.ts";
import { redactorOf } from "../actors/redact.ts";
import { newRefuser } from "../actors/refuser.ts";
import type { AgentHandler } from "../agents/agent.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Log } from "../protocol/handler.ts";
import type { Minter } from "../protocol/ids.ts";
import { defaultBounds } from "../protocol/json.ts";
import { objectStoreOf } from "../protocol/references.ts";
import type { Level, Report } from "../protocol/report.ts";
import { answerDiscovery } from "../transport/nats-services.ts";
import { openInbox, type Line } from "./inbox.ts";
import type { Served, ServedAgent, ServedTool, ServeOptions, Settings } from "./options.ts";
import { newPost } from "./post.ts";
import { newPresence } from "./presence.ts";
import { newRuns } from "./runs.ts";

export type Parts = {
  served: Required<Served>;
  options: ServeOptions;
  settings: Settings;
  runtime: { id: string; exec_id: string };
  connection: Line;
  clock: Clock;
  ids: Minter;
  report: Report;
  environment: Readonly<Record<string, string | undefined>>;
};

export function openRuntime({
  served,
  options,
  settings,
  runtime,
  connection,
  clock,
  ids,
  report,
  environment,
}: Parts) {
  const { prefix, subjects, limits } = settings;
  const id = (): string => ids.next(clock.now());
  const bounds = { ...defaultBounds, sizeBytesMax: limits.payloadBytes + envelopeBytes };
  const runtimeId = runtime.exec_id;
  const post = newPost({ connection, subjects, clock, runtimeId, waitingMax: limits.waiting, id, report });
  const agents = new Map(served.agents.map((one) => [one.id, one]));
  const tools = new Map(served.tools.map((one) => [one.id, one]));
  const held: { handlers?: Handlers } = {};
  const handlers = (): Handlers => held.handlers ?? fail();
  const stamp = () => ({ at: clock.now(), seed: ids.seed(clock.now(), idsPerStep) });
  const problemOf = problems(agents, tools);
  const runs = newRuns({
    clock,
    post,
    runtime,
    limits,
    objectStore: objectStoreOf(prefix),
    stamp,
    problemOf,
    handlers,
    report,
  });
  const secrets = (options.secrets ?? []).map((name) => environment[name] ?? "");
  const redactor = redactorOf(secrets);
  held.handlers = newHandlers({
    ...runs.forHandlers,
    clock,
    payloadBytes: limits.payloadBytes,
    stepBytes: limits.stepBytes,
    environment,
    redactor: () => redactor,
    agents,
    tools: tools,
    handlerOf: (definition) => (definition as ServedAgent).handler as AgentHandler,
    id,
    log: (fields) =>
      logOf(
        fields,
        runs.forHandlers.correlationId(String(fields["exec_id"])),
        post,
        clock,
        (text) => redactor?.text(text) ?? text,
      ),
  });

  const say = (word: Word): void => void post.say(word, "AR", { correlationId: runtimeId });
  const presence = newPresence({
    clock,
    runtime,
    capabilities: {
      agents: [...agents.keys()],
      supported_providers: options.providers ?? [],
      supported_models: options.models ?? [],
      max_concurrent_executions: limits.agents,
      language: "typescript",
      version: options.version ?? unversioned,
    },
    heartbeatMs: limits.heartbeatMs,
    leaseMs: limits.leaseMs,
    inFlight: runs.inFlight,
    say,
  });
  const refuser = newRefuser({
    outbound: {
      say: ({ by, word, cause }, correlationId) =>
        void post.say(word, by === "XE" ? "XE" : "AR", { correlationId, ...(cause !== null && { cause }) }),
    },
    subjects,
    bounds,
    now: clock.now,
    id,
    report,
  });
  const isAgents = agents.size > 0;
  const inbox = openInbox({
    connection,
    subjects,
    bounds,
    runtimeId,
    tools: [...tools.keys()],
    isAgents,
    runs,
    post,
    refuser,
    onForgotten: () => void (isLeft || presence.register()),
    report,
  });
  let isLeft = false;
  connection.onChange((isThere) => {
    if (isThere && isAgents && !isLeft) presence.register();
  });
  const startedAt = clock.now();
  const endDiscovery = answerDiscovery(connection, {
    name: isAgents ? "agent-runtime" : "tool-executor",
    id: runtimeId,
    version: options.version ?? unversioned,
    description: `${runtime.id}: ${[...agents.keys(), ...tools.keys()].join(", ")}`,
    startedAt,
    metadata: () => ({
      language: "typescript",
      prefix,
      ...(isAgents && { agents: [...agents.keys()].join(",") }),
      ...(tools.size > 0 && { tools: [...tools.keys()].join(",") }),
    }),
    endpoints: () => [
      {
        name: "orders",
        subject: isAgents
          ? subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId })
          : subjects.patternOf({ key: "command:ToolExecute" }),
        requests: inbox.counts.orders,
        errors: inbox.counts.refused,
        lastError: inbox.counts.lastError,
        processingMs: 0,
      },
    ],
  });
  if (isAgents) presence.register();

  const ended = Promise.withResolvers<void>();
  let stopping: Promise<boolean> | undefined;
  async function leave(graceMs: number): Promise<boolean> {
    runs.drain();
    if (isAgents) presence.drain();
    const isDone = await within(clock, graceMs, inbox.closeTools().then(runs.settled));
    if (!isDone) {
      report("warn", "what runs has not ended in time, and is given up", { in_flight: runs.inFlight(), graceMs });
      runs.giveUp("the runtime stopped before the end");
    }
    // What was said last may wait for what was said before it.
    await within(clock, settleMs, post.settled());
    isLeft = true;
    if (isAgents) presence.leave();
    await within(clock, settleMs, post.settled());
    endDiscovery();
    post.close();
    await connection.close();
    ended.resolve();
    return isDone;
  }
  return {
    ended: ended.promise,
    inFlight: runs.inFlight,
    /** Whether all that ran has come to its own end. */
    stop: (graceMs: number = limits.graceMs): Promise<boolean> => (stopping ??= leave(graceMs)),
  };
}

const unversioned = "0.0.0";
/** More than any step mints. */
const idsPerStep = 1_000;
/** How long the farewell may take to be kept. */
const settleMs = 5_000;

function fail(): never {
  throw new Error("handlers are there before anything is heard");
}

function problems(agents: ReadonlyMap<string, ServedAgent>, tools: ReadonlyMap<string, ServedTool>) {
  return (kind: "agent" | "tool", id: string, input: unknown): WireError | null => {
    if (kind === "agent") {
      if (agents.has(id)) return null;
      return { code: "AGENT_NOT_FOUND", message: `this runtime has no agent '${id}'`, details: {} };
    }
    const tool = tools.get(id);
    if (!tool) return { code: "TOOL_NOT_FOUND", message: `there is no tool '${id}'`, details: {} };
    const { errors } = schemaOf(tool.input).check(input);
    return errors ? { code: "TOOL_INPUT_INVALID", ...wrong(`the input of tool '${id}'`, errors) } : null;
  };
}

/** Lines of handlers go to the log of the troupe. */
function logOf(
  about: Readonly<Record<string, unknown>>,
  correlationId: string,
  post: ReturnType<typeof newPost>,
  clock: Clock,
  clean: (text: string) => string,
): Log {
  const by = "tool" in about ? "XE" : "AR";
  const line =
    (level: Level) =>
    (message: string, more: Readonly<Record<string, unknown>> = {}) => {
      const said = Object.entries({ ...about, ...more }).map(([name, value]) => `${name}=${textOf(value)}`);
      const text = clean([String(message), ...said].join(" "))
        .slice(0, lineCharsMax)
        .toWellFormed();
      const timestamp = new Date(clock.now()).toISOString();
      const payload = { log_level: level, message: text, timestamp, context: {} };
      post.say({ type: "log:LogEmitted", payload }, by, { correlationId });
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
const lineCharsMax = 4_096;
const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** Whether it came about in time. */
async function within(clock: Clock, ms: number, act: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const cancel = clock.alarm(clock.now() + ms, () => late.resolve(false));
  try {
    return await Promise.race([act.then(() => true as const), late.promise]);
  } finally {
    cancel();
  }
}
