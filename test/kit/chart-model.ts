// Searches a chart with random histories: guided, stale, doubled and late events, timers, crashes through JSON.
// A history is a list of fast-check commands over one life; what must hold is checked after each and at the end.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnyMachineSnapshot, type AnyStateMachine, type ContextFrom, createMachine, type EventFrom } from "xstate";
import { catalogue, isKey, type Message } from "../../src/protocol/catalogue.ts";
import { isTerminal } from "../../src/protocol/statuses.ts";
import { type EventKey, nothingRecorded, record, type Recording } from "../../src/protocol/transitions.ts";
import {
  fire,
  freeze,
  type Heard,
  type Life,
  start,
  type Step,
  step,
  thaw,
  type Timer,
} from "../../src/machines/step.ts";
import { placeOf } from "../../src/testing/explore.ts";
import { labelOf, type Line, type Part, stampAt } from "../../src/testing/part.ts";

export const runs = Number(process.env["TROUPE_RUNS"] ?? 1_000);

/** What a chart said, as far as the search looks into it. */
export type Word = {
  type: string;
  payload?: { status?: string; context?: { attempt?: number } };
  [field: string]: unknown;
};

/** One thing that happened to the life. */
export type Moment = {
  at: number;
  hears: string;
  event: { type: string };
  heard: Heard;
  from: string;
  to: string;
  said: Word[];
};

/** A life under search, and all that happened to it. */
export type Run<M extends AnyStateMachine> = {
  readonly machine: M;
  readonly part: Part<M>;
  readonly input: string;
  life: Life<M>;
  at: number;
  count: number;
  moments: Moment[];
  armed: Timer[];
};

/** What must hold after every moment. The key is the invariant's id and sentence, the name of its test. */
export type Invariants<M extends AnyStateMachine> = Readonly<Record<string, (run: Run<M>) => void>>;

export const snapshotOf = <M extends AnyStateMachine>(run: Run<M>): AnyMachineSnapshot => run.life.snapshot;
/** The status that the protocol gives the state it is in. */
export const statusOf = <M extends AnyStateMachine>(run: Run<M>): unknown =>
  Object.values(snapshotOf(run).getMeta()).find(({ status }) => status !== undefined)?.["status"];
export const saidBy = <M extends AnyStateMachine>(run: Run<M>): Word[] => run.moments.flatMap(({ said }) => said);

/** Fails with a sentence; the history is printed by fast-check. */
export function must(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Error(sentence);
}

const began = 1_000_000;

export function begin<M extends AnyStateMachine>(part: Part<M>, input: string, machine: M = part.machine): Run<M> {
  const given = part.inputs[input];
  must(given !== undefined, `part has no input '${input}'`);
  const first = start(machine, given, stampAt(began, 1));
  const run: Run<M> = { machine, part, input, life: first.life, at: began, count: 1, moments: [], armed: [] };
  note(run, first, `start (${input})`, { type: "start" }, "");
  return run;
}

function note<M extends AnyStateMachine>(
  run: Run<M>,
  { life, messages, heard, armed }: Step<M>,
  hears: string,
  event: { type: string },
  from: string,
): void {
  run.life = life;
  run.armed.push(...armed);
  const to = placeOf(snapshotOf(run).value);
  run.moments.push({ at: run.at, hears, event, heard, from, to, said: [...messages] as unknown as Word[] });
}

const menuOf = <M extends AnyStateMachine>(run: Run<M>): readonly Line<M>[] =>
  run.part.menu(snapshotOf(run).context as ContextFrom<M>);

type Heeded<M extends AnyStateMachine> = EventFrom<M> & { type: string; at: number; seed: string };

const stamped = <M extends AnyStateMachine>(run: Run<M>, event: unknown): Heeded<M> =>
  ({ ...(event as object), ...stampAt(run.at, run.count + 1) }) as Heeded<M>;

export function hear<M extends AnyStateMachine>(run: Run<M>, event: unknown, label?: string): Moment {
  const given = stamped(run, event);
  const { type } = event as { type: string };
  run.count += 1;
  const from = placeOf(snapshotOf(run).value);
  note(run, step(run.machine, run.life, given), label ?? type, { ...(event as object), type }, from);
  return run.moments.at(-1) as Moment;
}

/** Hears a line of the part's menu by its label, as printed in the chart's document. */
export function say<M extends AnyStateMachine>(run: Run<M>, label: string): Moment {
  const line = menuOf(run).find((candidate) => labelOf(candidate) === label);
  must(line !== undefined, `the menu has no '${label}': ${menuOf(run).map(labelOf).join(", ")}`);
  return hear(run, line.event, label);
}

/** Time passes until the timer is due (and then some), and it fires. */
function ring<M extends AnyStateMachine>(run: Run<M>, timer: Timer, lateMs = 0): Moment {
  run.at = Math.max(run.at, timer.dueAt) + lateMs;
  run.count += 1;
  const from = placeOf(snapshotOf(run).value);
  note(
    run,
    fire(run.machine, run.life, timer, stampAt(run.at, run.count)),
    `after ${timer.id}`,
    { type: timer.id },
    from,
  );
  return run.moments.at(-1) as Moment;
}

/** Fires the timer with this delay's name. */
export function elapse<M extends AnyStateMachine>(run: Run<M>, delay: string): Moment {
  const timer = run.life.timers.find(({ id }) => id.split(".")[2] === delay);
  must(timer !== undefined, `no timer '${delay}' is armed`);
  return ring(run, timer);
}

export function crash<M extends AnyStateMachine>(run: Run<M>): void {
  run.life = thaw(run.machine, JSON.parse(JSON.stringify(freeze(run.life))));
}

// ── commands ─────────────────────────────────────────────────────────────────────────────────────

type Model = Record<string, never>;
type Act<M extends AnyStateMachine> = (run: Run<M>) => void;

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];

/** In an order that the seed draws. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const rest = [...list];
  const drawn: T[] = [];
  for (let state = seed + 1; rest.length > 0;) {
    state = Math.imul(state, 0x2c1b3c6d) + 0x297a2d39;
    drawn.push(...rest.splice((state >>> 8) % rest.length, 1));
  }
  return drawn;
}

/** Hears the first thing that comes to what is wanted: guided histories get deep where blind ones get lost. */
function hearFirst<M extends AnyStateMachine>(run: Run<M>, seed: number, isWanted: (taken: Step<M>) => boolean): void {
  const lines = menuOf(run).map((line) => ({
    preview: () => step(run.machine, run.life, stamped(run, line.event)),
    move: () => hear(run, line.event, labelOf(line)),
  }));
  const timers = run.life.timers.map((timer) => ({
    preview: () => fire(run.machine, run.life, timer, stampAt(Math.max(run.at, timer.dueAt), run.count + 1)),
    move: () => ring(run, timer),
  }));
  shuffled([...lines, ...timers], seed)
    .find(({ preview }) => isWanted(preview()))
    ?.move();
}

const isTaken = <M extends AnyStateMachine>({ heard }: Step<M>): boolean => heard === "taken";

/** What an execution does once it has ended is soon told: histories are led past its end only at their own end. */
const goesOn = <M extends AnyStateMachine>({ life, heard }: Step<M>): boolean => {
  const { status, _nodes }: AnyMachineSnapshot = life.snapshot;
  return heard === "taken" && status === "active" && !_nodes.some(({ meta }) => isTerminal(String(meta?.status)));
};

const acts = <M extends AnyStateMachine>(): fc.Arbitrary<{ name: string; act: Act<M> }>[] => {
  const k = fc.nat({ max: 63 });
  const seed = fc.nat({ max: 0xffff });
  const onward = seed.map((drawn) => ({
    name: `Onward(${drawn})`,
    act: (run: Run<M>) => hearFirst(run, drawn, goesOn),
  }));
  return [
    // A list of commands takes each kind as often as any other: most of what happens leads further into the chart.
    ...Array.from({ length: 7 }, () => onward),
    seed.map((drawn) => ({ name: `Legal(${drawn})`, act: (run: Run<M>) => hearFirst(run, drawn, isTaken) })),
    k.map((index) => ({
      name: `Any(${index})`,
      act: (run: Run<M>) => {
        const line = pick(menuOf(run), index);
        if (line) hear(run, line.event, labelOf(line));
      },
    })),
    k.map((index) => ({
      name: `Again(${index})`,
      act: (run: Run<M>) => {
        const heard = run.moments.filter(({ event }) => event.type !== "start" && !event.type.startsWith("xstate."));
        const past = pick(heard, index);
        if (past) hear(run, past.event, `${past.hears}, again`);
      },
    })),
    fc.tuple(k, fc.constantFrom(0, 0, 1, 60_000)).map(([index, lateMs]) => ({
      name: `Fire(${index}, ${lateMs})`,
      act: (run: Run<M>) => {
        const due = run.life.timers.toSorted((a, b) => a.dueAt - b.dueAt);
        const timer = pick(due, index);
        if (timer) ring(run, timer, lateMs);
      },
    })),
    k.map((index) => ({
      name: `StaleTimer(${index})`,
      act: (run: Run<M>) => {
        const gone = run.armed.filter(({ visit }) => !run.life.timers.some((timer) => timer.visit === visit));
        const timer = pick(gone, index);
        if (!timer) return;
        const before = run.life;
        ring(run, timer);
        must(run.life === before, `timer ${timer.id} of an earlier visit did something`);
      },
    })),
    fc.constantFrom(1, 100, 1_000, 3_600_000).map((ms) => ({
      name: `Wait(${ms})`,
      act: (run: Run<M>) => {
        run.at += ms;
      },
    })),
    fc.constant({ name: "Crash", act: crash<M> }),
  ];
};

/** What is thrown on the way tells the story so far, so that a shrunk counterexample can be read. */
function command<M extends AnyStateMachine>(name: string, act: Act<M>, check: (run: Run<M>) => void) {
  return {
    check: () => true,
    run: (_: Model, run: Run<M>) => {
      try {
        act(run);
        check(run);
      } catch (error) {
        const story = run.moments.map(({ at, hears, to }) => `${at - began} ms: ${hears} -> ${to}`);
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n  ${story.join("\n  ")}`, {
          cause: error,
        });
      }
    },
    toString: () => name,
  };
}

// ── what holds for every chart ───────────────────────────────────────────────────────────────────

const isMessage = (word: Word): word is Word & Message => isKey(word.type);

/** Each word fits its schema in the catalogue, sections and payload. */
function wellFormed<M extends AnyStateMachine>(run: Run<M>): void {
  for (const word of run.moments.at(-1)?.said ?? []) {
    if (!isMessage(word)) continue;
    const { sections, payload } = catalogue[word.type];
    const parsed = payload.safeParse(word.payload);
    must(parsed.success, `${word.type} breaks its schema: ${JSON.stringify(parsed.error?.issues)}`);
    for (const [section, schema] of Object.entries(sections)) {
      must(schema.safeParse(word[section]).success, `${word.type} has a wrong section ${section}`);
    }
  }
}

const waitsForSomething = <M extends AnyStateMachine>(run: Run<M>): void => {
  const { status } = snapshotOf(run);
  must(status !== "done" || run.life.timers.length === 0, "a finished life still has timers");
  const stuck = status === "active" && run.life.timers.length === 0 && !snapshotOf(run).hasTag("waiting");
  must(!stuck, `nothing can ever happen in '${placeOf(snapshotOf(run).value)}'`);
};

/** Every state event said is one that the transition tables allow after all that was heard and said before. */
function legalEvents<M extends AnyStateMachine>(run: Run<M>): void {
  const recordings = new Map<string, Recording>();
  const told = (word: Word, messageId: string): string | null => {
    if (!isKey(word.type) || catalogue[word.type].kind !== "event") return null;
    const entity = catalogue[word.type].entity as string;
    const { exec_id } = word[entity] as { exec_id: string };
    const known = recordings.get(exec_id) ?? nothingRecorded;
    const { disposition, view } = record(known, {
      type: word.type as EventKey,
      messageId,
      attempt: word.payload?.context?.attempt,
      status: word.payload?.status ?? "",
    });
    recordings.set(exec_id, view);
    return disposition === "applied" ? null : `${word.type} is ${disposition} in ${known.status} (${known.attempt})`;
  };
  run.moments.forEach(({ event, said, heard }, index) => {
    // What the chart refused as late may be anything; what it took has happened.
    if (heard === "taken") told(event as Word, `heard ${index}`);
    said.forEach((word, nth) => {
      const wrong = told(word, `said ${index}.${nth}`);
      must(wrong === null, wrong ?? "");
    });
  });
}

const always = [wellFormed, waitsForSomething, legalEvents];

/** Random histories of a part, in which everything given must hold. */
function histories<M extends AnyStateMachine>(part: Part<M>, invariants: Invariants<M>, machine: M = part.machine) {
  const check = (run: Run<M>): void => {
    for (const holds of always) holds(run);
    for (const holds of Object.values(invariants)) holds(run);
  };
  const commands = fc.commands(
    acts<M>().map((arbitrary) => arbitrary.map(({ name, act }) => command(name, act, check))),
    { size: "+1", maxCommands: 40 },
  );
  return fc.property(fc.constantFrom(...Object.keys(part.inputs)), commands, (input, given) => {
    fc.modelRun(() => {
      const real = begin(part, input, machine);
      check(real);
      return { model: {}, real };
    }, given);
  });
}

/** One test an invariant: it holds in all histories. */
export function searches<M extends AnyStateMachine>(part: Part<M>, invariants: Invariants<M>): void {
  describe(`random histories of ${part.machine.id}`, () => {
    for (const [sentence, holds] of Object.entries(invariants)) {
      test(sentence, () => {
        fc.assert(histories(part, { [sentence]: holds }), { numRuns: runs });
      });
    }
  });
}

/** One test a broken variant: the invariants find it. */
export function finds<M extends AnyStateMachine>(
  part: Part<M>,
  invariants: Invariants<M>,
  broken: Readonly<Record<string, M>>,
): void {
  describe(`the search finds a ${part.machine.id} that`, () => {
    for (const [flaw, machine] of Object.entries(broken)) {
      test(flaw, () => {
        const found = fc.check(histories(part, invariants, machine), { numRuns: 20_000 });
        expect(found.failed, "no invariant noticed").toBe(true);
      });
    }
  });
}

/** A copy of a machine with one thing broken: what the search must find. */
export function variant<M extends AnyStateMachine>(
  machine: M,
  damage: (config: Broken) => void,
  guards: Record<string, () => boolean> = {},
): M {
  const config = copied(machine.config) as Broken;
  damage(config);
  const { implementations } = machine;
  const replaced = { ...implementations, guards: { ...implementations.guards, ...guards } };
  return createMachine(config as never, replaced as never) as unknown as M;
}

/** A machine's config, open for damage. */
// oxlint-disable-next-line typescript/no-explicit-any -- a config is damaged on purpose, in ways that no type allows.
export type Broken = { states: Record<string, any>; on?: Record<string, any>; [field: string]: unknown };

function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]));
}
