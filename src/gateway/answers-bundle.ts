// Runs as files, over HTTP: one is given out with all that a reader without a daemon needs, and one is taken in.

import { mermaidOfWorkflow } from "../language/mermaid.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { statechartOf } from "../language/statechart.ts";
import type { Bundle } from "../runtime/bundle.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { AnswersOf } from "./answers.ts";
import { executionOf, stepsOf } from "./shown.ts";

type Operations = "exportExecution" | "importExecution" | "deleteImported";

const pageRows = 500;
/** A reader can do without the rest; who imports it has all of it from the records. */
const linesMax = 50_000;
const stepsMax = 100_000;
const stepsAtOnce = 10_000;

export function bundleAnswers({ troupe }: { troupe: Troupe }): AnswersOf<Operations> {
  async function rowsOf(run: string) {
    const rows = [];
    for (let after: string | null | undefined; after !== null;) {
      const from = after === undefined ? {} : { after };
      const page = await troupe.list({ run, order: "oldest", limit: pageRows, ...from });
      rows.push(...page.items.map(executionOf));
      after = page.cursor;
    }
    return rows;
  }

  async function journalOf(run: string) {
    const lines = [];
    for (let fromLine = 0; lines.length < linesMax;) {
      const page = await troupe.history(run, { fromLine });
      const last = page.at(-1);
      if (!last) break;
      lines.push(...page);
      fromLine = last.line + 1;
    }
    return lines;
  }

  async function allStepsOf(run: string) {
    const steps = [];
    for (let afterSeq = 0, hasMore = true; hasMore && steps.length < stepsMax;) {
      const page = await troupe.steps(run, { afterSeq, limit: stepsAtOnce });
      steps.push(...stepsOf(page).steps);
      afterSeq = page.seq;
      ({ hasMore } = page);
    }
    return steps;
  }

  /** What importing needs comes first; what follows is made from it, for readers. */
  async function fileOf(execId: string) {
    const bundle = await troupe.exportRun(execId);
    const executions = [];
    for (const { run } of bundle.runs) executions.push(...(await rowsOf(run)));
    const [journal, steps] = [await journalOf(bundle.exec_id), await allStepsOf(bundle.exec_id)];
    return { ...bundle, executions, chart: chartIn(bundle), journal, steps };
  }

  return {
    async exportExecution({ params }) {
      const body = await fileOf(params.exec_id);
      const disposition = `attachment; filename="troupe-${body.exec_id}.json"`;
      return { body, headers: { "content-disposition": disposition } };
    },
    async importExecution({ body }) {
      const { execId, isDuplicate, isReplayable, ...counts } = await troupe.importRun(body);
      const report = { exec_id: execId, ...counts, is_duplicate: isDuplicate, is_replayable: isReplayable };
      return { status: isDuplicate ? 200 : 201, body: report };
    },
    async deleteImported({ params }) {
      await troupe.forgetImported(params.exec_id);
      return { status: 204, body: null };
    },
  };
}

/** Of a workflow that holds functions only its own daemon can draw it. */
function chartIn({ definitions: [first] }: Bundle) {
  if (!first || first.spec === null) return null;
  const spec = first.spec as unknown as WorkflowSpec;
  return { id: first.id, hash: first.hash, statechart: statechartOf(spec), mermaid: mermaidOfWorkflow(spec) };
}
