// One example of every message, all from the life of one refund: a claim is judged by an agent that asks a tool.

import { entryOf, keys, type Key, type Message } from "../../src/protocol/catalogue.ts";
import { encode, wrap, type Encoded, type Envelope } from "../../src/protocol/envelope.ts";
import { idAfter, seedAt } from "../../src/protocol/ids.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";

const begin = Date.UTC(2026, 10, 21, 9);
const seed = seedAt(begin, () => 0);
const id = (n: number): string => idAfter(seed, n);

const workflow = { id: "refund", exec_id: id(1) };
const task = { id: "decide", exec_id: id(2) };
const agent = { id: "judge", exec_id: id(3) };
const tool = { id: "orders", exec_id: id(4) };
const agent_runtime = { id: "desk", exec_id: id(5) };
const capable = { supported_providers: ["openai"], supported_models: [], max_concurrent_executions: 4 };
const correlationId = id(6);

const inTask = { workflow, task };
const inAgent = { workflow, task, agent };
const inTool = { workflow, task, agent, tool };

const attempt = 1;
const input = { claim: "the parcel came late" };
const question = { order: "A7" };
const reason = "the customer withdrew the claim";
const person = "clerk@example.com";
const timeout_config = { timeout_duration_ms: 30_000 };
const retry_policy = {
  max_attempts: 3,
  backoff: { initial_ms: 1000, factor: 2, max_ms: 60_000, jitter: 0.2 },
  retry_on: ["AGENT_ERROR"],
};
const order = { attempt, task_type: "agent", input, timeout_config, retry_policy } as const;
const call = { attempt, input, timeout_config };
const cancel = { attempt, cause: "requested", reason } as const;

const verdict = { verdict: "refund", amount: 25 };
const delivery = { state: "delivered", days_late: 4 };
const answered = { output: verdict };
const noOrder = { cause_code: "NO_ORDER" };
const refusal = { message: "the claim names no order", code: "AGENT_ERROR", details: noOrder } as const;
const failed = { error: refusal };
const silence = { message: "over its time", code: "TASK_TIMEOUT", details: {} } as const;
const moment = new Date(begin).toISOString();

const replyTo = (entity: string, execId: string): string => `compozy.results.${entity}.${execId}`;

const commands = {
  "command:WorkflowExecute": { workflow, payload: { context: { input, trigger_type: "api" } } },
  "command:WorkflowPause": { workflow, payload: { context: { reason: "stocktaking", paused_by: person } } },
  "command:WorkflowResume": { workflow, payload: { context: { resumed_by: person } } },
  "command:WorkflowCancel": { workflow, payload: { context: { reason, canceled_by: person } } },
  "command:WorkflowSignal": {
    workflow,
    payload: { context: { signal: { name: "parcel_returned", payload: question } } },
  },
  "command:TaskTrigger": { ...inTask, payload: { context: { attempt, input, triggered_by: person } } },
  "command:TaskExecute": {
    ...inTask,
    payload: { reply_to_subject: replyTo("task", task.exec_id), context: order },
  },
  "command:TaskResume": {
    ...inTask,
    payload: { context: { resume_data: { approved: true }, resumed_by: person } },
  },
  "command:TaskCancel": { ...inTask, payload: { context: { ...cancel, canceled_by: person } } },
  "command:TriggerAgent": {
    ...inAgent,
    payload: {
      reply_to_subject: replyTo("agent", agent.exec_id),
      context: { ...call, env: { MODEL_KEY: { from: "secret" } } },
    },
  },
  "command:AgentCancel": { ...inAgent, payload: { context: { ...cancel, canceled_by: person } } },
  "command:ToolExecute": {
    ...inTool,
    payload: {
      reply_to_subject: `_INBOX_${agent_runtime.exec_id}.1`,
      context: { ...call, input: question },
    },
  },
  "command:ToolCancel": { ...inTool, payload: { context: cancel } },
  "command:AgentRuntimeExecute": {
    ...inAgent,
    agent_runtime,
    payload: {
      reply_to_subject: replyTo("agent", agent.exec_id),
      context: {
        ...call,
        agent_request: { agent_id: agent.id, agent_exec_id: agent.exec_id, tools: [tool.id] },
      },
    },
  },
  "command:AgentRuntimeCancel": { ...inAgent, agent_runtime, payload: { context: cancel } },
} satisfies Partial<Examples>;

const notices = {
  "result:AgentExecutionResult": {
    ...inAgent,
    payload: { status: "AGENT_ERROR", result: failed, duration_ms: 950, context: { attempt } },
  },
  "result:ToolExecutionResult": {
    ...inTool,
    payload: { status: "SUCCESS", result: { output: delivery }, duration_ms: 12, context: { attempt } },
  },
  "result:CommandAck": { workflow, payload: { status: "ACKNOWLEDGED", context: { durability: "fsync" } } },
  "progress:AgentThinking": {
    ...inAgent,
    payload: { context: { attempt, seq: 1, text: "Reading the claim" } },
  },
  "progress:AgentToken": { ...inAgent, payload: { context: { attempt, seq: 2, text: "The" } } },
  "progress:AgentStep": {
    ...inAgent,
    payload: { context: { attempt, seq: 3, step: { rule: "late parcel" } } },
  },
  "progress:TaskStep": { ...inTask, payload: { context: { attempt, seq: 4, step: "heartbeat" } } },
  "progress:ToolStep": { ...inTool, payload: { context: { attempt, seq: 5, step: { rows: 1 } } } },
  "progress:AgentRuntimeHeartbeat": { agent_runtime, payload: { context: { seq: 6, in_flight: 1 } } },
  "log:LogEmitted": {
    payload: {
      log_level: "warn",
      message: "a reply came after its execution had ended",
      timestamp: moment,
      context: { code: "LATE_MESSAGE" },
    },
  },
  "log:MessageRejected": {
    payload: {
      log_level: "error",
      message: 'unknown action "explode"',
      timestamp: moment,
      context: {
        code: "UNKNOWN_MESSAGE_TYPE",
        original_subject: "compozy.commands.agent.refund.explode.judge",
        original_headers: {},
        original_body: "{}",
      },
    },
  },
} satisfies Partial<Examples>;

const workflowEvents = {
  "event:WorkflowExecutionStarted": {
    workflow,
    payload: { status: "RUNNING", context: { input, trigger_type: "api" } },
  },
  "event:WorkflowExecutionPaused": {
    workflow,
    payload: { status: "PAUSED", context: { reason: "stocktaking", paused_by: person } },
  },
  "event:WorkflowExecutionResumed": {
    workflow,
    payload: { status: "RUNNING", duration_ms: 60_000, context: { resumed_by: person } },
  },
  "event:WorkflowExecutionSuccess": {
    workflow,
    payload: { status: "SUCCESS", result: answered, duration_ms: 1200, context: {} },
  },
  "event:WorkflowExecutionFailed": {
    workflow,
    payload: {
      status: "FAILED",
      result: {
        error: {
          message: "task decide failed: the claim names no order",
          code: "TASK_FAILED",
          details: { failed_task_id: task.id, failed_task_exec_id: task.exec_id, cause_code: "AGENT_ERROR" },
        },
      },
      context: {},
    },
  },
  "event:WorkflowExecutionCanceled": {
    workflow,
    payload: { status: "CANCELED", context: { reason, canceled_by: person } },
  },
  "event:WorkflowExecutionTimedOut": {
    workflow,
    payload: {
      status: "TIMED_OUT",
      result: { error: { message: "over its time", code: "WORKFLOW_EXECUTION_TIMEOUT", details: {} } },
      duration_ms: 3_600_000,
      context: { timeout_config: { timeout_duration_ms: 3_600_000, timeout_policy: "TERMINATE" } },
    },
  },
} satisfies Partial<Examples>;

const taskEvents = {
  "event:TaskScheduled": { ...inTask, payload: { status: "PENDING", context: order } },
  "event:TaskExecutionStarted": { ...inTask, payload: { status: "RUNNING", context: { attempt } } },
  "event:TaskWaitingStarted": {
    ...inTask,
    payload: {
      status: "WAITING",
      context: { attempt, reason: "approval", timeout_config, wait: { approval: "Refund 25?" } },
    },
  },
  "event:TaskWaitingEnded": {
    ...inTask,
    payload: { status: "RUNNING", duration_ms: 5000, context: { attempt, resume_data: { approved: true } } },
  },
  "event:TaskWaitingTimedOut": {
    ...inTask,
    payload: {
      status: "TIMED_OUT",
      result: { error: { message: "nobody answered", code: "WAIT_TIMEOUT", details: {} } },
      duration_ms: 30_000,
      context: { attempt },
    },
  },
  "event:TaskRetryScheduled": {
    ...inTask,
    payload: {
      status: "PENDING",
      context: { ...order, attempt: 2, delay_ms: 1000, original_error: refusal },
    },
  },
  "event:TaskExecutionSuccess": {
    ...inTask,
    payload: { status: "SUCCESS", result: answered, duration_ms: 980, context: { attempt } },
  },
  "event:TaskExecutionFailed": {
    ...inTask,
    payload: { status: "FAILED", result: failed, context: { attempt, retry_policy } },
  },
  "event:TaskExecutionCanceled": { ...inTask, payload: { status: "CANCELED", context: { attempt, reason } } },
  "event:TaskExecutionTimedOut": {
    ...inTask,
    payload: {
      status: "TIMED_OUT",
      result: { error: silence },
      context: { attempt, timeout_config, retry_policy },
    },
  },
} satisfies Partial<Examples>;

const callEvents = {
  "event:AgentExecutionStarted": {
    ...inAgent,
    agent_runtime,
    payload: { status: "RUNNING", context: { attempt } },
  },
  "event:AgentExecutionResult": {
    ...inAgent,
    payload: {
      status: "FAILED",
      agent_execution_status: "AGENT_ERROR",
      result: failed,
      duration_ms: 950,
      context: { attempt },
    },
  },
  "event:AgentExecutionFailed": {
    ...inAgent,
    payload: {
      status: "FAILED",
      result: {
        error: {
          message: "NATS request timed out waiting for AgentExecutionResult",
          code: "AGENT_INVOCATION_TIMEOUT",
          details: {},
        },
      },
      context: { attempt },
    },
  },
  "event:AgentDispatchFailed": {
    ...inAgent,
    payload: {
      status: "FAILED",
      result: {
        error: {
          message: "no runtime offers judge",
          code: "AGENT_DISPATCH_FAILED",
          details: { reason: "no_runtime" },
        },
      },
      context: { attempt },
    },
  },
  "event:AgentExecutionCanceled": {
    ...inAgent,
    payload: { status: "CANCELED", context: { attempt, reason } },
  },
  "event:ToolExecutionStarted": { ...inTool, payload: { status: "RUNNING", context: { attempt } } },
  "event:ToolExecutionSuccess": {
    ...inTool,
    payload: { status: "SUCCESS", result: { output: delivery }, duration_ms: 12, context: { attempt } },
  },
  "event:ToolExecutionFailed": {
    ...inTool,
    payload: {
      status: "FAILED",
      result: { error: { message: "no order A7", code: "TOOL_ERROR", details: noOrder } },
      context: { attempt },
    },
  },
  "event:ToolExecutionCanceled": { ...inTool, payload: { status: "CANCELED", context: { attempt, reason } } },
  "event:AgentRuntimeRegistered": {
    agent_runtime: { ...agent_runtime, capabilities: { agents: [agent.id], ...capable } },
    payload: { status: "REGISTERED", context: { heartbeat_ms: 5000, lease_ms: 15_000 } },
  },
  "event:AgentRuntimeDeregistered": {
    agent_runtime,
    payload: { status: "DEREGISTERED", context: { reason: "shutdown" } },
  },
} satisfies Partial<Examples>;

type Body<K extends Key> = Omit<Message<K>, "type">;
type Examples = { readonly [K in Key]: Body<K> };
const bodies: Examples = { ...commands, ...notices, ...workflowEvents, ...taskEvents, ...callEvents };

const examples = Object.fromEntries(keys.map((key) => [key, { type: key, ...bodies[key] }])) as {
  readonly [K in Key]: Message<K>;
};

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });

/** The example of a message as it travels. */
export function exampleOf(key: Key): { envelope: Envelope; encoded: Encoded } {
  const place = keys.indexOf(key);
  const [speaker] = entryOf(key).by;
  const source = speaker === undefined || speaker === "any" ? "TE" : speaker;
  const isRoot = source === "API" || entryOf(key).entity === "agent_runtime";
  const envelope: Envelope = wrap<Key>(examples[key], {
    id: id(100 + place),
    at: begin + place,
    correlationId,
    causationId: isRoot ? undefined : id(99 + place),
    source,
    instance: "1",
    createdBy: source === "API" ? person : undefined,
  });
  return { envelope, encoded: encode(envelope, key, subjects) };
}
