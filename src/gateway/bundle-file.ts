// A run as a file, with all that a reader without a daemon needs: what importing takes, and what is made from that.

import { mermaidOfWorkflow } from "../language/mermaid.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { statechartOf } from "../language/statechart.ts";
import type { Bundle } from "../runtime/bundle.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { executionOf, stepsOf } from "./shown.ts";

const pageRows = 500;
/** A reader can do without the rest; who imports it has all of it from the records. */
const linesMax = 50_000;
const stepsMax = 100_000;
const stepsAtOnce = 10_000;

/** What importing needs comes first; what follows is made from it, for readers. */
export async function bundleFile(troupe: Troupe, execId: string) {
  const bundle = await troupe.exportRun(execId);
  const executions = [];
  for (const { run } of bundle.runs) executions.push(...(await rowsOf(troupe, run)));
  const [journal, steps] = [await journalOf(troupe, bundle.exec_id), await allStepsOf(troupe, bundle.exec_id)];
  return { ...bundle, executions, chart: chartIn(bundle), journal, steps };
}

async function rowsOf(troupe: Troupe, run: string) {
  const rows = [];
  for (let after: string | null | undefined; after !== null;) {
    const from = after === undefined ? {} : { after };
    const page = await troupe.list({ run, order: "oldest", limit: pageRows, ...from });
    rows.push(...page.items.map(executionOf));
    after = page.cursor;
  }
  return rows;
}

async function journalOf(troupe: Troupe, run: string) {
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

async function allStepsOf(troupe: Troupe, run: string) {
  const steps = [];
  for (let afterSeq = 0, hasMore = true; hasMore && steps.length < stepsMax;) {
    const page = await troupe.steps(run, { afterSeq, limit: stepsAtOnce });
    steps.push(...stepsOf(page).steps);
    afterSeq = page.seq;
    ({ hasMore } = page);
  }
  return steps;
}

/** Of a workflow that holds functions only its own daemon can draw it. */
function chartIn({ definitions: [first] }: Bundle) {
  if (!first || first.spec === null) return null;
  const spec = first.spec as unknown as WorkflowSpec;
  return { id: first.id, hash: first.hash, statechart: statechartOf(spec), mermaid: mermaidOfWorkflow(spec) };
}
