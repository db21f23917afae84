// What was recorded elsewhere and brought here: how it is told from what happened here. It is looked at, never woken.
//
// The mark stands at the end of the first record of a run, and at the end of the rows made from it, where nothing else
// can end so: it is there after a crash, and when the rows are made anew.

import { isTerminal } from "../protocol/statuses.ts";
import type { LogRecord, Row, Store } from "../store/store.ts";

const recordMark = /,"x":(\d+)\}$/;
const rowMark = ',"imported":true}';

/** When the run that begins with this record was brought here; null if it began here. */
export function importedAt({ body }: Pick<LogRecord, "body">): number | null {
  const [, at] = recordMark.exec(body) ?? [];
  return at === undefined ? null : Number(at);
}

/** The body of a record's first, marked. */
export const markedBody = (body: string, at: number): string => `${body.slice(0, -1)},"x":${at}}`;

/** The same as it was where it was recorded. */
export const unmarkedBody = (body: string): string => body.replace(recordMark, "}");

export const isImportedRow = ({ body }: Pick<Row, "body">): boolean => body.endsWith(rowMark);

/** A row of something imported: it stands in no line, whatever it did elsewhere. */
export function importedRow(row: Row): Row {
  const { flow: _flow, ...shown } = JSON.parse(row.body) as Record<string, unknown>;
  return { ...row, body: JSON.stringify({ ...shown, imported: true }) };
}

/** A run that was brought here, and the one that it came with. */
export type Imported = { run: string; id: string; status: string; with: string };

const listNote = "imported";

/** Those that are still here. */
export const importedIn = (store: Pick<Store, "note" | "row">): Imported[] =>
  (JSON.parse(store.note(listNote) ?? "[]") as Imported[]).filter(({ run }) => {
    const row = store.row(run);
    return row !== undefined && isImportedRow(row);
  });

export const noteImported = (store: Pick<Store, "setNote">, list: readonly Imported[]): void =>
  store.setNote(listNote, JSON.stringify(list));

/** How many of each workflow look as if they were under way. */
export function openImports(store: Pick<Store, "note" | "row">): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { id, status } of importedIn(store)) {
    if (!isTerminal(status) && status !== "PENDING") counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}
