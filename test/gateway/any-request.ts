// Requests from the OpenAPI document that nobody sane would send, mixed with sound ones; and what must hold of answers.

import fc from "fast-check";
import type { InjectOptions, LightMyRequestResponse } from "fastify";
import { z } from "zod";
import { type Operation, type Route, routes } from "../../src/gateway/contract.ts";
import { openapi } from "../../src/gateway/openapi.ts";
import { isErrorCode } from "../../src/protocol/errors.ts";
import { openGuard } from "../../src/gateway/guard.ts";
import { type Bed, openBed } from "./bed.ts";

type Json = Record<string, unknown>;
type Parameter = { name: string; in: "path" | "query" | "header"; required?: boolean; schema: Json; $ref?: string };
type Described = {
  operation: Operation;
  method: string;
  path: string;
  parameters: Parameter[];
  body: Json | undefined;
};

export type Request = { operation: Operation; inject: InjectOptions };

const document = openapi() as {
  paths: Record<string, Record<string, Json>>;
  components: { schemas: Record<string, Json>; parameters: Record<string, Parameter> };
};

const all: readonly Described[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, parameters, requestBody }]) => {
    const content = (requestBody as { content?: Json } | undefined)?.content ?? {};
    return {
      operation: operationId as Operation,
      method: method.toUpperCase(),
      path,
      parameters: (parameters as Parameter[]).map((one) =>
        one.$ref ? (document.components.parameters[one.$ref.split("/").at(-1) ?? ""] as Parameter) : one,
      ),
      body: (content["application/json"] as { schema: Json } | undefined)?.schema,
    };
  }),
);

/** What stands in a bed: ids that lead deeper than to a 404. */
export type Places = { ids: readonly string[]; execIds: readonly string[] };

/** A gateway as a daemon has it on loopback. */
export const openGuarded = (): Promise<Bed> =>
  openBed({ gateway: { guard: openGuard({ host: "127.0.0.1", now: Date.now }) } });

/** Begins one of each sort. */
export async function placesIn(bed: Pick<Bed, "client" | "t">): Promise<Places> {
  const started = [
    await bed.client.executeWorkflow({ id: "hello", input: { name: "ada" } }),
    await bed.client.executeWorkflowAsync({ id: "waits" }),
    await bed.client.executeAgent({ id: "clerk" }),
    await bed.client.executeWorkflowAsync({ id: "fails" }),
  ];
  const { items } = await bed.t.list({ limit: 30 });
  return {
    ids: ["hello", "waits", "fails", "clerk", "greet", "hello.greet", "hear", "mine", "signed"],
    execIds: [...new Set([...started.map(({ exec_id }) => exec_id), ...items.map(({ execId }) => execId)])],
  };
}

const nasty = [
  "", " ", ".", "..", "../../etc/passwd", "%00", "\u0000", "a\r\nset-cookie: x=1", "__proto__", "constructor",
  "null", "undefined", "NaN", "-1", "0", "1e309", "9007199254740993", "true", "[]", "{}", "*", "a.b.c", "executions",
  "'; drop table rows; --", "${{ input }}", "<script>", "💥", "\ud800", "ﬀ".repeat(70), "x".repeat(5_000),
  "2026-11-21T09:00:00.000Z", "01990000-0000-7000-8000-000000000000", "team:red", ":", "_",
]; // prettier-ignore
const nastyText = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: "binary", maxLength: 40 }), fc.string());

const deep = (depth: number): unknown => {
  let value: unknown = 1;
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value };
  return value;
};
const nastyValue: fc.Arbitrary<unknown> = fc.oneof(
  nastyText,
  fc.jsonValue(),
  fc.constantFrom(null, true, -0, 1e308, -1, 0.5, Number.MAX_SAFE_INTEGER, [], {}, deep(50), deep(600)),
  fc.constant(JSON.parse('{"__proto__":{"a":1},"constructor":1}')),
);

function resolved(schema: Json): Json {
  const ref = schema["$ref"];
  return typeof ref === "string" ? resolved(document.components.schemas[ref.split("/").at(-1) ?? ""] ?? {}) : schema;
}

/** Mostly what the schema wants. */
function valueFor(given: Json, name: string, places: Places): fc.Arbitrary<unknown> {
  const schema = resolved(given);
  const sound = soundFor(schema, name, places);
  return fc.oneof({ arbitrary: sound, weight: 11 }, { arbitrary: nastyValue, weight: 1 });
}

function soundFor(schema: Json, name: string, places: Places): fc.Arbitrary<unknown> {
  const {
    type,
    enum: words,
    const: only,
    properties,
    items,
    minimum,
    maximum,
  } = schema as {
    type?: string;
    enum?: unknown[];
    const?: unknown;
    properties?: Record<string, Json>;
    items?: Json;
    minimum?: number;
    maximum?: number;
  };
  if (only !== undefined) return fc.constant(only);
  if (words) return fc.constantFrom(...words);
  if (/exec_id|^run$|^parent$/.test(name) && places.execIds.length > 0) return fc.constantFrom(...places.execIds);
  if (/^(?:id|workflow|path|from)$/.test(name)) return fc.constantFrom(...places.ids);
  if (name === "wait_ms") return fc.integer({ min: 0, max: 20 });
  if (type === "integer" || type === "number") {
    return fc.integer({ min: Math.max(minimum ?? 0, 0), max: Math.min(maximum ?? 1_000, 100_000) });
  }
  if (type === "boolean") return fc.boolean();
  if (type === "array") return fc.array(valueFor(items ?? {}, name, places), { maxLength: 3 });
  if (type === "object" && properties) {
    const fields = Object.entries(properties).map(([key, inner]) => [key, valueFor(inner, key, places)] as const);
    const needed = (schema["required"] as string[] | undefined) ?? [];
    return fc.record(Object.fromEntries(fields), { requiredKeys: needed });
  }
  return type === "object" ? fc.dictionary(nastyText, nastyValue, { maxKeys: 4 }) : nastyValue;
}

const headers = fc.record(
  {
    "x-correlation-id": fc.oneof(fc.uuid(), fc.constantFrom("", "7", "A".repeat(300))),
    "idempotency-key": fc.constantFrom("", "k1", "k2", "k".repeat(257), "\u00e9"),
    "last-event-id": fc.constantFrom("", "0", "-1", "7", "x", "1e9", "99999999999999999999"),
    "content-type": fc.constantFrom("application/json", "text/plain", "application/json; charset=latin1", "x", ""),
    host: fc.constantFrom("localhost", "127.0.0.1:7420", "evil.example", "", "a b", "[::1]"),
    origin: fc.constantFrom("http://localhost", "https://evil.example", "null", "x"),
    authorization: fc.constantFrom("Bearer x", "Bearer ", "Basic eDp5"),
    traceparent: fc.constantFrom("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x", ""),
    "accept-encoding": fc.constantFrom("gzip", "br", "identity;q=0"),
  },
  { requiredKeys: [] },
);

/** A body as bytes: mostly JSON. */
const bodyText = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.oneof(
    { arbitrary: value.map((one) => JSON.stringify(one) ?? ""), weight: 9 },
    { arbitrary: fc.constantFrom("", "{", "null", "[", '"', "\u0000", '{"a":1}{', "[".repeat(20_000)), weight: 1 },
  );

const seldom = <T, O>(arbitrary: fc.Arbitrary<T>, otherwise: O): fc.Arbitrary<T | O> =>
  fc.oneof({ arbitrary: fc.constant(otherwise), weight: 5 }, { arbitrary, weight: 1 });

export function anyRequest(places: Places, only?: Operation): fc.Arbitrary<Request> {
  const chosen = only === undefined ? all : all.filter(({ operation }) => operation === only);
  return fc.constantFrom(...chosen).chain(({ operation, method, path, parameters, body }) => {
    const values = (where: "path" | "query") =>
      fc.record(
        Object.fromEntries(
          parameters
            .filter((one) => one.in === where)
            .map(({ name, schema }) => [name, valueFor(schema, name, places)] as const),
        ),
        where === "query" ? { requiredKeys: [] } : {},
      );
    const strange = seldom(fc.tuple(nastyText, nastyText), undefined);
    const payload =
      method === "GET" || method === "DELETE"
        ? fc.constant(undefined)
        : bodyText(body ? valueFor(body, "body", places) : nastyValue);
    return fc
      .record({
        params: values("path"),
        query: values("query"),
        headers: seldom(headers, {}),
        strange,
        payload,
        raw: fc.nat(40),
      })
      .map(({ params, query, headers: given, strange: more, payload: text, raw }) => ({
        operation,
        inject: {
          method: method as "GET",
          url: urlOf(path, params, query, more, raw === 0),
          headers: { ...(text !== undefined && { "content-type": "application/json" }), ...given },
          ...(text !== undefined && { payload: text }),
        },
      }));
  });
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
/** Lone halves of letters cannot stand in a URL. */
const encoded = (value: unknown): string => encodeURIComponent(textOf(value).toWellFormed());

function urlOf(path: string, params: Json, query: Json, more: [string, string] | undefined, isRaw: boolean): string {
  const filled = path.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) =>
    isRaw ? encodeURI(textOf(params[name]).toWellFormed()) : encoded(params[name]),
  );
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${name}=${encoded(shortWait(name, one))}`),
  );
  if (more) pairs.push(`${encoded(more[0])}=${encoded(more[1])}`);
  return pairs.length > 0 ? `${filled}?${pairs.join("&")}` : filled;
}

/** Nobody waits for minutes here. */
const shortWait = (name: string, value: unknown): unknown => {
  const ms = name === "wait_ms" ? Number(textOf(value)) : 0;
  return ms > 20 && ms <= 300_000 ? 20 : value;
};

/** Asks, and gives what is wrong with the answer. */
export async function play(
  { gateway }: Pick<Bed, "gateway">,
  { operation, inject }: Request,
): Promise<{ status: number; defects: string[] }> {
  const route = routes[operation] as Route;
  const response = await gateway.app.inject({ ...inject, payloadAsStream: true } as InjectOptions);
  const { statusCode: status, headers: given } = response;
  const type = String(given["content-type"] ?? "");
  if (type.startsWith("text/event-stream")) {
    response.stream().destroy();
    return { status, defects: status === 200 ? [] : [`a stream with ${status}`] };
  }
  const body = await textIn(response);
  const defects: string[] = [];
  if (typeof given["x-correlation-id"] !== "string") defects.push("no correlation id");
  if (status >= 400 && !(status === 503 && route.answers[503])) {
    return { status, defects: [...defects, ...problemDefects(status, type, body)] };
  }
  // A path that says something else was another operation's, or nobody's: pages have those.
  const schema = route.answers[status as 200];
  if (!schema || status === 204 || !type.includes("application/json")) return { status, defects };
  const parsed = z.safeParse(schema, JSON.parse(body));
  const { pathname } = new URL(inject.url as string, "http://localhost");
  const isOwn = new RegExp(`^${route.path.replaceAll(/:[a-z_]+/g, "[^/]+")}$`).test(pathname);
  if (!parsed.success && isOwn) defects.push(`not as the contract says: ${z.prettifyError(parsed.error)}`);
  return { status, defects };
}

async function textIn(response: LightMyRequestResponse): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response.stream()) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts).toString();
}

function problemDefects(status: number, type: string, body: string): string[] {
  if (!type.startsWith("application/problem+json")) {
    // What is no path of the interface is answered by the pages.
    return status === 404 && type.startsWith("text/plain") ? [] : [`${status} as ${type}: ${body.slice(0, 200)}`];
  }
  const { code, detail, status: said, correlation_id, execution } = JSON.parse(body) as Json;
  const defects: string[] = [];
  if (code === "INTERNAL_ERROR" || (status === 500 && execution === undefined))
    defects.push(`${status}: ${body.slice(0, 400)}`);
  if (typeof code !== "string" || !isErrorCode(code)) defects.push(`a code that is none: ${String(code)}`);
  if (said !== status || typeof detail !== "string" || detail === "")
    defects.push(`no sound problem: ${body.slice(0, 200)}`);
  if (typeof correlation_id !== "string") defects.push("a problem without a correlation id");
  return defects;
}

export const operations: readonly Operation[] = all.map(({ operation }) => operation);
