// What people ask of a troupe: how an execution stands, which there are, what was said, and what one waits for.

import type { Calls } from "../actors/flow-calls.ts";
import type { Limits } from "../actors/limits.ts";
import { isImportedRow } from "../actors/imported.ts";
import { journalOf, type JournalLine } from "../actors/record.ts";
import type { Registry } from "../actors/registry.ts";
import type { Slots } from "../actors/slots.ts";
import type { System } from "../actors/system.ts";
import { TroupeError } from "../protocol/errors.ts";
import { entities, isTerminal, statuses } from "../protocol/statuses.ts";
import type { Query, Row, Store } from "../store/store.ts";
import {
  anyText,
  checkArgument,
  checkExecId,
  checkFields,
  object,
  oneOf,
  type Rule,
  someOf,
  text,
  time,
  wholeNumber,
} from "./arguments.ts";
import type { Options } from "./options.ts";
import { reasonOf, usedBy } from "./reason.ts";
import { openSteps } from "./steps.ts";

/** An execution as it stands. */
export type Shown = Omit<Row, "body" | "text"> & {
  startedAt: number | null;
  /** How it ended, if it is the root of its run and has ended. */
  result: unknown;
  error: unknown;
  /** Why it waits or is paused, and who ended it. */
  about: unknown;
  /** Of a workflow: the execution whose results it reuses, what its agents used up, and what it has undone. */
  lineage?: { kind: "fork" | "retry"; from_exec_id: string; from_task: string };
  usage?: { tokens: number; cost: number };
  /** It ran elsewhere and came in a file: it is looked at, and hears no command. */
  imported?: true;
  undo?: { done: number; failed: { task: string; code: string; message: string }[]; unlisted?: number };
};

/** Which executions are wanted; whatever is not given does not matter. */
export type Search = Partial<Query>;
export type Listing = { items: Shown[]; cursor: string | null };
export type Grouping = Parameters<Store["count"]>[1];
const groupings: readonly Grouping[] = ["status", "id", "entity"];

/** From which line of the journal on, and how many lines; the next page begins one after the last line of this. */
export type HistoryPage = { fromLine?: number; limit?: number };

/** `isEnd`: nothing more was on disk then. */
export type JournalPart = { lines: JournalLine[]; nextLine: number; isEnd: boolean };

type Means = {
  system: System;
  store: Store;
  limits: Limits;
  registry: Registry;
  slots: Slots;
  calls: Calls;
  report: NonNullable<Options["log"]>;
};

const rules: Readonly<Record<keyof Query, Rule>> = {
  entity: oneOf(entities),
  id: text,
  status: someOf([...new Set(Object.values(statuses).flat())]),
  run: text,
  parent: text,
  errorCode: text,
  correlationId: text,
  text: anyText,
  labels: {
    is: (value) => object.is(value) && Object.values(value as object).every(anyText.is),
    says: "must hold texts",
  },
  createdFrom: time,
  createdUntil: time,
  order: oneOf(["newest", "oldest"]),
  after: text,
  limit: wholeNumber(1),
};

/** Refuses what no query has; what is given as undefined is not given. */
export function checkedQuery(query: Search, except: readonly string[] = []): Search {
  const allowed = Object.entries(rules).filter(([name]) => !except.includes(name));
  checkFields(query, Object.fromEntries(allowed), "the query cannot be understood");
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

const journalRules = { execId: text, fromLine: wholeNumber(0) };
const pageRules = { fromLine: wholeNumber(0), limit: wholeNumber(1) };

const shown = ({ body, text: _text, ...row }: Row): Shown => {
  const { startedAt, result, error, about, lineage, usage, undo, imported } = JSON.parse(body) as Pick<
    Shown,
    "startedAt" | "result" | "error" | "about" | "lineage" | "usage" | "undo" | "imported"
  >;
  const origin = { ...(lineage && { lineage }), ...(imported && { imported }) };
  const story = { ...origin, ...(usage && { usage }), ...(undo && { undo }) };
  // The first call of a direct run shares its id with the run's task.
  const [execId = ""] = row.execId.split("/");
  return { ...row, execId, startedAt, result, error, about, ...story };
};

const rowsUnlessSaid = 50;
const recordsAtOnce = 100;
/** So much is held for each reader that has not taken what it was given. */
const charsAtOnce = 262_144;

export function openQuestions({ system, store, limits, registry, slots, calls, report }: Means) {
  const row = (execId: string): Row => {
    checkExecId(execId);
    const found = store.row(execId);
    if (found) return found;
    throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
  };
  const isImported = (run: string): boolean => {
    const root = store.row(run);
    return root !== undefined && isImportedRow(root);
  };
  const rowsOf = (limit: number | undefined): number => Math.min(limit ?? rowsUnlessSaid, limits.historyPage);

  return {
    ...openSteps({ system, store, limits, report, runOf: (execId) => row(execId).run }),
    /** As it is on disk; what an open workflow has used up so far is known to its run alone. */
    get(execId: string): Shown {
      const found = row(execId);
      if (found.entity !== "workflow" || isTerminal(found.status)) return shown(found);
      return { ...shown(found), ...usedBy(system.run(execId)) };
    },
    async list(search: Search = {}): Promise<Listing> {
      const query = checkedQuery(search);
      const { rows, cursor } = await store.find({ ...query, limit: rowsOf(query.limit) });
      return { items: rows.map(shown), cursor };
    },
    async count(search: Omit<Search, "limit" | "after" | "order"> = {}, by: Grouping = "status") {
      checkArgument("by", by, oneOf(groupings));
      return store.count(checkedQuery(search, ["limit", "after", "order"]), by);
    },
    /** Every message of an execution and of what it called, in order. */
    async history(execId: string, page: HistoryPage = {}): Promise<JournalLine[]> {
      checkFields(page, pageRules, "the page of a history cannot be understood");
      const { fromLine = 0, limit } = page;
      const { run, entity } = row(execId);
      const max = rowsOf(limit ?? limits.historyPage);
      const lines: JournalLine[] = [];
      for (let afterSeq = 0; lines.length < max;) {
        const records = await store.read({ run, afterSeq, fromLine, limit: recordsAtOnce });
        const last = records.at(-1);
        if (!last) break;
        afterSeq = last.seq;
        for (const line of records.flatMap(journalOf)) {
          if (line.line >= fromLine && concerns(line, execId, run, entity)) lines.push(line);
        }
      }
      return lines.slice(0, max);
    },
    /**
     * Which messages are on disk, of one execution or of all runs but those that were brought here from elsewhere, from
     * a line on; and where what follows begins.
     */
    async journal(from: { execId?: string; fromLine?: number }): Promise<JournalPart> {
      checkFields(from, journalRules, "the place in the journal cannot be understood");
      const { execId, fromLine = 0 } = from;
      const of = execId === undefined ? undefined : row(execId);
      const page = { limit: recordsAtOnce, charsMax: charsAtOnce };
      const records = await store.read({ ...(of && { run: of.run }), fromLine, ...page });
      const chars = records.reduce((sum, { body }) => sum + body.length, 0);
      const own = of ? records : records.filter(({ run }) => !isImported(run));
      const lines = own.flatMap(journalOf).filter(({ line }) => line >= fromLine);
      const last = records.at(-1);
      return {
        lines: of ? lines.filter((line) => concerns(line, execId ?? "", of.run, of.entity)) : lines,
        nextLine: last ? last.line + last.lines : fromLine,
        isEnd: records.length < recordsAtOnce && chars < charsAtOnce,
      };
    },
    /** In one line: what it waits for, since when, and what would end that. */
    why(execId: string): string {
      const { run, status, ...asked } = row(execId);
      if (isImportedRow(asked)) return `it was imported, and does nothing here: it was ${status} when it was exported`;
      // Whether it can be replayed is known once it has been.
      const awake = system.run(run);
      const reason = system.parked().get(run);
      if (reason !== undefined) return `the run is parked: ${reason}; mend that and start again, or cancel it`;
      return reasonOf(row(execId), awake, { registry, slots, calls, store });
    },
    /** The runtimes that serve agents, here and elsewhere. */
    runtimes: () => registry.runtimes(),
  };
}

/** What names it is about it: its own messages, and those of its calls. */
function concerns({ envelope }: JournalLine, execId: string, run: string, entity: string): boolean {
  return execId === run || (envelope[entity] as { exec_id?: string } | undefined)?.exec_id === execId;
}
