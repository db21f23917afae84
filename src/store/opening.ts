// What is looked at when a directory is opened: the ends of its log, and with which keys it is sealed.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { damagedFault } from "./database.ts";
import { fault } from "./faults.ts";
import { keyColumns, recordColumns, rowColumns, runColumns } from "./schema.ts";
import { beginOf, type Seal } from "./seal.ts";
import type { Opened } from "./store.ts";
import { cutAfter, openTailMark } from "./tail-mark.ts";

/** The ends of the log, checked, and the mark beside it set to them. */
export function openedOf(file: string, mark: string, database: DatabaseSync): Opened {
  const meta = database.prepare("select seq, line, kept from meta").get();
  const last = database.prepare("select seq, line, lines from log order by seq desc limit 1").get();
  if (meta === undefined) throw damagedFault(file, "its head is missing");
  const [seq, line, kept] = [Number(meta["seq"]), Number(meta["line"]), Number(meta["kept"])];
  if (Number(last?.["seq"] ?? 0) !== kept) throw damagedFault(file, `the log does not end with record ${kept}`);
  if (kept === seq && last !== undefined && Number(last["line"]) + Number(last["lines"]) - 1 !== line) {
    throw damagedFault(file, `the journal does not end with line ${line}`);
  }
  const cut = cutAfter(mark, seq);
  const tailMark = openTailMark(mark);
  tailMark.write(seq, seq);
  tailMark.close();
  return { seq, line, cut };
}

export function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    run: prepare(`select ${runColumns} from runs where run = ?`),
    checkpoint: prepare("select run, seq, body, checksum from checkpoints where run = ?"),
    tail: prepare(`select ${recordColumns} from log indexed by log_run where run = ? and seq > ? order by seq`),
    runOf: prepare("select run from rows where exec_id = ?"),
    rowsOf: prepare(`select ${rowColumns} from rows indexed by rows_run where run = ? order by created_at, exec_id`),
    row: prepare(`select ${rowColumns} from rows where exec_id = ?`),
    key: prepare(`select ${keyColumns} from keys where key = ? and expires_at > ?`),
    live: prepare(`
      select ${runColumns} from runs where state <> 'ended'
      order by coalesce(due_at, ${Number.MAX_SAFE_INTEGER}), run`),
  };
}

/** Throws, with nothing changed, if there is anything here that cannot be opened; notes which key seals from now on. */
export function agreeOnKeys(file: string, database: DatabaseSync, seal: Seal | undefined): void {
  const used = database.prepare("select key_id as id from sealing").all();
  const lacking = used.map(({ id }) => String(id)).filter((id) => seal?.keyIds.includes(id) !== true);
  // A key that nothing is sealed with any more may go.
  const needed = lacking.filter((id) => isSealedWith(database, id));
  if (needed.length > 0) throw lacksKeys(file, needed, seal);
  if (!seal || (used.length === 1 && used[0]?.["id"] === seal.keyId)) return;
  for (const id of lacking) database.prepare("delete from sealing where key_id = ?").run(id);
  database.prepare("insert or ignore into sealing values (?)").run(seal.keyId);
}

const sealedColumns = ["log.body", "blobs.bytes", "checkpoints.body", "rows.body", "keys.key", "notes.value"];

function isSealedWith(database: DatabaseSync, id: string): boolean {
  const begin = beginOf(id);
  return sealedColumns.some((column) => {
    const [table] = column.split(".");
    const sql = `select 1 from ${table} where substr(cast(${column} as blob), 1, ?) = cast(? as blob) limit 1`;
    return database.prepare(sql).get(begin.length, begin) !== undefined;
  });
}

function lacksKeys(file: string, needed: readonly string[], seal: Seal | undefined): Error {
  const what = `${file} is sealed with the key ${needed.join(" and ")}`;
  const message =
    seal === undefined
      ? `${what}: give the key file that holds it (--key-file), or choose another directory`
      : `${what}, and the key file holds ${seal.keyIds.join(", ")}: put it back there; nothing was changed`;
  return fault("store_sealed", message, { file, keys: needed });
}
