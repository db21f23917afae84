// The operations that ask for executions, follow them, and carry them from one place to another.

import { z } from "zod";
import { paths } from "./contract-paths.ts";
import { route } from "./contract-route.ts";
import {
  anyId,
  cancelReport,
  data,
  entities,
  entitiesOrAny,
  execId,
  execution,
  executionStatus,
  imported,
  journalLine,
  listOf,
  status,
  steps,
  time,
  why,
} from "./shapes.ts";

const asked = ["executions"] as const;
const steered = ["steering"] as const;

const limit = z.int().min(1).max(200).meta({ description: "how many at the most; 50 unless said" });
const ofId = { id: z.string().optional().meta({ description: "only those of this definition" }) };
const found = {
  status: z.array(status).optional().meta({ description: "only those that stand so; may be repeated" }),
  label: z
    .array(z.string().regex(/^[^:]{1,64}:/, "must be `name:value`"))
    .optional()
    .meta({ description: "only those with this label, `name:value`; may be repeated" }),
  text: z.string().optional().meta({ description: "only those with this in an id, a label or an error" }),
  run: z.string().optional(),
  parent: z.string().optional(),
  error_code: z.string().optional(),
  correlation_id: z.string().optional(),
  created_from: time.optional(),
  created_until: time.optional(),
};
const paged = {
  order: z.enum(["newest", "oldest"]).optional(),
  limit: limit.optional(),
  cursor: z.string().optional().meta({ description: "`next_cursor` of the page before" }),
};
const lines = z.strictObject({
  from_line: z.int().min(0).optional().meta({ description: "one after the last line of the page before" }),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "must be the `next_cursor` of the page before")
    .optional()
    .meta({ description: "`next_cursor` of the page before, which is the same" }),
  limit: z.int().min(1).max(1_000).optional().meta({ description: "how many at the most; 200 unless said" }),
});
const pageOfLines = z.object({ ...listOf(journalLine).shape, next_line: z.int().nullable() });
const one = z.strictObject({ entities: entitiesOrAny, exec_id: execId });
/** What is asked of one execution. */
const asking = { scope: "read", tags: asked, params: one } as const;
/** A browser cannot set headers on what it follows. */
const followed = {
  progress: z.boolean().optional().meta({ description: "with what handlers say while they run" }),
  last_event_id: z
    .string()
    .optional()
    .meta({ description: "the header Last-Event-ID, where none can be set: go on after this one" }),
  access_token: z.string().optional().meta({ description: "the token, where no header can be set" }),
};

export const executionRoutes = {
  listExecutions: route(paths.listExecutions, {
    summary: "The executions of one kind, newest first",
    scope: "read",
    tags: asked,
    params: z.strictObject({ entities: entitiesOrAny }),
    query: z.strictObject({ ...ofId, ...found, ...paged }),
    answers: { 200: listOf(execution) },
  }),
  listExecutionsOf: route(paths.listExecutionsOf, {
    summary: "The executions of one definition, newest first",
    scope: "read",
    tags: asked,
    params: z.strictObject({ entities, id: anyId }),
    query: z.strictObject({ ...found, ...paged }),
    answers: { 200: listOf(execution) },
  }),
  countExecutions: route(paths.countExecutions, {
    summary: "How many executions there are, by status or by definition",
    scope: "read",
    tags: asked,
    params: z.strictObject({ entities: entitiesOrAny }),
    query: z.strictObject({ ...ofId, ...found, by: z.enum(["status", "id", "entity"]).optional() }),
    answers: { 200: z.object({ counts: z.record(z.string(), z.int()) }) },
  }),
  getExecution: route(paths.getExecution, {
    summary: "One execution as it stands",
    ...asking,
    answers: { 200: execution },
  }),
  getStatus: route(paths.getStatus, {
    summary: "Only how one execution stands",
    ...asking,
    answers: { 200: executionStatus },
  }),
  getHistory: route(paths.getHistory, {
    summary: "The messages of an execution that took effect, in order",
    ...asking,
    query: lines,
    answers: { 200: pageOfLines },
  }),
  getJournal: route(paths.getJournal, {
    summary: "All messages of an execution, also those that were late or not allowed",
    ...asking,
    query: lines,
    answers: { 200: pageOfLines },
  }),
  getSteps: route(paths.getSteps, {
    summary: "The steps of all charts of a run, in order",
    ...asking,
    query: z.strictObject({ after_seq: z.int().min(0).optional(), limit: z.int().min(1).max(10_000).optional() }),
    answers: { 200: steps },
  }),
  getTree: route(paths.getTree, {
    summary: "All executions of the run that this one is a part of",
    ...asking,
    answers: {
      200: z.object({
        items: z.array(execution),
        is_whole: z.boolean().meta({ description: "false: there are so many that the newest are left out" }),
      }),
    },
  }),
  getWhy: route(paths.getWhy, {
    summary: "What it waits for, since when, and what would end that",
    ...asking,
    answers: { 200: why },
  }),
  getCancelReport: route(paths.getCancelReport, {
    summary: "What came of a cancel, execution by execution",
    scope: "read",
    tags: steered,
    params: one,
    answers: { 200: cancelReport },
  }),
  exportExecution: route(paths.exportExecution, {
    summary: "A whole run as one file, to be looked at elsewhere",
    ...asking,
    answers: { 200: data },
  }),
  importExecution: route(paths.importExecution, {
    summary: "Takes the file of an exported run, to be looked at here",
    scope: "run",
    tags: asked,
    body: data,
    answers: { 200: imported, 201: imported },
  }),
  deleteImported: route(paths.deleteImported, {
    summary: "Forgets an execution that was brought here from elsewhere",
    scope: "run",
    tags: asked,
    params: one,
    answers: { 204: z.null() },
  }),
  streamExecution: route(paths.streamExecution, {
    summary: "The messages of an execution, as they are recorded",
    scope: "read",
    tags: ["streams"],
    params: one,
    query: z.strictObject(followed),
    answers: { 200: journalLine.shape.envelope },
    gives: "events",
  }),
  streamEvents: route(paths.streamEvents, {
    summary: "All messages, as they are recorded",
    scope: "read",
    tags: ["streams"],
    query: z.strictObject({
      ...followed,
      entity: z.enum(["workflow", "task", "agent", "tool", "agent_runtime"]).optional(),
      type: z.string().optional().meta({ description: "only messages of this name" }),
      correlation_id: z.string().optional(),
    }),
    answers: { 200: journalLine.shape.envelope },
    gives: "events",
  }),
};
