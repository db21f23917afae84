// Runs as portable files, the way out: a run with all that it said, and with the workflows that it called.

import type { Clock } from "../actors/clock.ts";
import { unmarkedBody } from "../actors/imported.ts";
import { definitionIn } from "../actors/lineage.ts";
import { orderIn, replayOf } from "../actors/record.ts";
import { charts } from "../actors/run.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { LogRecord, Row, Store } from "../store/store.ts";
import { version } from "../version.ts";
import { checkExecId } from "./arguments.ts";
import { type Bundle, type BundledRun, bundleFormat, bundleVersion, sumAfter } from "./bundle-format.ts";

/** The definitions that runs were begun with. */
export type Known = {
  byHash(hash: string): { id: string; spec: object } | undefined;
  holdsCode(hash: string): boolean;
};
type Means = { store: Pick<Store, "row" | "rowsOf" | "find" | "read">; clock: Pick<Clock, "now">; definitions: Known };

const recordsAtOnce = 500;
const rowsAtOnce = 500;

export function openExports({ store, clock, definitions }: Means) {
  function rowAt(execId: string): Row {
    checkExecId(execId);
    const row = store.row(execId);
    if (row) return row;
    throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
  }

  /** The run, and those of the workflows that it called, however deep. */
  async function familyOf(root: Row): Promise<string[]> {
    const family = [root.run];
    const members = new Set(store.rowsOf(root.run).map(({ execId }) => execId));
    const open: Row[] = [];
    for (let after: string | null | undefined; after !== null;) {
      const from = after === undefined ? {} : { after };
      const query = {
        entity: "workflow",
        correlationId: root.correlationId,
        order: "oldest",
        limit: rowsAtOnce,
      } as const;
      const page = await store.find({ ...query, ...from });
      open.push(...page.rows);
      after = page.cursor;
    }
    // A parent is older than what it called.
    for (const { execId, parent } of open) {
      if (parent === null || !members.has(parent)) continue;
      family.push(execId);
      for (const row of store.rowsOf(execId)) members.add(row.execId);
    }
    return family;
  }

  async function bundledRun(run: string): Promise<{ bundled: BundledRun; hashes: string[] }> {
    const records: BundledRun["records"] = [];
    const hashes: string[] = [];
    let sum = run;
    for (let afterSeq = 0; ;) {
      const some = await store.read({ run, afterSeq, limit: recordsAtOnce });
      const last = some.at(-1);
      if (!last) break;
      if (afterSeq === 0 && some[0]) hashes.push(...hashesIn(some[0]));
      afterSeq = last.seq;
      for (const record of some) {
        const body = JSON.parse(unmarkedBody(record.body)) as BundledRun["records"][number]["body"];
        sum = sumAfter(sum, record.at, JSON.stringify(body));
        records.push({ at: record.at, sum, body });
      }
    }
    if (records.length > 0) return { bundled: { run, records }, hashes };
    throw new TroupeError("EXECUTION_NOT_FOUND", `what '${run}' said is no longer kept`, { exec_id: run });
  }

  return {
    rowAt,
    bundledRun,
    /** A run with all that it said and the workflows that it called, to be opened elsewhere. */
    async exportRun(execId: string): Promise<Bundle> {
      const root = rowAt(execId);
      const family = await familyOf(rowAt(root.run));
      const parts = [];
      for (const run of family) parts.push(await bundledRun(run));
      const hashes = [...new Set(parts.flatMap((part) => part.hashes))];
      return {
        format: bundleFormat,
        version: bundleVersion,
        troupe: version,
        exported_at: new Date(clock.now()).toISOString(),
        exec_id: root.run,
        machines: Object.fromEntries(Object.values(charts).map((chart) => [chart.id, chart.version ?? ""])),
        definitions: hashes.flatMap((hash) => {
          const found = definitions.byHash(hash);
          const spec = definitions.holdsCode(hash) ? null : (found?.spec ?? null);
          return found ? [{ id: found.id, hash, spec: spec as Record<string, unknown> | null }] : [];
        }),
        runs: parts.map(({ bundled }) => bundled),
        executions: family.flatMap((run) => store.rowsOf(run)).map(briefly),
      };
    },
  };
}

/** The definitions that a run may have been begun with, by its first record. */
function hashesIn(first: LogRecord): string[] {
  const lineage = orderIn(first)?.payload.context.lineage?.definition;
  const asked = definitionIn(replayOf(first).answers);
  return [lineage, asked].flatMap((hash) => (typeof hash === "string" ? [hash] : []));
}

export const briefly = ({ execId, entity, id, run, status, attempt }: Row): Bundle["executions"][number] => ({
  exec_id: execId.split("/")[0] ?? "",
  entity,
  id,
  run,
  status,
  attempt,
});
