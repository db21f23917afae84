// Fills the model of a page from the daemon: what there is at once, and what comes as it comes.
//
// News of the stream only say that there is more; what there is is then read from where reading ended. So nothing is
// read twice, however often the connection is lost.

import { onEvents } from "../live.ts";
import type { Client } from "../connection.ts";
import type { Definition } from "./graph.ts";
import type { Execution, Line, Step } from "./journal.ts";
import type { Model } from "./model.ts";

const linesAtOnce = 1_000;
const stepsAtOnce = 10_000;
/** How often at the most the row of an execution and its reason are asked for again. */
const rowEveryMs = 400;

export type Following = { again(): void; wantRow(execId: string): void; close(): void };

export function follow(client: Client, run: Execution, model: Model): Following {
  const execId = run.exec_id;
  let fromLine = 0;
  let isOpen = true;
  const failed = (error: unknown): void => {
    if (isOpen) model.error.value = error;
  };

  const readLines = oneAtATime(async () => {
    for (let more = true; more && isOpen;) {
      const { items, next_line } = await client.getJournal({
        exec_id: execId,
        from_line: fromLine,
        limit: linesAtOnce,
      });
      if (!isOpen) return;
      const lines = items as unknown as Line[];
      fromLine = (lines.at(-1)?.line ?? fromLine - 1) + 1;
      model.take(lines);
      more = next_line !== null;
    }
    model.isLoaded.value = true;
    if (model.wantsSteps.peek()) void readSteps();
  }, failed);

  const readSteps = oneAtATime(
    stepsReader(client, execId, model, () => isOpen),
    failed,
  );

  const wanted = new Set([execId]);
  const readRows = atMostEvery(
    rowEveryMs,
    async () => {
      const rows = await Promise.all([...wanted].map((exec_id) => client.getExecution({ exec_id })));
      const { why } = await client.getWhy({ exec_id: execId });
      if (!isOpen) return;
      model.rows.value = new Map(rows.map((row) => [row.exec_id, row as Execution]));
      model.why.value = why;
    },
    failed,
  );

  const unwatch = model.wantsSteps.subscribe((wants) => {
    if (wants) void readSteps();
  });
  let unfollow = (): void => undefined;
  const entities = `${run.entity as "workflow"}s` as const;
  void readLines().then(() => {
    if (!isOpen) return;
    const after = fromLine > 0 && { after: String(fromLine - 1) };
    unfollow = onEvents({ execId, entities, ...after }, () => void readLines().then(readRows));
  });
  readRows();
  if (run.entity === "workflow") {
    client.getExecutionChart({ exec_id: execId }).then(({ statechart }) => {
      if (isOpen) model.takeChart(statechart as Definition);
    }, failed);
  }
  client.listCharts().then(({ items }) => model.takeCharts(items as never), failed);
  return {
    again: () => void readLines().then(readRows),
    wantRow(id) {
      if (wanted.has(id)) return;
      wanted.add(id);
      readRows();
    },
    close() {
      isOpen = false;
      unwatch();
      unfollow();
    },
  };
}

/** Reads the steps that followed those that were read. */
function stepsReader(client: Client, execId: string, model: Model, isOpen: () => boolean): () => Promise<void> {
  let afterSeq = 0;
  return async () => {
    for (let hasMore = true; hasMore && isOpen();) {
      const page = await client.getSteps({ exec_id: execId, after_seq: afterSeq, limit: stepsAtOnce });
      if (!isOpen()) return;
      hasMore = page.has_more;
      afterSeq = page.seq;
      if (page.steps.length > 0) model.steps.value = [...model.steps.peek(), ...(page.steps as Step[])];
    }
  };
}

/** Begun again while it is at work, it does its work once more after that. */
function oneAtATime(work: () => Promise<void>, failed: (error: unknown) => void): () => Promise<void> {
  let running: Promise<void> | undefined;
  let isWanted = false;
  const go = async (): Promise<void> => {
    try {
      do {
        isWanted = false;
        await work();
      } while (isWanted);
    } catch (error) {
      failed(error);
    } finally {
      running = undefined;
    }
  };
  return () => {
    if (running) isWanted = true;
    running ??= go();
    return running;
  };
}

function atMostEvery(ms: number, work: () => Promise<void>, failed: (error: unknown) => void): () => void {
  let last = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(
      () => {
        timer = undefined;
        last = Date.now();
        work().catch(failed);
      },
      Math.max(0, last + ms - Date.now()),
    );
  };
}
