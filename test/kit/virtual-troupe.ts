// A whole troupe in virtual time over a store in memory: the same definitions and seed give the same run every time.
//
// Alone in its process, what it says is read from its log; on a transport, in one process or several, from the bytes.

import type { AgentContext } from "../../src/agents/agent.ts";
import type { Word } from "../../src/actors/component.ts";
import type { Connection } from "../../src/transport/transport.ts";
import { pass, settled } from "./passing.ts";
import { clientName, tappedTransport } from "./tapped-transport.ts";
import type { Options, Troupe } from "../../src/runtime/troupe.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { fromUnknown } from "../../src/protocol/errors.ts";
import { type SubjectCodec, subjectCodec } from "../../src/protocol/subjects.ts";
import { openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";

/** Something that was said: once it was on disk, or as news that never is. */
export type Line = {
  id: string;
  at: number;
  run: string;
  correlationId: string;
  by: string;
  word: Word;
  cause: string | null;
  disposition?: string;
};

export type VirtualTroupe = {
  /** The process with the orchestrator. */
  troupe: Troupe;
  /** The process that has a role. */
  processOf(role: string): Troupe;
  /** A client of its own on the transport, if there is one. */
  client: Connection | undefined;
  clock: VirtualClock;
  subjects: SubjectCodec;
  /** Everything that was said so far, in the order of the log. */
  lines: readonly Line[];
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
  /** What came of each command that was given at the door, once that is known: `well`, or the code of its error. */
  answers: readonly string[];
  /** A command was given; nobody waits for its answer here. */
  given(promise: Promise<unknown>): void;
  /** Lets time pass until this was said, the n-th time; at most an hour. */
  until(type: string, times?: number): Promise<Line>;
  /** A component dies: its charts in a run and their timers are gone, and whatever is said to them finds nobody. */
  kill(run: string, by: string): void;
};

const hourMs = 3_600_000;

type Given = Omit<Options, "store" | "clock" | "random" | "transport" | "roles"> & {
  seed?: number;
  clock?: VirtualClock;
  /** The roles of each process, the orchestrator's first. With them there is a transport. */
  processes?: readonly (readonly string[])[];
};

export const allRoles = [
  "orchestrator",
  "task-dispatcher",
  "task-executor",
  "agent-dispatcher",
  "agent-runtime",
  "tool-executor",
] as const;

export async function virtualTroupe(given: Given): Promise<VirtualTroupe> {
  const { seed = 1, clock = newClock(), processes, ...options } = given;
  const lines: Line[] = [];
  const transport = processes && tappedTransport(clock, (line) => lines.push(line));
  const open = (roles: readonly string[] | undefined, place: number): Promise<Troupe> =>
    troupe({
      ...options,
      store: openMemory(),
      clock,
      random: randomFrom(seed + place),
      ...(transport && { transport }),
      ...(roles && { roles }),
    });
  const opened = await open(processes?.[0], 0);
  const others: Troupe[] = [];
  for (const [place, roles] of (processes ?? []).slice(1).entries()) others.push(await open(roles, place + 1));
  if (!transport)
    opened.subscribe(
      ({ run, correlationId, at, said }) => {
        for (const one of said) lines.push({ ...one, run, correlationId, at });
      },
      ({ run, by, word }) =>
        lines.push({ id: "", at: clock.now(), run, correlationId: correlationOf(run), by, word, cause: null }),
    );
  const correlationOf = (run: string): string => opened.system.peek(run)?.correlationId ?? run;

  async function until(type: string, times = 1): Promise<Line> {
    const limit = clock.now() + hourMs;
    for (;;) {
      await settled();
      const found = lines.filter(({ word }) => word.type === type)[times - 1];
      if (found) return found;
      if (!((clock.nextAt() ?? Infinity) <= limit)) throw new Error(`nobody said '${type}' within an hour`);
      clock.next();
    }
  }

  function kill(run: string, by: string): void {
    for (const { system } of [opened, ...others]) {
      const actors = system.run(run)?.actors;
      for (const [address, actor] of actors ?? []) if (actor.by === by) actors?.delete(address);
    }
  }

  const subjects = subjectCodec({ prefix: "compozy", layout: options.subjects ?? "flow" });
  const client = transport?.connect({
    name: clientName,
    onFault: (error) => {
      throw error;
    },
  });
  const processOf = (role: string): Troupe =>
    [opened, ...others][(processes ?? []).findIndex((roles) => roles.includes(role))] ?? opened;
  const answers: string[] = [];
  const noted = (promise: Promise<unknown>): void =>
    void promise.then(
      () => answers.push("well"),
      (error: unknown) => answers.push(fromUnknown(error).code),
    );

  return {
    troupe: opened,
    answers,
    given: noted,
    processOf,
    client,
    clock,
    subjects,
    lines,
    until,
    kill,
    pass: (ms) => pass(clock, ms),
  };
}

export const newClock = (): VirtualClock => virtualClock(Date.UTC(2026, 0, 1));

/** A handler that takes so long, and stops at once when it is told to. */
export const takes =
  (clock: VirtualClock, ms: number, output: unknown = { ok: true }) =>
  (_input: unknown, { signal }: Pick<AgentContext, "signal">): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const cancel = clock.alarm(clock.now() + ms, () => resolve(output));
      signal.addEventListener("abort", () => {
        cancel();
        reject(signal.reason as Error);
      });
    });
