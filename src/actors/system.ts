// The actor system: takes inputs, lets runs react, appends what came of it, and lets out what is on disk.
//
//   take(run, input) ─▶ react ─▶ record ─▶ store.append          memory may run ahead of the disk
//                                              │ committed
//                        handlers, listeners, answers ◀┘          what leaves the process may not
//
// Invariants:
//   Y1. What one input led to, in this run and in others, is one unit of the log.
//   Y2. An effect happens after everything up to its own record is on disk, in the order of the log.
//   Y3. A step that throws ends its run with INTERNAL_ERROR, and no other; one whose end throws too is parked.
//   Y4. A replay that says something else than the log parks its run, and no other.
//   Y5. A due timer fires once, in the order of the times; one of a state that was left does nothing.
//   Y6. A run that only waits may leave memory, and is the same when it comes back.

import { silence, type Stamp } from "../machines/step.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Trace } from "../protocol/envelope.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { minter } from "../protocol/ids.ts";
import type { Report } from "../protocol/report.ts";
import type { Checkpoint, Key as OnceKey, LogRecord, RunState, Store, Unit } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Word } from "./component.ts";
import { type Ears, idsPerReaction, type Input, type Reaction, react, type Said } from "./react.ts";
import { bodyOf } from "./record.ts";
import { declineParked, endsParked } from "./parked.ts";
import { inheritanceOf } from "./flow-recovery.ts";
import { openResidents, stateOf } from "./residents.ts";
import { freezeRun, type Run } from "./run.ts";
import { rowOf } from "./state-manager.ts";
import type { World } from "./world.ts";

/** Something that is on disk: what a run said in one go. */
export type Committed = {
  run: string;
  correlationId: string;
  trace?: Trace;
  seq: number;
  line: number;
  at: number;
  said: readonly Said[];
};

export type SystemParts = {
  store: Store;
  clock: Clock;
  random: () => number;
  world: World;
  ears: Ears;
  report: Report;
  /** Whoever waits stays in memory: nobody looks for those who have waited long. */
  isSleepless?: boolean;
};

export type System = ReturnType<typeof openSystem>;

/** Of a message from outside any run: its own id, what it belongs to, and the trace it comes with. */
type Origin = { id?: string; correlationId?: string; trace?: Trace };
/** `isNew`: nobody can know of the run yet. */
type Letter = { run: string; input: Input; keys?: readonly OnceKey[]; isNew?: boolean };
type Waiting = { seq: number; effects: Reaction["effects"]; committed: Committed };
type OpenUnit = {
  records: LogRecord[];
  runs: Map<string, RunState>;
  rows: Unit["rows"][number][];
  keys: OnceKey[];
  checkpoints: Checkpoint[];
  waiting: Waiting[];
};

/** What a runtime that says nothing else has. */
const leaseMs = 15_000;

export function openSystem({ store, clock, random, world, ears, report, isSleepless = false }: SystemParts) {
  const ids = minter(random);
  const mailbox: Letter[] = [];
  const outbox: Waiting[] = [];
  const adopted: { seq: number; done: () => void }[] = [];
  const listeners = new Set<(committed: Committed) => void>();
  const counts = { unheard: 0, collapsed: 0, reactions: 0 };
  let { seq: newest, line: newestLine } = store.opened();
  let committedSeq = newest;
  let sent = 0;
  let isReacting = false;
  let isStopped = false;

  const residents = openResidents({
    store,
    clock,
    world,
    ears,
    report,
    take,
    post: (letter) => void mailbox.push(letter),
    isCommitted: (seq) => seq <= committedSeq,
    isStopped: () => isStopped,
  });

  const stamp = (): Stamp => {
    const at = clock.now();
    return { at, seed: ids.seed(at, idsPerReaction) };
  };

  // ── an input ──

  function take(run: string, input: Input, more: Pick<Letter, "keys" | "isNew"> = {}): void {
    if (isStopped) return;
    mailbox.push({ run, input, ...more });
    if (!isReacting) drain();
  }

  function drain(): void {
    isReacting = true;
    let first = 0;
    try {
      for (; first < mailbox.length; first++) {
        const letter = mailbox[first] as Letter;
        const keys = [...(letter.keys ?? [])];
        const unit: OpenUnit = { records: [], runs: new Map(), rows: [], keys, checkpoints: [], waiting: [] };
        const queue = [letter];
        for (let place = 0; place < queue.length; place++) {
          for (const { run: to, heard } of reactTo(queue[place] as Letter, unit)) {
            // A run orders a child by an id that it has just minted.
            const isNew = heard.word.type === "command:WorkflowExecute";
            const trace = isNew ? residents.get(heard.run)?.facts.trace : undefined;
            queue.push({ run: to, input: { on: "message", told: true, ...heard, ...(trace && { trace }) }, isNew });
          }
        }
        append(unit);
      }
    } finally {
      mailbox.splice(0, first + 1);
      isReacting = false;
    }
    for (const { run, address } of residents.restarts()) world.handlers.perform(run, address);
  }

  function append({ records, runs, rows, keys: once, checkpoints, waiting }: OpenUnit): void {
    if (records.length === 0) return;
    outbox.push(...waiting);
    const more = { ...(once.length > 0 && { keys: once }), ...(checkpoints.length > 0 && { checkpoints }) };
    store.append({ records, runs: [...runs.values()], rows, ...more });
  }

  function reactTo({ run: id, input, isNew }: Letter, unit: OpenUnit): Reaction["forwards"] {
    const run = residents.get(id) ?? (isNew ? undefined : residents.wake(id)) ?? residents.begun(id, input, isNew);
    return run ? stepOf(run, input, unit) : hearParked(id, input, unit);
  }

  /** A parked run does nothing but end; whichever run asks it for something is told so. */
  function hearParked(id: string, input: Input, unit: OpenUnit): Reaction["forwards"] {
    const reason = residents.parked().get(id);
    const { word, run: asker, from } = input.on === "message" ? input : { word: undefined, run: "", from: "" };
    const isEnd = reason !== undefined && word !== undefined && endsParked(id, word);
    const run = isEnd ? residents.unpark(id) : undefined;
    if (run && input.on === "message") {
      const forwards = stepOf(run, { ...input, parked: true }, unit);
      unit.checkpoints.push({ run: id, seq: run.seq, body: freezeRun(run) });
      run.kept = run.seq;
      return forwards;
    }
    counts.unheard += 1;
    const answer = reason === undefined || word === undefined || asker === "" ? silence : declineParked(word, reason);
    if (answer === silence || input.on !== "message") return [];
    const cause = { run: asker, from, id: input.id };
    const heard = { word: answer as Word, by: "WO" as const, from: "", run: id, id: ids.next(clock.now()), cause };
    return [{ run: asker, heard }];
  }

  function stepOf(run: Run, input: Input, unit: OpenUnit): Reaction["forwards"] {
    const taken = stamp();
    const [heard, reaction] = reactionOf(run, input, taken);
    if (!reaction) return [];
    counts.reactions += 1;
    counts.unheard += reaction.unheard;
    run.heardAt = taken.at;
    // Nothing came of it: nothing is to be known of it after a crash.
    if (!reaction.moved && reaction.said.length === 0 && reaction.forwards.length === 0) {
      if (run.actors.size === 0 && run.seq <= committedSeq) residents.drop(run);
      return [];
    }
    try {
      note(run, heard, taken, reaction, unit);
    } catch (error) {
      // What cannot be written down did not happen: on disk the run is where it was.
      residents.park(run.id, fromUnknown(error).message);
      return [];
    }
    return reaction.forwards;
  }

  /** What comes of an input; a run that cannot take it ends. */
  function reactionOf(run: Run, input: Input, taken: Stamp): [Input, Reaction | undefined] {
    try {
      return [input, react(world, ears, run, input, taken)];
    } catch (error) {
      const { message, details } = fromUnknown(error);
      counts.collapsed += 1;
      report("error", "a step failed: its run ends", { run: run.id, message });
      const order = run.seq === 0 && input.on === "message" ? { order: input } : {};
      const collapse: Input = { on: "collapse", error: { code: "INTERNAL_ERROR", message, details }, ...order };
      try {
        return [collapse, react(world, ears, run, collapse, taken)];
      } catch (second) {
        residents.park(run.id, fromUnknown(second).message);
        return [collapse, undefined];
      }
    }
  }

  function note(run: Run, input: Input, { at, seed }: Stamp, reaction: Reaction, unit: OpenUnit): void {
    const body = bodyOf(input, seed, run, reaction);
    newest += 1;
    const { lines } = reaction;
    const record: LogRecord = { seq: newest, run: run.id, at, line: newestLine + 1, lines, body };
    newestLine += lines;
    run.seq = newest;
    unit.records.push(record);
    for (const execId of reaction.changed) {
      const execution = run.executions.get(execId);
      if (!execution) continue;
      residents.live(execution.execId, run.id);
      unit.rows.push(rowOf(run, execution));
    }
    residents.setAlarm(run, reaction.dueAt, reaction.isGone);
    unit.runs.set(run.id, stateOf(run, at));
    const { trace } = run.facts;
    const committed = {
      run: run.id,
      correlationId: run.correlationId,
      ...(trace && { trace }),
      seq: newest,
      line: record.line,
      at,
      said: reaction.said,
    };
    unit.waiting.push({ seq: newest, effects: reaction.effects, committed });
  }

  // ── the disk ──

  function tell(listener: (committed: Committed) => void, committed: Committed): void {
    try {
      listener(committed);
    } catch (error) {
      report("error", "a listener failed", { run: committed.run, message: fromUnknown(error).message });
    }
  }

  store.onCommitted((seq) => {
    committedSeq = seq;
    while (sent < outbox.length) {
      const { seq: at, effects, committed } = outbox[sent] as Waiting;
      if (at > seq) break;
      sent += 1;
      for (const listener of listeners) tell(listener, committed);
      // After them: what a handler says at once is heard behind the message that began it.
      for (const effect of effects) effect();
      const run = residents.get(committed.run);
      if (run && run.seq === at && run.actors.size === 0) residents.drop(run);
    }
    // At once: what has been let out holds on to all that was said.
    outbox.splice(0, sent);
    sent = 0;
    while (adopted[0] && adopted[0].seq <= seq) adopted.shift()?.done();
    residents.makeRoom(counts.reactions);
  });

  return {
    take,
    /** A message from outside any run, as its sender says it. */
    tell(
      run: string,
      by: Code,
      word: Word,
      { id, correlationId, trace, ...more }: Origin & Pick<Letter, "keys" | "isNew"> = {},
    ): string {
      const messageId = id ?? ids.next(clock.now());
      const heard = { word, by, from: "", run: "", id: messageId, cause: null };
      const origin = { ...(correlationId !== undefined && { correlationId }), ...(trace && { trace }) };
      take(run, { on: "message", told: false, ...heard, ...origin }, more);
      return messageId;
    },
    /** Takes over what was recorded elsewhere: it gets its places in this log. Resolves once it is on disk. */
    adopt(records: readonly Omit<LogRecord, "seq" | "line">[], runs: readonly RunState[], rows: Unit["rows"]) {
      const placed = records.map((record) => {
        newest += 1;
        newestLine += record.lines;
        return { ...record, seq: newest, line: newestLine + 1 - record.lines };
      });
      const [first] = placed;
      const seq = newest;
      return new Promise<void>((resolve) => {
        if (!first) return resolve();
        // Nobody hears of it: it was said elsewhere, and long ago.
        adopted.push({ seq, done: resolve });
        store.append({ records: placed, runs, rows });
      });
    },
    id: () => ids.next(clock.now()),
    stamp,
    run: residents.wake,
    again: residents.again,
    spectator: residents.spectator,
    /** The run as it is in memory, if it is there. */
    peek: residents.get,
    homeOf: residents.homeOf,
    subscribe(listener: (committed: Committed) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Begins where the log ends: timers, handlers that were at work, whoever waits for a slot. */
    async recover(): Promise<{ live: number; busy: number; parked: number }> {
      // Counted before the first alarm rings: a run that ends meanwhile would keep its slot for ever.
      const inheritance = await inheritanceOf(store, world.definitions);
      const runtimes = await store.find({ entity: "agent_runtime", status: ["REGISTERED"], limit: 2 });
      // Its own may have said that it is there again, and not been heard yet.
      const wereHere = store.opened().seq > 0;
      const isMissed = (id: string): boolean =>
        id !== world.runtime?.exec_id || (wereHere && !world.registry.isKnown(id));
      const areMissed = runtimes.rows.some(({ execId }) => isMissed(execId));
      if (areMissed) world.registry.expect(leaseMs);
      const { live, busy, broken } = residents.settle();
      // Whoever is let in goes on after those that were at work: these have their places first.
      isReacting = true;
      world.slots.inherit(inheritance);
      for (const run of busy) residents.wake(run);
      // What could not be replayed may be what this release can.
      for (const id of broken) {
        const run = residents.wake(id);
        if (run) store.append({ records: [], runs: [stateOf(run, clock.now())], rows: [] });
      }
      isReacting = false;
      drain();
      world.calls.open();
      if (!isSleepless) residents.sweep();
      return { live, busy: busy.length, parked: residents.parked().size };
    },
    /** Parked runs that can go on now do. */
    mend(): void {
      isReacting = true;
      const runs = residents.mend().map((run) => stateOf(run, clock.now()));
      if (runs.length > 0) store.append({ records: [], runs, rows: [] });
      isReacting = false;
      drain();
    },
    /** Takes nothing more, and leaves a checkpoint of all that is open. */
    stop(): void {
      isStopped = true;
      residents.close();
    },
    isStopped: (): boolean => isStopped,
    isSettled: (): boolean => outbox.length === sent && mailbox.length === 0,
    stats: () => ({
      ...counts,
      ...residents.counts(),
      seq: newest,
      line: newestLine,
      committed: committedSeq,
      waiting: outbox.length - sent,
    }),
    parked: residents.parked,
  };
}
