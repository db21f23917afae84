// One life of a process: a troupe on a disk and a clock, which may end at any moment, in the midst of a write too.
//
//   begin ─▶ troupe on the disk ──crash(left)──▶ nothing of it acts any more ─▶ begin, on the same disk
//
// Invariants:
//   K1. After a crash no alarm of that life rings, nothing of it is written, and nobody hears of it.
//   K2. What a crash leaves on the disk is what was committed, and so many units of the last group as was said.

import type { Clock } from "../../actors/clock.ts";
import type { Committed } from "../../actors/system.ts";
import { troupe, type Options, type Troupe } from "../../runtime/troupe.ts";
import { openMemory, type Crash, type Disk } from "../../store/memory.ts";
import type { Store, Unit } from "../../store/store.ts";
import type { Paused } from "./evidence.ts";
import type { VirtualClock } from "../virtual-clock.ts";

export type Life = {
  number: number;
  troupe: Troupe;
  isOver: () => boolean;
  /** How many alarms it has set. */
  pending: () => number;
  crash: (left: Crash) => void;
  /** It was stopped as it should be: what is left of it is let go. */
  end: () => void;
};

/** What a broken engine does otherwise, for tests that see a checker catch it. */
export type Variant = {
  store?: (store: Store) => Store;
  clock?: (clock: Clock) => Clock;
  options?: (options: Options) => Options;
  troupe?: (troupe: Troupe) => Troupe;
};

export type LifeParts = {
  number: number;
  disk: Disk;
  clock: VirtualClock;
  /** By the clock that its handlers go by. */
  options: (handlersClock: Clock) => Omit<Options, "store" | "clock">;
  commitMs: () => number;
  /** A unit was appended. The crash that happens now, if one does. */
  appended: (unit: Unit) => Crash | undefined;
  heard: (committed: Committed, life: number) => void;
  /** It died: by itself in an append, or because it was told to. */
  died: () => void;
  variant: Variant;
};

export async function beginLife(parts: LifeParts): Promise<Life> {
  const { number, disk, variant, heard } = parts;
  let isOver = false;
  const alarms = alarmsOf(parts.clock);
  const handlersAlarms = alarmsOf(parts.clock);
  const clock = variant.clock?.(alarms.clock) ?? alarms.clock;
  const crash = (left: Crash): void => {
    if (isOver) return;
    isOver = true;
    inner.crash(left);
    alarms.cancelAll();
    handlersAlarms.cancelAll();
    parts.died();
  };
  // The disk has a clock of its own: what it does is no alarm of the process.
  const commit = (act: () => void): void => void parts.clock.alarm(parts.clock.now() + parts.commitMs(), act);
  const inner = openMemory({ disk, commit });
  const mortal = mortalStore(
    inner,
    () => isOver,
    (unit) => {
      const left = parts.appended(unit);
      if (left) crash(left);
    },
  );
  const given = { ...parts.options(handlersAlarms.clock), store: variant.store?.(mortal) ?? mortal, clock };
  const opened = await troupe(variant.options?.(given) ?? given);
  const begun = variant.troupe?.(opened) ?? opened;
  begun.subscribe((committed) => {
    if (!isOver) heard(committed, number);
  });
  return {
    number,
    troupe: begun,
    isOver: () => isOver,
    pending: alarms.pending,
    crash,
    end() {
      isOver = true;
      alarms.cancelAll();
      handlersAlarms.cancelAll();
      parts.died();
    },
  };
}

/** Lets everything that was promised come about; nothing in a simulation waits for more than the clock. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

/** Schedules are paused at the end, or it would never come; gives how they stood. */
export const pausedIn = ({ troupe: its }: Life, at: number): Paused[] =>
  its
    .schedules()
    .filter(({ paused }) => !paused)
    .map(({ workflow, n }) => ({ ...its.pauseSchedule(workflow, n), at }));

/** The alarms of one life: all of them are taken back at once. */
function alarmsOf(clock: VirtualClock): { clock: Clock; cancelAll: () => void; pending: () => number } {
  const cancels = new Set<() => void>();
  let isOver = false;
  return {
    clock: {
      now: () => clock.now(),
      alarm(at, act) {
        if (isOver) return () => undefined;
        const cancelAlarm = clock.alarm(at, () => {
          cancels.delete(cancel);
          act();
        });
        const cancel = (): void => {
          cancels.delete(cancel);
          cancelAlarm();
        };
        cancels.add(cancel);
        return cancel;
      },
    },
    pending: () => cancels.size,
    cancelAll() {
      isOver = true;
      for (const cancel of cancels) cancel();
    },
  };
}

/** A store whose process may be dead: then nothing is written, and nothing is refused either. */
function mortalStore(inner: Store, isOver: () => boolean, appended: (unit: Unit) => void): Store {
  return {
    opened: () => inner.opened(),
    append(unit) {
      if (isOver()) return;
      inner.append(unit);
      appended(unit);
    },
    onCommitted: (listener) => inner.onCommitted(listener),
    trouble: () => inner.trouble(),
    onTrouble: (listener) => inner.onTrouble(listener),
    pending: () => inner.pending(),
    load: (run) => inner.load(run),
    runOf: (execId) => inner.runOf(execId),
    rowsOf: (run) => inner.rowsOf(run),
    row: (execId) => inner.row(execId),
    key: (key, now) => inner.key(key, now),
    live: () => inner.live(),
    find: (query) => inner.find(query),
    count: (query, by) => inner.count(query, by),
    read: (from) => inner.read(from),
    prune: async (before, max) => (isOver() ? 0 : inner.prune(before, max)),
    rebuild: (rows) => inner.rebuild(rows),
    saved: () => inner.saved(),
    note: (name) => inner.note(name),
    setNote(name, value) {
      if (!isOver()) inner.setNote(name, value);
    },
    backup: (file) => inner.backup(file),
    close: () => inner.close(),
  };
}
