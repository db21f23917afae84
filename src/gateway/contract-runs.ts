// The operations that begin executions, and steer those that are under way or have ended.

import { z } from "zod";
import { paths } from "./contract-paths.ts";
import { route } from "./contract-route.ts";
import {
  accepted,
  acknowledged,
  anyId,
  canceled,
  canceledMany,
  definitionId,
  execId,
  execution,
  forked,
  labels,
  retried,
  retriedMany,
  selection,
} from "./shapes.ts";

const begun = ["running"] as const;
const steered = ["steering"] as const;

const idOf = z.strictObject({ id: definitionId });
const ofOne = z.strictObject({ exec_id: execId });
/** What is told to one execution. */
const steering = { scope: "run", tags: steered, params: ofOne } as const;
const start = z.strictObject({ input: z.unknown().optional(), labels: labels.optional() });
const ended = { 200: execution, 202: accepted };
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
const reason = z.strictObject({ reason: z.string().max(4096).optional() });
const definition = z
  .literal("newest")
  .optional()
  .meta({ description: "the definition that is defined now, not the one that the execution ran" });

export const runRoutes = {
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
    ...steering,
    body: reason,
    answers: { 202: acknowledged },
  }),
  resumeExecution: route(paths.resumeExecution, {
    summary: "Lets a paused workflow go on",
    ...steering,
    body: z.strictObject({ resume_data: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  cancelExecution: route(paths.cancelExecution, {
    summary: "Ends a workflow and all below it",
    ...steering,
    query: reportWaitMs,
    body: reason,
    answers: { 202: canceled },
  }),
  signalExecution: route(paths.signalExecution, {
    summary: "Gives a signal to a workflow; it is kept for a wait that comes later",
    ...steering,
    body: z.strictObject({ name: z.string().min(1).max(256), payload: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  retryExecution: route(paths.retryExecution, {
    summary: "Begins an ended workflow once more, at its beginning or at one of its tasks",
    ...steering,
    body: z.strictObject({ from: z.string().optional(), input: z.unknown().optional(), definition }),
    answers: { 202: retried },
  }),
  forkExecution: route(paths.forkExecution, {
    summary: "Begins a second run with the results that this one had when a task began",
    ...steering,
    body: z.strictObject({ from: z.string(), input: z.unknown().optional(), definition, labels: labels.optional() }),
    answers: { 202: forked },
  }),
  resumeTask: route(paths.resumeTask, {
    summary: "Gives a waiting task what it waits for, an approval for example",
    ...steering,
    body: z.strictObject({ resume_data: z.unknown().optional() }),
    answers: { 202: acknowledged },
  }),
  cancelTask: route(paths.cancelTask, {
    summary: "Ends a task and all below it",
    ...steering,
    query: reportWaitMs,
    body: reason,
    answers: { 202: canceled },
  }),
  cancelAgent: route(paths.cancelAgent, {
    summary: "Ends one run of an agent",
    ...steering,
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
