// A stage over a real NATS server: each component of a scene in a process of its own, and a plain client that listens.
//
//   what is due is done ─▶ all is quiet: every process, the wire, what streams still have to give ─▶ the next alarm
//
// A server knows no virtual time. But whoever waits for nothing but an alarm does not care how long it takes: so the
// clocks of all processes go on, together, to the next alarm of any of them, once nobody has anything left to do.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { systemClock } from "../../src/actors/clock.ts";
import { fromUnknown } from "../../src/protocol/errors.ts";
import type { Layout } from "../../src/protocol/layouts.ts";
import { type SubjectCodec, subjectCodec } from "../../src/protocol/subjects.ts";
import type { Committed } from "../../src/actors/system.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";
import { deliveryOf } from "../../src/transport/nats-message.ts";
import { covers } from "../../src/transport/nats-patterns.ts";
import { streamsOf } from "../../src/transport/nats-streams.ts";
import type { Connection } from "../../src/transport/transport.ts";
import { openNats } from "../../src/transport/nats.ts";
import { scenes } from "./flow-scenes.ts";
import { settled } from "./passing.ts";
import { openPlayer, type Seat, streamBytes, type Turn } from "./player.ts";
import type { RoleAsk } from "./role-process.ts";
import { clientName, lineOf, lineOfClient } from "./tapped-transport.ts";
import { allRoles, type Line, type VirtualTroupe } from "./virtual-troupe.ts";

const program = fileURLToPath(new URL("./role-process.ts", import.meta.url));
const runtime = "agent-runtime";
const hourMs = 3_600_000;
const watchMs = 20_000;
/** A process is still when it stands twice where it stood. */
const stillTurns = 2;
/** More than any scene needs: only what never comes to rest takes so many. */
const turnsMax = 2_000;

/** A process with one role, which plays its part in many scenes at a time. */
export function roleProcess() {
  const child: ChildProcess = spawn(process.execPath, [program], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let number = 0;
  let said = "";
  child.stderr?.on("data", (text: Buffer) => (said += String(text)));
  child.on("message", (told: { number: number; answer?: unknown; error?: string }) => {
    const one = waiting.get(told.number);
    waiting.delete(told.number);
    if (told.error === undefined) one?.resolve(told.answer);
    else one?.reject(new Error(told.error));
  });
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => {
      for (const { reject } of waiting.values()) reject(new Error(`the process has ended: ${said}`));
      resolve();
    });
  });
  return {
    /** What it complained of: an error that nobody caught ends it. */
    said: () => said,
    ask(request: RoleAsk): Promise<unknown> {
      number += 1;
      const one = Promise.withResolvers<unknown>();
      waiting.set(number, one);
      child.send({ number, ...request }, (error) => error && one.reject(error));
      return one.promise;
    },
    async end(): Promise<void> {
      child.kill();
      await gone;
    },
  };
}

export type RoleProcess = ReturnType<typeof roleProcess>;
export type Company = ReadonlyMap<string, RoleProcess>;

export type NatsScene = {
  lines: readonly Line[];
  /** Whether all of them were heard on the wire. */
  isWhole: boolean;
  troupe: Troupe;
  answers: readonly string[];
  errors: string[];
};

/** Plays a scene to its end, each role where it lives; gives what the listener heard. */
export async function playOnNats(
  scene: string,
  layout: Layout,
  server: Seat["server"],
  company: Company,
  judge: (played: NatsScene) => void,
): Promise<void> {
  const seatOf = (roles: readonly string[]): Seat => ({
    play: `${scene}/${layout}`,
    scene,
    roles,
    layout,
    server,
  });
  const { processes } = scenes[scene] ?? {};
  const others = processes ? [] : allRoles.slice(1);
  const stage = await openStage(scene, layout, server, seatOf, processes?.[0] ?? allRoles.slice(0, 1), others, company);
  try {
    // A runtime is known by then.
    await stage.virtual.pass(0);
    await scenes[scene]?.direct(stage.virtual);
    await stage.virtual.pass(scenes[scene]?.watchMs ?? watchMs);
    judge(stage.played());
  } finally {
    await stage.close();
  }
}

async function openStage(
  scene: string,
  layout: Layout,
  server: Seat["server"],
  seatOf: (roles: readonly string[]) => Seat,
  roles: readonly string[],
  others: readonly string[],
  company: Company,
) {
  const { play } = seatOf(roles);
  const listener = await connect(server);
  const lines: Line[] = [];
  const subjects = subjectCodec({ prefix: "compozy", layout });
  await listen(listener, isForNobody(scene) ? unowned(subjects) : everything, lines);
  const player = await openPlayer(seatOf(roles));
  const { clock } = player;
  if (isForNobody(scene)) player.troupe.subscribe((committed) => lines.push(...triggers(committed)));
  // Whom a runtime tells of itself is there before it.
  const open = async (role: string) => company.get(role)?.ask({ ask: "open", seat: seatOf([role]) });
  await Promise.all(others.filter((role) => role !== runtime).map(open));
  await Promise.all(others.filter((role) => role === runtime).map(open));
  const manager = await jetstreamManager(listener, { checkAPI: false });
  const client = await clientOn(server, layout);
  let errors: readonly string[] = [];

  /** Everybody has a turn, and goes on to a time first; gives whether it was a turn in which nothing happened. */
  async function turns(to: number | null): Promise<{ standing: string; nextAt: number; isIdle: boolean }> {
    const all = await Promise.all([
      player.turn(to),
      ...others.map((role) => company.get(role)?.ask({ ask: "turn", play, to }) as Promise<Turn>),
    ]);
    await client.settled();
    await listener.flush();
    errors = all.flatMap((turn) => turn.errors);
    return {
      standing: [lines.length, ...all.map(({ standing }) => standing)].join(" "),
      nextAt: Math.min(...all.map(({ nextAt }) => nextAt ?? Infinity)),
      isIdle: all.every(({ isIdle }) => isIdle),
    };
  }

  /** Until nobody has anything left to do but to wait; gives the time of the next alarm. */
  async function still(to: number | null = null): Promise<number> {
    let last = await turns(to);
    let same = 0;
    for (let count = 0; count < turnsMax; count++) {
      const now = await turns(null);
      same = now.isIdle && now.standing === last.standing ? same + 1 : 0;
      last = now;
      if (same < stillTurns) continue;
      if (await isGiven(manager)) return now.nextAt;
      same = 0;
    }
    throw new Error(`'${scene}' does not come to rest: ${last.standing}`);
  }

  async function pass(ms: number): Promise<void> {
    const until = clock.now() + ms;
    for (let next = await still(); next <= until; next = await still(next));
    await still(until);
  }

  async function until(type: string, times = 1): Promise<Line> {
    const limit = clock.now() + hourMs;
    for (let next = await still(); ; next = await still(next)) {
      const found = lines.filter(({ word }) => word.type === type)[times - 1];
      if (found) return found;
      if (next > limit) throw new Error(`nobody said '${type}' within an hour`);
    }
  }

  const answers: string[] = [];
  const given = (promise: Promise<unknown>): void =>
    void promise.then(
      () => answers.push("well"),
      (error: unknown) => answers.push(fromUnknown(error).code),
    );
  /** Of a troupe in another process a scene can only end it. */
  const processOf = (role: string): Troupe =>
    others.includes(role)
      ? ({ stop: async () => company.get(role)?.ask({ ask: "leave", play }) } as unknown as Troupe)
      : player.troupe;
  const virtual: VirtualTroupe = {
    troupe: player.troupe,
    processOf,
    client: client.connection,
    clock,
    subjects,
    lines,
    pass,
    answers,
    given,
    until,
    kill(run, by) {
      player.kill(run, by);
      for (const role of others) void company.get(role)?.ask({ ask: "kill", play, run, by });
    },
  };
  return {
    virtual,
    played: (): NatsScene => ({
      lines,
      isWhole: !isForNobody(scene),
      troupe: player.troupe,
      answers,
      errors: [...errors],
    }),
    async close(): Promise<void> {
      await Promise.all(others.map(async (role) => company.get(role)?.ask({ ask: "close", play })));
      await player.close();
      await client.close();
      await listener.close();
    },
  };
}

/** All of the protocol, and the inboxes of our own; no subject is of two of these. */
const everything = ["compozy.>", "*.*", "_INBOX.*.*"];
const ours = /^_INBOX(?:\.client$|\.[\da-f-]{36}\.|_[\da-f-]{36}\.)/;

/** Where nobody may hear a command, the listener may not either: it would be somebody. */
const isForNobody = (scene: string): boolean => scene === "agent-8-no-responders";
const unowned = (subjects: SubjectCodec): string[] => [
  subjects.patternOf({ whole: "events" }),
  subjects.patternOf({ kind: "result", entity: "agent" }),
];
/** What the listener may not hear, as whoever said it wrote it down. */
const triggers = ({ run, correlationId, at, said }: Committed): Line[] =>
  said.filter(({ word }) => word.type === "command:TriggerAgent").map((one) => ({ ...one, run, correlationId, at }));

/** A plain client of the server, with nothing of ours but the reader of bytes. */
async function listen(listener: NatsConnection, patterns: readonly string[], lines: Line[]): Promise<void> {
  for (const pattern of patterns) {
    listener.subscribe(pattern, {
      callback(error, message) {
        if (error) throw error;
        // What streams give to those who wait comes by inboxes too, with the subject that it had.
        const isInbox = pattern === "*.*" || pattern.startsWith("_INBOX");
        if (isInbox && !ours.test(message.subject)) return;
        const { subject, headers, bytes, reply } = deliveryOf(message);
        // That nobody hears something is no word.
        if (bytes.length === 0) return;
        const isClient = new TextDecoder().decode(bytes).includes('"api.Service:client"');
        lines.push((isClient ? lineOfClient : lineOf)(subject, headers, bytes, 0, reply));
      },
    });
  }
  await listener.flush();
}

/** Whether streams have given all they have, and all of it was settled. */
async function isGiven(manager: JetStreamManager): Promise<boolean> {
  for (const stream of ["compozy_COMMANDS", "compozy_EVENTS"]) {
    for await (const { num_pending, num_ack_pending } of manager.consumers.list(stream)) {
      if (num_pending > 0 || num_ack_pending > 0) return false;
    }
  }
  return true;
}

/** A connection for a scene that plays a client; what a stream has is said to have arrived. */
async function clientOn(server: Seat["server"], layout: Layout) {
  const transport = await openNats({
    server,
    clock: systemClock(),
    prefix: "compozy",
    layout,
    report: () => undefined,
    streamBytes,
  });
  const patterns = streamsOf("compozy", layout).flatMap(({ subjects }) => subjects);
  const inner = transport.connect({
    name: clientName,
    onFault: (error) => {
      throw error;
    },
  });
  const connection: Connection = {
    publish(subject, bytes, outgoing) {
      const stored = patterns.some((pattern) => covers(pattern, subject));
      return inner.publish(subject, bytes, { ...outgoing, stored });
    },
    request: (...asked) => inner.request(...asked),
    subscribe: (...wanted) => inner.subscribe(...wanted),
    hasInterest: () => true,
    connected: () => inner.connected(),
    onChange: (listener) => inner.onChange(listener),
    close: () => inner.close(),
  };
  await settled();
  return { connection, settled: () => transport.settled(), close: () => transport.close() };
}
