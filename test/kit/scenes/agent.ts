// How the golden flows of agents are provoked.

import { foreignRuntime } from "../foreign-runtime.ts";
import { workflow, throws, agent, ok, asks, oneAgent, slow, type Scene } from "../scene.ts";
import { allRoles, takes, type Line } from "../virtual-troupe.ts";

const isRegistration = ({ word }: Line): boolean => word.type === "event:AgentRuntimeRegistered";

export const agentScenes: Record<string, Scene> = {
  "agent-1-success": {
    given: () => ({
      agents: agent((input) => ({ text: (input as { user_request: string }).user_request }), "echo"),
    }),
    direct: asks("echo"),
  },
  "agent-2-agent-error": { given: () => ({ agents: agent(throws("REFUSED"), "broken") }), direct: asks("broken") },
  "agent-3-invocation-timeout": {
    given: (clock) => ({ agents: agent(takes(clock, 10_000), "slow", { timeoutMs: 1_000 }) }),
    direct: asks("slow"),
  },
  "agent-4-dispatch-failed": { direct: asks("gpu"), watchMs: 1_000 },
  "agent-5-runtime-registration": {
    // The runtime of the process itself: it registers again with one agent more, and goes with the process.
    direct: async (stage) => {
      const runtime = stage.processOf("agent-runtime");
      if (!stage.lines.some(isRegistration)) await runtime.define({ agents: agent(ok, "echo") });
      await stage.pass(5_000);
      void runtime.stop();
    },
  },
  "agent-6-late-result": {
    given: () => ({ workflows: [workflow([{ id: "ask", type: "agent", agent: "late", timeout: "1s" }])] }),
    direct: async (stage) => {
      const runtime = foreignRuntime(stage, { agents: ["late"] });
      await stage.pass(1);
      stage.troupe.start("shop");
      const order = await stage.until("command:AgentRuntimeExecute");
      runtime.begin(order);
      await stage.pass(1_500);
      runtime.answer(order, { text: "too late" });
    },
    watchMs: 5_000,
  },
  "agent-7-cancel": {
    // In a run by itself the agent has the id of its task, and a cancel of that id is one of the task.
    given: oneAgent(slow(10_000)),
    direct: async (stage) => {
      stage.troupe.start("shop");
      const { word } = await stage.until("event:AgentExecutionStarted");
      stage.given(stage.troupe.cancel(word.agent?.exec_id ?? "", "not needed"));
    },
  },
  "agent-8-no-responders": {
    given: () => ({ agents: agent(ok, "echo") }),
    direct: asks("echo"),
    processes: [allRoles.filter((role) => role !== "agent-dispatcher")],
    // At once, not after the timeout.
    watchMs: 1,
  },
  "agent-9-runtime-lost": {
    direct: async (stage) => {
      const runtime = foreignRuntime(stage, { agents: ["slow"], leaseMs: 2_000 });
      await stage.pass(1);
      stage.troupe.startOne({ agent: "slow" }, { user_request: "hi" });
      runtime.begin(await stage.until("command:AgentRuntimeExecute"));
      // It never beats: from its own word on, nothing more is heard of it.
    },
  },
};
