// The frames of a conversation: what clients may say, read within bounds, and what they are told.
//
// Invariants:
//   FR1. Whatever is no frame is refused with a code that says why; a missing or wrong field is named.
//   FR2. A frame of an old type is read as the one that took its place, and the warning says which.

import { z } from "zod";
import { TroupeError } from "../protocol/errors.ts";
import { fieldErrorsOf } from "../protocol/field-errors.ts";
import { definitionId } from "../protocol/fields.ts";
import { isObject, readJson } from "../protocol/json.ts";
import { nearest, nearestFirst } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";

const idCharsMax = 128;
const id = z.string().min(1).max(idCharsMax);
const text = z.string().min(1);
/** Clients of many languages write what is not there as null. */
const maybe = <T extends z.ZodType>(schema: T) =>
  z
    .union([schema, z.null()])
    .optional()
    .transform((given) => given ?? undefined);
const data = maybe(z.record(z.string(), z.unknown()));
const agent_id = maybe(definitionId);
const thread_id = maybe(id);

const shapes = {
  start_agent: z.object({ id, user_request: text, agent_id, thread_id, data }),
  user_message: z.object({ id, thread_id: id, content: text, data }),
  chat: z.object({ id, content: text, agent_id, thread_id, data }),
  cancel: z.object({ id, run_id: text, reason: maybe(z.string().max(1_024)) }),
  ping: z.object({ id: maybe(id) }),
} as const;
const old = z.object({
  id,
  agent_type: maybe(definitionId),
  session_id: maybe(id),
  data: z.looseObject({ query: text }),
});

export type FrameType = keyof typeof shapes;
export const frameTypes = Object.keys(shapes) as FrameType[];
/** Old types, and what took their place. */
export const deprecatedTypes = { agent_execute: "start_agent", execute_agent: "start_agent" } as const;

export type Frame = { [T in FrameType]: { type: T } & z.output<(typeof shapes)[T]> }[FrameType];
export type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>;

/** What is refused says whose it was, as far as that could be read. */
export type Read = { requestId: string | null } & ({ frame: Frame; given?: string } | { error: TroupeError });

/** `sessionId` is the thread of an old frame that names none; `strict`: old types are refused. */
export function readFrame(
  bytes: Uint8Array,
  { sizeBytesMax, sessionId, strict }: { sizeBytesMax: number; sessionId: string; strict: boolean },
): Read {
  let body: unknown;
  try {
    body = readJson(bytes, { sizeBytesMax, depthMax: 100 });
  } catch (error) {
    return { requestId: null, error: error as TroupeError };
  }
  if (!isObject(body)) return { requestId: null, error: invalid("a frame is a JSON object", "", "must be an object") };
  const requestId = typeof body["id"] === "string" && body["id"].length <= idCharsMax ? body["id"] : null;
  const { type } = body;
  if (typeof type !== "string") {
    const message = type === undefined ? "is missing" : "must be text";
    return { requestId, error: invalid(`a frame has a type, one of ${frameTypes.join(", ")}`, "type", message) };
  }
  if (Object.hasOwn(deprecatedTypes, type)) {
    const use = deprecatedTypes[type as keyof typeof deprecatedTypes];
    if (strict) return { requestId, error: unknownType(type, use) };
    return readOld(type, body, requestId, sessionId);
  }
  if (!Object.hasOwn(shapes, type)) return { requestId, error: unknownType(type) };
  const parsed = shapes[type as FrameType].safeParse(body);
  if (!parsed.success) return { requestId, error: misfit(type, parsed.error, body) };
  return { requestId, frame: { type, ...parsed.data } as Frame };
}

function readOld(type: string, body: Record<string, unknown>, requestId: string | null, sessionId: string): Read {
  const parsed = old.safeParse(body);
  if (!parsed.success) return { requestId, error: misfit(type, parsed.error, body) };
  const { agent_type, session_id, ...given } = parsed.data;
  const frame: FrameOf<"start_agent"> = {
    type: "start_agent",
    id: given.id,
    user_request: given.data.query,
    agent_id: undefined,
    thread_id: session_id ?? sessionId,
    data: { ...given.data, ...(agent_type !== undefined && { agent_type }) },
  };
  return { requestId, frame, given: type };
}

const invalid = (what: string, field: string, message: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", what, { errors: [{ field, message }] });

function misfit(type: string, { issues }: z.ZodError, body: unknown): TroupeError {
  const root = "frame";
  const errors = fieldErrorsOf(root, issues, body).map(({ field, message }) => ({
    field: field.slice(root.length + 1),
    message,
  }));
  const listed = errors.map(({ field, message }) => `${field} ${message}`).join("; ");
  return new TroupeError("VALIDATION_FAILED", `this ${type} cannot be: ${listed}`, { errors });
}

function unknownType(given: string, use?: string): TroupeError {
  const meant = use ?? nearest(given, frameTypes);
  const message = use === undefined ? `unknown type '${clip(given)}'` : `the type '${given}' is not taken any more`;
  return new TroupeError("UNKNOWN_MESSAGE_TYPE", meant === undefined ? message : `${message}; use '${meant}'`, {
    given: clip(given),
    known_types: frameTypes,
    nearest: use ?? nearestFirst(given, frameTypes)[0],
  });
}

// ── what clients are told ──

/** How a run ended. */
export type RunStatus = "SUCCESS" | "AGENT_ERROR" | "TIMED_OUT" | "CANCELED" | "FAILED";

export type Failure = { code: string; message: string; details?: unknown };
type Synthetic = { synthetic?: true };

export type RunFrame = Synthetic &
  (
    | { type: "agent_started" }
    | { type: "agent_thinking"; kind: "thought" | "token"; text: string }
    | { type: "agent_thinking"; kind: "step"; step: unknown }
    | { type: "tool_executing"; tool_id: string; tool_exec_id: string; input: unknown }
    | ({ type: "tool_completed"; tool_id: string; tool_exec_id: string } & ToolEnd)
    | ({ type: "agent_completed"; status: RunStatus; duration_ms: number } & Outcome)
  );
export type Outcome = { result: unknown; error: null } | { result: null; error: Failure };
export type ToolEnd = {
  status: "SUCCESS" | "TOOL_ERROR" | "FAILED" | "CANCELED";
  result: unknown;
  error: Failure | null;
  duration_ms: number | null;
};

export type Ack = {
  type: "ack";
  accepted_type: FrameType;
  status: "ACKNOWLEDGED";
  run_id: string;
  thread_id: string;
  correlation_id: string;
  duplicate: boolean;
};
export type OtherFrame =
  | Ack
  | { type: "warning"; code: string; message: string; details: Readonly<Record<string, unknown>> }
  | { type: "error"; code: string; message: string; details: Readonly<Record<string, unknown>> }
  | { type: "pong" };

/** What every frame of a run names. */
export type RunNames = {
  run_id: string;
  thread_id: string;
  correlation_id: string;
  agent_id: string;
  agent_exec_id: string;
};
export type OutFrame = OtherFrame | (RunNames & RunFrame);

export const errorFrame = ({ code, message, details }: TroupeError): OutFrame => ({
  type: "error",
  code,
  message,
  details,
});

/** The warning before the ack of an old type. */
export const deprecation = (given: string): OutFrame => ({
  type: "warning",
  code: "DEPRECATED_MESSAGE_TYPE",
  message: "use start_agent",
  details: { given, use: "start_agent" },
});
