// What a statement gave, as the object it was made from; whatever is not as it was written is an error and no object.

import { crc32, inflateSync } from "node:zlib";
import { damagedFault } from "./database.ts";
import type { Seal } from "./seal.ts";
import { openedRow, places } from "./sealed.ts";
import type { Checkpoint, LogRecord, Row } from "./store.ts";

/** As `recordColumns` selects it. */
export type StoredRecord = LogRecord & { checksum: number; blob: string | null; bytes: Uint8Array | null };
export type StoredCheckpoint = Checkpoint & { checksum: number };
/** As `rowColumns` selects it. */
export type StoredRow = Omit<Row, "labels"> & { labels: string | null };

export type Decoder = ReturnType<typeof decoderOf>;

export function decoderOf(file: string, seal: Seal | undefined) {
  function intact(what: string, text: string, checksum: number): void {
    if (crc32(text) !== checksum) throw damagedFault(file, `${what} is not as it was written`);
  }

  /** As it is where nothing is sealed. */
  function opened(what: string, text: string, place: string): string {
    return seal ? openedBy(what, () => seal.openText(text, place)) : text;
  }

  function openedBy<T>(what: string, act: () => T): T {
    try {
      return act();
    } catch {
      throw damagedFault(file, `${what} does not open with its key`);
    }
  }

  function unpacked(
    what: string,
    { blob, bytes, checksum }: Pick<StoredRecord, "blob" | "bytes" | "checksum">,
  ): string {
    const packed = bytes ?? noBytes;
    const plain = seal ? openedBy(what, () => seal.openBytes(packed, places.blob(blob))) : packed;
    const text = inflated(what, plain);
    // What was sealed carries no checksum: that it opens says that it is whole.
    if (plain === packed) intact(what, text, checksum);
    return text;
  }

  function inflated(what: string, bytes: Uint8Array): string {
    try {
      return inflateSync(bytes).toString();
    } catch {
      throw damagedFault(file, `the content of ${what} cannot be unpacked`);
    }
  }

  return {
    recordOf({ checksum, blob, bytes, ...record }: StoredRecord): LogRecord {
      const what = `record ${record.seq}`;
      if (bytes !== null) return { ...record, body: unpacked(what, { blob, bytes, checksum }) };
      intact(what, record.body, checksum);
      return seal ? { ...record, body: opened(what, record.body, places.record(record.seq)) } : record;
    },
    checkpointOf({ checksum, ...checkpoint }: StoredCheckpoint): Checkpoint {
      const what = `the checkpoint of ${checkpoint.run}`;
      intact(what, checkpoint.body, checksum);
      const { run, seq, body } = checkpoint;
      return { run, seq, body: opened(what, body, places.checkpoint(run, seq)) };
    },
    rowOf(stored: StoredRow): Row {
      const row = seal ? openedBy(`row ${stored.execId}`, () => openedRow(seal, stored)) : stored;
      return { ...row, labels: row.labels === null ? null : JSON.parse(row.labels) };
    },
    noteOf: (name: string, value: string): string => opened(`the note ${name}`, value, places.note(name)),
  };
}

const noBytes = new Uint8Array();
