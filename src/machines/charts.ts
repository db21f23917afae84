// The charts that live in a run, outermost first.

import type { AnyStateMachine } from "xstate";
import { agentDispatch } from "./agent-dispatch.ts";
import { agentExecution } from "./agent-execution.ts";
import { handlerRun } from "./handler-run.ts";
import { lateCall } from "./late-call.ts";
import { taskAttempt } from "./task-attempt.ts";
import { taskDispatch } from "./task-dispatch.ts";
import { taskExecution } from "./task-execution.ts";
import { toolExecution } from "./tool-execution.ts";
import { workflowExecution } from "./workflow-execution.ts";

export const runCharts: readonly AnyStateMachine[] = [
  workflowExecution,
  taskExecution,
  taskDispatch,
  taskAttempt,
  agentExecution,
  toolExecution,
  agentDispatch,
  handlerRun,
  lateCall,
];
