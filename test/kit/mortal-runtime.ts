// An agent runtime of another make, as a process of its own that dies where it is told to: a NATS client and JSON.
//
//   order ─ died? ─▶ acknowledges ─ died? ─▶ started ─ died? ─▶ result ─ died?
//
// Run by its path with { servers, seed, prefix, id, dies } as its argument. It says `ready` to its parent, and `begun`
// with the execution for each order that it has begun to work at.

import { randomUUID } from "node:crypto";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

export type MortalOrders = {
  servers: string;
  seed: string;
  prefix: string;
  id: string;
  /** Where it dies, in its first order; nowhere if it says `never`. */
  dies: "before" | "acknowledged" | "started" | "answered" | "never";
  leaseMs: number;
};
export type MortalTold = { told: "ready" } | { told: "begun"; execId: string };

type Body = {
  metadata: { message_id: string; correlation_id: string };
  agent: { id: string; exec_id: string };
  payload: { reply_to_subject: string; context: { attempt: number } };
} & Record<string, unknown>;

const { servers, seed, prefix, id, dies, leaseMs } = JSON.parse(process.argv[2] ?? "{}") as MortalOrders;
const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
const connection = await connect({ servers, authenticator, maxReconnectAttempts: -1 });
const tell = (told: MortalTold): void => void process.send?.(told);
const own = { id: "mortal", exec_id: id };

process.on("disconnect", () => process.exit(0));

function metadataOf(order?: Body): Record<string, string> {
  return {
    message_id: randomUUID(),
    correlation_id: order?.metadata.correlation_id ?? id,
    ...(order && { causation_id: order.metadata.message_id }),
    event_timestamp: new Date().toISOString(),
    source_component: "agent.Runtime:mortal",
  };
}
const say = (subject: string, body: object): void => connection.publish(subject, JSON.stringify(body));

/** Dies once all that it has said has arrived, as a crash right after would. */
async function dieAt(point: MortalOrders["dies"]): Promise<void> {
  if (dies !== point) return;
  await connection.flush();
  process.kill(process.pid, "SIGKILL");
}

async function work(order: Body, reply: string): Promise<void> {
  const { workflow, task, agent, payload } = order;
  const about = { workflow, task, agent };
  const context = { attempt: payload.context.attempt };
  const of = (message_type: string) => ({ ...metadataOf(order), message_type });
  await dieAt("before");
  const acknowledged = { status: "ACKNOWLEDGED", result: null, context };
  say(reply, { metadata: of("CommandAck"), agent_runtime: own, agent, payload: acknowledged });
  await dieAt("acknowledged");
  const running = { status: "RUNNING", result: null, context };
  const startedAt = `${prefix}.events.agent.instance.${agent.exec_id}.started`;
  say(startedAt, { metadata: of("AgentExecutionStarted"), ...about, agent_runtime: own, payload: running });
  tell({ told: "begun", execId: agent.exec_id });
  await dieAt("started");
  const answered = { status: "SUCCESS", result: { output: { by: id } }, context };
  say(payload.reply_to_subject, { metadata: of("AgentExecutionResult"), ...about, payload: answered });
  await dieAt("answered");
}

connection.subscribe(`${prefix}.commands.agent_runtime.${id}.execute.*`, {
  callback: (_error, message) => void work(message.json<Body>(), message.reply ?? ""),
});
const capabilities = {
  agents: ["clerk"],
  supported_providers: [],
  supported_models: [],
  max_concurrent_executions: 8,
};
const beatMs = leaseMs / 3;
say(`${prefix}.events.agent_runtime.instance.${id}.registered`, {
  metadata: { ...metadataOf(), message_type: "AgentRuntimeRegistered" },
  agent_runtime: { ...own, capabilities },
  payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: beatMs, lease_ms: leaseMs } },
});
let seq = 0;
const beat = (): void => {
  seq += 1;
  const payload = { context: { seq, in_flight: 0 } };
  const metadata = { ...metadataOf(), message_type: "AgentRuntimeHeartbeat" };
  say(`${prefix}.heartbeats.agent_runtime.${id}`, { metadata, agent_runtime: own, payload });
};
setInterval(beat, beatMs);
beat();
await connection.flush();
tell({ told: "ready" });
