// The HTTP interface as functions, typed from the contract: for the command line, for pages, and for other programs.
//
// Path, query and body are given as one object of fields; the table of paths says where each of them goes. Nothing of
// Node and no schema is needed: it runs in a browser as it is.

import type { z } from "zod";
import { type Details, isErrorCode, TroupeError } from "../protocol/errors.ts";
import { eventsIn, type StreamEvent } from "./client-events.ts";
import type { Routes } from "./contract.ts";
import { type Operation, paths, type Place, placeOf } from "./contract-paths.ts";

export type { Operation } from "./contract-paths.ts";
export type { StreamEvent } from "./client-events.ts";
export { TroupeError } from "../protocol/errors.ts";

export type ConnectOptions = {
  /** Where the daemon is: `http://127.0.0.1:7420`. In a browser it may be left out: the page is from there. */
  url?: string;
  token?: string;
  fetch?: typeof fetch;
};

/** What goes beside the content of a request. */
export type CallOptions = {
  /** Does it once: for 24 hours the same key gives the same answer, and is refused for other content. */
  idempotencyKey?: string;
  /** What the request belongs to, for whoever follows messages. */
  correlationId?: string;
  signal?: AbortSignal;
  /** Of a stream: whether it is taken up again where it broke off; it is, unless this is false. */
  reconnects?: boolean;
};

type Fields<S> = S extends z.ZodType ? z.input<S> : unknown;
/** Of what kind an execution is need not be known to ask for it. */
type Params<P> = P extends { entities: infer E; exec_id: string } ? { entities?: E; exec_id: string } : P;
type BodyOf<S> = S extends z.ZodObject ? z.input<S> : S extends z.ZodType ? { body: z.input<S> } : unknown;
type In<R, K extends string> = R extends Record<K, infer S> ? S : undefined;
type Flat<T> = { [K in keyof T]: T[K] };
/** What an operation is asked with. */
export type Given<K extends Operation> = Flat<
  Params<Fields<In<Routes[K], "params">>> & Fields<In<Routes[K], "query">> & BodyOf<In<Routes[K], "body">>
>;
type Good = 200 | 201 | 202 | 204;
type Value<A> = { [S in keyof A & Good]: A[S] extends z.ZodType ? z.output<A[S]> : never }[keyof A & Good];
/** What an operation answers, if all goes well. */
export type Answer<K extends Operation> = Value<Routes[K]["answers"]>;

type Result<K extends Operation> = Routes[K] extends { gives: "events" }
  ? AsyncIterable<StreamEvent>
  : Promise<Answer<K>>;
type Method<K extends Operation> =
  Record<never, never> extends Given<K>
    ? (given?: Given<K>, options?: CallOptions) => Result<K>
    : (given: Given<K>, options?: CallOptions) => Result<K>;

export type Client = { readonly [K in Operation]: Method<K> };

type Call = (given: Record<string, unknown> | undefined, options: CallOptions | undefined) => unknown;

/** Nothing is asked before the first call. */
export function connect(given: ConnectOptions = {}): Client {
  const base = (given.url ?? "").replace(/\/+$/, "");
  const ask = given.fetch ?? ((...all: Parameters<typeof fetch>) => fetch(...all));
  const send = sender(base, ask, given.token);
  const calls = Object.entries(paths).map(([name, line]): [string, Call] => {
    const place = placeOf(line);
    if (isStream(name)) return [name, (fields, options) => eventsIn(send, place, fields, options)];
    return [name, async (fields, options) => contentOf(await send(place, fields ?? {}, options ?? {}))];
  });
  return Object.fromEntries(calls) as unknown as Client;
}

const isStream = (name: string): boolean => name === "streamExecution" || name === "streamEvents";

/** Sends a request; what is no success is thrown as the error that it says. */
function sender(base: string, ask: typeof fetch, token: string | undefined) {
  return async (
    place: Place,
    fields: Record<string, unknown>,
    options: CallOptions,
    more?: Record<string, string>,
  ): Promise<Response> => {
    const { target, body } = apart(place, fields);
    const headers: Record<string, string> = {
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(options.idempotencyKey !== undefined && { "idempotency-key": options.idempotencyKey }),
      ...(options.correlationId !== undefined && { "x-correlation-id": options.correlationId }),
      ...more,
    };
    const url = `${base}${target}`;
    const { signal = null } = options;
    let response: Response;
    try {
      response = await ask(url, { method: place.method, headers, body: body ?? null, signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw unreachable(base, error);
    }
    if (response.ok) return response;
    throw await errorIn(response);
  };
}
export type Send = ReturnType<typeof sender>;

/** Which field goes where. */
function apart(place: Place, fields: Record<string, unknown>): { target: string; body?: string } {
  const left = new Map(Object.entries(fields).filter(([, value]) => value !== undefined));
  const take = (name: string): unknown => {
    const value = left.get(name);
    left.delete(name);
    return value;
  };
  const path = place.path.replaceAll(/:([a-z_]+)/g, (_match, name: string) =>
    encodeURIComponent((take(name) ?? (name === "entities" ? "any" : "")) as string | number),
  );
  const hasBody = place.method === "POST" || place.method === "PUT";
  const query = new URLSearchParams();
  for (const name of hasBody ? place.query : Array.from(left.keys())) {
    const value = take(name);
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  const target = query.size > 0 ? `${path}?${query.toString()}` : path;
  if (!hasBody || left.size === 0) return { target };
  return { target, body: JSON.stringify(left.has("body") ? left.get("body") : Object.fromEntries(left)) };
}

async function contentOf(response: Response): Promise<unknown> {
  if (response.status === 204) return null;
  const type = response.headers.get("content-type") ?? "";
  return type.includes("json") ? response.json() : response.text();
}

/** A problem as the error that it was; what is none, or has a code of a later release, is said as it came. */
async function errorIn(response: Response): Promise<TroupeError> {
  const text = await response.text();
  const problem = problemIn(text);
  if (!problem) {
    const message = `the daemon answered ${response.status} ${response.statusText}: ${text.slice(0, 200)}`;
    return new TroupeError("INTERNAL_ERROR", message, { status: response.status });
  }
  const { code, detail, details = {}, correlation_id, execution, fix } = problem;
  const more = {
    ...details,
    correlation_id,
    ...(execution !== undefined && { execution }),
    ...(fix !== undefined && { fix }),
  };
  if (isErrorCode(code)) return new TroupeError(code, detail, more);
  return new TroupeError("INTERNAL_ERROR", `${code}: ${detail}`, { ...more, code });
}

type Problem = {
  code: string;
  detail: string;
  details?: Details;
  correlation_id?: string;
  execution?: unknown;
  fix?: string;
};

function problemIn(text: string): Problem | undefined {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    return typeof problem?.code === "string" && typeof problem.detail === "string" ? (problem as Problem) : undefined;
  } catch {
    // What is no JSON is no problem document either: a proxy may answer anything.
    return undefined;
  }
}

function unreachable(base: string, error: unknown): TroupeError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || String(Reflect.get(cause, "code")) : String(cause);
  const message = `nobody answers at ${base === "" ? "this address" : base}: ${reason}`;
  return new TroupeError("DAEMON_UNREACHABLE", message, { url: base, reason }, { cause: error });
}
