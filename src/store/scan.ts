// Goes through the rows that a question may be about, slice by slice, in the order of their creation.
//
//   drivers (an index each) ─▶ 64, 128 … 2,048 entries at a time ─▶ those that fit
//
// The most telling condition chooses the index; the others are looked at entry by entry.

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { fromCursor, type Place } from "./cursor.ts";
import type { Query } from "./store.ts";

export type Filter = Omit<Query, "limit">;
export type By = "status" | "id" | "entity";
export type Entry = Place & { number: number; fits: number; key: string };
type Terms = { sql: string[]; values: SQLInputValue[] };
export type Driver = Terms & { index: string };
/** Where the text and the labels of a row are looked for. */
export type Columns = { text: string; labels: string };
export const plainColumns: Columns = { text: "text", labels: "rows.labels" };

const firstSlice = 64;
const lastSlice = 2_048;

/** Entries of one index in the order of creation. */
export function* scan(
  database: DatabaseSync,
  columns: Columns,
  filter: Filter,
  driver: Driver,
  key: By,
): Generator<Entry[], void, void> {
  const [comes, direction] = filter.order === "oldest" ? [">", "asc"] : ["<", "desc"];
  const rest = restOf(filter, columns);
  const range = rangeOf(filter);
  let after = filter.after === undefined ? undefined : fromCursor(filter.after);
  for (let slice = firstSlice; ; slice = Math.min(slice * 2, lastSlice)) {
    const place = after === undefined ? [] : [`(created_at, exec_id) ${comes} (?, ?)`];
    const where = [...driver.sql, ...range.sql, ...place].join(" and ") || "true";
    const statement = database.prepare(`
      select rowid as number, created_at as createdAt, exec_id as execId, ${rest.sql.join(" and ") || "1"} as fits,
        ${key} as key
      from rows indexed by ${driver.index} where ${where}
      order by created_at ${direction}, exec_id ${direction} limit ${slice}`);
    const placed = after === undefined ? [] : [after.createdAt, after.execId];
    const entries = statement.all(...rest.values, ...driver.values, ...range.values, ...placed) as unknown as Entry[];
    yield entries.filter(({ fits }) => fits === 1);
    after = entries.at(-1);
    if (after === undefined || entries.length < slice) return;
  }
}

/** The indexes to go through. Several statuses are several indexes: one over all would pass by everything else. */
export function driversOf({ run, parent, status, id }: Filter): Driver[] {
  if (run !== undefined) return [{ index: "rows_run", sql: ["run = ?"], values: [run] }];
  if (parent !== undefined) return [{ index: "rows_parent", sql: ["parent = ?"], values: [parent] }];
  if (id !== undefined) return [{ index: "rows_id", sql: ["id = ?"], values: [id] }];
  if (status === undefined) return [{ index: "rows_created", sql: [], values: [] }];
  return [...new Set(status)].map((one) => ({ index: "rows_status", sql: ["status = ?"], values: [one] }));
}

function rangeOf({ createdFrom, createdUntil }: Filter): Terms {
  return termsOf([
    ["created_at >= ?", createdFrom],
    ["created_at < ?", createdUntil],
  ]);
}

function restOf(filter: Filter, columns: Columns): Terms {
  const { run, entity, id, status, parent, errorCode, correlationId, text, labels } = filter;
  const terms = termsOf([
    ["run = ?", run],
    ["entity = ?", entity],
    ["id = ?", id],
    ["parent = ?", parent],
    ["error_code = ?", errorCode],
    ["correlation_id = ?", correlationId],
    [`instr(fold(${columns.text}), ?) > 0`, text?.toLowerCase()],
  ]);
  if (status !== undefined) {
    terms.sql.push(`status in (${status.map(() => "?").join(", ")})`);
    terms.values.push(...status);
  }
  for (const [name, value] of Object.entries(labels ?? {})) {
    const label = "json_each.key = ? and json_each.value = ?";
    terms.sql.push(`exists (select 1 from json_each(${columns.labels}) where ${label})`);
    terms.values.push(name, value);
  }
  // A comparison with null is neither true nor false.
  return { sql: terms.sql.map((term) => `coalesce(${term}, 0)`), values: terms.values };
}

function termsOf(given: readonly (readonly [sql: string, value: SQLInputValue | undefined])[]): Terms {
  const terms: Terms = { sql: [], values: [] };
  for (const [sql, value] of given) {
    if (value === undefined) continue;
    terms.sql.push(sql);
    terms.values.push(value);
  }
  return terms;
}
