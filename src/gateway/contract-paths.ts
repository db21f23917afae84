// Where each operation of the HTTP interface is: its method and path, and after `?` what stands in the query although
// there is a body. Without schemas, because the pages carry it into the browser.

export const paths = {
  root: "GET /api/",
  health: "GET /api/health",
  ready: "GET /api/ready",
  metrics: "GET /api/metrics",
  version: "GET /api/version",
  messageTypes: "GET /api/message-types",
  openapi: "GET /openapi.json",

  listExecutions: "GET /api/:entities/executions",
  listExecutionsOf: "GET /api/:entities/:id/executions",
  countExecutions: "GET /api/:entities/executions/count",
  getExecution: "GET /api/:entities/executions/:exec_id",
  getStatus: "GET /api/:entities/executions/:exec_id/status",
  getHistory: "GET /api/:entities/executions/:exec_id/history",
  getJournal: "GET /api/:entities/executions/:exec_id/journal",
  getSteps: "GET /api/:entities/executions/:exec_id/steps",
  getTree: "GET /api/:entities/executions/:exec_id/tree",
  getWhy: "GET /api/:entities/executions/:exec_id/why",
  getCancelReport: "GET /api/:entities/executions/:exec_id/cancel-report",
  exportExecution: "GET /api/:entities/executions/:exec_id/export",
  deleteImported: "DELETE /api/:entities/executions/:exec_id",
  streamExecution: "GET /api/:entities/executions/:exec_id/stream",
  streamEvents: "GET /api/events/stream",

  executeWorkflow: "POST /api/workflows/:id/execute ?wait_ms",
  executeWorkflowAsync: "POST /api/workflows/:id/execute-async",
  executeAgent: "POST /api/agents/:id/execute ?wait_ms",
  executeAgentAsync: "POST /api/agents/:id/execute-async",
  executeTool: "POST /api/tools/:id/execute ?wait_ms",
  executeToolAsync: "POST /api/tools/:id/execute-async",
  triggerTask: "POST /api/tasks/:id/trigger ?wait_ms",
  triggerTaskAsync: "POST /api/tasks/:id/trigger-async",

  pauseExecution: "POST /api/workflows/executions/:exec_id/pause",
  resumeExecution: "POST /api/workflows/executions/:exec_id/resume",
  cancelExecution: "POST /api/workflows/executions/:exec_id/cancel ?wait_ms",
  signalExecution: "POST /api/workflows/executions/:exec_id/signals",
  retryExecution: "POST /api/workflows/executions/:exec_id/retry",
  forkExecution: "POST /api/workflows/executions/:exec_id/fork",
  resumeTask: "POST /api/tasks/executions/:exec_id/resume",
  cancelTask: "POST /api/tasks/executions/:exec_id/cancel ?wait_ms",
  cancelAgent: "POST /api/agents/executions/:exec_id/cancel ?wait_ms",
  cancelMany: "POST /api/workflows/executions/cancel",
  retryMany: "POST /api/workflows/executions/retry",
  importExecution: "POST /api/executions/import",

  listDefinitions: "GET /api/:entities",
  getDefinition: "GET /api/:entities/:id/definition",
  putDefinition: "PUT /api/:entities/:id/definition",
  deleteDefinition: "DELETE /api/:entities/:id/definition",
  validateDefinition: "POST /api/:entities/validate",
  getChart: "GET /api/workflows/:id/chart",
  getExecutionChart: "GET /api/workflows/executions/:exec_id/chart",
  listCharts: "GET /api/charts",

  listRuntimes: "GET /api/runtimes",
  listSchedules: "GET /api/schedules",
  triggerSchedule: "POST /api/schedules/:workflow/:n/trigger",
  pauseSchedule: "POST /api/schedules/:workflow/:n/pause",
  resumeSchedule: "POST /api/schedules/:workflow/:n/resume",
  listThreads: "GET /api/threads",
  getThread: "GET /api/threads/:thread_id",
  deleteThread: "DELETE /api/threads/:thread_id",
  receiveHook: "POST /api/hooks/:path",

  getLogs: "GET /api/logs",
  getLog: "GET /api/logs/:message_id",
  getWorkflowLogs: "GET /api/logs/workflows/:id",
  getLogLevel: "GET /api/log-level",
  putLogLevel: "PUT /api/log-level",
  getInspector: "GET /api/inspector",
  putInspector: "PUT /api/inspector",
  getConfig: "GET /api/config",
  getStats: "GET /api/stats",
  backup: "POST /api/backup",
  reload: "POST /api/reload",
} as const;

export type Operation = keyof typeof paths;

export type Method = "GET" | "POST" | "PUT" | "DELETE";
export type Place = { method: Method; path: string; params: string[]; query: string[] };

/** One line of the table, taken apart. */
export function placeOf(line: string): Place {
  const [method = "", path = "", query = ""] = line.split(/ \??/);
  return {
    method: method as Method,
    path,
    params: [...path.matchAll(/:([a-z_]+)/g)].map(([, name = ""]) => name),
    query: query.split(",").filter((name) => name !== ""),
  };
}
