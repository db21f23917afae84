// One entry of the catalogue: what is known of a message, and the pieces its payload is built from.

import { z } from "zod";
import * as f from "./fields.ts";
import type { Entity } from "./statuses.ts";

export type Kind = "command" | "result" | "event" | "progress" | "log";

/** Components by the code the protocol gives them; `any` and `issuer` stand for whoever it is. */
export const components = {
  API: "api.Service",
  GW: "api.Gateway",
  SC: "schedule.Service",
  WO: "workflow.Orchestrator",
  TD: "task.Dispatcher",
  TE: "task.Executor",
  AD: "agent.Dispatcher",
  AR: "agent.Runtime",
  XE: "tool.Executor",
  SM: "state.Manager",
  MON: "monitoring.Service",
} as const;
export type Component = keyof typeof components;

/** An old name that still works. `since` is the protocol version that replaced it; a silent one gives no warning. */
export type NameAlias = { readonly name: string; readonly since: 1; readonly silent?: true };
export const old = (...names: string[]): NameAlias[] => names.map((name) => ({ name, since: 1 }));

export const attempted = { attempt: f.attempt };
export const laxlyAttempted = { attempt: f.attempt.optional() };

export const contextOf = <C extends z.ZodRawShape>(context: C) => z.object(f.anyContext).extend(context);

export const command = <C extends z.ZodRawShape>(context: C) =>
  z.object({ reply_to_subject: f.name.optional(), context: contextOf(context) });

/** Events and results that say nothing of an outcome. */
export const news = <const S extends readonly string[], C extends z.ZodRawShape>(statuses: S, context: C) =>
  z.object({
    status: z.enum(statuses),
    result: z.null().optional(),
    duration_ms: f.count.nullable().optional(),
    context: contextOf(context),
  });

/** Events and results that end something: a result is required. */
export const ending = <const S extends readonly string[], R extends z.ZodType, C extends z.ZodRawShape>(
  statuses: S,
  result: R,
  context: C,
) =>
  z.object({
    status: z.enum(statuses),
    result,
    duration_ms: f.count.nullable().optional(),
    context: contextOf(context),
  });

export const timed = { duration_ms: f.count };

/** An outcome must agree with the status it comes with. */
export const agreeing = <T extends z.ZodType<{ status: string; result: { output?: unknown; error?: unknown } }>>(
  payload: T,
) =>
  payload.refine((body) => (body.status === "SUCCESS") === (body.result.output !== undefined), {
    path: ["result"],
    message: "needs an output with status SUCCESS, else an error",
  });

export const progress = <C extends z.ZodRawShape>(context: C) =>
  z.object({ context: contextOf({ ...attempted, seq: f.count, ...context }) });

export const taskOrder = {
  ...attempted,
  task_type: f.taskType,
  input: f.json,
  timeout_config: f.timeoutConfig,
  retry_policy: f.retryPolicy,
};

export const log = <C extends z.ZodRawShape>(context: C) =>
  z.object({
    log_level: z.enum(["debug", "info", "warn", "error"]),
    message: f.text,
    timestamp: f.timestamp,
    context: contextOf(context),
  });

type Sections = Readonly<Partial<Record<Entity, z.ZodType>>>;

export type Entry = {
  readonly kind: Kind;
  /** Whose message it is; the log kind has no entity. */
  readonly entity: Entity | null;
  readonly subject: string;
  readonly by: readonly (Component | "any")[];
  readonly to: readonly (Component | "issuer")[];
  /** stored: through a stream; request: a synchronous reply is expected; core: at most once. */
  readonly delivery: "stored" | "request" | "core";
  /** What a command is answered with. */
  readonly reply?: string;
  /** Entity sections that must be there; others may be. */
  readonly sections: Sections;
  readonly payload: z.ZodType;
  readonly aliases?: readonly NameAlias[];
  readonly summary: string;
};

export const everyone = ["SM", "MON", "API", "GW", "WO"] as const;
