// How the golden flows of a client on the transport are provoked: it writes its bytes by hand.

import { agent, ok, oneTool, swift, type Scene } from "../scene.ts";
import { allRoles, type VirtualTroupe } from "../virtual-troupe.ts";

type Content = (id: () => string) => { message_type: string; payload: object; [section: string]: unknown };
const agentOrder =
  (message_type: string): Content =>
  (id) => ({
    message_type,
    workflow: { id: "w1", exec_id: id() },
    task: { id: "t1", exec_id: id() },
    agent: { id: "a1", exec_id: id() },
    payload: { context: { attempt: 1, input: {}, timeout_config: { timeout_duration_ms: 30_000 } } },
  });

/** A client writes an envelope by hand, and waits for an answer in its inbox. */
function publishes({ troupe, client, clock }: VirtualTroupe, subject: string, content: Content): void {
  const id = (): string => troupe.system.id();
  const { message_type, ...said } = content(id);
  const metadata = {
    message_id: id(),
    message_type,
    correlation_id: id(),
    event_timestamp: new Date(clock.now()).toISOString(),
    source_component: "api.Service:client",
  };
  const reply = "_INBOX.client";
  client?.subscribe(reply, () => undefined);
  const bytes = new TextEncoder().encode(JSON.stringify({ metadata, ...said }));
  const isStored = subject.startsWith("compozy.commands.workflow");
  void client?.publish(subject, bytes, { headers: {}, ...(isStored ? { stored: true } : { reply }) });
}

export const busScenes: Record<string, Scene> = {
  "bus-1-unknown-type": {
    given: () => ({ agents: agent(ok, "a1") }),
    direct: (stage) => publishes(stage, "compozy.commands.agent.w1.explode.a1", agentOrder("AgentExplode")),
    processes: [allRoles],
    isForClients: true,
  },
  "bus-2-type-mismatch": {
    given: () => ({ agents: agent(ok, "a1") }),
    direct: (stage) => publishes(stage, "compozy.commands.agent.w1.trigger.a1", agentOrder("ToolExecute")),
    processes: [allRoles],
    isForClients: true,
  },
  "bus-3-declared-alias": {
    given: oneTool(swift),
    direct: (stage) => {
      const execId = stage.troupe.system.id();
      const workflow_ = { id: "shop", exec_id: execId };
      const context = { input: {}, trigger_type: "api" };
      const payload = { reply_to_subject: `compozy.results.workflow.${execId}`, context };
      const said = { message_type: "WorkflowTrigger", workflow: workflow_, payload };
      publishes(stage, "compozy.commands.workflow.trigger.shop", () => said);
    },
    processes: [allRoles],
    isForClients: true,
  },
};
