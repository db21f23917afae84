// Runs that begin where another was: its results up to a task are read from its messages, and the rest is done anew.
//
//   messages of the source ─▶ how each task had ended when the chosen one began ─▶ WorkflowExecute with that lineage
//
// Invariants:
//   K1. A fork is a run that was given the same results: from there on it does what any run would do.
//   K2. What was undone is not reused, and neither is what the definition does not have.

import { isImportedRow } from "../actors/imported.ts";
import { definitionIn, type Lineage, unfit } from "../actors/lineage.ts";
import type { Limits } from "../actors/limits.ts";
import { type JournalLine, journalOf, orderIn, replayOf } from "../actors/record.ts";
import type { TaskFact } from "../actors/run.ts";
import { errorFor } from "../actors/scope.ts";
import type { Workflow } from "../actors/definition.ts";
import type { Definitions } from "../actors/world.ts";
import { innerBlocks } from "../language/blocks.ts";
import type { TaskSpec } from "../language/spec.ts";
import { TroupeError, type WireError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";
import { checkExecId, checkFields, object, oneOf, type Rule, text } from "./arguments.ts";
import { checkedLabels, type Labels } from "./content.ts";
import type { openDesk } from "./desk.ts";
import { keyRule } from "./repeats.ts";

export type RetryFrom = {
  /** In place of the input that the failed execution had. */
  input?: unknown;
  /** The definition that is defined now, not the one that the failed execution ran. */
  definition?: "newest";
  /** Begins once: for 24 hours the same key gives the same execution, and is refused for other content. */
  idempotencyKey?: string;
};
export type ForkFrom = RetryFrom & {
  /** The task that it begins at: one of the workflow's own, which has begun in the source. */
  from: string;
  labels?: Labels;
};
export type Retried = { execId: string; retryOf: string };
export type Forked = { execId: string; forkOf: string };

type Means = {
  store: Store;
  definitions: Definitions & { renew(hash: string): void };
  limits: Limits;
  again: ReturnType<typeof openDesk>["again"];
};

/** Labels by which those that came of an execution are found. */
export const lineageLabels = { retry: "retry_of", fork: "fork_of" } as const;

/** What was known in a run at some time. */
type Known = { tasks: Record<string, TaskFact>; error?: unknown; resume_data?: unknown };

const anything: Rule = { is: () => true, says: "" };
const retryRules = { input: anything, definition: oneOf(["newest"]), idempotencyKey: keyRule };
const forkRules = { ...retryRules, from: text, labels: object };

export function openForks({ store, definitions, limits, again }: Means) {
  function sourceAt(execId: string): Row {
    checkExecId(execId);
    const row = store.row(execId);
    if (!row) throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
    if (row.entity === "workflow") return row;
    const message = `'${execId}' is no workflow execution: only those are begun again at a task`;
    throw new TroupeError("INVALID_STATE", message, { entity: row.entity });
  }

  /** The definition that is to run: the source's own, unless the newest is asked for. */
  function definitionFor(row: Row, hash: string | null, newest: boolean): Workflow {
    const found = newest ? definitions.workflows.get(row.id) : hash === null ? undefined : definitions.byHash(hash);
    if (found) return found;
    const message = newest
      ? `there is no workflow '${row.id}' any more`
      : `workflow '${row.id}' is not defined any more as '${row.execId}' ran it; ask for { definition: "newest" }`;
    throw new TroupeError("WORKFLOW_NOT_FOUND", message, { workflow: row.id });
  }

  async function begin(kind: Lineage["kind"], row: Row, options: RetryFrom & { from: string; labels: Labels }) {
    const { from, labels, definition, idempotencyKey: key } = options;
    const { own, input, given, lines } = await readRun(store, row);
    if (isImportedRow(row) && !definitions.workflows.has(row.id)) {
      const message = `there is no workflow '${row.id}' here: define it, and what was imported can be forked`;
      throw new TroupeError("WORKFLOW_NOT_FOUND", message, { workflow: row.id });
    }
    const workflow = definitionFor(row, own, definition === "newest");
    const ran = own === null ? workflow : (definitions.byHash(own) ?? workflow);
    const { known, undone } = knownBefore(given, lines, ran, from);
    const problem = unfit(workflow, from, Object.keys(known?.tasks ?? {})) ?? changed(ran, workflow, known);
    if (problem) throw problem;
    if (!known) {
      const message = `task '${from}' has not begun in '${row.execId}': there is nothing yet to begin it with`;
      throw new TroupeError("VALIDATION_FAILED", message, { task: from, exec_id: row.execId });
    }
    const gone = Object.keys(known.tasks).filter((id) => undone.has(id));
    if (gone.length > 0) {
      const message = `'${row.execId}' has undone ${gone.map((id) => `'${id}'`).join(", ")}: begin there, or before`;
      throw new TroupeError("VALIDATION_FAILED", message, { undone: gone, exec_id: row.execId });
    }
    const lineage: Lineage = {
      kind,
      from_exec_id: row.execId,
      from_task: from,
      definition: workflow.hash,
      ...known,
    };
    definitions.renew(workflow.hash);
    const anew = "input" in options && options.input !== undefined ? options.input : input;
    const once = key === undefined ? {} : { idempotencyKey: `${kind}/${row.execId}/${key}` };
    return again(row.id, anew, { labels, correlationId: row.correlationId, ...once }, lineage);
  }

  return {
    /** Begins an ended execution once more at one of its tasks, with the results of those before it. */
    async retryFrom(execId: string, from: string, options: RetryFrom = {}): Promise<Retried> {
      checkFields({ from, ...options }, { from: text, ...retryRules }, "the retry cannot be");
      const row = sourceAt(execId);
      if (!isTerminal(row.status)) {
        const message = `'${execId}' has not ended: only what has ended is retried; a fork may begin before`;
        throw new TroupeError("INVALID_STATE", message, { status: row.status });
      }
      const labels = { ...row.labels, [lineageLabels.retry]: execId };
      return { execId: await begin("retry", row, { ...options, from, labels }), retryOf: execId };
    },
    /** Begins a new execution with the results that another has, or had, before one of its tasks began. */
    async fork(execId: string, options: ForkFrom): Promise<Forked> {
      checkFields(options, forkRules, "the fork cannot be");
      const row = sourceAt(execId);
      const labels = { ...checkedLabels(options.labels, limits.labelsMax), [lineageLabels.fork]: execId };
      return { execId: await begin("fork", row, { ...options, labels }), forkOf: execId };
    },
  };
}

/** What a run of a newer definition cannot reuse: the result of a task that does something else now. */
function changed(ran: Workflow, runs: Workflow, known: Known | undefined): TroupeError | undefined {
  const does = (workflow: Workflow, id: string): string => {
    const { type, ...spec } = workflow.tasks.get(id)?.spec ?? ({ type: "" } as unknown as TaskSpec);
    const callee = spec as { agent?: string; action?: string; tool?: string; workflow?: string };
    return [type, callee.agent, callee.action, callee.tool, callee.workflow].join(" ");
  };
  const others = Object.keys(known?.tasks ?? {}).filter((id) => does(ran, id) !== does(runs, id));
  if (others.length === 0) return undefined;
  const message = `the results do not fit: ${others.map((id) => `'${id}'`).join(", ")} does something else now`;
  return new TroupeError("VALIDATION_FAILED", message, { workflow: runs.id, changed: others });
}

const recordsAtOnce = 200;

/** What a run was begun with, and all that was said of its tasks. */
async function readRun(store: Store, { run }: Row) {
  const lines: JournalLine[] = [];
  let own: string | null = null;
  let order: ReturnType<typeof orderIn>;
  for (let afterSeq = 0; ;) {
    const records = await store.read({ run, afterSeq, limit: recordsAtOnce });
    const last = records.at(-1);
    if (!last) break;
    const [first] = records;
    if (first && afterSeq === 0) {
      own = definitionIn(replayOf(first).answers);
      order = orderIn(first);
    }
    afterSeq = last.seq;
    for (const line of records.flatMap(journalOf)) if (isTold(line.type)) lines.push(line);
  }
  if (!order) {
    throw new TroupeError("EXECUTION_NOT_FOUND", `what '${run}' was begun with is no longer kept`, { exec_id: run });
  }
  const { input, lineage } = order.payload.context;
  const { tasks = {}, error, resume_data } = lineage ?? ({} as Partial<Lineage>);
  const given: Known = { tasks: { ...(tasks as Record<string, TaskFact>) }, ...defined({ error, resume_data }) };
  return { input, given, lines, own: lineage?.definition ?? own };
}

const isTold = (type: string): boolean => type.startsWith("event:Task") || type === "command:WorkflowResume";

type Told = {
  status: string;
  result?: { output?: unknown; error?: WireError } | null;
  context: Record<string, unknown>;
};
const told = ({ envelope }: JournalLine): Told => envelope["payload"] as Told;
const contextOf = (line: JournalLine): Record<string, unknown> => told(line).context;

/** How tasks had ended when one of the workflow's own began last, and which were undone at any time. */
function knownBefore(given: Known, lines: readonly JournalLine[], workflow: Workflow, from: string) {
  const [block = []] = workflow.graph.blocks;
  const own = new Set(block.map(({ id }) => id));
  const seen = seenIn(workflow);
  const undoneBy = new Map(
    [...workflow.tasks.values()].flatMap(({ id, undo = [] }) => undo.map((step) => [step.id, id] as const)),
  );
  const undone = new Set<string>();
  const within = containersIn(workflow);
  let now = given;
  /** What was known before a failure, of the task that may be tried again. */
  let tried: { exec_id: string; before: Known } | undefined;
  let known: Known | undefined;
  const late = newLateness();
  for (const line of lines) {
    if (line.disposition !== "applied") continue;
    const { id, exec_id } = (line.envelope["task"] ?? {}) as { id: string; exec_id: string };
    if (line.type === "command:WorkflowResume") {
      now = { ...now, ...defined({ resume_data: contextOf(line)["resume_data"] }) };
    } else if (line.type === "event:TaskScheduled") {
      late.begins(exec_id, contextOf(line)["parent_exec_id"]);
      if (own.has(id) && id === from) known = now;
      const what = undoneBy.get(id);
      // What a container gave was made of what was done in it.
      for (let one = what; one !== undefined; one = within.get(one)) undone.add(one);
    } else if (line.type === "event:TaskRetryScheduled") {
      if (tried?.exec_id === exec_id) now = tried.before;
    } else if (isTerminal(told(line).status) && !late.ends(exec_id) && seen.has(id)) {
      tried = { exec_id, before: now };
      now = after(now, { id, exec_id }, told(line));
    }
  }
  // Nothing leads to the first: a run that never got so far may be begun there too.
  return { known: known ?? (block[0]?.id === from ? { tasks: {} } : undefined), undone };
}

/** What ends after its container did is seen by nobody, also where the container is tried again. */
function newLateness() {
  const times = new Map<string, number>();
  const within = new Map<string, { parent: string; times: number }>();
  return {
    begins(execId: string, parent: unknown): void {
      if (typeof parent === "string") within.set(execId, { parent, times: times.get(parent) ?? 0 });
    },
    /** Whether it is too late. */
    ends(execId: string): boolean {
      times.set(execId, (times.get(execId) ?? 0) + 1);
      const place = within.get(execId);
      return place !== undefined && (times.get(place.parent) ?? 0) !== place.times;
    },
  };
}

function after(known: Known, task: { id: string; exec_id: string }, { status, result, context }: Told): Known {
  const { error: _before, ...rest } = known;
  const times = (known.tasks[task.id]?.times ?? 0) + 1;
  const outcome = result?.error ? { error: result.error } : { output: (result?.output ?? {}) as never };
  const fact: TaskFact = {
    status,
    exec_id: task.exec_id,
    ...(status !== "CANCELED" && outcome),
    times,
  };
  const tasks = { ...known.tasks, [task.id]: fact };
  if (status === "CANCELED") return { ...known, tasks };
  if (!result?.error) return { ...rest, tasks };
  return { ...rest, tasks, error: errorFor(result.error, task, Number(context["attempt"] ?? 1)) };
}

const defined = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The container that each contained task is in. */
function containersIn({ spec }: Workflow): Map<string, string> {
  const within = new Map<string, string>();
  const look = (tasks: readonly TaskSpec[], container: string | undefined): void => {
    for (const task of tasks) {
      if (container !== undefined) within.set(task.id, container);
      for (const { block } of innerBlocks(task)) look(block, task.id);
    }
  };
  look(spec.tasks, undefined);
  return within;
}

/** The tasks whose results are seen in the whole run: not those in an each, and not those that undo. */
function seenIn({ spec }: Workflow): Set<string> {
  const seen = new Set<string>();
  const look = (tasks: readonly TaskSpec[]): void => {
    for (const task of tasks) {
      seen.add(task.id);
      if (task.type === "parallel") Object.values(task.branches).forEach(look);
    }
  };
  look(spec.tasks);
  return seen;
}
