// An agent runtime in another process, as unreliable as its script says; after a death it comes back as a new one.
//
//   register ─▶ beat … order ─▶ ack ─▶ started ─▶ result          it may die, hang or lie at each arrow

import type { Key, Message } from "../../protocol/catalogue.ts";
import { encode, wrap } from "../../protocol/envelope.ts";
import { minter } from "../../protocol/ids.ts";
import type { SubjectCodec } from "../../protocol/subjects.ts";
import type { Transport } from "../../transport/transport.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { ForeignAct, Foreigner } from "./scenario.ts";

type Means = {
  clock: VirtualClock;
  random: () => number;
  subjects: SubjectCodec;
  /** A transport for one life. */
  transport: () => { transport: Transport; die: () => void };
  isCalm: () => boolean;
  beganAt: number;
};

type Sections = { workflow?: object; task?: object; agent: { id: string; exec_id: string } };
type Order = {
  metadata: { message_id: string; message_type: string; correlation_id: string };
  payload: { reply_to_subject?: string; context: { attempt: number } };
} & Sections;

const heartbeatMs = 5_000;
const leaseMs = 15_000;
const rebirthMs = 12_000;
const lateMs = 20_000;

export function beginForeigner(foreigner: Foreigner, means: Means): { end: () => void } {
  const { clock, isCalm, beganAt } = means;
  let orders = 0;
  let isEnded = false;
  let life = live();

  const later = (ms: number, act: () => void): void => void clock.alarm(clock.now() + ms, act);
  const actOf = (): ForeignAct => {
    const act = foreigner.acts[orders % foreigner.acts.length] ?? "answers";
    orders += 1;
    return isCalm() ? "answers" : act;
  };
  function live() {
    return liveOnce(foreigner, means, {
      next: () => actOf(),
      died: () =>
        later(rebirthMs, () => {
          if (!isEnded) life = live();
        }),
    });
  }
  if (foreigner.diesAt !== null) clock.alarm(beganAt + foreigner.diesAt, () => void (isCalm() || life.die()));
  return {
    end() {
      isEnded = true;
      life.die();
    },
  };
}

type Script = { next: () => ForeignAct; died: () => void };

function liveOnce({ id, agents, max, beatMs }: Foreigner, means: Means, script: Script): { die: () => void } {
  const { clock, random, subjects, isCalm } = means;
  const ids = minter(random);
  const own = { id, exec_id: ids.next(clock.now()) };
  const { transport, die: fallSilent } = means.transport();
  const connection = transport.connect({ name: id, onFault: () => undefined });
  let isDead = false;
  let beats = 0;
  const canceled = new Set<string>();

  const later = (ms: number, act: () => void): void => {
    clock.alarm(clock.now() + ms, () => {
      if (!isDead) act();
    });
  };
  function die(): void {
    if (isDead) return;
    isDead = true;
    fallSilent();
    script.died();
  }
  function says(word: object, correlationId: string, causationId?: string, to?: string): void {
    if (isDead) return;
    const message = word as Message;
    const origin = { id: ids.next(clock.now()), at: clock.now(), correlationId, causationId, source: "AR" as const };
    const { subject, bytes, headers } = encode(wrap(message, origin), message.type as Key, subjects, { to });
    void connection.publish(subject, bytes, { headers, ...(message.type.startsWith("event:") && { stored: true }) });
  }
  function register(): void {
    const capabilities = { agents, supported_providers: [], supported_models: [], max_concurrent_executions: max };
    const context = { heartbeat_ms: heartbeatMs, lease_ms: leaseMs };
    const payload = { status: "REGISTERED", result: null, context };
    says({ type: "event:AgentRuntimeRegistered", agent_runtime: { ...own, capabilities }, payload }, own.exec_id);
  }
  function beat(): void {
    beats += 1;
    const payload = { context: { seq: beats, in_flight: 0 } };
    says({ type: "progress:AgentRuntimeHeartbeat", agent_runtime: own, payload }, own.exec_id);
    later(isCalm() ? heartbeatMs : beatMs, beat);
  }

  function take(order: Order): void {
    const { metadata, payload, workflow, task, agent } = order;
    const { attempt } = payload.context;
    const sections: Sections = { ...(workflow && { workflow }), ...(task && { task }), agent };
    const { correlation_id: correlationId, message_id: cause } = metadata;
    const act = script.next();
    const acknowledge = (status: string, result: object | null): void =>
      says(
        { type: "result:CommandAck", agent_runtime: own, agent, payload: { status, result, context: { attempt } } },
        correlationId,
        cause,
      );
    const answer = (status: string, result: object): void => {
      const word = {
        type: "result:AgentExecutionResult",
        ...sections,
        payload: { status, result, context: { attempt } },
      };
      says(word, correlationId, cause, payload.reply_to_subject);
    };
    if (act === "refuses") {
      const error = { code: "AGENT_RUNTIME_BUSY", message: "no free slot", details: {} };
      return acknowledge("ERROR", { error });
    }
    if (act === "dies before started") return die();
    acknowledge("ACKNOWLEDGED", null);
    const context = { attempt };
    const started = {
      type: "event:AgentExecutionStarted",
      ...sections,
      agent_runtime: own,
      payload: { status: "RUNNING", result: null, context },
    };
    says(started, correlationId, cause);
    if (act === "dies after started") return later(50, die);
    if (act === "dies before its reply") return later(1_000, die);
    if (act === "hangs") return;
    const isDone = (): boolean => act !== "answers after cancel" && canceled.has(agent.exec_id);
    const reply = (): void => {
      if (isDone()) return;
      if (act === "fails") answer("AGENT_ERROR", { error: { code: "AGENT_ERROR", message: "it failed", details: {} } });
      else answer("SUCCESS", { output: { from: id } });
      if (act === "answers twice") later(10, () => answer("SUCCESS", { output: { from: id, again: true } }));
    };
    if (act === "sends wrong bytes" && payload.reply_to_subject) {
      void connection.publish(payload.reply_to_subject, new TextEncoder().encode('{"metadata":'), {});
    }
    later(act === "answers late" || act === "answers after cancel" ? lateMs : 200, reply);
  }
  function stop({ metadata, payload, agent }: Order): void {
    canceled.add(agent.exec_id);
    const { correlation_id: correlationId, message_id: cause } = metadata;
    const { attempt } = payload.context;
    const acknowledged = { status: "ACKNOWLEDGED", result: null, context: { attempt } };
    says({ type: "result:CommandAck", agent_runtime: own, agent, payload: acknowledged }, correlationId, cause);
  }

  connection.subscribe(
    subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: own.exec_id }),
    ({ bytes }) => {
      const order = JSON.parse(new TextDecoder().decode(bytes)) as Order;
      if (order.metadata.message_type === "AgentRuntimeExecute") take(order);
      else if (order.metadata.message_type === "AgentRuntimeCancel") stop(order);
    },
  );
  // A dispatcher that does not know it says so.
  const unknown = subjects.patternOf({ key: "event:AgentRuntimeDeregistered", params: { rt: own.exec_id } });
  connection.subscribe(unknown, () => later(100, register));
  register();
  later(beatMs, beat);
  return { die };
}
