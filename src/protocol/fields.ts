// The fields messages are made of: sections, results, contexts.

import { z } from "zod";
import { calleeCodePattern, errors, type ErrorCode } from "./errors.ts";
import { definitionIdPattern, execIdPattern, isDefinitionId } from "./ids.ts";

const limits = {
  /** Longest name of a person, component, signal or branch. */
  nameChars: 256,
  /** Most entries of a list that people write: codes, agents, models. */
  listItems: 1024,
} as const;

/** Plain JSON object, content unknown to the protocol. */
export type Data = { [key: string]: unknown };

const describe = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description }) as T;

export const text = z.string();
export const name = z.string().min(1).max(limits.nameChars);
export const count = z.int().min(0);
export const flag = z.boolean();
export const execId = describe(
  z.string().regex(execIdPattern, "must be a lower-case hyphenated UUID"),
  "UUID, minted as version 7",
);
export const definitionId = describe(
  z
    .string()
    .regex(definitionIdPattern)
    .refine(isDefinitionId, "must match ^[A-Za-z0-9_-]{1,64}$ and be neither _ nor executions"),
  "id of a definition",
);
export const timestamp = describe(z.iso.datetime({ offset: true }), "ISO 8601, UTC, milliseconds");
const data: z.ZodType<Data> = z.record(z.string(), z.unknown());

/** Any JSON value, but there must be one: absence is not null. */
export const json: z.ZodType<unknown> = describe(
  z.unknown().refine((value) => value !== undefined, "is missing"),
  "any JSON value",
);

export const attempt = describe(z.int().min(1), "1 is the first try");

// ── entity sections ──────────────────────────────────────────────────────────────────────────────

const named = { name: name.optional() };
/** An entity by definition and execution. */
export const whole = z.object({ id: definitionId, exec_id: execId, ...named });
/** A running entity: its execution id is enough. */
export const running = z.object({ id: definitionId.optional(), exec_id: execId, ...named });
/** A parent, or an entity that is only mentioned: one of the two ids. */
export const either = z
  .object({ id: definitionId.optional(), exec_id: execId.optional(), ...named })
  .refine((section) => section.id !== undefined || section.exec_id !== undefined, "needs id or exec_id");

export const capabilities = z.object({
  agents: describe(
    z.array(z.union([definitionId, z.literal("*")])).max(limits.listItems),
    "agent ids it serves; * is any",
  ),
  supported_providers: z.array(name).max(limits.listItems),
  supported_models: z.array(name).max(limits.listItems),
  max_concurrent_executions: z.int().min(1),
});

// ── results ──────────────────────────────────────────────────────────────────────────────────────

export const code = z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]);
export const wireError = z.object({ message: text, code, details: data.optional() });
const foreignCode = z.string().regex(calleeCodePattern);

const outputOnly = z.object({ output: data });
const errorOnly = z.object({ error: wireError });
export const output = describe(outputOnly, "what came of it");
export const failure = describe(errorOnly, "what went wrong");
/** Output or error, exactly one of them. */
export const outcome = describe(
  z
    .object({ output: data.optional(), error: wireError.optional() })
    .refine(
      (result) => (result.output === undefined) !== (result.error === undefined),
      "needs exactly one of output and error",
    ),
  "what came of it, or what went wrong",
);

/** A failure whose details carry certain fields. */
export const failureWith = <S extends z.ZodRawShape>(details: S) =>
  z.object({ error: wireError.extend({ details: z.looseObject(details) }) });

export const dispatchReason = z.enum(["no_runtime", "all_busy", "ack_timeout", "rejected", "no_responders"]);

// ── context ──────────────────────────────────────────────────────────────────────────────────────

export const timeoutConfig = z.object({
  timeout_duration_ms: describe(count, "how long it may take"),
  timeout_policy: z.enum(["TERMINATE", "FAIL_TASK"]).optional(),
});

export const retryPolicy = z.object({
  max_attempts: z.int().min(1).max(100),
  backoff: z.object({
    initial_ms: count,
    factor: z.number().min(1),
    max_ms: count,
    jitter: z.number().min(0).max(1),
  }),
  retry_on: z.array(foreignCode).max(limits.listItems).optional(),
  never_on: z.array(foreignCode).max(limits.listItems).optional(),
});
export type RetryPolicy = z.infer<typeof retryPolicy>;

export const agentRequest = z.object({
  agent_id: definitionId,
  agent_exec_id: execId,
  action: name.optional(),
  instructions: text.optional(),
  output_schema: data.optional(),
  tools: z.array(definitionId).max(limits.listItems).optional(),
  config: data.optional(),
});

export const taskType = z.enum(["agent", "tool", "wait", "signal", "workflow", "parallel", "each", "route"]);
export type TaskType = z.infer<typeof taskType>;
export const workerTypes = ["agent", "tool", "wait", "signal"] as const satisfies readonly TaskType[];

export const signal = z.object({ name, payload: json });

export const wait = z.union([
  z.object({ signal: name, match: text.optional() }),
  z.object({ approval: text }),
  z.object({ duration_ms: count }),
]);
export type Wait = z.infer<typeof wait>;

export const cause = z.enum(["requested", "timed_out", "caller_lost", "parent_ended"]);
export type Cause = z.infer<typeof cause>;

export const warning = z.object({ code, given: text, use: text });
export type Warning = z.infer<typeof warning>;

/** What any message may carry in its context; what one must carry stands in the catalogue. */
export const anyContext = {
  reason: text.optional(),
  env: z.record(name, z.object({ from: z.enum(["env", "secret"]) })).optional(),
  timeout_config: timeoutConfig.optional(),
  retry_policy: retryPolicy.optional(),
  agent_request: agentRequest.optional(),
  input: z.unknown().optional(),
  resume_data: z.unknown().optional(),
  parent_exec_id: execId.optional(),
  branch: name.optional(),
  index: count.optional(),
  warnings: z.array(warning).max(limits.listItems).optional(),
};
