// What people ask of a troupe: how an execution stands, which there are, what was said, and what one waits for.

import type { Limits } from "../actors/limits.ts";
import { journalOf, type JournalLine } from "../actors/record.ts";
import type { Registry } from "../actors/registry.ts";
import type { Slots } from "../actors/slots.ts";
import type { System } from "../actors/system.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Query, Row, Store } from "../store/store.ts";
import { checkNames } from "./options.ts";
import { reasonOf } from "./reason.ts";

/** An execution as it stands. */
export type Shown = Omit<Row, "body" | "text"> & {
  startedAt: number | null;
  /** How it ended, if it is the root of its run and has ended. */
  result: unknown;
  error: unknown;
  /** Why it waits or is paused, and who ended it. */
  about: unknown;
};

/** Which executions are wanted; whatever is not given does not matter. */
export type Search = Partial<Query>;
export type Listing = { items: Shown[]; cursor: string | null };
export type Grouping = Parameters<Store["count"]>[1];
const groupings: readonly Grouping[] = ["status", "id", "entity"];

/** From which line of the journal on, and how many lines; the next page begins one after the last line of this. */
export type HistoryPage = { fromLine?: number; limit?: number };

type Means = { system: System; store: Store; limits: Limits; registry: Registry; slots: Slots };

const names: readonly (keyof Query)[] = [
  "entity",
  "id",
  "status",
  "run",
  "parent",
  "errorCode",
  "correlationId",
  "text",
  "labels",
  "createdFrom",
  "createdUntil",
  "order",
  "after",
  "limit",
];

/** Refuses what no query has; what is given as undefined is not given. */
export function checkedQuery(query: Search, except: readonly string[] = []): Search {
  checkNames(
    query,
    names.filter((name) => !except.includes(name)),
    "the query",
  );
  const { status, limit } = query;
  if (status !== undefined && !Array.isArray(status)) {
    throw new TroupeError("VALIDATION_FAILED", "the query cannot be understood: status must be a list");
  }
  checkLimit(limit);
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
}

function checkLimit(limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1)) return;
  throw new TroupeError("VALIDATION_FAILED", "`limit` must be a whole number, 1 or more");
}

const shown = ({ body, text: _text, ...row }: Row): Shown => {
  const { startedAt, result, error, about } = JSON.parse(body) as Pick<
    Shown,
    "startedAt" | "result" | "error" | "about"
  >;
  // The first call of a direct run shares its id with the run's task.
  const [execId = ""] = row.execId.split("/");
  return { ...row, execId, startedAt, result, error, about };
};

const rowsUnlessSaid = 50;
const recordsAtOnce = 100;

export function openQuestions({ system, store, limits, registry, slots }: Means) {
  const row = (execId: string): Row => {
    const found = store.row(execId);
    if (found) return found;
    throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
  };
  const rowsOf = (limit: number | undefined): number => Math.min(limit ?? rowsUnlessSaid, limits.historyPage);

  return {
    /** As it is on disk. */
    get: (execId: string): Shown => shown(row(execId)),
    async list(search: Search = {}): Promise<Listing> {
      const query = checkedQuery(search);
      const { rows, cursor } = await store.find({ ...query, limit: rowsOf(query.limit) });
      return { items: rows.map(shown), cursor };
    },
    async count(search: Omit<Search, "limit" | "after" | "order"> = {}, by: Grouping = "status") {
      if (!groupings.includes(by)) {
        throw new TroupeError("VALIDATION_FAILED", `'${by}' is none of ${groupings.join(", ")}`, { given: by });
      }
      return store.count(checkedQuery(search, ["limit", "after", "order"]), by);
    },
    /** Every message of an execution and of what it called, in order. */
    async history(execId: string, page: HistoryPage = {}): Promise<JournalLine[]> {
      checkNames(page, ["fromLine", "limit"], "the page of a history");
      const { fromLine = 0, limit } = page;
      checkLimit(limit);
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
    /** In one line: what it waits for, since when, and what would end that. */
    why(execId: string): string {
      const { run } = row(execId);
      const reason = system.parked().get(run);
      if (reason !== undefined) return `the run is parked: ${reason}`;
      return reasonOf(row(execId), system.run(run), { registry, slots, store });
    },
    /** The runtimes that serve agents, here and elsewhere. */
    runtimes: () => registry.runtimes(),
  };
}

/** What names it is about it: its own messages, and those of its calls. */
function concerns({ envelope }: JournalLine, execId: string, run: string, entity: string): boolean {
  return execId === run || (envelope[entity] as { exec_id?: string } | undefined)?.exec_id === execId;
}
