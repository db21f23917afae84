// What goes over HTTP, as schemas: what is asked with, and what is answered; in snake case, with times in ISO 8601.
//
// What has an id here is a component of the OpenAPI document.

import { z } from "zod";
import { definitionId, execId } from "../protocol/fields.ts";
import { statuses } from "../protocol/statuses.ts";

export { definitionId, execId };

export const time = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)), "must be a time as in ISO 8601")
  .meta({ format: "date-time", description: "ISO 8601, UTC, in milliseconds" });
const count = z.int().min(0);
const anything = z.unknown();
export const data = z.record(z.string(), anything);
const texts = z.array(z.string());

export const entityNames = ["workflows", "tasks", "agents", "tools"] as const;
export const entities = z.enum(entityNames).meta({ description: "which kind: workflows, tasks, agents or tools" });
/** Where an execution is named by its own id, its kind need not be known. */
export const entitiesOrAny = z
  .enum([...entityNames, "any"])
  .meta({ description: "which kind: workflows, tasks, agents or tools; or any of them" });
/** `<workflow>.<task>` of a task. */
export const anyId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?$/, "must be an id: letters, digits, _ and -, 64 at the most")
  .meta({ description: "id of a definition; of a task `<workflow>.<task>`, or its id alone if that is unique" });

const statusNames = [...new Set([...statuses.workflow, ...statuses.task])] as const;
export const status = z.enum(statusNames).meta({ description: "how an execution stands" });
export const labels = z
  .record(z.string(), z.string())
  .meta({ id: "Labels", description: "names and values that an execution is found by" });

const links = z.record(z.string(), z.string()).meta({ description: "paths of what can be asked of it next" });

export const execution = z
  .object({
    exec_id: execId,
    entity: z.enum(["workflow", "task", "agent", "tool", "agent_runtime"]),
    id: z.string().meta({ description: "id of its definition" }),
    run: z.string().meta({ description: "the execution that it is a part of, itself if it is of none" }),
    parent: z.string().nullable().meta({ description: "the execution that contains or called it" }),
    status: z.string(),
    attempt: z.int().min(0).meta({ description: "1 is the first try; 0 of what is never tried again" }),
    correlation_id: z.string(),
    created_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
    error_code: z.string().nullable(),
    labels: labels.nullable(),
    result: anything.meta({
      description: "`{output}` or `{error}` of what was run by itself and has ended, else null",
    }),
    error: anything.meta({ description: "`{code, message}` of what failed, else null" }),
    about: anything.meta({ description: "why it waits or is paused, and who ended it" }),
    lineage: z
      .object({ kind: z.enum(["fork", "retry"]), from_exec_id: z.string(), from_task: z.string() })
      .optional()
      .meta({ description: "whose results it reuses" }),
    usage: z
      .object({ tokens: z.number(), cost: z.number() })
      .optional()
      .meta({ description: "what its agents have used up" }),
    undo: z
      .object({
        done: count,
        failed: z.array(z.object({ task: z.string(), code: z.string(), message: z.string() })),
        unlisted: count.optional(),
      })
      .optional()
      .meta({ description: "what it has undone" }),
    imported: z.literal(true).optional().meta({ description: "it was brought here from elsewhere, and only shown" }),
  })
  .meta({ id: "Execution", description: "one execution as it stands" });

export const executionStatus = z
  .object({
    exec_id: execId,
    status: z.string(),
    attempt: z.int().min(0).meta({ description: "1 is the first try; 0 of what is never tried again" }),
    ended_at: time.nullable(),
    error_code: z.string().nullable(),
  })
  .meta({ id: "ExecutionStatus" });

/** A page of a list. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });
/** Of a list that is held as a whole. */
export const paging = z.strictObject({
  limit: z.int().min(1).max(200).optional().meta({ description: "how many at the most; all of them unless said" }),
  cursor: z.string().optional().meta({ description: "`next_cursor` of the page before" }),
});

const envelope = data.meta({
  id: "Envelope",
  description: "a message of the protocol: metadata, sections, payload",
});
export const journalLine = z
  .object({
    line: count,
    seq: count,
    run: z.string(),
    disposition: z.string().meta({ description: "`applied`, or why it was not" }),
    type: z.string(),
    envelope,
  })
  .meta({ id: "JournalLine", description: "one message as it was recorded" });

const chartStep = z
  .object({
    line: count,
    seq: count,
    at: time,
    address: z.string().meta({ description: "which actor of the run" }),
    machine: z.string().meta({ description: "id of its chart" }),
    exec_id: z.string(),
    parent: z.string().nullable().meta({ description: "the address of the actor that began it" }),
    event: z.looseObject({ type: z.string() }),
    value: anything.meta({ description: "the state it was in then" }),
    status: z.enum(["active", "done"]),
    is_new: z.boolean(),
  })
  .meta({ id: "ChartStep", description: "one step of one chart" });
export const steps = z
  .object({
    steps: z.array(chartStep),
    seq: count.meta({ description: "ask for what follows with `after_seq`" }),
    has_more: z.boolean(),
    is_whole: z.boolean().meta({ description: "whether everything from the beginning on could be shown" }),
    reason: z.string().nullable().meta({ description: "why it could not" }),
  })
  .meta({ id: "Steps" });

export const why = z.object({ exec_id: execId, why: z.string() }).meta({ id: "Why" });

const childReport = z
  .object({
    exec_id: execId,
    entity: z.string(),
    id: z.string(),
    outcome: z.enum(["confirmed", "ignored", "ended", "open"]).meta({
      description: "it stopped and said so, was given up, had ended by itself, or has not been heard of yet",
    }),
    took_ms: z.number(),
  })
  .meta({ id: "ChildReport" });
export const cancelReport = z
  .object({
    exec_id: execId,
    changed: z.boolean().meta({ description: "false: it had ended before, or was being canceled already" }),
    is_done: z.boolean().meta({ description: "false: some of it has not ended yet" }),
    children: z.array(childReport),
    took_ms: z.number(),
  })
  .meta({ id: "CancelReport", description: "what was open below a canceled execution, and what came of each" });

export const accepted = z
  .object({ exec_id: execId, status: z.string(), duplicate: z.boolean().optional(), links })
  .meta({ id: "Accepted", description: "it was taken, and is on disk" });
export const acknowledged = z
  .object({ exec_id: execId, status: z.literal("ACKNOWLEDGED"), links })
  .meta({ id: "Acknowledged", description: "the command was taken, and is on disk" });
export const canceled = z
  .object({
    exec_id: execId,
    status: z.literal("ACKNOWLEDGED"),
    changed: z.boolean(),
    report: cancelReport.nullable(),
    links,
  })
  .meta({ id: "Canceled", description: "the cancel was taken; the report, if it was waited for" });

/** Which executions a command for many means. */
export const selection = z
  .strictObject({
    id: z.string().optional(),
    status: z.array(status).optional(),
    text: z.string().optional(),
    labels: labels.optional(),
    error_code: z.string().optional(),
    correlation_id: z.string().optional(),
    parent: z.string().optional(),
    created_from: time.optional(),
    created_until: time.optional(),
  })
  .meta({ id: "Selection", description: "which workflow executions; with nothing said all of them" });

const bulkError = z.object({ exec_id: z.string(), code: z.string(), message: z.string() });
export const canceledMany = z
  .object({ matched: count, canceled: z.array(cancelReport), failed: z.array(bulkError) })
  .meta({ id: "CanceledMany" });
export const retried = z.object({ exec_id: execId, retry_of: execId, links }).meta({ id: "Retried" });
export const forked = z.object({ exec_id: execId, fork_of: execId, links }).meta({ id: "Forked" });
export const retriedMany = z
  .object({ matched: count, retried: z.array(retried), failed: z.array(bulkError) })
  .meta({ id: "RetriedMany" });

export const imported = z
  .object({
    exec_id: execId,
    runs: count,
    executions: count,
    is_duplicate: z.boolean().meta({ description: "it was here already" }),
    is_replayable: z.boolean().meta({ description: "whether its charts can be stepped through here" }),
    reason: z.string().optional().meta({ description: "why they cannot" }),
  })
  .meta({ id: "Imported", description: "a run that was brought here from elsewhere" });

export const runtime = z
  .object({
    exec_id: z.string(),
    id: z.string(),
    state: z.string().meta({ description: "registered, suspect, draining or deregistered" }),
    language: z.string().nullable().meta({ description: "what it is written in, if it says so" }),
    version: z.string().nullable(),
    agents: texts,
    held: count.meta({ description: "how many runs it was given and has not ended" }),
    in_flight: count.meta({ description: "how many it said last that it is at work on" }),
    max: count.meta({ description: "how many it takes" }),
    heard_at: time.meta({ description: "when it last said that it is there" }),
    last_error: z
      .object({ code: z.string(), message: z.string(), at: time })
      .nullable()
      .meta({ description: "what went wrong last with it, or with an agent that it ran" }),
  })
  .meta({ id: "Runtime", description: "who runs agents" });

export const schedule = z
  .object({
    workflow: z.string(),
    n: count.meta({ description: "its place among the schedules of the workflow" }),
    cron: z.string(),
    timezone: z.string(),
    overlap: z.string(),
    enabled: z.boolean(),
    paused: z.boolean(),
    next: time.nullable(),
    last: time.nullable(),
    skipped: count,
    missed: count,
    open: texts,
  })
  .meta({ id: "Schedule" });

export const thread = z
  .object({
    thread_id: z.string(),
    agent_id: z.string().nullable(),
    status: z.string(),
    runs: count,
    queued: count,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Thread", description: "a conversation with an agent" });
const threadTurn = z
  .object({
    run_id: z.string(),
    status: z.string(),
    request: anything,
    result: anything,
    error: anything,
    at: time,
    ended_at: time.nullable(),
  })
  .meta({ id: "ThreadTurn" });
export const wholeThread = z
  .object({ ...thread.shape, turns: z.array(threadTurn) })
  .meta({ id: "WholeThread", description: "a conversation and what was said in it" });

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: "one of docs/errors.md" }),
    details: data,
    correlation_id: z.string(),
    cause: z.string().optional(),
    fix: z.string().optional().meta({ description: "what to do next" }),
    execution: execution.optional().meta({ description: "the execution that was waited for and did not succeed" }),
  })
  .meta({ id: "Problem", description: "what went wrong, as in RFC 9457" });
