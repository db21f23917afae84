// How the golden flows of workflows are provoked.

import type { Word } from "../../../src/actors/component.ts";
import { ask, look, workflow, agent, tool, ok, starts, oneTool, slow, swift, fails, type Scene } from "../scene.ts";
import { takes, type VirtualTroupe } from "../virtual-troupe.ts";

/** A client that speaks to the orchestrator itself. */
const orders = ({ troupe, subjects }: VirtualTroupe, workflowId: string, execId: string): void => {
  // Of a run that is under way it is the correlation id already.
  const correlationId = troupe.system.run(execId)?.correlationId ?? troupe.system.id();
  const answered = { type: "result:CommandAck", workflow: { id: workflowId, exec_id: execId } } as never;
  const reply_to_subject = subjects.subjectOf(answered, { correlation_id: correlationId, source_component: "" });
  const payload = { reply_to_subject, context: { input: {}, trigger_type: "api" } };
  const word = { type: "command:WorkflowExecute", workflow: { id: workflowId, exec_id: execId }, payload };
  troupe.system.tell(execId, "API", word as unknown as Word, { correlationId });
};

export const workflowScenes: Record<string, Scene> = {
  "workflow-1-success": { given: oneTool(swift), direct: starts },
  "workflow-2-complex-success": {
    given: () => ({
      agents: agent(() => ({ text: "x" })),
      tools: tool(ok),
      workflows: [
        workflow([
          { ...ask, id: "a", next: "b" },
          { ...look, id: "b", with: { text: "${{ tasks.a.output.text }}" } },
        ]),
      ],
    }),
    direct: starts,
  },
  "workflow-3-task-failure": { given: oneTool(fails("NOT_FOUND")), direct: starts },
  "workflow-4-cancel": {
    given: oneTool(slow(20_000), { timeout: "30s" }),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:ToolExecutionStarted");
      stage.given(stage.troupe.cancel(execId, "stop"));
    },
  },
  "workflow-5-timeout": { given: oneTool(slow(20_000), { timeout: "30s" }, { timeout: "1s" }), direct: starts },
  "workflow-6-wait-resume": {
    given: oneTool(swift, { pause_before: "check the figures" }),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:WorkflowExecutionPaused");
      stage.given(stage.troupe.resume(execId, { checked: true }));
    },
  },
  "workflow-7-pause-resume": {
    given: (clock) => ({
      tools: tool(takes(clock, 1_000)),
      workflows: [
        workflow([
          { ...look, id: "a", next: "b" },
          { ...look, id: "b" },
        ]),
      ],
    }),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:TaskExecutionStarted");
      stage.given(stage.troupe.pause(execId, "hold"));
      await stage.until("event:TaskExecutionSuccess");
      await stage.pass(500);
      stage.given(stage.troupe.resume(execId));
    },
  },
  "workflow-8-duplicate-execute": {
    given: oneTool(slow(1_000)),
    direct: async (stage) => {
      const execId = stage.troupe.system.id();
      orders(stage, "shop", execId);
      await stage.until("event:WorkflowExecutionStarted");
      orders(stage, "shop", execId);
    },
  },
  "workflow-9-resume-not-waiting": {
    given: oneTool(slow(1_000)),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:TaskExecutionStarted");
      stage.given(stage.troupe.resume(execId, {}));
    },
  },
  "workflow-10-signal": {
    given: () => ({ workflows: [workflow([{ id: "go", type: "wait", wait: { signal: "go" }, timeout: "1h" }])] }),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:TaskWaitingStarted");
      stage.given(stage.troupe.signal(execId, "go", { n: 1 }));
    },
  },
  "workflow-11-declined": { direct: (stage) => orders(stage, "nope", stage.troupe.system.id()) },
};
