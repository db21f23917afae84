// Runs as portable files: one is written with all that it said, and another's is taken in, to look at and to fork.
//
//   run ─export─▶ file ─import─▶ checked ─▶ its own rows, made from its records ─▶ log       nothing of it wakes
//
// Invariants:
//   BU1. What was exported and imported again elsewhere is told the same: rows, history, and steps.
//   BU2. A file that was changed, cut, or never was one is refused with a place and a reason, and nothing of it stays.
//   BU3. What was imported hears no command and no message, also after a restart.
//   BU4. An import takes nothing that is here already, and replaces nothing.

import type { Clock } from "../actors/clock.ts";
import type { Limits } from "../actors/limits.ts";
import { type Imported, importedIn, importedRow, isImportedRow, markedBody, noteImported } from "../actors/imported.ts";
import { journalOf } from "../actors/record.ts";
import type { Run } from "../actors/run.ts";
import type { System } from "../actors/system.ts";
import { retellRecord, rowsOf } from "../actors/views.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { LogRecord, Row, RunState, Store } from "../store/store.ts";
import { briefly, type Known, openExports } from "./bundle-export.ts";
import { type Bundle, type BundledRun, checkedBundle, refused } from "./bundle-format.ts";
import type { Archive } from "./definition-archive.ts";
import type { Gate } from "./desk.ts";

export type { Bundle } from "./bundle-format.ts";

export type ImportReport = {
  execId: string;
  runs: number;
  executions: number;
  /** It was here already, the same. */
  isDuplicate: boolean;
  /** Whether its charts can be stepped through; if not, why. */
  isReplayable: boolean;
  reason?: string;
};

type Means = {
  store: Store;
  system: System;
  clock: Clock;
  limits: Limits;
  gate: Gate;
  definitions: Known;
  archive: Pick<Archive, "adopt" | "disown">;
};

type NewRecord = Omit<LogRecord, "seq" | "line">;
type Taken = { run: string; records: NewRecord[]; rows: Row[] };

export function openBundles({ store, system, clock, limits, gate, definitions, archive }: Means) {
  const { rowAt, bundledRun, exportRun } = openExports({ store, clock, definitions });
  const underWay = new Set<string>();

  /** Everything of it as it would stand in the log, or why that cannot be. */
  function takenFrom({ run, records }: BundledRun, index: number, at: number): Taken {
    const told = new Map<string, Run>();
    const taken = records.map(({ at: saidAt, body }, place): NewRecord => {
      const text = JSON.stringify(body);
      const record = { seq: place + 1, run, at: saidAt, line: 0, lines: 0, body: text };
      try {
        const lines = journalOf(record).length;
        retellRecord(told, { ...record, lines });
        return { run, at: saidAt, lines, body: place === 0 ? markedBody(text, at) : text };
      } catch (error) {
        const message = `cannot be read: ${fromUnknown(error).message}`;
        throw refused([{ field: `runs.${index}.records.${place}`, message }]);
      }
    });
    const rows = rowsOf(told);
    const odd = rows.find((row) => row.run !== run || row.entity === "agent_runtime");
    if (odd) throw refused([{ field: `runs.${index}`, message: `speaks of '${odd.execId}', which is not of it` }]);
    if (!rows.some(({ execId }) => execId === run)) {
      throw refused([{ field: `runs.${index}`, message: "does not say how it began" }]);
    }
    return { run, records: taken, rows };
  }

  /** Whether the same is here already; whatever else has one of its ids is in its way. */
  async function isHere({ exec_id, runs }: Bundle, all: readonly Taken[]): Promise<boolean> {
    const known = all.flatMap(({ rows }) => rows).filter(({ execId }) => store.row(execId) ?? store.runOf(execId));
    if (known.length === 0) return false;
    for (const { run, records } of runs) {
      const { bundled } = store.row(run) ? await bundledRun(run) : { bundled: undefined };
      if (bundled?.records.at(-1)?.sum === records.at(-1)?.sum) continue;
      const message = `'${known[0]?.execId}' is here already, and not as in this file`;
      throw new TroupeError("EXEC_ID_CONFLICT", message, { exec_id });
    }
    return true;
  }

  /** It is kept as long as what was begun with it, if it is read here as it was there. */
  function takeDefinitions({ definitions: given }: Bundle): string[] {
    return given.flatMap(({ hash, spec }) =>
      spec !== null && !definitions.byHash(hash) && archive.adopt(hash, spec) ? [hash] : [],
    );
  }

  function replayed(all: readonly Taken[]): { isReplayable: boolean; reason?: string } {
    try {
      for (const { run, records } of all) {
        const tail = records.map((record, index) => ({ ...record, seq: index + 1, line: 0 }));
        system.again(run, { checkpoint: null, tail, state: endedAt(run, 0) });
      }
      return { isReplayable: true };
    } catch (error) {
      return { isReplayable: false, reason: fromUnknown(error).message };
    }
  }

  function checkRoom(all: readonly Taken[]): Imported[] {
    const bytes = all.flatMap(({ records }) => records).reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
    if (bytes > limits.bundleBytes) {
      const message = `the file's records have ${bytes} bytes, at most ${limits.bundleBytes} are allowed`;
      throw new TroupeError("PAYLOAD_TOO_LARGE", message, { limit: "bundleBytes", max: limits.bundleBytes, bytes });
    }
    const here = importedIn(store);
    if (here.length + all.length <= limits.importsMax) return here;
    const message = `${here.length} imported runs are kept, at most ${limits.importsMax} are allowed: delete one first`;
    throw new TroupeError("RATE_LIMITED", message, { limit: "importsMax", max: limits.importsMax });
  }

  return {
    exportRun,
    /** Takes in what was exported elsewhere: to be read, stepped through and forked, and to hear nothing. */
    async importRun(given: unknown): Promise<ImportReport> {
      gate();
      const bundle = checkedBundle(given);
      const now = clock.now();
      const all = bundle.runs.map((run, index) => takenFrom(run, index, now));
      checkFamily(bundle, all);
      const rows = all.flatMap((one) => one.rows.map(importedRow));
      const report = { execId: bundle.exec_id, runs: all.length, executions: rows.length };
      const isDuplicate = await isHere(bundle, all);
      const list = isDuplicate ? [] : checkRoom(all);
      const adopted = takeDefinitions(bundle);
      const outcome = replayed(all);
      if (isDuplicate) return { ...report, isDuplicate, ...outcome };
      if (underWay.has(bundle.exec_id)) {
        archive.disown(adopted);
        throw new TroupeError("EXEC_ID_CONFLICT", "it is being imported already", { exec_id: bundle.exec_id });
      }
      for (const { run } of all) underWay.add(run);
      const roots = rows.filter((row) => row.execId === row.run);
      noteImported(store, [
        ...list,
        ...roots.map(({ run, id, status }) => ({ run, id, status, with: bundle.exec_id })),
      ]);
      const states = all.map(({ run }) => endedAt(run, now));
      await system.adopt(
        all.flatMap(({ records }) => records),
        states,
        rows,
      );
      for (const { run } of all) underWay.delete(run);
      return { ...report, isDuplicate, ...outcome };
    },
    /** Forgets what was imported, with all that came with it. */
    async forgetImported(execId: string): Promise<void> {
      const row = rowAt(execId);
      if (!isImportedRow(row)) {
        const message = `'${execId}' was not imported: what ran here is forgotten after ${limits.retentionMs} ms`;
        throw new TroupeError("INVALID_STATE", message, { status: row.status });
      }
      const list = importedIn(store);
      const own = list.find(({ run }) => run === row.run)?.with ?? row.run;
      const runs = [row.run, ...list.flatMap((one) => (one.with === own && one.run !== row.run ? [one.run] : []))];
      // What ended before everything else is what is forgotten first.
      store.append({ records: [], runs: runs.map((run) => endedAt(run, 0)), rows: [] });
      // What is asked now is answered after that.
      await store.read({ run: row.run, limit: 1 });
      for (let tries = 0; runs.some((run) => store.row(run)); tries++) {
        if (tries >= triesMax) throw store.trouble() ?? new TroupeError("RATE_LIMITED", "the disk is busy; try again");
        if (tries > 0) await new Promise<void>((resolve) => void clock.alarm(clock.now() + pauseMs, resolve));
        await store.prune(1, runs.length);
      }
      noteImported(store, importedIn(store));
    },
  };
}

const triesMax = 100;
const pauseMs = 20;

const endedAt = (run: string, at: number): RunState => ({ run, dueAt: null, state: "ended", at });

/** What a file lists is what its records say, and all of it belongs together. */
function checkFamily({ exec_id, runs, executions }: Bundle, all: readonly Taken[]): void {
  if (runs[0]?.run !== exec_id) throw refused([{ field: "exec_id", message: "is not that of the first run" }]);
  const ids = new Set<string>();
  for (const [index, { run, rows }] of all.entries()) {
    const root = rows.find(({ execId }) => execId === run);
    if (ids.has(run)) throw refused([{ field: `runs.${index}.run`, message: "is there twice" }]);
    if (index > 0 && !ids.has(root?.parent ?? "")) {
      throw refused([{ field: `runs.${index}`, message: "was called by none of the runs before it" }]);
    }
    for (const { execId } of rows) ids.add(execId);
  }
  const listed = (given: readonly Bundle["executions"][number][]): string[] =>
    given.map(({ exec_id: id, entity, status, attempt }) => `${entity} ${id} ${status} ${attempt}`).toSorted();
  const said = listed(all.flatMap(({ rows }) => rows).map(briefly));
  const given = listed(executions);
  const odd = given.find((one, index) => one !== said[index]) ?? said[given.length];
  if (odd !== undefined) {
    throw refused([{ field: "executions", message: `are not what the records say: look at '${odd}'` }]);
  }
}
