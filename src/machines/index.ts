// The door of the machines: the charts, and the one way to run them.

// The charts.
export { agentDispatch } from "./agent-dispatch.ts";
export { agentExecution } from "./agent-execution.ts";
export { agentRuntime } from "./agent-runtime.ts";
export { conversation, conversationStatuses } from "./conversation.ts";
export { handlerRun } from "./handler-run.ts";
export { lateCall } from "./late-call.ts";
export { taskAttempt } from "./task-attempt.ts";
export { taskDispatch } from "./task-dispatch.ts";
export { taskExecution } from "./task-execution.ts";
export { toolExecution } from "./tool-execution.ts";
export { workflowExecution } from "./workflow-execution.ts";

// Running them.
export { fire, freeze, silence, start, step, thaw } from "./step.ts";
export type { Frozen, Heard, Life, Stamp, Step, Timer, Unstamped } from "./step.ts";

// Looking at them.
export { assertSound, check } from "./check.ts";
export type { Defect } from "./check.ts";
export { mermaidOf } from "./mermaid.ts";

// What they hear and say.
export type { Cue, CueKey, EndStatus, Place, TaskName } from "./cues.ts";
export type { Hears, Outcome, Says } from "./speech.ts";

// What is answered where none of them is left.
export { answerEnded, answerOrder, answerUnknown } from "./answers.ts";

// The plan of a task graph.
export { linear, openPlan, openTasks, release, settle, take } from "./plan.ts";
export type { Begin, Ended, Graph, Plan, Strategy, Verdict } from "./plan.ts";
export { isRetried, retryDelay } from "./retry.ts";
