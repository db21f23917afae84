// What `troupe up` can be told, once: each key with its schema, its default and its meaning; flags, environment, file
// and the documents are made from this table.

import { z } from "zod";
import { limits as engineLimits, type Limits } from "../actors/limits.ts";
import { type GuardLimits, guardLimits } from "../gateway/guard-limits.ts";
import { type SocketLimits, socketLimits } from "../gateway/socket-limits.ts";
import { durationOf } from "../language/duration.ts";

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** A value of the file, or a text of the command line or the environment; what cannot be is told in plain words. */
type Kind<T> = { schema: z.ZodType<T>; holds: string };

const says = (holds: string) => ({ error: `must be ${holds}` });
const fromText =
  (read: (text: string) => unknown) =>
  (value: unknown): unknown =>
    typeof value === "string" ? read(value) : value;

const text = (holds: string): Kind<string> => ({ schema: z.string(says(holds)).min(1, says(holds)), holds });

function choice<const T extends readonly [string, ...string[]]>(words: T): Kind<T[number]> {
  const holds = `one of ${words.join(", ")}`;
  return { schema: z.enum(words, says(holds)), holds };
}

const truthWords: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  false: false,
  no: false,
  off: false,
};
const truths: Readonly<Record<string, boolean>> = { ...truthWords, "1": true, "0": false };
const truth: Kind<boolean> = {
  schema: z.preprocess(
    fromText((given) => truths[given.toLowerCase()] ?? given),
    z.boolean(says("true or false")),
  ),
  holds: "true or false",
};

const numberIn = (given: string): unknown => (/^-?\d+$/.test(given) ? Number(given) : given);
function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const holds = `a whole number, ${most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`}`;
  const schema = z.int(says(holds)).min(least, says(holds)).max(most, says(holds));
  return { schema: z.preprocess(fromText(numberIn), schema), holds };
}

function duration(leastMs: number): Kind<number> {
  const least = leastMs > 0 ? `, ${shownDuration(leastMs)} or more` : "";
  const holds = `a duration such as 250ms, 30s, 10m, 2h or 1d${least}`;
  const read = (given: unknown): unknown => {
    let isRight = true;
    const value = typeof given === "string" ? numberIn(given) : given;
    const ms = durationOf(value as number | string, "", () => (isRight = false));
    return isRight ? ms : given;
  };
  return { schema: z.preprocess(read, z.int(says(holds)).min(leastMs, says(holds))), holds };
}

const texts: Kind<string[]> = {
  schema: z.preprocess(
    fromText((given) => given.split(",").flatMap((one) => one.trim() || [])),
    z.array(z.string(says("a text")).min(1), says("a list of texts")),
  ),
  holds: "a list of texts; on the command line and in the environment with commas",
};

export const inspectorPort = 8080;
const inspect: Kind<number | false> = {
  schema: z.preprocess(
    (given) => {
      const value = typeof given === "string" ? (truthWords[given.toLowerCase()] ?? numberIn(given)) : given;
      return value === true ? inspectorPort : value;
    },
    z.union([z.literal(false), z.int().min(0).max(65_535)], says("true, false or a port")),
  ),
  holds: "true, false or a port",
};

type Row<T = unknown> = Kind<T> & {
  default: T;
  about: string;
  /** As the command line has it; a key without one stands in the file or the environment. */
  flag?: string;
  /** Not of the file: it says which file, or how this one call is answered. */
  callOnly?: true;
  /** A path: from the folder of the file, if it stands there. */
  isPath?: true;
};

const row = <T, D extends T | null>(kind: Kind<T>, preset: D, about: string, more: Partial<Row> = {}) =>
  ({ ...kind, default: preset, about, ...more }) as Kind<T> & Omit<Row, "default"> & { default: D };

export const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

const own = {
  config: row(text("the path of a file"), "troupe.yaml", "The file of the project; its folder is the project.", {
    flag: "-c, --config <file>",
    callOnly: true,
  }),
  data_dir: row(text("the path of a folder"), "./.troupe", "Where everything is kept. It belongs to one process.", {
    flag: "-d, --data-dir <folder>",
    isPath: true,
  }),
  host: row(text("an address"), "127.0.0.1", "The address to listen at; any but this machine's own needs tokens.", {
    flag: "--host <address>",
  }),
  port: row(whole(0, 65_535), 7420, "The port of HTTP and WebSocket; 0 takes any that is free.", {
    flag: "-p, --port <number>",
  }),
  transport: row(choice(["memory", "nats"]), "memory", "How processes reach each other: `memory` is this one alone.", {
    flag: "--transport <name>",
  }),
  nats_url: row(text("an address"), null, "Where the NATS server is; without it the daemon runs one of its own.", {
    flag: "--nats-url <url>",
  }),
  nats_creds: row(text("the path of a file"), null, "Credentials for that server, as its tools write them.", {
    isPath: true,
  }),
  nats_key: row(text("the path of a file"), null, "A key (nkey) for that server.", { isPath: true }),
  nats_ca: row(
    text("the path of a file"),
    null,
    "Who vouches for that server, PEM; with it only TLS is spoken there.",
    {
      isPath: true,
    },
  ),
  nats_cert: row(text("the path of a file"), null, "The certificate this process shows that server, PEM.", {
    isPath: true,
  }),
  nats_cert_key: row(text("the path of a file"), null, "Its private key, PEM.", { isPath: true }),
  nats_in_the_open: row(truth, false, "Whether a NATS server elsewhere may do without TLS or without a sign-in."),
  nats_stream_bytes: row(
    whole(1),
    268_435_456,
    "How large each stream may be there: a full one of commands takes nothing more, the others forget the oldest.",
  ),
  nats_server: row(text("the path of a file"), null, "The program of the daemon's own NATS server; else it is found.", {
    flag: "--nats-server <file>",
    isPath: true,
  }),
  lease: row(duration(1_000), 15_000, "So long a silent orchestrator keeps its place before another takes it."),
  new_store: row(truth, false, "Whether the namespace gets this store, and gives up the one that it has.", {
    flag: "--new-store",
    callOnly: true,
  }),
  object_store: row(
    truth,
    false,
    "Whether inputs and outputs too large for a message travel by reference, through an object store of NATS.",
    { flag: "--object-store <bool>" },
  ),
  object_store_bytes: row(whole(1), 1_073_741_824, "How large that store may be; nothing more is put into a full one."),
  object_retention: row(duration(60_000), 8 * 86_400_000, "How long an object is kept there after it was last put."),
  roles: row(texts, null, "Which components live here; without it all of them.", { flag: "--roles <names>" }),
  upstream: row(
    text("an address"),
    null,
    "Where the orchestrator's daemon is, for an `api` that is a process of its own.",
    {
      flag: "--upstream <url>",
    },
  ),
  watch: row(truth, true, "Whether changed files of the project are taken anew.", { flag: "--watch <bool>" }),
  inspect: row(inspect, false, "Whether the Stately Inspector can connect, and at which port; true is 8080, 0 any.", {
    flag: "--inspect [port]",
  }),
  inspect_url: row(text("an address"), "https://stately.ai/inspect", "The inspector that the page at that port holds."),
  token_file: row(
    text("the path of a file"),
    null,
    "The tokens that are let in. Without it, and here alone, all are.",
    {
      flag: "--token-file <file>",
      isPath: true,
    },
  ),
  tls_cert: row(text("the path of a file"), null, "The certificate of this server, PEM.", {
    flag: "--tls-cert <file>",
    isPath: true,
  }),
  tls_key: row(text("the path of a file"), null, "Its private key, PEM.", { flag: "--tls-key <file>", isPath: true }),
  tls_min_version: row(choice(["TLSv1.2", "TLSv1.3"]), "TLSv1.2", "The oldest TLS that is spoken."),
  tls_ends_elsewhere: row(truth, false, "Whether a proxy in front of it speaks TLS: then this need not.", {
    flag: "--tls-ends-elsewhere",
  }),
  allowed_hosts: row(texts, null, "Further names that a request may call this server by."),
  allowed_origins: row(texts, null, "Other sites whose pages may call this server."),
  ws_strict: row(truth, false, "Whether frames of old types are refused, and not only warned of."),
  key_file: row(text("the path of a file"), null, "The key that what is stored is encrypted with.", {
    flag: "--key-file <file>",
    isPath: true,
  }),
  log_level: row(choice(logLevels), "info", "The least of what is logged.", { flag: "--log-level <level>" }),
  grace: row(duration(0), 10_000, "How long a stop waits for what is under way.", { flag: "--grace <duration>" }),
  json: row(truth, false, "Whether what is said on stdout is JSON.", { flag: "--json", callOnly: true }),
} as const;

type OwnKey = keyof typeof own;
type ValueOf<K extends OwnKey> = z.infer<(typeof own)[K]["schema"]> | (typeof own)[K]["default"];

export type Settings = { -readonly [K in OwnKey]: ValueOf<K> } & {
  /** The limits that were set, by the engine's and the gateway's own names. */
  limits: Partial<Limits>;
  guardLimits: Partial<GuardLimits>;
  socketLimits: Partial<SocketLimits>;
};

type LimitRow = { readonly default: number; readonly least?: number; readonly behaviour: string };

/** `payloadBytes` is `payload_bytes` here, and `retentionMs` is `retention` and takes a duration. */
const keyOf = (name: string): string =>
  name.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function rowOf(name: string, { default: preset, least = 1, behaviour }: LimitRow): Row {
  const kind = name.endsWith("Ms") ? duration(least) : whole(least);
  return { ...(kind as Kind<unknown>), default: preset, about: sentence(behaviour) };
}
const sentence = (behaviour: string): string => `${behaviour.charAt(0).toUpperCase()}${behaviour.slice(1)}.`;

/** Whose limits they are, and what they are called there, by key. */
export const limitNames = {
  limits: namesIn(engineLimits),
  guardLimits: namesIn(guardLimits),
  // Nobody would know what idles, or pings, without it.
  socketLimits: namesIn(socketLimits, "ws_"),
} as const;

function namesIn(table: Readonly<Record<string, LimitRow>>, prefix = ""): ReadonlyMap<string, string> {
  return new Map(Object.keys(table).map((name) => [prefix + keyOf(name), name]));
}

const limitRows = Object.entries({ limits: engineLimits, guardLimits, socketLimits }).flatMap(([whose, table]) =>
  Array.from(limitNames[whose as keyof typeof limitNames], ([key, name]) => [
    key,
    rowOf(name, (table as Readonly<Record<string, LimitRow>>)[name] as LimitRow),
  ]),
);

/** Every key, in the order of the documents. */
export const settings: Readonly<Record<string, Row>> = {
  ...(own as unknown as Record<string, Row>),
  ...(Object.fromEntries(limitRows) as Record<string, Row>),
};

/** All of them at once; any may be missing. */
export const schema = z.strictObject(
  Object.fromEntries(Object.entries(settings).map(([key, { schema: one }]) => [key, one.optional()])),
);

function shownDuration(ms: number): string {
  const [unit, size] = units.find(([, one]) => ms > 0 && ms % one === 0) ?? ["ms", 1];
  return ms === 0 ? "0s" : `${ms / size}${unit}`;
}

/** A value as a person would write it; an address without the name and the word that may stand in it. */
export function shown(key: string, value: unknown): unknown {
  if (key === "nats_url" && typeof value === "string") return value.replaceAll(/[^/,\s]*@/g, "");
  return typeof value === "number" && settings[key]?.holds.startsWith("a duration") ? shownDuration(value) : value;
}
