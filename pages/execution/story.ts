// The journal of a run, told again: who lived in it, and how each stood after any number of lines.
//
//   lines ──tell──▶ lives, each with its moves ──standing(life, n)──▶ how it stood after the first n lines
//
// Invariants:
//   ES1. How anything stood after n lines does not depend on the lines after them.
//   ES2. Telling the lines at once, or in any pieces, makes the same story.

import { contextOf, type Line, sectionOf, timeOf } from "./journal.ts";

export type Face =
  | "idle"
  | "pending"
  | "running"
  | "waiting"
  | "paused"
  | "retrying"
  | "success"
  | "failed"
  | "timed_out"
  | "canceled";

export type Move = {
  /** Position of the line that moved it; after so many lines it has not happened yet. */
  at: number;
  time: number;
  face: Face;
  attempt: number;
  type: string;
  code?: string;
};

export type Life = {
  key: string;
  entity: string;
  id: string;
  execId: string;
  /** Key of the life that contains or called it; null of the run itself. */
  parent: string | null;
  depth: number;
  /** Which element of an `each`, which branch of a `parallel`. */
  index?: number;
  branch?: string;
  taskType?: string;
  attemptsMax?: number;
  /** The run that a workflow task began. */
  child?: { id: string; execId: string };
  moves: Move[];
};

export type Story = {
  lines: Line[];
  /** When each line was said, in milliseconds. */
  times: number[];
  lives: Map<string, Life>;
  /** In the order in which they came to be. */
  order: Life[];
  root: Life | undefined;
};

export const openStory = (): Story => ({ lines: [], times: [], lives: new Map(), order: [], root: undefined });

const faces: Readonly<Record<string, Face>> = {
  "command:TriggerAgent": "pending",
  "command:ToolExecute": "pending",
  "event:WorkflowExecutionStarted": "running",
  "event:WorkflowExecutionPaused": "paused",
  "event:WorkflowExecutionResumed": "running",
  "event:WorkflowExecutionSuccess": "success",
  "event:WorkflowExecutionFailed": "failed",
  "event:WorkflowExecutionTimedOut": "timed_out",
  "event:WorkflowExecutionCanceled": "canceled",
  "event:TaskScheduled": "pending",
  "event:TaskExecutionStarted": "running",
  "event:TaskWaitingStarted": "waiting",
  "event:TaskWaitingEnded": "running",
  "event:TaskWaitingTimedOut": "timed_out",
  "event:TaskExecutionSuccess": "success",
  "event:TaskExecutionFailed": "failed",
  "event:TaskExecutionTimedOut": "timed_out",
  "event:TaskExecutionCanceled": "canceled",
  "event:TaskRetryScheduled": "retrying",
  "event:AgentExecutionStarted": "running",
  "event:AgentExecutionResult": "success",
  "event:AgentExecutionFailed": "failed",
  "event:AgentExecutionCanceled": "canceled",
  "event:ToolExecutionStarted": "running",
  "event:ToolExecutionSuccess": "success",
  "event:ToolExecutionFailed": "failed",
  "event:ToolExecutionCanceled": "canceled",
};

const ends: ReadonlySet<Face> = new Set<Face>(["success", "failed", "timed_out", "canceled"]);
export const isOver = (face: Face): boolean => ends.has(face);

/** Goes on with a story; gives the moves that were made, in order. */
export function tell(story: Story, lines: readonly Line[]): { life: Life; move: Move }[] {
  const moved: { life: Life; move: Move }[] = [];
  for (const line of lines) {
    const at = story.lines.push(line) - 1;
    story.times.push(timeOf(line));
    if (line.disposition !== "applied") continue;
    noteChild(story, line);
    const face = faces[line.type];
    if (face === undefined) continue;
    const life = lifeOf(story, line);
    if (!life) continue;
    const move = moveOf(line, at, face, life);
    if (!move) continue;
    life.moves.push(move);
    moved.push({ life, move });
  }
  return moved;
}

function moveOf(line: Line, at: number, face: Face, life: Life): Move | undefined {
  const context = contextOf(line);
  const before = life.moves.at(-1);
  // A call is asked for once more when somebody has to be found for it; it began with the first.
  if (line.type.startsWith("command:") && before) return undefined;
  const attempt = typeof context["attempt"] === "number" ? context["attempt"] : (before?.attempt ?? 1);
  const result = line.envelope.payload?.result;
  const code = result?.error?.code;
  const isBad = line.type === "event:AgentExecutionResult" && line.envelope.payload?.status !== "SUCCESS";
  return {
    at,
    time: timeOf(line),
    face: isBad ? "failed" : face,
    attempt,
    type: line.type,
    ...(code !== undefined && { code }),
  };
}

const keyOf = (entity: string, execId: string): string => `${entity}/${execId}`;

function lifeOf(story: Story, line: Line): Life | undefined {
  const entity = /^(?:event|command):(?:Trigger)?(Workflow|Task|Agent|Tool)/.exec(line.type)?.[1]?.toLowerCase() ?? "";
  const named = sectionOf(line, entity);
  if (!named) return undefined;
  const key = keyOf(entity, named.exec_id);
  const life = story.lives.get(key) ?? bear(story, line, entity, named);
  if (line.type === "event:TaskScheduled") describe(life, line);
  return life;
}

function bear(story: Story, line: Line, entity: string, named: { id: string; exec_id: string }): Life {
  const parent = parentOf(story, line, entity);
  const life: Life = {
    key: keyOf(entity, named.exec_id),
    entity,
    id: named.id,
    execId: named.exec_id,
    parent: parent?.key ?? null,
    depth: parent ? parent.depth + 1 : 0,
    moves: [],
  };
  story.lives.set(life.key, life);
  story.order.push(life);
  story.root ??= life;
  return life;
}

function parentOf(story: Story, line: Line, entity: string): Life | undefined {
  if (entity === "workflow") return undefined;
  const container = contextOf(line)["parent_exec_id"];
  if (entity === "task" && typeof container === "string") return story.lives.get(keyOf("task", container));
  // A tool that an agent called names both; whoever is nearest called it.
  const callers = entity === "task" ? ["workflow"] : entity === "agent" ? ["task"] : ["agent", "task"];
  for (const caller of callers) {
    const named = sectionOf(line, caller);
    const found = named && story.lives.get(keyOf(caller, named.exec_id));
    if (found) return found;
  }
  return undefined;
}

function describe(life: Life, line: Line): void {
  const { index, branch, task_type: taskType, retry_policy: policy } = contextOf(line);
  if (typeof index === "number") life.index = index;
  if (typeof branch === "string") life.branch = branch;
  if (typeof taskType === "string") life.taskType = taskType;
  const max = (policy as { max_attempts?: unknown } | undefined)?.max_attempts;
  if (typeof max === "number") life.attemptsMax = max;
}

/** A task that runs a workflow says whom it began. */
function noteChild(story: Story, line: Line): void {
  if (line.type !== "command:WorkflowExecute") return;
  const [task, workflow] = [sectionOf(line, "task"), sectionOf(line, "workflow")];
  const life = task && story.lives.get(keyOf("task", task.exec_id));
  if (life && workflow) life.child = { id: workflow.id, execId: workflow.exec_id };
}

/** How many of these ascending numbers are below a bound. */
export function countBelow<T>(items: readonly T[], bound: number, numberOf: (item: T) => number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numberOf(items[middle] as T) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last move within the first n lines. */
export const standing = (life: Life, n: number): Move | undefined =>
  life.moves[countBelow(life.moves, n, ({ at }) => at) - 1];
