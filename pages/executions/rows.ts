// The rows of the list: pages of them by cursor, kept true by what is heard.
//
//   messages ──▶ status of rows that are there, at once
//      └───────▶ the newest page and the counts again, at most once a second
//
// A message says that something changed; how it stands now, and whether it still belongs here, the daemon says.

import { useEffect, useMemo } from "preact/hooks";
import { batch, signal } from "@preact/signals";
import type { Answer } from "../../src/gateway/client.ts";
import { byRun } from "../../src/protocol/waiting.ts";
import { client, returned } from "../connection.ts";
import { type Heard, onEvents } from "../live.ts";
import { type Filters, statusesOf, statusOf, withoutStatus } from "./filters.ts";

export type Row = Answer<"getExecution">;

const pageRows = 100;
const moreRows = 200;
const refreshMs = 1_000;
/** What happens together is asked for together. */
const firstMs = 60;
/** So many waits are looked for; of more, the newest are said. */
const waitsMax = 200;
/** Rows far down are asked for one by one; more than these wait for the next time. */
const singlesMax = 20;

const entityOf = { workflows: "workflow", tasks: "task", agents: "agent", tools: "tool" } as const;

type Page = Awaited<ReturnType<typeof client.listExecutions>>;

const find = (filters: Filters, limit: number, from?: string): Promise<Page> =>
  client.listExecutions({
    entities: filters.kind,
    ...withoutStatus(filters),
    ...statusOf(filters),
    order: filters.order,
    limit,
    ...(from !== undefined && { cursor: from }),
  });

/** A workflow runs on while one of its tasks waits. */
async function waitingTasks({ kind }: Filters, counts: Readonly<Record<string, number>>) {
  if (kind !== "workflows" || (counts["RUNNING"] ?? 0) === 0) return new Map<string, Row>();
  return byRun((await client.listExecutions({ entities: "tasks", status: ["WAITING"], limit: waitsMax })).items);
}

/** The newest page and the counts, and those of the changed rows that are not on it. */
async function ask(filters: Filters, singles: (page: Page) => readonly string[]) {
  const { kind: entities } = filters;
  const [page, { counts }] = await Promise.all([
    find(filters, pageRows),
    client.countExecutions({ entities, ...withoutStatus(filters), by: "status" }),
  ]);
  const alone = singles(page).slice(0, singlesMax);
  // One that is gone meanwhile is not there any more.
  const fresh = await Promise.all(alone.map((exec_id) => client.getExecution({ entities, exec_id }).catch(() => null)));
  return { page, counts, fresh: fresh.filter((row) => row !== null) };
}

/** The newest page stands for all from its first row to its last; if nothing joins it to the rest, the rest goes. */
function withHead(rows: readonly Row[], { items, next_cursor }: Page): { rows: readonly Row[]; isWhole: boolean } {
  const last = items.at(-1);
  const from = last ? rows.findIndex((row) => row.exec_id === last.exec_id) : -1;
  if (next_cursor === null || from < 0) return { rows: items, isWhole: true };
  const head = new Set(items.map((row) => row.exec_id));
  return { rows: [...items, ...rows.slice(from + 1).filter((row) => !head.has(row.exec_id))], isWhole: false };
}

function replaced(rows: readonly Row[], fresh: readonly Row[], { status }: Filters): readonly Row[] {
  const byId = new Map(fresh.map((row) => [row.exec_id, row]));
  return rows
    .map((row) => byId.get(row.exec_id) ?? row)
    .filter((row) => status.length === 0 || status.includes(row.status));
}

/** Which executions were spoken of, and how they stand where that was said. */
function changesIn(events: readonly Heard[], { kind }: Filters): Map<string, string | undefined> {
  const entity = entityOf[kind];
  const changes = new Map<string, string | undefined>();
  for (const { envelope } of events) {
    const execId = (envelope[entity] as { exec_id?: string } | undefined)?.exec_id;
    if (execId === undefined) continue;
    const { status } = (envelope["payload"] ?? {}) as { status?: unknown };
    const type = (envelope["metadata"] as { message_type?: string } | undefined)?.message_type ?? "";
    const isOwn = type.toLowerCase().startsWith(entity) && statusesOf[kind].includes(String(status));
    changes.set(execId, isOwn ? String(status) : changes.get(execId));
  }
  return changes;
}

/** Does it soon, at once for all that comes meanwhile, and not again before a while has passed. */
function paced(work: () => Promise<void>, isWanted: () => boolean) {
  let timer = 0;
  let last = -Infinity;
  let isOver = false;
  const run = async (): Promise<void> => {
    last = performance.now();
    await work();
    timer = 0;
    if (isWanted()) soon();
  };
  function soon(): void {
    if (timer !== 0 || isOver) return;
    timer = window.setTimeout(
      () => void run(),
      last === -Infinity ? 0 : Math.max(firstMs, last + refreshMs - performance.now()),
    );
  }
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  return { soon, stop };
}

function openRows(filters: Filters) {
  const rows = signal<readonly Row[]>([]);
  const counts = signal<Readonly<Record<string, number>>>({});
  const waits = signal<ReadonlyMap<string, Row>>(new Map());
  const error = signal<unknown>(undefined);
  const isFirst = signal(true);
  let cursor: string | null = null;
  let isLoading = false;
  let isOver = false;
  const touched = new Set<string>();

  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (!isOver) error.value = undefined;
    } catch (reason) {
      if (!isOver) error.value = reason;
    }
  }

  async function more(): Promise<void> {
    if (isLoading || cursor === null) return;
    isLoading = true;
    await guarded(async () => {
      const page = await find(filters, moreRows, cursor ?? undefined);
      const known = new Set(rows.value.map((row) => row.exec_id));
      cursor = page.next_cursor;
      rows.value = [...rows.value, ...page.items.filter((row) => !known.has(row.exec_id))];
    });
    isLoading = false;
  }

  const refresh = (): Promise<void> =>
    guarded(async () => {
      const changed = [...touched];
      touched.clear();
      const shown = new Set(rows.value.map((row) => row.exec_id));
      const answer = await ask(filters, ({ items }) => {
        const head = new Set(items.map((row) => row.exec_id));
        return changed.filter((id) => shown.has(id) && !head.has(id));
      });
      if (isOver) return;
      batch(() => {
        const { page } = answer;
        // Where the oldest come first, what is new belongs at the end, and comes when that is reached.
        if (filters.order === "newest" || isFirst.value || page.next_cursor === null) {
          const merged = withHead(rows.value, page);
          rows.value = merged.rows;
          if (merged.isWhole) cursor = page.next_cursor;
        }
        rows.value = replaced(rows.value, answer.fresh, filters);
        counts.value = answer.counts;
        isFirst.value = false;
      });
      waits.value = await waitingTasks(filters, answer.counts);
    });

  function hear(events: readonly Heard[]): void {
    const changes = changesIn(events, filters);
    for (const execId of changes.keys()) touched.add(execId);
    // A row that no longer fits is not relabelled: it goes when the rows are asked for again.
    if (filters.status.length === 0 && rows.value.some((row) => changes.get(row.exec_id) !== undefined)) {
      rows.value = rows.value.map((row) => ({ ...row, status: changes.get(row.exec_id) ?? row.status }));
    }
    if (touched.size > 0) pace.soon();
  }

  const pace = paced(refresh, () => touched.size > 0);
  pace.soon();
  const end = onEvents({ entity: entityOf[filters.kind] }, hear, () => pace.soon());
  const close = (): void => {
    isOver = true;
    pace.stop();
    end();
  };
  return { rows, counts, waits, error, isFirst, more: () => void more(), refresh, close };
}

/** Anew for other filters; after the connection came back, the same rows are asked for again. */
export function useRows(filters: Filters) {
  const key = JSON.stringify(filters);
  const open = useMemo(() => openRows(filters), [key]);
  useEffect(() => () => open.close(), [open]);
  const times = returned.value;
  useEffect(() => {
    if (times > 0) void open.refresh();
  }, [times]);
  return open;
}
