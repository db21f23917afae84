// The contract as an OpenAPI 3.1 document, whose schemas are JSON Schema of 2020-12, as zod writes them.

import { z } from "zod";
import { errorRow, type ErrorCode, errors } from "../protocol/errors.ts";
import { version } from "../version.ts";
import { type Operation, type Route, routes } from "./contract.ts";
import { problem } from "./shapes.ts";

type Json = Record<string, unknown>;
type Io = "input" | "output";

const tags: Readonly<Record<string, string>> = {
  executions: "What runs and what ran",
  running: "Beginning something",
  steering: "Saying something to what runs",
  streams: "Following what happens, as server-sent events",
  definitions: "What is defined, and its charts",
  runtimes: "Who runs agents",
  schedules: "What begins by the clock",
  threads: "Conversations with agents",
  webhooks: "What begins from outside",
  logs: "What the process says",
  daemon: "The process itself",
};

let made: Json | undefined;

/** The same one every time: it follows from the contract alone. */
export function openapi(): Json {
  return (made ??= document());
}

function document(): Json {
  const schemas: Json = {};
  const collect = collector(schemas);
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries(routes) as [Operation, Route][]) {
    const path = route.path.replaceAll(/:([a-z_]+)/g, "{$1}");
    const at = (paths[path] ??= {});
    at[route.method.toLowerCase()] = operationOf(name, route, collect);
  }
  const problemSchema = collect(problem, "output");
  return {
    openapi: "3.1.0",
    info: {
      title: "troupe",
      version,
      description:
        "Workflows, tasks, agents and tools as durable statecharts: begun, steered and followed over HTTP. " +
        "WebSocket frames go over `/api/ws`; every message behind both is listed at `/api/message-types`.",
      license: { name: "MIT", identifier: "MIT" },
    },
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    servers: [{ url: "/", description: "this daemon" }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      schemas,
      responses: {
        Problem: {
          description: "what went wrong, by its code: see docs/errors.md",
          headers: { "x-correlation-id": { description: "the id of `correlation_id`", schema: { type: "string" } } },
          content: { "application/problem+json": { schema: problemSchema } },
        },
      },
      parameters: headerParameters,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "needed wherever the daemon was given a token file" },
      },
    },
  };
}

const headerParameters: Json = {
  correlation: {
    name: "X-Correlation-Id",
    in: "header",
    description: "what the request belongs to, for whoever follows messages; minted if it is not given",
    schema: { type: "string", format: "uuid" },
  },
  idempotency: {
    name: "Idempotency-Key",
    in: "header",
    description: "does it once: for 24 hours the same key gives the same answer, and is refused for other content",
    schema: { type: "string", minLength: 1, maxLength: 256 },
  },
  lastEvent: {
    name: "Last-Event-ID",
    in: "header",
    description: "go on after this event",
    schema: { type: "string" },
  },
};
const headerNamed = (name: string): Json => ({ $ref: `#/components/parameters/${name}` });

type Collect = (schema: z.ZodType, io: Io) => Json;

function operationOf(operationId: string, route: Route, collect: Collect): Json {
  const { method, summary, description, scope, tags: own, params, query, body, answers } = route;
  const parameters = [
    ...parametersOf(params, "path", collect),
    ...parametersOf(query, "query", collect),
    headerNamed("correlation"),
    ...(method === "POST" && scope === "run" ? [headerNamed("idempotency")] : []),
    ...(route.gives === "events" ? [headerNamed("lastEvent")] : []),
  ];
  const content = {
    [route.takes === "bytes" ? "*/*" : "application/json"]: { schema: body && collect(body, "input") },
  };
  const isNeeded = body !== undefined && route.takes === undefined && !body.safeParse({}).success;
  const answered = Object.entries(answers).map(([status, schema]) => [
    status,
    answerOf(Number(status), schema as z.ZodType, route, collect),
  ]);
  return {
    operationId,
    summary,
    ...(description !== undefined && { description }),
    tags: own,
    "x-scope": scope,
    ...(scope === "open" && { security: [] }),
    parameters,
    ...(body && { requestBody: { required: isNeeded, content } }),
    responses: { ...Object.fromEntries(answered), default: { $ref: "#/components/responses/Problem" } },
  };
}

function parametersOf(schema: z.ZodObject | undefined, where: "path" | "query", collect: Collect): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const { description, ...rest } = collect(field as z.ZodType, "input");
    return {
      name,
      in: where,
      required: where === "path" || !(field instanceof z.ZodOptional),
      ...(description !== undefined && { description }),
      schema: rest,
      ...(rest["type"] === "array" && { style: "form", explode: true }),
    };
  });
}

const statusWords: Readonly<Record<number, string>> = {
  200: "done",
  201: "made",
  202: "taken, and on disk",
  204: "done, and there is nothing to say",
  503: "not at present",
};

function answerOf(status: number, schema: z.ZodType, { gives, method }: Route, collect: Collect): Json {
  const description = statusWords[status] ?? "";
  const headers = {
    "x-correlation-id": { schema: { type: "string" } },
    ...((status === 202 || status === 201) &&
      method !== "GET" && { location: { description: "where it is", schema: { type: "string" } } }),
  };
  if (status === 204) return { description, headers };
  const type = gives === "events" ? "text/event-stream" : gives === "text" ? "text/plain" : "application/json";
  return { description, headers, content: { [type]: { schema: collect(schema, "output") } } };
}

/** Schemas with an id are components, and are referred to. */
function collector(components: Json): Collect {
  return (schema, io) => {
    const made = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any" }) as Json;
    const { $schema: _dialect, $defs = {}, ...whole } = placed(made) as Json & { $defs?: Json };
    for (const [name, inner] of Object.entries($defs)) components[name] ??= withoutId(inner as Json);
    const { id } = (schema.meta() ?? {}) as { id?: string };
    if (id === undefined) return whole;
    components[id] ??= withoutId(whole);
    return { $ref: `#/components/schemas/${id}` };
  };
}

const withoutId = ({ id: _id, $id: _uri, ...rest }: Json): Json => rest;

/** References lead to the components. */
function placed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(placed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string" ? inner.replace("#/$defs/", "#/components/schemas/") : placed(inner),
    ]),
  );
}

/** Which codes a request may be answered with, by status. */
export const codesByStatus = (): Map<number, ErrorCode[]> =>
  Map.groupBy(
    (Object.keys(errors) as ErrorCode[]).filter((code) => errorRow(code).http !== null),
    (code) => errorRow(code).http ?? 0,
  );
