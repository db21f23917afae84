// Troupes on one transport in memory under one clock that stands still, and peers that speak raw bytes to them.
//
// Nothing sleeps: `until` lets what is due in this instant happen, and only then goes on to the next alarm.

import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { Options } from "../../src/runtime/options.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import type { Connection, Delivery, Transport } from "../../src/transport/transport.ts";

export type Body = Record<string, unknown>;
export type Line = { level: string; message: string; fields: Readonly<Record<string, unknown>> };

const began = Date.parse("2026-11-21T09:00:00.000Z");
const turnsMax = 5_000;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export const jsonOf = ({ bytes }: { bytes: Uint8Array }): Body => JSON.parse(decoder.decode(bytes)) as Body;
export const bytesOf = (body: unknown): Uint8Array =>
  encoder.encode(typeof body === "string" ? body : JSON.stringify(body));

/** Looks into JSON by a path. */
export const at = (body: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((value, field) => (Object(value) as Body)[field], body);

/** A lower-case UUID of version 7 that ends in a number. */
export const uuid = (n: number): string => `019900aa-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;

/** Lets everything happen that is due now. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 300; turn++) await Promise.resolve();
}

export type Stage = ReturnType<typeof stage>;

export function stage({ transport: wrap = (inner: Transport): Transport => inner } = {}) {
  const clock = virtualClock(began);
  const inner = memoryTransport({ clock, random: randomFrom(7) });
  const made: Connection[] = [];
  const transport = noting(wrap(inner), made);
  const log: Line[] = [];
  const seen: Delivery[] = [];
  let peers = 0;
  let messages = 0;
  let troupes = 0;

  const connect = (): Connection => {
    peers += 1;
    return inner.connect({
      name: `peer-${peers}`,
      onFault: (error) => {
        throw error;
      },
    });
  };
  /** Everything that travels, as an outsider sees it. */
  const watch = (pattern = "compozy.>"): Delivery[] => {
    connect().subscribe(pattern, (delivery) => void seen.push(delivery));
    return seen;
  };

  return {
    clock,
    transport,
    inner,
    log,
    connect,
    watch,
    /** A process dies: nobody hears from it any more. The first that was opened is 0. */
    cut: (index: number): Promise<void> | undefined => made[index]?.close(),
    async open(options: Options = {}) {
      troupes += 1;
      const opened = await troupe({
        clock,
        transport,
        random: randomFrom(troupes),
        log: (level, message, fields) => void log.push({ level, message, fields }),
        ...options,
      });
      await rest();
      return opened;
    },
    metadata: (more: Body = {}): Body => {
      messages += 1;
      return {
        message_id: uuid(messages),
        correlation_id: uuid(0xc0),
        event_timestamp: new Date(clock.now()).toISOString(),
        source_component: "python.worker",
        ...more,
      };
    },
    /** Goes on until the promise is settled. */
    async until<T>(promise: Promise<T>): Promise<T> {
      let isOver = false;
      const end = (): void => {
        isOver = true;
      };
      promise.then(end, end);
      for (let turn = 0; turn < turnsMax; turn++) {
        await rest();
        if (isOver) return promise;
        clock.next();
      }
      throw new Error(`nothing came of it within ${turnsMax} alarms: ${JSON.stringify(log)}`);
    },
    /** Lets so much time pass. */
    async pass(ms: number): Promise<void> {
      const end = clock.now() + ms;
      for (let due = clock.nextAt(); due !== null && due <= end; due = clock.nextAt()) {
        clock.next();
        await rest();
      }
      clock.advanceTo(end);
      await rest();
    },
    /** What was published on subjects that end so, as JSON. */
    heard: (ending: string): Body[] => seen.filter(({ subject }) => subject.endsWith(ending)).map(jsonOf),
  };
}

/** A transport that notes its connections, so that one can be cut. */
const noting = (transport: Transport, made: Connection[]): Transport => ({
  connect(options) {
    const connection = transport.connect(options);
    made.push(connection);
    return connection;
  },
});

export type Foreign = {
  connection: Connection;
  orders: Body[];
  cancels: Body[];
  say(subject: string, body: unknown, reply?: string): void;
  /** Says something of an order, with the ids that it came with. */
  about(order: Body, type: string, payload: Body): Body;
  beat(): void;
};

export const runtimeId = uuid(0xa9);

/** A runtime of another language: it knows subjects and JSON, and nothing of this code. */
export function foreignRuntime(
  { clock, connect, metadata }: Stage,
  act: (order: Body, foreign: Foreign, reply: string) => void,
  agents: readonly string[] = ["oracle"],
): Foreign {
  const connection = connect();
  let seq = 0;
  const agent_runtime = { id: "python", exec_id: runtimeId };
  const foreign: Foreign = {
    connection,
    orders: [],
    cancels: [],
    say: (subject, body, reply) =>
      void connection.publish(subject, bytesOf(body), reply === undefined ? {} : { reply }),
    about: ({ metadata: origin, workflow, task, agent }, message_type, payload) => ({
      metadata: metadata({ message_type, correlation_id: at(origin, "correlation_id") }),
      ...(workflow !== undefined && { workflow }),
      ...(task !== undefined && { task }),
      agent,
      payload,
    }),
    beat() {
      seq += 1;
      const payload = { context: { seq, in_flight: 0 } };
      foreign.say(`compozy.heartbeats.agent_runtime.${runtimeId}`, { metadata: metadata(), agent_runtime, payload });
    },
  };
  connection.subscribe(`compozy.commands.agent_runtime.${runtimeId}.execute.*`, (delivery) => {
    const order = jsonOf(delivery);
    foreign.orders.push(order);
    act(order, foreign, delivery.reply ?? "");
  });
  connection.subscribe(`compozy.commands.agent_runtime.${runtimeId}.cancel.*`, (delivery) => {
    foreign.cancels.push(jsonOf(delivery));
  });
  const capabilities = {
    agents,
    supported_providers: [],
    supported_models: [],
    max_concurrent_executions: 4,
  };
  foreign.say(`compozy.events.agent_runtime.instance.${runtimeId}.registered`, {
    metadata: metadata({ message_type: "AgentRuntimeRegistered" }),
    agent_runtime: { ...agent_runtime, capabilities },
    payload: { status: "REGISTERED", result: null, context: { heartbeat_ms: 5_000, lease_ms: 15_000 } },
  });
  const beats = (): void => {
    if (!connection.connected()) return;
    foreign.beat();
    clock.alarm(clock.now() + 5_000, beats);
  };
  beats();
  return foreign;
}

export const acknowledge = (order: Body, foreign: Foreign, reply: string): void =>
  foreign.say(reply, foreign.about(order, "CommandAck", { status: "ACKNOWLEDGED", context: {} }));

export const started = (order: Body, foreign: Foreign): void =>
  foreign.say(`compozy.events.agent.instance.${String(at(order, "agent.exec_id"))}.started`, {
    ...foreign.about(order, "AgentExecutionStarted", { status: "RUNNING", context: { attempt: 1 } }),
    agent_runtime: { id: "python", exec_id: runtimeId },
  });

export const answer = (order: Body, foreign: Foreign, output: Body, more: Body = {}): void => {
  const payload = { status: "SUCCESS", result: { output }, context: { attempt: 1 } };
  const body = { ...foreign.about(order, "AgentExecutionResult", payload), ...more };
  foreign.say(String(at(order, "payload.reply_to_subject")), body);
};
