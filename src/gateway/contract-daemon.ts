// The operations on the process itself: how it is, what it says, conversations, and what comes from outside.

import { z } from "zod";
import { execId } from "../protocol/fields.ts";
import { paths } from "./contract-paths.ts";
import { route } from "./contract-route.ts";
import { data, definitionId, listOf, paging, thread, time, wholeThread } from "./shapes.ts";

const tags = ["daemon"] as const;

const health = z
  .object({ status: z.literal("ok"), uptime_ms: z.number(), event_loop_lag_ms: z.number() })
  .meta({ id: "Health" });
const readiness = z
  .object({ status: z.enum(["ready", "not_ready"]), reasons: z.array(z.string()) })
  .meta({ id: "Readiness", description: "whether new work is taken, and if not, why" });
const logLevel = z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]);
const logLine = z
  .object({
    message_id: z.string(),
    log_level: z.string(),
    message: z.string(),
    timestamp: time,
    exec_id: z.string().nullable(),
    trace_id: z.string().nullable(),
    context: data,
  })
  .meta({ id: "LogLine" });
const inspector = z
  .object({
    enabled: z.boolean(),
    port: z.int().nullable(),
    url: z.string().nullable().meta({ description: "where the bridge page is" }),
  })
  .meta({ id: "Inspector" });
const logQuery = {
  level: logLevel.optional().meta({ description: "this level and worse" }),
  limit: z.int().min(1).max(200).optional(),
  cursor: z.string().optional(),
  exec_id: z.string().optional(),
};
const threadId = z.strictObject({ thread_id: z.string().min(1).max(256) });
const hookPath = z.string().min(1).max(256);
/** Any JSON, as a schema that says nothing. */
const document = z.record(z.string(), z.unknown());

export const daemonRoutes = {
  root: route(paths.root, {
    summary: "What is here, and where to go on",
    scope: "open",
    tags,
    answers: {
      200: z.object({ name: z.string(), version: z.string(), links: z.record(z.string(), z.string()) }),
    },
  }),
  health: route(paths.health, {
    summary: "Whether the process is well",
    scope: "open",
    tags,
    answers: { 200: health },
  }),
  ready: route(paths.ready, {
    summary: "Whether new work is taken",
    scope: "open",
    tags,
    answers: { 200: readiness, 503: readiness },
  }),
  metrics: route(paths.metrics, {
    summary: "Measurements, for Prometheus",
    scope: "read",
    tags,
    answers: { 200: z.string() },
    gives: "text",
  }),
  version: route(paths.version, {
    summary: "Which release this is",
    scope: "open",
    tags,
    answers: { 200: z.looseObject({ name: z.string(), version: z.string(), protocol: z.int(), node: z.string() }) },
  }),
  messageTypes: route(paths.messageTypes, {
    summary: "Every message of the protocol",
    scope: "read",
    tags,
    query: paging,
    answers: {
      200: listOf(
        z.object({
          key: z.string(),
          kind: z.string(),
          name: z.string(),
          subject: z.string(),
          aliases: z.array(z.string()),
          description: z.string(),
        }),
      ),
    },
  }),
  openapi: route(paths.openapi, {
    summary: "This document",
    scope: "open",
    tags,
    answers: { 200: document },
  }),

  listThreads: route(paths.listThreads, {
    summary: "Conversations, the one that was last at work first",
    scope: "read",
    tags: ["threads"],
    query: z.strictObject({ limit: z.int().min(1).max(200).optional(), cursor: z.string().optional() }),
    answers: { 200: listOf(thread) },
  }),
  getThread: route(paths.getThread, {
    summary: "One conversation, with what was said",
    scope: "read",
    tags: ["threads"],
    params: threadId,
    answers: { 200: wholeThread },
  }),
  deleteThread: route(paths.deleteThread, {
    summary: "Forgets a conversation; its runs stay",
    scope: "run",
    tags: ["threads"],
    params: threadId,
    answers: { 204: z.null() },
  }),
  receiveHook: route(paths.receiveHook, {
    summary: "Takes a delivery for the webhook of a workflow",
    description: "The signature that the webhook asks for is checked over the bytes of the body.",
    scope: "open",
    tags: ["webhooks"],
    params: z.strictObject({ path: hookPath }),
    query: z.looseObject({}),
    body: z.unknown(),
    answers: {
      202: z.object({
        exec_id: execId.optional().meta({ description: "nothing was begun if it is not there" }),
        duplicate: z.boolean().optional(),
      }),
    },
    takes: "bytes",
  }),

  getLogs: route(paths.getLogs, {
    summary: "The newest lines of the log",
    scope: "read",
    tags: ["logs"],
    query: z.strictObject(logQuery),
    answers: { 200: listOf(logLine) },
  }),
  getLog: route(paths.getLog, {
    summary: "One line of the log",
    scope: "read",
    tags: ["logs"],
    params: z.strictObject({ message_id: z.string().min(1).max(128) }),
    answers: { 200: logLine },
  }),
  getWorkflowLogs: route(paths.getWorkflowLogs, {
    summary: "The newest lines of the log about one workflow",
    scope: "read",
    tags: ["logs"],
    params: z.strictObject({ id: definitionId }),
    query: z.strictObject(logQuery),
    answers: { 200: listOf(logLine) },
  }),
  getLogLevel: route(paths.getLogLevel, {
    summary: "What is worth a line of the log",
    scope: "read",
    tags: ["logs"],
    answers: { 200: z.object({ level: logLevel }) },
  }),
  putLogLevel: route(paths.putLogLevel, {
    summary: "Changes what is worth a line of the log, until the next start",
    scope: "admin",
    tags: ["logs"],
    body: z.strictObject({ level: logLevel }),
    answers: { 200: z.object({ level: logLevel }) },
  }),
  getInspector: route(paths.getInspector, {
    summary: "Whether the inspector is served, and where",
    scope: "read",
    tags,
    answers: { 200: inspector },
  }),
  putInspector: route(paths.putInspector, {
    summary: "Begins or ends serving the inspector",
    scope: "admin",
    tags,
    body: z.strictObject({ enabled: z.boolean(), port: z.int().min(0).max(65_535).optional() }),
    answers: { 200: inspector },
  }),
  getConfig: route(paths.getConfig, {
    summary: "The configuration, and where each value comes from",
    scope: "admin",
    tags,
    query: paging,
    answers: {
      200: listOf(
        z.object({
          key: z.string(),
          value: z.unknown(),
          origin: z.string(),
          default: z.unknown(),
          about: z.string(),
        }),
      ),
    },
  }),
  getStats: route(paths.getStats, {
    summary: "What the process is at, in numbers",
    scope: "read",
    tags,
    answers: { 200: data },
  }),
  backup: route(paths.backup, {
    summary: "Writes a whole copy of the store, while it is in use",
    scope: "admin",
    tags,
    body: z.strictObject({ file: z.string().min(1).max(4096) }),
    answers: { 200: z.object({ file: z.string(), bytes: z.int() }) },
  }),
  reload: route(paths.reload, {
    summary: "Reads the files of the project again, for runs that begin from now on",
    scope: "admin",
    tags,
    answers: { 200: z.object({ problems: z.array(data) }) },
  }),
};
