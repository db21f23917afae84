// The fields messages are made of: sections, results, contexts.

import { z } from "zod";
import { calleeCodePattern, errors, type ErrorCode } from "./errors.ts";
import { definitionIdPattern, execIdPattern, reservedIds } from "./ids.ts";

const limits = {
  /** Longest name of a person, component, signal or branch. */
  nameChars: 256,
  /** Longest component with its instance: it stands in every message. */
  sourceChars: 128,
  /** Longest name of a language or version. */
  wordChars: 64,
  /** Most entries of a list that people write: codes, agents, models. */
  listItems: 1024,
} as const;

/** Plain JSON object, content unknown to the protocol. */
export type Data = { [key: string]: unknown };

const describe = <T extends z.ZodType>(schema: T, description: string): T => schema.meta({ description }) as T;

export const text = z.string();
export const name = z.string().min(1).max(limits.nameChars);
const word = z.string().min(1).max(limits.wordChars);
export const source = z.string().min(1).max(limits.sourceChars);
export const count = z.int().min(0);
export const flag = z.boolean();
export const execId = describe(
  z.string().regex(execIdPattern, "must be a lower-case hyphenated UUID"),
  "UUID, minted as version 7",
);
export const definitionId = describe(
  z
    .string()
    .regex(definitionIdPattern, "must be 1 to 64 letters, digits, _ and -")
    .refine(
      (id) => !reservedIds.some((word) => word === id),
      `must be none of the reserved words ${reservedIds.join(", ")}`,
    ),
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
  language: describe(word.optional(), "what the runtime is written in"),
  version: describe(word.optional(), "of the runtime's own program"),
});

// ── results ──────────────────────────────────────────────────────────────────────────────────────

const codes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];
/** Any code of the table, warnings too. */
export const code = z.enum(codes);
/** A code that something can end with: a warning ends nothing. */
const errorCode = z.enum(codes.filter((one) => errors[one].http !== null) as [ErrorCode, ...ErrorCode[]]);
export const wireError = z.object({ message: text, code: errorCode, details: data.optional() });
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

/** What the details of an error with this code must carry, whatever else they carry. */
const detailsByCode: Partial<Record<ErrorCode, z.ZodType>> = {
  AGENT_DISPATCH_FAILED: z.looseObject({ reason: dispatchReason }),
  TOOL_DISPATCH_FAILED: z.looseObject({ reason: dispatchReason }),
  TASK_FAILED: z.looseObject({ failed_task_id: definitionId, failed_task_exec_id: execId, cause_code: text }),
};
/** A failure whose details say what its code promises. */
export const explained = describe(
  errorOnly.check(({ value: { error }, issues }) => {
    const found = detailsByCode[error.code]?.safeParse(error.details ?? {}).error?.issues ?? [];
    for (const issue of found) {
      issues.push({ ...issue, path: ["error", "details", ...issue.path], input: error } as z.core.$ZodRawIssue);
    }
  }),
  "what went wrong, with the details that its code promises",
);

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
  z.object({ until: describe(count, "milliseconds since 1970") }),
]);
export type Wait = z.infer<typeof wait>;

export const cause = z.enum(["requested", "timed_out", "caller_lost", "parent_ended"]);
export type Cause = z.infer<typeof cause>;

export const usage = describe(
  z.object({ tokens: count, cost: z.number().min(0) }),
  "what agents reported to have used up, in the run and in those it called",
);

const notUndone = z.object({ task: definitionId, code: text, message: text });
export const undo = describe(
  z.object({
    done: describe(count, "how many tasks were undone"),
    failed: describe(z.array(notUndone).max(100), "the tasks that could not be undone, the first hundred of them"),
    unlisted: describe(count, "how many more there are").optional(),
  }),
  "what became of undoing what the run had done, where there was anything to undo",
);

export const lineage = describe(
  z.object({
    kind: z.enum(["fork", "retry"]),
    from_exec_id: execId,
    /** The task it begins at. */
    from_task: definitionId,
    definition: describe(text, "the hash of the definition it runs; the newest without it").optional(),
    tasks: describe(
      z.record(definitionId, z.looseObject({ status: text, exec_id: execId })),
      "how the tasks before it ended there",
    ).optional(),
    error: describe(z.unknown(), "the failure that led to the task").optional(),
    resume_data: describe(z.unknown(), "what the execution was last resumed with").optional(),
  }),
  "the execution whose results it reuses",
);

export const warning = z.object({ code, given: text, use: text });
export type Warning = z.infer<typeof warning>;

export const durability = describe(
  z.enum(["fsync", "os", "memory"]),
  "how safe the command is; troupe always says it, another runtime need not",
);

/** What an execution is found by later. */
export const labels = z.record(name, z.string());

/** What any message may carry in its context; what one must carry stands in the catalogue. */
export const anyContext = {
  reason: text.optional(),
  env: z.record(name, z.object({ from: z.enum(["env", "secret"]) })).optional(),
  timeout_config: timeoutConfig.optional(),
  retry_policy: retryPolicy.optional(),
  agent_request: agentRequest.optional(),
  input: z.unknown().optional(),
  resume_data: z.unknown().optional(),
  last_step: z.unknown().optional(),
  parent_exec_id: execId.optional(),
  branch: name.optional(),
  index: count.optional(),
  warnings: z.array(warning).max(limits.listItems).optional(),
};
