// What of each thing is sealed when it is written, and what it was when it is read: the values of a row of each table.
//
// A row keeps its text and its labels inside its sealed body: in the open they would tell what is in it.

import type { Key } from "./store.ts";
import type { Value } from "./schema.ts";
import type { Seal } from "./seal.ts";

// Places in the values of a row, as `rowValues` lists them.
const textAt = 11;
const labelsAt = 12;
const bodyAt = 13;

export const places = {
  record: (seq: Value): string => `record/${seq}`,
  checkpoint: (run: Value, seq: Value): string => `checkpoint/${run}/${seq}`,
  row: (execId: Value): string => `row/${execId}`,
  key: (name: Value): string => `key/${name}`,
  note: (name: Value): string => `note/${name}`,
  blob: (name: Value): string => `blob/${name}`,
} as const;

export function sealedValues(seal: Seal) {
  const sealed = (text: Value, place: string): string => seal.text(String(text), place);
  return {
    record: (seq: Value = null, body: string): string => sealed(body, places.record(seq)),
    checkpoint: (run: Value, seq: Value, body: Value): string => sealed(body, places.checkpoint(run, seq)),
    /** The same for the same content, and for nobody else to compute. */
    nameOf: (body: string): string => seal.name(`blob/${body}`),
    blob: (name: string, bytes: Uint8Array): Uint8Array => seal.bytes(bytes, places.blob(name)),
    row(values: readonly Value[]): Value[] {
      const [execId = null] = values;
      const inside = JSON.stringify([values[textAt], values[labelsAt], values[bodyAt]]);
      return [...values.slice(0, textAt), "", null, sealed(inside, places.row(execId))];
    },
    key([key = null, execId = null, fingerprint = null, expiresAt = null]: readonly Value[]): Value[] {
      const name = seal.name(`key/${key}`);
      return [name, execId, sealed(fingerprint, places.key(name)), expiresAt];
    },
    note: ([name = null, value = null]: readonly Value[]): Value[] => [name, sealed(value, places.note(name))],
  };
}

/** A row as it was, if it is sealed. */
export function openedRow<R extends { execId: string; text: string; labels: string | null; body: string }>(
  seal: Seal,
  row: R,
): R {
  const inside = seal.openText(row.body, places.row(row.execId));
  if (inside === row.body) return row;
  const [text, labels, body] = JSON.parse(inside) as [string, string | null, string];
  return { ...row, text, labels, body };
}

export const openedKey = (seal: Seal, asked: string, key: Key): Key => ({
  ...key,
  key: asked,
  fingerprint: seal.openText(key.fingerprint, places.key(key.key)),
});

/** All names that a key may have on the disk. */
export const keyNames = (seal: Seal, key: string): string[] => {
  const names = seal.names(`key/${key}`);
  return [...names.slice(0, -1), key];
};
