// What is ready next: a task graph as data, advanced by facts. A workflow and every container task have one.
//
// A plan runs lanes side by side; each lane walks one block, one task at a time:
//
//   ready ──take──▶ open ──settle──▶ ready (next task) · ok · failed
//
// Invariants:
//   P1. A lane has at most one task at a time, and at most `width` lanes are under way: begun and not ended.
//   P2. A task begins only after what leads to it has ended, and nothing begins once the plan has a verdict.
//   P3. Every fact is applied once: a task that is not open settles nothing.
//   P4. The verdict is the strategy's, and comes with the fact that decides it.
//   P5. Same plan, same facts, same seeds: same turns.
//   P6. A task with a pause before it asks for the pause once, and until its release nothing at all begins.
//   P7. A fact looks at no lane but its own and the next to begin, however many there are, until the verdict.
//   P8. A target that its block does not have ends the plan: before anything begins if it is written in the graph, when
//       it is chosen if a task chooses it.
//   P9. What the lanes of a container have given fits into its limit, or it fails with PAYLOAD_TOO_LARGE.

import assert from "node:assert/strict";
import type { WireError } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";
import { idAfter } from "../protocol/ids.ts";
import { type EndStatus, fault, type TaskName } from "./cues.ts";
import { names } from "./retry.ts";
import type { Outcome } from "./speech.ts";

/** A task of a block, as far as the walk is concerned. */
export type Step = {
  id: string;
  next?: string;
  /** Where a failure goes; the first entry whose codes fit, or that has none, wins. */
  on_error?: { codes?: string[]; next: string }[];
  /** The run pauses itself before this task, for this reason. */
  pause_before?: string;
};

export type Strategy = "all" | "fail_fast" | "best_effort" | "race";

/** The graph: distinct blocks, and the lanes that walk them. */
export type Graph = {
  strategy: Strategy;
  /** How many lanes may be under way at once. */
  width: number;
  /** How often one task may run within a lane. */
  stepsMax: number;
  /** How many bytes all lanes together may give. */
  bytesMax?: number;
  blocks: Step[][];
  /** Each lane walks the block of this number; parallel lanes have names, each lanes have none. */
  lanes: { block: number; name?: string }[];
  /** In place of lanes: so many of them walk the first block. */
  items?: number;
};

/** How often each task of the lane ran. */
type Ran = Readonly<Record<string, number>>;

type Ready = { is: "ready"; task: string; ran: Ran; /** The pause before it is over. */ released?: true };
type Open = { is: "open"; task: TaskName; ran: Ran };
type Ok = { is: "ok"; output: Data };
/** `code` is what others call the failure: the error's code, or that the task was canceled, which is no error. */
type Failed = { is: "failed"; error: WireError; task: TaskName; code: string };
type Lane = Ready | Open | Ok | Failed;

/** `fatal`: the whole run is over, not only this block. */
export type Verdict = { output: Data } | { error: WireError; fatal?: true };

/** Where a plan stands. */
export type Plan = {
  lanes: readonly Lane[];
  /** Of items, in pieces: a fact copies one of them and not all. A lane that has not begun is in none. */
  pieces?: readonly (readonly (Lane | null)[])[];
  /** How much the lanes have given, where that has a limit. */
  bytes?: number;
  // Counted as facts come in, so that no fact needs a look at all lanes.
  open: number;
  ended: number;
  failed: number;
  /** The first lane that ended well: what a race is won by. */
  won: number | null;
  /** Lanes from this one on have not begun. */
  fresh: number;
  /** Lanes that have begun and can go on, in order. */
  again: readonly number[];
  /** The lane before whose next task the run has to pause, until it is released. */
  asked: number | null;
  verdict: Verdict | null;
};

export type Begin = { task: TaskName; lane: number };
export type Ended = {
  task: TaskName;
  lane: number;
  status: EndStatus;
  result: Outcome | null;
  next?: string;
};

export const linear = (block: Step[], stepsMax = 1000): Graph => ({
  strategy: "all",
  width: 1,
  stepsMax,
  blocks: [block],
  lanes: [{ block: 0 }],
});

const entryOf = (graph: Graph, lane: number): string | undefined => blockOf(graph, lane)[0]?.id;
const blockOf = ({ blocks, lanes, items }: Graph, lane: number): Step[] =>
  blocks[items === undefined ? (lanes[lane]?.block ?? -1) : 0] ?? [];
const stepOf = (graph: Graph, lane: number, id: string): Step | undefined =>
  blockOf(graph, lane).find((step) => step.id === id);

const countOf = ({ lanes, items }: Graph): number => items ?? lanes.length;

/** Where a lane stands that has not begun. */
function unbegun(graph: Graph, lane: number): Lane {
  const entry = entryOf(graph, lane);
  return entry === undefined ? { is: "ok", output: {} } : { is: "ready", task: entry, ran: {} };
}

/** A plan that has not begun; an empty block is done at once. */
export function openPlan(graph: Graph): Plan {
  assert(graph.width >= 1 || countOf(graph) === 0, "a plan of no width would never begin");
  const lanes = graph.items === undefined ? graph.lanes.map((_, lane) => unbegun(graph, lane)) : [];
  const isEmpty = graph.items !== undefined && graph.items > 0 && unbegun(graph, 0).is === "ok";
  const ended = isEmpty ? (graph.items ?? 0) : lanes.filter(({ is }) => is === "ok").length;
  const first = isEmpty ? 0 : lanes.findIndex(({ is }) => is === "ok");
  const won = first < 0 ? null : first;
  const counted = { open: 0, ended, failed: 0, won, fresh: 0 };
  const pieces = graph.items === undefined ? {} : { pieces: [] };
  return judged(graph, { lanes, ...pieces, ...counted, again: [], asked: null, verdict: defectOf(graph) });
}

const pieceSize = 256;

/** Where a lane stands. */
function laneOf(graph: Graph, plan: Plan, lane: number): Lane | undefined {
  const { lanes, pieces } = plan;
  if (!pieces) return lanes[lane];
  if (!(lane >= 0 && lane < countOf(graph))) return undefined;
  return writtenAt(plan, lane) ?? unbegun(graph, lane);
}
const writtenAt = ({ lanes, pieces }: Plan, lane: number): Lane | null | undefined =>
  pieces ? pieces[Math.floor(lane / pieceSize)]?.[lane % pieceSize] : lanes[lane];

const lanesOf = (graph: Graph, plan: Plan): Lane[] =>
  Array.from({ length: countOf(graph) }, (_, lane) => laneOf(graph, plan, lane) as Lane);

/** The plan with a lane that stands otherwise. */
function moved(plan: Plan, lane: number, to: Lane): Plan {
  if (!plan.pieces) return { ...plan, lanes: plan.lanes.with(lane, to) };
  const [at, within] = [Math.floor(lane / pieceSize), lane % pieceSize];
  const pieces = padded(plan.pieces, at, []);
  const piece = padded(pieces[at] ?? [], within, null);
  piece[within] = to;
  pieces[at] = piece;
  return { ...plan, pieces };
}

/** A copy that reaches as far as this place at least, without holes: a snapshot is JSON. */
function padded<T>(list: readonly T[], place: number, blank: T): T[] {
  const copy = [...list];
  while (copy.length <= place) copy.push(blank);
  return copy;
}

/** Whether a task is the one that its lane waits for, and whether it is the lane's first. */
export function isOpen(graph: Graph, plan: Plan, lane: number, { exec_id }: { exec_id: string }): boolean {
  const at = laneOf(graph, plan, lane);
  return at?.is === "open" && at.task.exec_id === exec_id;
}
export function isFirst(graph: Graph, plan: Plan, lane: number): boolean {
  const at = laneOf(graph, plan, lane);
  return at?.is === "open" && Object.values(at.ran).reduce((sum, times) => sum + times, 0) === 1;
}
export const isUnderWay = (graph: Graph, plan: Plan, lane: number): boolean =>
  !plan.verdict && ["ready", "open"].includes(laneOf(graph, plan, lane)?.is ?? "");

/** What is wrong with a graph, whoever made it: a way in it leads nowhere. */
function defectOf({ blocks }: Graph): Verdict | null {
  for (const block of blocks) {
    const known = new Set(block.map(({ id }) => id));
    for (const { id, next, on_error } of block) {
      const targets = [...(next === undefined ? [] : [next]), ...(on_error ?? []).map((way) => way.next)];
      const target = targets.find((one) => !known.has(one));
      if (target !== undefined) return leadsNowhere(id, target);
    }
  }
  return null;
}

const leadsNowhere = (task: string, target: string): { error: WireError } =>
  fault("VALIDATION_FAILED", `task '${task}' leads to '${target}', which its block does not have`, { task, target });

/** Begins what is ready, within the width. `pause` says that the run has to pause before anything more begins. */
export function take(graph: Graph, plan: Plan, seed: string): { plan: Plan; begin: Begin[]; pause?: string } {
  if (plan.verdict || plan.asked !== null) return { plan, begin: [] };
  const begin: Begin[] = [];
  let to = plan;
  let { fresh } = plan;
  let goneOn = 0;
  let asked: number | null = null;
  let pause: string | undefined;
  while (plan.open + begin.length < graph.width) {
    while (laneOf(graph, to, fresh)?.is === "ok") fresh += 1;
    // What has begun goes on before anything new begins: with a width of one, lane after lane.
    const lane = plan.again[goneOn] ?? fresh;
    const at = laneOf(graph, to, lane);
    if (at?.is !== "ready") break;
    pause = at.released ? undefined : stepOf(graph, lane, at.task)?.pause_before;
    if (pause !== undefined) {
      asked = lane;
      to = moved(to, lane, at);
      break;
    }
    const times = timesOf(at) + 1;
    if (times > graph.stepsMax) return { plan: { ...plan, verdict: overLimit(graph, at.task) }, begin: [] };
    const task = { id: at.task, exec_id: idAfter(seed, begin.length + 1) };
    to = moved(to, lane, { is: "open", task, ran: { ...at.ran, [at.task]: times } });
    begin.push({ task, lane });
    if (lane === fresh) fresh += 1;
    else goneOn += 1;
  }
  const open = plan.open + begin.length;
  const taken = { ...to, open, fresh, again: plan.again.slice(goneOn), asked };
  return pause === undefined ? { plan: taken, begin } : { plan: taken, begin, pause };
}

// A task may be called `constructor`, which every object seems to have.
const timesOf = ({ ran, task }: Ready): number => (Object.hasOwn(ran, task) ? (ran[task] ?? 0) : 0);

function overLimit({ stepsMax }: Graph, task: string): Verdict {
  const message = `task '${task}' ran ${stepsMax} times, more is not allowed`;
  return { ...fault("STEP_LIMIT", message, { task, max_steps: stepsMax }), fatal: true };
}

/** The pause is over: the task before which it was asked for can begin. */
export function release(plan: Plan): Plan {
  if (plan.asked === null) return plan;
  const at = writtenAt(plan, plan.asked);
  if (at?.is !== "ready") return plan;
  return { ...moved(plan, plan.asked, { ...at, released: true }), asked: null };
}

/** Applies a fact: a task of this plan has ended. */
export function settle(graph: Graph, plan: Plan, ended: Ended): Plan {
  const at = laneOf(graph, plan, ended.lane);
  if (plan.verdict || at?.is !== "open" || at.task.exec_id !== ended.task.exec_id) return plan;
  const after = follow(graph, ended, at);
  const goesOn = after.is === "ready";
  const isLost = after.is === "ready" && !stepOf(graph, ended.lane, after.task);
  return judged(graph, {
    ...moved(plan, ended.lane, after),
    ...(graph.bytesMax !== undefined && { bytes: (plan.bytes ?? 0) + bytesOf(graph, after) }),
    verdict: isLost ? leadsNowhere(at.task.id, after.task) : null,
    open: plan.open - 1,
    ended: plan.ended + (goesOn ? 0 : 1),
    failed: plan.failed + (after.is === "failed" ? 1 : 0),
    won: plan.won ?? (after.is === "ok" ? ended.lane : null),
    again: goesOn ? [...plan.again, ended.lane].sort((one, other) => one - other) : plan.again,
  });
}

/** What a lane adds to the output of its container. */
function bytesOf({ strategy }: Graph, lane: Lane): number {
  if (lane.is === "ok" && strategy !== "race") return Buffer.byteLength(JSON.stringify(lane.output));
  if (lane.is === "failed" && strategy === "best_effort") return Buffer.byteLength(JSON.stringify(lane.error));
  return 0;
}

/** Where a lane goes when its task ended: on, to the error path, or to its end. */
function follow(graph: Graph, { lane, status, result, next }: Ended, { task, ran }: Open): Lane {
  const step = stepOf(graph, lane, task.id);
  if (status === "SUCCESS") {
    const output = result && "output" in result ? result.output : {};
    const target = next ?? step?.next;
    return target === undefined ? { is: "ok", output } : { is: "ready", task: target, ran };
  }
  // A canceled task takes no error path: somebody wanted it to end.
  if (status === "CANCELED") return { is: "failed", ...canceled(task), task, code: taskCanceled };
  const { error } = result && "error" in result ? result : fault("INTERNAL_ERROR", "failed without an error");
  const way = step?.on_error?.find(({ codes }) => !codes || names(codes, error));
  return way ? { is: "ready", task: way.next, ran } : { is: "failed", error, task, code: error.code };
}

/** No code of an error, but the cause of what fails because a task was canceled. */
const taskCanceled = "TASK_CANCELED";

const canceled = ({ id }: TaskName) => fault("CHILD_FAILED", `task '${id}' was canceled`, { cause_code: taskCanceled });

/** The tasks that are open: what has to end when the plan ends before they do. */
export const openTasks = ({ lanes, pieces }: Plan): TaskName[] =>
  [...lanes, ...(pieces ?? []).flat()].flatMap((lane) => (lane?.is === "open" ? [lane.task] : []));

// ── verdicts ─────────────────────────────────────────────────────────────────────────────────────

function judged(graph: Graph, plan: Plan): Plan {
  const verdict = plan.verdict ?? tooLarge(graph, plan) ?? verdictOf(graph, plan);
  return verdict ? { ...plan, verdict } : plan;
}

function tooLarge({ bytesMax = Infinity }: Graph, { bytes = 0 }: Plan): Verdict | null {
  if (bytes <= bytesMax) return null;
  const message = `what its tasks give is ${bytes} bytes so far, at most ${bytesMax} are allowed`;
  return fault("PAYLOAD_TOO_LARGE", message, { limit: "payloadBytes", max: bytesMax, bytes });
}

function verdictOf(graph: Graph, plan: Plan): Verdict | null {
  const count = countOf(graph);
  const over = plan.ended === count;
  switch (graph.strategy) {
    case "race": {
      const winner = laneOf(graph, plan, plan.won ?? -1);
      if (winner?.is === "ok") return { output: { winner: labelOf(graph, plan.won ?? 0), result: winner.output } };
      // A race of nobody is an empty success, as every empty list is.
      if (count === 0) return { output: { winner: null, result: null } };
      return over ? childFailed(graph, plan) : null;
    }
    case "best_effort":
      return over ? { output: gathered(graph, plan) } : null;
    case "fail_fast":
      if (plan.failed > 0) return childFailed(graph, plan);
      return over ? { output: gathered(graph, plan) } : null;
    case "all":
      if (!over) return null;
      return plan.failed > 0 ? childFailed(graph, plan) : { output: gathered(graph, plan) };
  }
}

const labelOf = (graph: Graph, lane: number): string | number => graph.lanes[lane]?.name ?? lane;

/** How many failed lanes an error lists: it has to fit into a message. */
const failedListedMax = 100;

function childFailed(graph: Graph, plan: Plan): Verdict {
  const failed = lanesOf(graph, plan).flatMap((lane, index) =>
    lane.is === "failed" ? [{ ...lane, lane: labelOf(graph, index) }] : [],
  );
  const listed = failed.slice(0, failedListedMax).map(({ lane, task, code }) => {
    return { lane, task: task.id, exec_id: task.exec_id, code };
  });
  return fault("CHILD_FAILED", `${plan.failed} of ${countOf(graph)} failed`, {
    failed: listed,
    cause_code: failed[0]?.code,
    ...(graph.items !== undefined && { counts: countsOf(graph, plan) }),
  });
}

/** `skipped`: items that were not begun, or not ended, because the rest did not need them. */
function countsOf(graph: Graph, { ended, failed }: Plan): { ok: number; failed: number; skipped: number } {
  return { ok: ended - failed, failed, skipped: countOf(graph) - ended };
}

/** Results by name or in order of the lanes, null for a lane that failed, and the errors beside them. */
function gathered(graph: Graph, plan: Plan): Data {
  const lanes = lanesOf(graph, plan);
  const named = graph.lanes.some(({ name }) => name !== undefined);
  const resultOf = (lane: Lane): Data | null => (lane.is === "ok" ? lane.output : null);
  if (!named) {
    const errors = lanes.flatMap((lane, index) => (lane.is === "failed" ? [{ index, error: lane.error }] : []));
    const counts = graph.items !== undefined && { counts: countsOf(graph, plan) };
    return { results: lanes.map(resultOf), errors, ...counts };
  }
  const entries = lanes.map((lane, index) => [String(labelOf(graph, index)), lane] as const);
  return {
    results: Object.fromEntries(entries.map(([label, lane]) => [label, resultOf(lane)])),
    errors: Object.fromEntries(entries.flatMap(([label, lane]) => (lane.is === "failed" ? [[label, lane.error]] : []))),
  };
}

/** How a linear plan, a whole workflow, ended: the output of its last task, or the task that failed it. */
export function linearVerdict({ lanes: [lane], verdict }: Plan): Verdict | Failed | null {
  if (lane?.is === "ok") return { output: lane.output };
  return lane?.is === "failed" ? lane : verdict;
}
