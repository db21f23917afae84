// What a statement gave, as the object it was made from; whatever is not as it was written is an error and no object.

import { crc32, inflateSync } from "node:zlib";
import { damagedFault } from "./database.ts";
import type { Checkpoint, LogRecord, Row } from "./store.ts";

/** As `recordColumns` selects it. */
export type StoredRecord = LogRecord & { checksum: number; bytes: Uint8Array | null };
export type StoredCheckpoint = Checkpoint & { checksum: number };
/** As `rowColumns` selects it. */
export type StoredRow = Omit<Row, "labels"> & { labels: string | null };

export function recordOf(file: string, { checksum, bytes, ...record }: StoredRecord): LogRecord {
  const body = bytes === null ? record.body : inflated(file, record.seq, bytes);
  if (crc32(body) !== checksum) throw damagedFault(file, `record ${record.seq} is not as it was written`);
  return { ...record, body };
}

function inflated(file: string, seq: number, bytes: Uint8Array): string {
  try {
    return inflateSync(bytes).toString();
  } catch {
    throw damagedFault(file, `the content of record ${seq} cannot be unpacked`);
  }
}

export function checkpointOf(file: string, { checksum, ...checkpoint }: StoredCheckpoint): Checkpoint {
  if (crc32(checkpoint.body) !== checksum) {
    throw damagedFault(file, `the checkpoint of ${checkpoint.run} is not as it was written`);
  }
  return { ...checkpoint };
}

export const rowOf = ({ labels, ...row }: StoredRow): Row => ({
  ...row,
  labels: labels === null ? null : JSON.parse(labels),
});
