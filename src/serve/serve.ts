// The door `troupe/serve`: agents and tools of this process for a troupe that is elsewhere, over NATS.
//
//   serve ─▶ sign in ─▶ listen ─▶ register, beat ─▶ … ─▶ stop: drain, end what runs, leave
//
// What a handler is given, what is said of it, and when, is the same as inside the engine, by the same charts and the
// same code; there is no store, and the dispatcher decides what becomes of a run whose runtime dies.

import { systemClock } from "../actors/clock.ts";
import { envelopeBytes } from "../actors/limits.ts";
import { failCall } from "../actors/stray.ts";
import type { AgentDefinition, AgentHandler } from "../agents/agent.ts";
import type { Schema } from "../language/json-schema.ts";
import type { Filled, Given } from "../language/typed.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { minter } from "../protocol/ids.ts";
import type { Report } from "../protocol/report.ts";
import type { ToolHandler } from "../tools/tool.ts";
import { linkSingle } from "../transport/nats-single.ts";
import { type Served, type ServeOptions, settingsOf, signIn } from "./options.ts";
import { openRuntime } from "./runtime.ts";

export type { AgentContext, AgentHandler } from "../agents/agent.ts";
export type { ToolContext, ToolHandler } from "../tools/tool.ts";
export type { Served, ServedAgent, ServedTool, ServeLimits, ServeOptions } from "./options.ts";
export { TroupeError } from "../protocol/errors.ts";

/** A runtime that is there. */
export type Serving = {
  /** Its id as the dispatcher knows it. */
  readonly runtimeId: string;
  /** Drains: takes nothing new, lets what runs end for at most so long, and leaves. */
  stop(graceMs?: number): Promise<void>;
  /** Resolves when it has left. */
  readonly ended: Promise<void>;
  inFlight(): number;
};

type About<In extends Schema, Out extends Schema> = Pick<AgentDefinition<In, Out>, "input" | "output" | "env">;

/** One agent: `await serveAgent("clerk", (input, { think }) => …)`. */
export const serveAgent = <const In extends Schema = true, const Out extends Schema = true>(
  id: string,
  handler: AgentHandler<Filled<In>, Given<Out>>,
  { input, output, env, ...options }: ServeOptions & About<In, Out> = {},
): Promise<Serving> => serve({ agents: [{ id, handler, ...given({ input, output, env }) }] }, options);

/** One tool: `await serveTool("lookup", ({ order }) => …)`. */
export const serveTool = <const In extends Schema = true, const Out extends Schema = true>(
  id: string,
  handler: ToolHandler<Filled<In>, Given<Out>>,
  { input, output, env, ...options }: ServeOptions & About<In, Out> = {},
): Promise<Serving> => serve({ tools: [{ id, handler, ...given({ input, output, env }) }] }, options);

const given = (about: {
  input?: Schema | undefined;
  output?: Schema | undefined;
  env?: readonly string[] | undefined;
}) =>
  Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined)) as Partial<
    About<Schema, Schema>
  >;

/** Several agents and tools in one process. */
export async function serve(served: Served, options: ServeOptions = {}): Promise<Serving> {
  const { agents = [], tools = [] } = served;
  const settings = settingsOf(served, options);
  const { prefix, limits, name } = settings;
  const { report = onConsole, environment = process.env, standalone = true } = options;
  const clock = systemClock();
  const ids = minter(Math.random);
  const runtime = { id: name, exec_id: settings.runtimeId ?? ids.next(clock.now()) };
  const connection = await linkSingle({
    server: { ...(await signIn({ ...options, report, environment })), inboxPrefix: `_INBOX_${runtime.exec_id}` },
    clock,
    name: `${prefix}-${name}`,
    // An agent may call a tool of its own process.
    echo: true,
    payloadBytes: limits.payloadBytes + envelopeBytes,
    onFault: (error, subject) => report("warn", "NATS", { subject, reason: fromUnknown(error).message }),
  });
  const opened = openRuntime({
    served: { agents, tools },
    options,
    settings,
    runtime,
    connection,
    clock,
    ids,
    report,
    environment,
  });
  // Whoever waits for it may give it something at once.
  await connection.settled();
  if (standalone) void opened.ended.then(ownProcess(opened.stop, report));
  const stop = async (graceMs?: number): Promise<void> => void (await opened.stop(graceMs));
  return { runtimeId: runtime.exec_id, ...opened, stop };
}

/** Signals stop it, and an error that nobody caught is of the run that it came from, if it is of any. */
function ownProcess(stop: () => Promise<boolean>, report: Report): () => void {
  const onSignal = async (): Promise<void> => {
    const isDone = await stop().catch((error: unknown) => {
      report("error", "the runtime could not leave in order", { reason: fromUnknown(error).message });
      return false;
    });
    // What was given up may hold the process for ever.
    if (!isDone) process.exit(1);
  };
  const signalled = (): void => void onSignal();
  const onStray = (error: unknown): void => {
    const { message: reason } = fromUnknown(error);
    if (failCall(error)) return report("error", "an agent or tool threw where nobody could catch it", { reason });
    report("error", "an error that nobody caught: the process ends", { reason });
    console.error(error);
    process.exit(1);
  };
  // Of some agent's or tool's own, and no reason to end all the others.
  const onRejected = (error: unknown): void =>
    report("error", "a promise was rejected, and nobody heard", { reason: fromUnknown(error).message });
  const heard = { SIGTERM: signalled, SIGINT: signalled, uncaughtException: onStray, unhandledRejection: onRejected };
  for (const [name, hear] of Object.entries(heard)) process.on(name, hear);
  return () => {
    for (const [name, hear] of Object.entries(heard)) process.off(name, hear);
  };
}

const onConsole: Report = (level, message, fields) => {
  if (level === "error" || level === "warn") console.error(`${level}: ${message} ${JSON.stringify(fields)}`);
};
