// All parts, in the order of a run: from the workflow down to the runtime; and what stands before them all.

import type { AnyStateMachine } from "xstate";
import type { Part } from "../part.ts";
import { agentExecutionPart } from "./agent-execution.ts";
import { agentDispatchPart } from "./agent-dispatch.ts";
import { agentRuntimePart } from "./agent-runtime.ts";
import { conversationPart } from "./conversation.ts";
import { handlerRunPart } from "./handler-run.ts";
import { lateCallPart } from "./late-call.ts";
import { taskAttemptPart } from "./task-attempt.ts";
import { taskDispatchPart } from "./task-dispatch.ts";
import { taskExecutionPart } from "./task-execution.ts";
import { toolExecutionPart } from "./tool-execution.ts";
import { workflowExecutionPart } from "./workflow-execution.ts";

// A list of charts of different types has only the type of any machine.
export const parts = [
  workflowExecutionPart,
  taskExecutionPart,
  taskDispatchPart,
  taskAttemptPart,
  agentExecutionPart,
  toolExecutionPart,
  agentDispatchPart,
  agentRuntimePart,
  handlerRunPart,
  lateCallPart,
  conversationPart,
] as unknown as readonly Part<AnyStateMachine>[];
