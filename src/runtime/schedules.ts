// Keeps the schedules of all workflows: an alarm for each, a note of what is settled, and the runs that they began.
//
//   alarm ─▶ nextStep ─▶ start, under a key of the due time ─▶ note ─▶ alarm for the next
//                                     └── crash: done again, and the key gives the run that is there
//
// Invariants:
//   K1. Every due time begins one run at most, wherever the process is killed.
//   K2. A schedule that was changed counts from then on; one that is gone starts nothing.
//   K3. What cannot be started for the moment is tried again; what cannot be started at all is skipped and said.

import type { Clock } from "../actors/clock.ts";
import {
  adopt,
  dueAfter,
  isActive,
  type Memory,
  nextStep,
  paused,
  resumed,
  type Rule as ScheduleRule,
  type Step,
} from "../actors/schedule.ts";
import type { System } from "../actors/system.ts";
import type { Workflow } from "../actors/definition.ts";
import { durationOf } from "../language/duration.ts";
import type { Duration, Overlap, ScheduleSpec, Scope } from "../language/spec.ts";
import { evaluate } from "../language/template.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Store } from "../store/store.ts";
import { checkArgument, checkFields, text, wholeNumber } from "./arguments.ts";
import type { Handle, openDesk } from "./desk.ts";
import type { Options } from "./options.ts";
import { keyRule, type Once } from "./repeats.ts";

/** A schedule as it stands. Times are in milliseconds since 1970. */
export type ShownSchedule = {
  workflow: string;
  /** Its place among the schedules of the workflow. */
  n: number;
  cron: string;
  timezone: string;
  overlap: Overlap;
  /** False: it is disabled, or paused by hand. */
  enabled: boolean;
  paused: boolean;
  /** When it is due next, and the due time that was started last. */
  next: number | null;
  last: number | null;
  /** How many due times found a run still open, or could not be started, and how many came while nobody was here. */
  skipped: number;
  missed: number;
  /** Runs that it began and that have not ended. */
  open: string[];
};

type Means = {
  system: System;
  store: Store;
  clock: Clock;
  workflows: ReadonlyMap<string, Workflow>;
  engage: ReturnType<typeof openDesk>["engage"];
  cancel: (execId: string, reason: string) => Promise<unknown>;
  report: NonNullable<Options["log"]>;
};

type Entry = {
  workflow: string;
  n: number;
  spec: ScheduleSpec;
  rule: ScheduleRule;
  memory: Memory;
  cancelAlarm: () => void;
  /** What kept it from starting was said already. */
  isStuck: boolean;
};

const dayMs = 86_400_000;
const againMs = 1_000;
/** So many steps of one schedule, then it is the turn of others. */
const stepsAtOnce = 64;
/** Those that overlap without end are not all remembered: one is enough to hold the next back. */
const openMax = 1_000;
const noteOf = (workflow: string): string => `schedules/${workflow}`;
const nothing = (): void => undefined;

export function openSchedules({ system, store, clock, workflows, engage, cancel, report }: Means) {
  const kept = new Map<string, { of: Workflow; entries: Entry[] }>();
  /** Whose run it is. */
  const owners = new Map<string, Entry>();
  let off: (() => void) | undefined;
  let isOpen = true;

  /** Takes the schedules of all workflows as they are defined now. */
  function sync(): void {
    for (const id of Array.from(kept.keys())) if (!workflows.has(id)) leave(id);
    for (const [id, workflow] of workflows) {
      const known = kept.get(id);
      if (known?.of === workflow) continue;
      leave(id);
      take(id, workflow);
    }
  }

  function leave(id: string): void {
    for (const entry of kept.get(id)?.entries ?? []) {
      entry.cancelAlarm();
      for (const execId of entry.memory.open) owners.delete(execId);
    }
    kept.delete(id);
  }

  function take(id: string, workflow: Workflow): void {
    const specs = (workflow.spec.triggers ?? []).filter((one) => one.type === "schedule");
    const noted = JSON.parse(store.note(noteOf(id)) ?? "[]") as Memory[];
    if (specs.length === 0 && noted.length === 0) return;
    off ??= system.subscribe(({ run }) => hear(run));
    const entries = specs.map((spec, n): Entry => {
      const rule = ruleOf(id, n, spec);
      const memory = adopt(noted[n], rule, clock.now());
      return { workflow: id, n, spec, rule, memory, cancelAlarm: nothing, isStuck: false };
    });
    kept.set(id, { of: workflow, entries });
    for (const entry of entries) {
      const open = entry.memory.open.filter(isUnderWay);
      entry.memory = { ...entry.memory, open };
      for (const execId of open) owners.set(execId, entry);
      recall(entry);
    }
    save(id);
    for (const entry of entries) work(entry);
  }

  /** What was started before a crash and not noted is open all the same, however long that is ago. */
  function recall(entry: Entry): void {
    for (;;) {
      const due = dueAfter(entry.memory);
      const known = due === null ? undefined : store.key(keyOf(entry, due), clock.now());
      if (due === null || !known) return;
      began(entry, { ...entry.memory, settledAt: due, startedAt: due }, known.execId);
    }
  }

  function save(id: string): void {
    if (isOpen) store.setNote(noteOf(id), JSON.stringify(kept.get(id)?.entries.map(({ memory }) => memory) ?? []));
  }
  function remember(entry: Entry, memory: Memory): void {
    entry.memory = memory;
    save(entry.workflow);
  }

  /** Nothing of it may be on disk yet; what is there and has ended is over. */
  function isUnderWay(execId: string): boolean {
    const row = store.row(execId);
    return row === undefined ? system.peek(execId) !== undefined : !isTerminal(row.status);
  }

  function hear(run: string): void {
    const entry = owners.get(run);
    if (!entry || isUnderWay(run)) return;
    owners.delete(run);
    remember(entry, { ...entry.memory, open: entry.memory.open.filter((one) => one !== run) });
    work(entry);
  }

  function work(entry: Entry): void {
    entry.cancelAlarm();
    entry.cancelAlarm = nothing;
    if (!isOpen) return;
    const wake = (at: number): void => void (entry.cancelAlarm = clock.alarm(at, () => work(entry)));
    for (let steps = 0; steps < stepsAtOnce; steps++) {
      const step = nextStep(entry.memory, entry.rule, clock.now());
      if (step.act === "wait") return step.until === null ? undefined : wake(step.until);
      if (!carryOut(entry, step)) return wake(clock.now() + againMs);
    }
    wake(clock.now());
  }

  /** Whether it could be done; else it is for later. */
  function carryOut(entry: Entry, step: Exclude<Step, { act: "wait" }>): boolean {
    const { workflow, n } = entry;
    if (step.act === "start") return start(entry, step);
    if (step.act === "cancel") cancelOpen(entry);
    if (step.act === "miss") {
      const until = new Date(step.memory.settledAt).toISOString();
      report("warn", "a schedule missed due times", { workflow, schedule: n, count: step.count, until });
    }
    remember(entry, step.memory);
    return true;
  }

  function start(entry: Entry, { due, memory }: Extract<Step, { act: "start" }>): boolean {
    const { workflow, n, rule } = entry;
    const idempotencyKey = keyOf(entry, due);
    try {
      // For as long as this due time can be started again after a crash.
      begin(entry, memory, due, { idempotencyKey }, rule.catchUpMs + 2 * dayMs);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      const fields = { workflow, schedule: n, due: new Date(due).toISOString(), reason: error.message };
      // Of another definition, before a crash: it has been started.
      const { exec_id } = error.details;
      if (error.code === "IDEMPOTENCY_CONFLICT" && typeof exec_id === "string") began(entry, memory, exec_id);
      else if (isPassing(error)) {
        if (!entry.isStuck) report("warn", "a schedule cannot start its run at present", fields);
        entry.isStuck = true;
        return false;
      } else {
        report("error", "a schedule could not start its run", fields);
        remember(entry, { ...memory, startedAt: entry.memory.startedAt, skipped: memory.skipped + 1 });
      }
    }
    entry.isStuck = false;
    return true;
  }

  function begin(
    entry: Entry,
    memory: Memory,
    at: number,
    options: { idempotencyKey?: string },
    keyMs: number,
  ): Handle {
    const input = evaluate(entry.spec.with ?? {}, scopeAt(at));
    const handle = engage(entry.workflow, input, options, { trigger: "schedule", keyMs });
    began(entry, memory, handle.execId);
    return handle;
  }
  function began(entry: Entry, memory: Memory, execId: string): void {
    const row = store.row(execId);
    // What had ended before is not open; what has just begun may be nowhere yet.
    const isOver = row !== undefined && isTerminal(row.status);
    if (!isOver) owners.set(execId, entry);
    const others = entry.memory.open.filter((one) => one !== execId);
    remember(entry, { ...memory, open: isOver ? others : [...others, execId].slice(-openMax) });
  }

  function cancelOpen({ workflow, n, memory }: Entry): void {
    for (const execId of memory.open) {
      cancel(execId, `the next run of schedule ${n} of '${workflow}' is due`).catch((error: unknown) => {
        const reason = fromUnknown(error).message;
        report("warn", "a schedule could not cancel the run before", { workflow, schedule: n, execId, reason });
      });
    }
  }

  function find(workflow: string, n: number): Entry {
    checkArgument("workflow", workflow, text);
    checkArgument("n", n, wholeNumber(0));
    const entries = kept.get(workflow)?.entries ?? [];
    const entry = entries[n];
    if (entry) return entry;
    if (!workflows.has(workflow)) {
      throw new TroupeError("WORKFLOW_NOT_FOUND", `there is no workflow '${workflow}'`, { workflow });
    }
    const message = `workflow '${workflow}' has ${entries.length} schedules: there is no number ${n}, from 0 on`;
    throw new TroupeError("VALIDATION_FAILED", message, { errors: [{ field: "n", message: "is no schedule" }] });
  }

  function change(entry: Entry, memory: Memory): ShownSchedule {
    remember(entry, memory);
    work(entry);
    return shown(entry);
  }

  return {
    sync,
    /** All schedules, as they stand. */
    schedules: (): ShownSchedule[] => [...kept.values()].flatMap(({ entries }) => entries.map(shown)),
    /** Starts a run now, as if it were due, whatever is open, disabled or paused. */
    trigger(workflow: string, n = 0, once: Once = {}): Handle {
      checkFields(once, { idempotencyKey: keyRule }, "the options of a start by hand cannot be");
      const entry = find(workflow, n);
      const { idempotencyKey: key } = once;
      const own = key === undefined ? {} : { idempotencyKey: `schedule/${workflow}/${n}/by-hand/${key}` };
      return begin(entry, entry.memory, clock.now(), own, dayMs);
    },
    /** It starts nothing more until it is resumed, also after a restart. */
    pauseSchedule(workflow: string, n = 0): ShownSchedule {
      const entry = find(workflow, n);
      return change(entry, paused(entry.memory));
    },
    /** It goes on with what becomes due from now on. */
    resumeSchedule(workflow: string, n = 0): ShownSchedule {
      const entry = find(workflow, n);
      return change(entry, resumed(entry.memory, clock.now()));
    },
    close(): void {
      isOpen = false;
      off?.();
      for (const id of Array.from(kept.keys())) leave(id);
    },
  };
}

const keyOf = ({ workflow, n }: Entry, due: number): string =>
  `schedule/${workflow}/${n}/${new Date(due).toISOString()}`;

function ruleOf(workflow: string, n: number, spec: ScheduleSpec): ScheduleRule {
  const { cron, timezone = "UTC", overlap = "skip", catch_up = 0, jitter = 0, enabled = true } = spec;
  // Checked with the definition.
  const ms = (duration: Duration): number => durationOf(duration, "", nothing);
  return {
    name: `${workflow}/${n}`,
    cron,
    timezone,
    overlap,
    catchUpMs: ms(catch_up),
    jitterMs: ms(jitter),
    isEnabled: enabled,
  };
}

function shown({ workflow, n, rule, memory }: Entry): ShownSchedule {
  const { cron, timezone, overlap } = rule;
  const { isPaused, startedAt, skipped, missed, open } = memory;
  return {
    workflow,
    n,
    cron,
    timezone,
    overlap,
    enabled: isActive(memory),
    paused: isPaused,
    next: dueAfter(memory),
    last: startedAt,
    skipped,
    missed,
    open: [...open],
  };
}

/** No run is there yet: of all names only `now()` gives something, the due time. */
const scopeAt = (now: number): Scope => ({ input: {}, tasks: {}, now }) as unknown as Scope;

/** The store, the mailbox or a stop is in the way, and not what is to be started. */
const isPassing = ({ code, details }: TroupeError): boolean =>
  code === "RATE_LIMITED" || code === "INVALID_STATE" || String(details["reason"]).startsWith("store_");
