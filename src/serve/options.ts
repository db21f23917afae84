// What a runtime is told: which agents and tools it serves, where its server is and who it is there, and its limits.
//
// Whatever is not said is taken from the variables that the tools of NATS read, so that a program need not name them.

import type { AgentDefinition, AgentHandler } from "../agents/agent.ts";
import { isDefinitionId, isExecId } from "../protocol/ids.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Layout, layouts } from "../protocol/layouts.ts";
import { nearest } from "../protocol/nearest.ts";
import type { FieldError } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import { type SubjectCodec, subjectCodec } from "../protocol/subjects.ts";
import type { ToolDefinition, ToolHandler } from "../tools/tool.ts";
import { type Names, refused, serverOf, unsafeIn, type Way } from "../transport/nats-sign-in.ts";
import type { NatsOptions } from "../transport/nats.ts";

/** A definition as the engine takes it; what belongs to whoever calls, limits and times, stands in the daemon's. */
export type ServedAgent = Pick<AgentDefinition, "id" | "description" | "input" | "output" | "env"> & {
  readonly handler: AgentHandler;
};
export type ServedTool = Pick<ToolDefinition, "id" | "description" | "input" | "output" | "env"> & {
  readonly handler: ToolHandler;
};

/** Several of each for one process. */
export type Served = { readonly agents?: readonly ServedAgent[]; readonly tools?: readonly ServedTool[] };

type Row = { readonly default: number; readonly least: number; readonly behaviour: string };

export const serveLimits = {
  agents: {
    default: 16,
    least: 1,
    behaviour: "agents at work at once, as the runtime announces it; one more is refused with AGENT_RUNTIME_BUSY",
  },
  tools: {
    default: 64,
    least: 1,
    behaviour: "tools at work at once; one more fails with TOOL_DISPATCH_FAILED, reason all_busy",
  },
  payloadBytes: {
    default: 983_040,
    least: 1,
    behaviour: "bytes of one output, or of one input of a tool that an agent calls; a larger one fails its run",
  },
  stepBytes: { default: 32_768, least: 1, behaviour: "bytes of one step; a larger one throws PAYLOAD_TOO_LARGE" },
  waiting: {
    default: 10_000,
    least: 1,
    behaviour: "messages that wait for the server to come back; the oldest one more is dropped, and that is reported",
  },
  answers: {
    default: 1_000,
    least: 0,
    behaviour: "results that are kept for two minutes to answer a repeated order; the oldest are forgotten first",
  },
  answerBytes: {
    default: 33_554_432,
    least: 0,
    behaviour: "bytes of those results all together; the oldest are forgotten first",
  },
  toolTimeoutMs: { default: 30_000, least: 1, behaviour: "how long an agent waits for a tool it calls" },
  heartbeatMs: { default: 5_000, least: 10, behaviour: "how often the runtime says that it is alive" },
  leaseMs: { default: 15_000, least: 20, behaviour: "for how long it is believed; after that its runs are lost" },
  graceMs: { default: 30_000, least: 0, behaviour: "how long what runs may take to end when the runtime stops" },
} as const satisfies Record<string, Row>;
export type ServeLimits = { readonly [name in keyof typeof serveLimits]: number };

export type ServeOptions = {
  /** Where the servers are: `NATS_URL`, else this machine. */
  readonly servers?: string | readonly string[];
  /** The path of a file with credentials (`NATS_CREDS`), or with the seed of a key (`NATS_NKEY`). */
  readonly creds?: string;
  readonly nkey?: string;
  /** `NATS_USER` and `NATS_PASSWORD`. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly tls?: NatsOptions["server"]["tls"];
  /** Whether a server elsewhere may do without TLS or without a sign-in: `TROUPE_NATS_IN_THE_OPEN=true`. */
  readonly inTheOpen?: boolean;
  /** The namespace: `TROUPE_PREFIX`, else `compozy`. */
  readonly prefix?: string;
  /** The layout of subjects: `TROUPE_SUBJECTS`, else `flow`. */
  readonly subjects?: Layout;
  /** What this runtime is called; the first agent's or tool's id if nothing is said. */
  readonly name?: string;
  /** Its id, if it is to be known before: `TROUPE_RUNTIME_ID`, else a new one. */
  readonly runtimeId?: string;
  /** Its own version, for whoever looks at the list of runtimes. */
  readonly version?: string;
  readonly providers?: readonly string[];
  readonly models?: readonly string[];
  readonly limits?: Partial<ServeLimits>;
  /** Names of environment variables whose values are taken out of whatever a handler says. */
  readonly secrets?: readonly string[];
  /**
   * The process is this runtime's own: SIGTERM and SIGINT stop it, and what a handler throws where nobody catches it
   * fails that run alone.
   */
  readonly standalone?: boolean;
  /** Where it says what is worth a line; by default warnings and errors go to the console. */
  readonly report?: Report;
  readonly environment?: Readonly<Record<string, string | undefined>>;
};

/** All that was said or left out, decided. */
export type Settings = {
  prefix: string;
  subjects: SubjectCodec;
  name: string;
  runtimeId: string | undefined;
  limits: ServeLimits;
};

export function settingsOf({ agents = [], tools = [] }: Served, options: ServeOptions): Settings {
  const { environment = process.env } = options;
  const wrong: FieldError[] = [];
  const prefix = options.prefix ?? environment["TROUPE_PREFIX"] ?? "compozy";
  const layout = options.subjects ?? environment["TROUPE_SUBJECTS"] ?? "flow";
  const runtimeId = options.runtimeId ?? environment["TROUPE_RUNTIME_ID"];
  const name = options.name ?? agents[0]?.id ?? tools[0]?.id ?? "runtime";
  const isLayout = (text: string): text is Layout => layouts.some((one) => one === text);
  if (agents.length + tools.length === 0)
    wrong.push({ field: "agents", message: "and tools are none: nothing to serve" });
  for (const [field, list] of Object.entries({ agents, tools })) noteCallees(field, list, wrong);
  if (!isLayout(layout)) wrong.push({ field: "subjects", message: `must be ${layouts.join(" or ")}` });
  if (!isDefinitionId(name)) wrong.push({ field: "name", message: "must be 1 to 64 letters, digits, _ and -" });
  if (runtimeId !== undefined && !isExecId(runtimeId)) {
    wrong.push({ field: "runtimeId", message: "must be a lower-case hyphenated UUID" });
  }
  const limits = limitsOf(options.limits ?? {}, wrong);
  if (wrong.length > 0 || !isLayout(layout)) {
    const says = wrong.map(({ field, message }) => `${field} ${message}`).join("; ");
    throw new TroupeError("VALIDATION_FAILED", `this cannot be served: ${says}`, { errors: wrong });
  }
  return { prefix, subjects: subjectCodec({ prefix, layout }), name, runtimeId, limits };
}

/** What a definition may say here; limits, rates and times of calls are kept where calls are made. */
const known: ReadonlySet<string> = new Set(["id", "description", "input", "output", "env", "handler"]);

function noteCallees(field: string, list: readonly (ServedAgent | ServedTool)[], wrong: FieldError[]): void {
  const ids = new Set<string>();
  for (const [index, one] of list.entries()) {
    const at = `${field}[${index}]`;
    if (!isDefinitionId(one.id)) wrong.push({ field: `${at}.id`, message: "must be 1 to 64 letters, digits, _ and -" });
    if (ids.has(one.id)) wrong.push({ field: `${at}.id`, message: `'${one.id}' is there twice` });
    if (typeof one.handler !== "function") wrong.push({ field: `${at}.handler`, message: "must be a function" });
    const strange = Object.keys(one).find((key) => !known.has(key));
    if (strange !== undefined)
      wrong.push({ field: `${at}.${strange}`, message: "belongs into the daemon's definition" });
    ids.add(one.id);
  }
}

function limitsOf(given: Partial<ServeLimits>, wrong: FieldError[]): ServeLimits {
  const names = Object.keys(serveLimits) as (keyof ServeLimits)[];
  for (const [name, value] of Object.entries(given)) {
    const row = Object.hasOwn(serveLimits, name) ? serveLimits[name as keyof ServeLimits] : undefined;
    const meant = row ? undefined : nearest(name, names);
    const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
    if (!row) wrong.push({ field: `limits.${name}`, message: `is unknown${hint}` });
    else if (value !== undefined && !(Number.isSafeInteger(value) && value >= row.least)) {
      wrong.push({ field: `limits.${name}`, message: `must be a whole number of at least ${row.least}` });
    }
  }
  const defaults = names.map((name) => [name, given[name] ?? serveLimits[name].default]);
  return Object.fromEntries(defaults) as ServeLimits;
}

/** What each is called where it is said. */
const names = {
  url: "servers",
  creds: "creds",
  key: "nkey",
  ca: "tls",
  cert: "tls",
  certKey: "tls",
  inTheOpen: "inTheOpen (TROUPE_NATS_IN_THE_OPEN=true)",
} as const satisfies Names;

/** Where the server is, and who we are there; throws if others could listen in or come in. */
export function signIn(options: ServeOptions): Promise<NatsOptions["server"]> {
  const { environment = process.env, report, token, tls } = options;
  const { servers = environment["NATS_URL"] ?? "nats://127.0.0.1:4222" } = options;
  const user = options.user ?? environment["NATS_USER"];
  const pass = options.password ?? environment["NATS_PASSWORD"];
  const isAllowed = options.inTheOpen ?? environment["TROUPE_NATS_IN_THE_OPEN"] === "true";
  const way: Way = {
    url: [servers].flat().join(","),
    creds: options.creds ?? environment["NATS_CREDS"],
    key: options.nkey ?? environment["NATS_NKEY"],
  };
  const isKnown = user !== undefined || token !== undefined || tls?.cert !== undefined || tls?.certFile !== undefined;
  const unsafe = unsafeIn(way, names, { isTls: Boolean(tls), isKnown });
  if (unsafe && !isAllowed) throw refused(unsafe, names);
  if (unsafe) report?.("warn", "what goes over NATS is not safe there: inTheOpen allows it", unsafe);
  return serverOf(way, names).then((server) => ({
    ...server,
    ...(tls && { tls }),
    ...(token !== undefined && { token }),
    ...(user !== undefined && { user, ...(pass !== undefined && { pass }) }),
  }));
}
