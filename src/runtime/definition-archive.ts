// Definitions as they are kept in the store: a run that began with one goes on with it, whatever the files say today.
//
//   define ─▶ a note for each that is new ─▶ replaced ─▶ no run of its time is left ─▶ gone
//   restart ─▶ a run asks by hash ─▶ defined so today? if not, from the note
//
// It is written before any run can begin with it. What holds functions cannot be kept: of that only the hash is.
//
// Invariants:
//   V1. What is found by a hash has that hash.
//   V2. A definition is kept as long as a run is that may have begun with it.
//   V3. Nothing is written where nothing is new.

import type { Clock } from "../actors/clock.ts";
import { prepare, type Sizes, type Workflow } from "../actors/definition.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { isPlainObject } from "../protocol/json.ts";
import type { Store } from "../store/store.ts";
import type { Options } from "./options.ts";

type Entry = {
  id: string;
  /** Since when there is another of this id, or none. */
  replacedAt: number | null;
  /** It holds functions. */
  isCode?: true;
};

export type Archive = ReturnType<typeof openArchive>;

type Means = {
  store: Store;
  clock: Clock;
  sizes: Sizes;
  /** It is needed no more. */
  forget: (hash: string) => void;
  report: NonNullable<Options["log"]>;
};

const listNote = "definitions";
const noteOf = (hash: string): string => `definition/${hash}`;
const lookMs = 3_600_000;

export function openArchive({ store, clock, sizes, forget, report }: Means) {
  const entries = new Map<string, Entry>(JSON.parse(store.note(listNote) ?? "[]") as [string, Entry][]);
  const found = new Map<string, Workflow>();
  let cancelAlarm: (() => void) | undefined;
  let isOpen = true;

  const save = (): void => store.setNote(listNote, JSON.stringify([...entries]));

  /** Takes what is defined now, and notices what is so no longer. */
  function keep(workflows: ReadonlyMap<string, Workflow>): void {
    let isNew = false;
    for (const { id, hash, spec } of workflows.values()) {
      const known = entries.get(hash);
      if (known?.replacedAt === null) continue;
      isNew = true;
      if (!known && isPlain(spec)) store.setNote(noteOf(hash), JSON.stringify(spec));
      entries.set(hash, { ...(known ?? { id, ...(!isPlain(spec) && { isCode: true as const }) }), replacedAt: null });
    }
    for (const [hash, entry] of entries) {
      if (entry.replacedAt !== null || workflows.get(entry.id)?.hash === hash) continue;
      isNew = true;
      entries.set(hash, { ...entry, replacedAt: clock.now() });
    }
    if (isNew) save();
    lookLater();
  }

  function find(hash: string): Workflow | undefined {
    const known = found.get(hash);
    if (known) return known;
    const text = store.note(noteOf(hash));
    if (text === undefined || text === "") return undefined;
    try {
      const workflow = prepare(JSON.parse(text) as WorkflowSpec, sizes);
      // A release that reads it otherwise would do otherwise.
      if (workflow.hash !== hash) throw new Error("it is read as another definition than it was");
      found.set(hash, workflow);
      return workflow;
    } catch (error) {
      report("error", "a kept definition cannot be used", { hash, reason: fromUnknown(error).message });
      return undefined;
    }
  }

  /** One that came with what was imported, if it is read here as it was there. */
  function adopt(hash: string, spec: object): boolean {
    try {
      const workflow = prepare(spec as WorkflowSpec, sizes);
      if (workflow.hash !== hash || entries.has(hash)) return false;
      store.setNote(noteOf(hash), JSON.stringify(spec));
      // What needs it is not here yet, and is so in a moment.
      entries.set(hash, { id: workflow.id, replacedAt: clock.now() + lookMs });
      found.set(hash, workflow);
      save();
      lookLater();
      return true;
    } catch (error) {
      report("warn", "an imported definition cannot be used", { hash, reason: fromUnknown(error).message });
      return false;
    }
  }

  function lookLater(): void {
    if (cancelAlarm || ![...entries.values()].some(({ replacedAt }) => replacedAt !== null)) return;
    cancelAlarm = clock.alarm(clock.now() + lookMs, () => void look());
  }

  async function look(): Promise<void> {
    cancelAlarm = undefined;
    try {
      const gone = new Map<string, Entry>();
      for (const [hash, entry] of entries) {
        const { id, replacedAt } = entry;
        if (replacedAt !== null && !(await isNeeded(id, replacedAt))) gone.set(hash, entry);
      }
      // It may have come back or been renewed, or all may have ended, while the store was asked.
      if (isOpen) drop([...gone].flatMap(([hash, entry]) => (entries.get(hash) === entry ? [hash] : [])));
    } catch (error) {
      if (isOpen) report("warn", "old definitions could not be looked through", { reason: fromUnknown(error).message });
    }
    if (isOpen) lookLater();
  }

  /** Whether there is a run that began before: of the workflow, or of a task by itself. */
  async function isNeeded(id: string, replacedAt: number): Promise<boolean> {
    const before = { createdUntil: replacedAt + 1, order: "oldest", limit: 1 } as const;
    const workflows = await store.find({ ...before, entity: "workflow", id });
    if (workflows.rows.length > 0) return true;
    return (await store.find({ ...before, entity: "task" })).rows.length > 0;
  }

  function drop(hashes: readonly string[]): void {
    for (const hash of hashes) {
      if (!entries.get(hash)?.isCode) store.setNote(noteOf(hash), "");
      entries.delete(hash);
      found.delete(hash);
      forget(hash);
    }
    if (hashes.length > 0) save();
  }

  return {
    keep,
    find,
    adopt,
    /** What came with it was not taken. */
    disown: drop,
    /** A run begins with it, although there may be another of its id. */
    renew(hash: string): void {
      const entry = entries.get(hash);
      if (!entry || entry.replacedAt === null) return;
      // It has not begun yet, and does so in a moment.
      entries.set(hash, { ...entry, replacedAt: clock.now() + lookMs });
      save();
    },
    holdsCode: (hash: string): boolean => entries.get(hash)?.isCode ?? false,
    close(): void {
      isOpen = false;
      cancelAlarm?.();
    },
  };
}

/** Whether it is the same when it comes back from JSON. */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "function";
  return (Array.isArray(value) || isPlainObject(value)) && Object.values(value).every(isPlain);
}
