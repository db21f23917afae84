// An agent runtime in another process, played by a test: it registers, begins what it is given, and answers or not.

import type { Word } from "../../src/actors/component.ts";
import type { Key, Message } from "../../src/protocol/catalogue.ts";
import { encode, wrap } from "../../src/protocol/envelope.ts";
import type { Line, VirtualTroupe } from "./virtual-troupe.ts";

export function foreignRuntime(
  { troupe, client, clock, subjects }: VirtualTroupe,
  { agents, leaseMs = 15_000 }: { agents: string[]; leaseMs?: number },
) {
  const own = { id: "far", exec_id: troupe.system.id() };

  /** On the transport, if there is one; else right into the system. */
  function says(run: string, word: object, correlationId: string, causationId?: string, to?: string): void {
    if (!client) return void troupe.system.tell(run, "AR", { ...word, ...(to !== undefined && { to }) } as Word);
    const message = word as Message;
    const origin = { id: troupe.system.id(), at: clock.now(), correlationId, causationId, source: "AR" as const };
    const { subject, bytes, headers } = encode(wrap(message, origin), message.type as Key, subjects, { to });
    void client.publish(subject, bytes, { headers });
  }

  client?.subscribe(
    subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: own.exec_id }),
    // What is to be done the test sees itself.
    () => undefined,
  );
  const capabilities = { agents, supported_providers: [], supported_models: [], max_concurrent_executions: 4 };
  const registered = {
    type: "event:AgentRuntimeRegistered",
    agent_runtime: { ...own, capabilities },
    payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: 5_000, lease_ms: leaseMs } },
  };
  says(own.exec_id, registered, own.exec_id);

  const orderOf = ({ word }: Line) => {
    const { workflow, task, agent } = word;
    const { context, reply_to_subject } = word["payload"] as { context: { attempt: number }; reply_to_subject: string };
    const { attempt } = context;
    return { sections: { ...(workflow && { workflow }), ...(task && { task }), agent }, attempt, reply_to_subject };
  };
  return {
    /** Takes an order, and says that it has begun. */
    begin(line: Line): void {
      const { sections, attempt } = orderOf(line);
      const acknowledged = {
        type: "result:CommandAck",
        agent_runtime: own,
        agent: sections.agent,
        payload: { status: "ACKNOWLEDGED", result: null, context: { attempt } },
      };
      says(line.run, acknowledged, line.correlationId, line.id);
      const started = {
        type: "event:AgentExecutionStarted",
        ...sections,
        agent_runtime: own,
        payload: { status: "RUNNING", result: null, context: { attempt } },
      };
      says(line.run, started, line.correlationId, line.id);
    },
    answer(line: Line, output: object): void {
      const { sections, attempt, reply_to_subject } = orderOf(line);
      const payload = { status: "SUCCESS", result: { output }, context: { attempt } };
      const result = { type: "result:AgentExecutionResult", ...sections, payload };
      says(line.run, result, line.correlationId, line.id, reply_to_subject);
    },
  };
}
