// The end of a run whose charts broke: everything open in it is reported as failed, and nothing of it is left.

import type { Message } from "../protocol/catalogue.ts";
import { as, type Heard, type Host, type Word } from "./component.ts";

type Broken = { code: "INTERNAL_ERROR"; message: string; details: Record<string, unknown> };

const failedEvents = {
  workflow: { key: "event:WorkflowExecutionFailed", by: "WO" },
  task: { key: "event:TaskExecutionFailed", by: "WO" },
  agent: { key: "event:AgentExecutionFailed", by: "TE" },
  tool: { key: "event:ToolExecutionFailed", by: "TE" },
} as const;

const attempts = { max_attempts: 1, backoff: { initial_ms: 0, factor: 1, max_ms: 0, jitter: 0 } };

/** Innermost first, so that nothing outlives what contains it. `order` is what it broke on, if it had not begun. */
export function collapse(host: Host, error: Broken, order?: Heard): void {
  const { run, world } = host;
  for (const [address, actor] of Array.from(run.actors)) {
    run.actors.delete(address);
    world.ended(run, address, actor);
  }
  host.effect(() => world.handlers.abandon(run.id, error.message));
  if (order) refuse(host, error, order);
  for (const { execId, id, entity, status, attempt, parents, isOpen } of [...run.executions.values()].reverse()) {
    if (!isOpen || entity === "agent_runtime") continue;
    const { key, by } = failedEvents[entity];
    const own = { ...parents, [entity]: { id, exec_id: execId } } as Partial<Word>;
    if (entity === "workflow" && status === "PAUSED") {
      const context = { resumed_by: "workflow.Orchestrator" };
      host.say("WO", {
        type: "event:WorkflowExecutionResumed",
        ...own,
        payload: { status: "RUNNING", result: null, duration_ms: 0, context },
      });
    }
    const context =
      entity === "workflow"
        ? {}
        : { attempt: Math.max(1, attempt), ...(entity === "task" && { retry_policy: attempts }) };
    host.say(by, { type: key, ...own, payload: { status: "FAILED", result: { error }, context } });
  }
}

/** Nothing is known of the run but its order: whoever gave it is told. */
function refuse(host: Host, error: Broken, { word, run: sender }: Heard): void {
  const { id: runId } = host.run;
  // It may have asked for a slot before it broke.
  host.effect(() => host.world.slots.abandon(runId));
  const payload = { status: "FAILED", result: { error } };
  if (word.type === "command:TaskTrigger") {
    const context = { attempt: 1, retry_policy: attempts };
    host.say("WO", { type: "event:TaskExecutionFailed", task: word.task, payload: { ...payload, context } });
  }
  if (word.type !== "command:WorkflowExecute" || word.workflow?.exec_id !== runId) return;
  const given = as<Message<"command:WorkflowExecute">>(word);
  const { parent_exec_id, labels } = given.payload.context as {
    parent_exec_id?: string;
    labels?: Record<string, string>;
  };
  host.note("order", given);
  host.note("labels", labels ?? null);
  if (parent_exec_id !== undefined && sender !== "") host.note("parent", { run: sender, task: parent_exec_id });
  host.say("WO", {
    type: "event:WorkflowExecutionFailed",
    workflow: word.workflow,
    payload: { ...payload, context: {} },
  });
}
