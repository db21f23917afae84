// The public door of the package: what a user may import from "troupe", one name per line.

export { version } from "./version.ts";

// A troupe, and what it is made of.
export { troupe } from "./runtime/troupe.ts";
export type { Definitions } from "./runtime/options.ts";
export type { News } from "./runtime/troupe.ts";
export type { Options } from "./runtime/options.ts";
export type { Troupe } from "./runtime/troupe.ts";
export { systemClock } from "./actors/clock.ts";
export type { Clock } from "./actors/clock.ts";
export type { LimitName } from "./actors/limits.ts";
export type { Limits } from "./actors/limits.ts";
export { openSqlite } from "./store/sqlite.ts";
export { rebuildViews } from "./actors/views.ts";
export type { Store } from "./store/store.ts";

// Definitions.
export { defineAgent } from "./runtime/definitions.ts";
export { defineProject } from "./language/define.ts";
export { defineTool } from "./runtime/definitions.ts";
export { defineWorkflow } from "./language/define.ts";
export { sequence } from "./actors/definition.ts";
export { mermaidOfWorkflow } from "./language/mermaid.ts";
export { statechartOf } from "./language/statechart.ts";
export type { AgentContext } from "./agents/agent.ts";
export type { AgentDefinition } from "./agents/agent.ts";
export type { AgentHandler } from "./agents/agent.ts";
export type { Duration } from "./language/spec.ts";
export type { Json } from "./language/spec.ts";
export type { Log } from "./protocol/handler.ts";
export type { Problem } from "./language/spec.ts";
export type { ProjectSpec } from "./language/spec.ts";
export type { RetrySpec } from "./language/spec.ts";
export type { Schema } from "./language/json-schema.ts";
export type { Scope } from "./language/spec.ts";
export type { StatechartDefinition } from "./language/statechart.ts";
export type { TaskSpec } from "./language/spec.ts";
export type { ToolContext } from "./tools/tool.ts";
export type { ToolDefinition } from "./tools/tool.ts";
export type { ToolHandler } from "./tools/tool.ts";
export type { TypedWorkflow } from "./language/define.ts";
export type { TriggerSpec } from "./language/spec.ts";
export type { Value } from "./language/spec.ts";
export type { WaitSpec } from "./language/spec.ts";
export type { Watch } from "./runtime/options.ts";
export type { WorkflowSpec } from "./language/spec.ts";

// What is asked and answered.
export type { BulkError } from "./runtime/bulk.ts";
export type { BulkQuery } from "./runtime/bulk.ts";
export type { CancelAllReport } from "./runtime/bulk.ts";
export type { CancelReport } from "./runtime/commands.ts";
export type { ChildReport } from "./runtime/cancel-report.ts";
export type { Committed } from "./actors/system.ts";
export type { Delivery } from "./runtime/webhooks.ts";
export type { End } from "./runtime/endings.ts";
export type { Grouping } from "./runtime/questions.ts";
export type { Handle } from "./runtime/desk.ts";
export type { HistoryPage } from "./runtime/questions.ts";
export type { JournalLine } from "./actors/record.ts";
export type { Labels } from "./runtime/content.ts";
export type { Listing } from "./runtime/questions.ts";
export type { Receipt } from "./runtime/webhooks.ts";
export type { Retry } from "./runtime/bulk.ts";
export type { RetryAllReport } from "./runtime/bulk.ts";
export type { Search } from "./runtime/questions.ts";
export type { Shown } from "./runtime/questions.ts";
export type { ShownSchedule } from "./runtime/schedules.ts";
export type { Start } from "./runtime/desk.ts";
export type { Target } from "./runtime/desk.ts";

// Errors.
export { TroupeError } from "./protocol/errors.ts";
export type { Details } from "./protocol/errors.ts";
export type { ErrorCode } from "./protocol/errors.ts";
