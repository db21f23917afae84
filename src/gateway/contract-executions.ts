// The operations on executions: asked for, begun, steered, followed.

import { z } from "zod";
import { paths } from "./contract-paths.ts";
import { route } from "./contract-route.ts";
import {
  accepted,
  acknowledged,
  anyId,
  canceled,
  canceledMany,
  cancelReport,
  data,
  definitionId,
  entities,
  entitiesOrAny,
  execId,
  execution,
  executionStatus,
  forked,
  imported,
  journalLine,
  labels,
  listOf,
  retried,
  retriedMany,
  selection,
  status,
  steps,
  time,
  why,
} from "./shapes.ts";

const asked = ["executions"] as const;
const begun = ["running"] as const;
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
  limit: z.int().min(1).max(1_000).optional().meta({ description: "how many at the most; 200 unless said" }),
});
const one = z.strictObject({ entities: entitiesOrAny, exec_id: execId });
const ofOne = z.strictObject({ exec_id: execId });
/** A browser cannot set headers on what it follows. */
const followed = {
  progress: z.boolean().optional().meta({ description: "with what handlers say while they run" }),
  last_event_id: z
    .string()
    .optional()
    .meta({ description: "the header Last-Event-ID, where none can be set: go on after this one" }),
  access_token: z.string().optional().meta({ description: "the token, where no header can be set" }),
};

const waitMs = z.strictObject({
  wait_ms: z
    .int()
    .min(0)
    .max(300_000)
    .optional()
    .meta({ description: "how long to wait for the end; 30 s unless said" }),
});
const reportWaitMs = z.strictObject({
  wait_ms: z
    .int()
    .min(0)
    .max(30_000)
    .optional()
    .meta({ description: "how long to wait for the report; not unless said" }),
});
const start = z.strictObject({ input: z.unknown().optional(), labels: labels.optional() });
const ended = { 200: execution, 202: accepted };
const reason = z.strictObject({ reason: z.string().max(4096).optional() });
const definition = z
  .literal("newest")
  .optional()
  .meta({ description: "the definition that is defined now, not the one that the execution ran" });
const idOf = z.strictObject({ id: definitionId });

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
    scope: "read",
    tags: asked,
    params: one,
    answers: { 200: execution },
  }),
  getStatus: route(paths.getStatus, {
    summary: "Only how one execution stands",
    scope: "read",
    tags: asked,
    params: one,
    answers: { 200: executionStatus },
  }),
  getHistory: route(paths.getHistory, {
    summary: "The messages of an execution that took effect, in order",
    scope: "read",
    tags: asked,
    params: one,
    query: lines,
    answers: { 200: z.object({ items: z.array(journalLine), next_line: z.int().nullable() }) },
  }),
  getJournal: route(paths.getJournal, {
    summary: "All messages of an execution, also those that were late or not allowed",
    scope: "read",
    tags: asked,
    params: one,
    query: lines,
    answers: { 200: z.object({ items: z.array(journalLine), next_line: z.int().nullable() }) },
  }),
  getSteps: route(paths.getSteps, {
    summary: "The steps of all charts of a run, in order",
    scope: "read",
    tags: asked,
    params: one,
    query: z.strictObject({ after_seq: z.int().min(0).optional(), limit: z.int().min(1).max(10_000).optional() }),
    answers: { 200: steps },
  }),
  getTree: route(paths.getTree, {
    summary: "All executions of the run that this one is a part of",
    scope: "read",
    tags: asked,
    params: one,
    answers: {
      200: z.object({
        items: z.array(execution),
        is_whole: z.boolean().meta({ description: "false: there are so many that the newest are left out" }),
      }),
    },
  }),
  getWhy: route(paths.getWhy, {
    summary: "What it waits for, since when, and what would end that",
    scope: "read",
    tags: asked,
    params: one,
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
    scope: "read",
    tags: asked,
    params: one,
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

  executeWorkflow: route(paths.executeWorkflow, {
    summary: "Begins a workflow and waits for its end",
    scope: "run",
    tags: begun,
    params: idOf,
    query: waitMs,
    body: start,
    answers: ended,
  }),
  executeWorkflowAsync: route(paths.executeWorkflowAsync, {
    summary: "Begins a workflow",
    scope: "run",
    tags: begun,
    params: idOf,
    body: start,
    answers: { 202: accepted },
  }),
  executeAgent: route(paths.executeAgent, {
    summary: "Runs an agent by itself and waits for its end",
    scope: "run",
    tags: begun,
    params: idOf,
    query: waitMs,
    body: start,
    answers: ended,
  }),
  executeAgentAsync: route(paths.executeAgentAsync, {
    summary: "Runs an agent by itself",
    scope: "run",
    tags: begun,
    params: idOf,
    body: start,
    answers: { 202: accepted },
  }),
  executeTool: route(paths.executeTool, {
    summary: "Runs a tool by itself and waits for its end",
    scope: "run",
    tags: begun,
    params: idOf,
    query: waitMs,
    body: start,
    answers: ended,
  }),
  executeToolAsync: route(paths.executeToolAsync, {
    summary: "Runs a tool by itself",
    scope: "run",
    tags: begun,
    params: idOf,
    body: start,
    answers: { 202: accepted },
  }),
  triggerTask: route(paths.triggerTask, {
    summary: "Runs one task of a workflow by itself and waits for its end",
    scope: "run",
    tags: begun,
    params: z.strictObject({ id: anyId }),
    query: waitMs,
    body: start,
    answers: ended,
  }),
  triggerTaskAsync: route(paths.triggerTaskAsync, {
    summary: "Runs one task of a workflow by itself",
    scope: "run",
    tags: begun,
    params: z.strictObject({ id: anyId }),
    body: start,
    answers: { 202: accepted },
  }),

  pauseExecution: route(paths.pauseExecution, {
    summary: "Pauses a workflow: what is under way goes on to its end, nothing new begins",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: reason,
    answers: { 202: acknowledged },
  }),
  resumeExecution: route(paths.resumeExecution, {
    summary: "Lets a paused workflow go on",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: z.strictObject({ resume_data: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  cancelExecution: route(paths.cancelExecution, {
    summary: "Ends a workflow and all below it",
    scope: "run",
    tags: steered,
    params: ofOne,
    query: reportWaitMs,
    body: reason,
    answers: { 202: canceled },
  }),
  signalExecution: route(paths.signalExecution, {
    summary: "Gives a signal to a workflow; it is kept for a wait that comes later",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: z.strictObject({ name: z.string().min(1).max(256), payload: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  retryExecution: route(paths.retryExecution, {
    summary: "Begins an ended workflow once more, at its beginning or at one of its tasks",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: z.strictObject({ from: z.string().optional(), input: z.unknown().optional(), definition }),
    answers: { 202: retried },
  }),
  forkExecution: route(paths.forkExecution, {
    summary: "Begins a second run with the results that this one had when a task began",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: z.strictObject({ from: z.string(), input: z.unknown().optional(), definition, labels: labels.optional() }),
    answers: { 202: forked },
  }),
  resumeTask: route(paths.resumeTask, {
    summary: "Gives a waiting task what it waits for, an approval for example",
    scope: "run",
    tags: steered,
    params: ofOne,
    body: z.strictObject({ resume_data: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  cancelTask: route(paths.cancelTask, {
    summary: "Ends a task and all below it",
    scope: "run",
    tags: steered,
    params: ofOne,
    query: reportWaitMs,
    body: reason,
    answers: { 202: canceled },
  }),
  cancelAgent: route(paths.cancelAgent, {
    summary: "Ends one run of an agent",
    scope: "run",
    tags: steered,
    params: ofOne,
    query: reportWaitMs,
    body: reason,
    answers: { 202: canceled },
  }),
  cancelMany: route(paths.cancelMany, {
    summary: "Ends all workflows that a query finds",
    scope: "run",
    tags: steered,
    body: z.strictObject({ where: selection, reason: reason.shape.reason }),
    answers: { 200: canceledMany },
  }),
  retryMany: route(paths.retryMany, {
    summary: "Begins once more all ended workflows that a query finds; without a status, those that did not succeed",
    scope: "run",
    tags: steered,
    body: z.strictObject({ where: selection }),
    answers: { 200: retriedMany },
  }),
};
