// Which runs are shown as they happen: those that somebody looks at, with whatever they call, from their beginning on.
//
//   viewer of an execution ─▶ its root is followed ─▶ steps ─▶ stage            nobody looks: nothing is followed
//   viewer of all ─▶ the newest that are at work, and those that begin
//
// Invariants:
//   IE1. A run is followed as long as somebody looks at it, and no longer.
//   IE2. Of runs that begin faster than people can look, some are shown and the others counted.

import type { Troupe } from "../runtime/troupe.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import { openScene } from "./inspector-scene.ts";
import type { Stage } from "./inspector-stage.ts";

/** One execution and all that it called. */
type Followed = {
  /** Of those who look at it alone. */
  viewers: number;
  /** For those who look at everything, too. */
  isForAll: boolean;
  ends: (() => void)[];
  runs: Set<string>;
  isOver: boolean;
};

/** Runs that are shown to those who look at all. */
const shownMax = 30;
/** Of those that are at work when somebody comes. */
const shownAtOnce = 20;
/** So many more are shown in a second. */
const begunPerSecond = 5;

export function openFeed(troupe: Troupe, stage: Stage, report: Report) {
  const followed = new Map<string, Followed>();
  let viewersOfAll = 0;
  let skipped = 0;
  let second = 0;
  let begun = 0;
  let off: (() => void) | undefined;

  function follow(root: string, isForAll: boolean): Followed {
    const known = followed.get(root);
    if (known) {
      if (isForAll && !known.isForAll) {
        known.isForAll = true;
        stage.showAgain(root);
      }
      return known;
    }
    const one: Followed = { viewers: 0, isForAll, ends: [], runs: new Set(), isOver: false };
    followed.set(root, one);
    void watch(root, root, one);
    return one;
  }

  async function watch(root: string, run: string, one: Followed): Promise<void> {
    if (one.runs.has(run)) return;
    one.runs.add(run);
    try {
      const rootId = rootIdOf(troupe, root);
      const scene = openScene(run, await troupe.workflowOf(run));
      if (followed.get(root) !== one) return;
      const end = troupe.watch(
        run,
        (step) => {
          for (const sight of scene(step)) stage.show(root, rootId, sight);
          const { childId } = step.whole.context as { childId?: string | null };
          if (typeof childId === "string") void watch(root, childId, one);
          if (step.status === "done" && step.address === rootId) one.isOver = true;
        },
        { afterSeq: 0 },
      );
      one.ends.push(end);
    } catch (error) {
      // It may have been forgotten meanwhile, or there may be too many.
      report("warn", "an execution cannot be shown to the inspector", { run, reason: fromUnknown(error).message });
    }
  }

  function letGo(root: string): void {
    const one = followed.get(root);
    if (!one || one.viewers > 0 || (one.isForAll && viewersOfAll > 0)) return;
    followed.delete(root);
    for (const end of one.ends) end();
    stage.drop(root);
  }

  // ── all ──

  /** The ones that are over make room first, then the oldest. */
  function makeRoom(): void {
    const shown = [...followed].filter(([, { isForAll }]) => isForAll);
    if (shown.length < shownMax) return;
    const [root, one] = shown.find(([, { isOver }]) => isOver) ?? shown[0] ?? [];
    if (root === undefined || !one) return;
    one.isForAll = false;
    letGo(root);
  }

  function noteBegun(run: string): void {
    if (followed.has(run)) return;
    const now = Math.floor(troupe.clock.now() / 1_000);
    if (now !== second) [second, begun] = [now, 0];
    begun += 1;
    if (begun > begunPerSecond) return void (skipped += 1);
    makeRoom();
    follow(run, true);
  }

  async function lookAround(): Promise<void> {
    off ??= troupe.subscribe(({ said, run }) => {
      if (said.some(({ word }) => begins.has(word.type) && isRoot(word, run))) noteBegun(run);
    });
    const open = { status: ["PENDING", "RUNNING", "PAUSED", "WAITING"], limit: 2 * shownAtOnce };
    const { items } = await troupe.list({ entity: "workflow", ...open });
    const roots = items.filter(({ execId, run, parent }) => execId === run && parent === null).slice(0, shownAtOnce);
    if (viewersOfAll > 0) for (const { execId } of roots.toReversed()) follow(execId, true);
  }

  return {
    /** Somebody looks at an execution, or at all; gives what ends that. Throws EXECUTION_NOT_FOUND. */
    look(execId: string | null): { group: string | null; end: () => void } {
      if (execId === null) {
        viewersOfAll += 1;
        if (viewersOfAll === 1)
          lookAround().catch((error: unknown) =>
            report("warn", "no executions to inspect", { reason: fromUnknown(error).message }),
          );
        return { group: null, end: leaveAll };
      }
      const root = rootOf(troupe, execId);
      follow(root, false).viewers += 1;
      return {
        group: root,
        end: () => {
          const one = followed.get(root);
          if (one) one.viewers -= 1;
          letGo(root);
        },
      };
    },
    /** Whether those who look at all see it. */
    isForAll: (group: string): boolean => followed.get(group)?.isForAll ?? false,
    stats: () => ({ followed: followed.size, skipped }),
    close(): void {
      viewersOfAll = 0;
      off?.();
      off = undefined;
      for (const [root, one] of followed) {
        one.viewers = 0;
        letGo(root);
      }
    },
  };

  function leaveAll(): void {
    viewersOfAll -= 1;
    if (viewersOfAll > 0) return;
    off?.();
    off = undefined;
    for (const root of Array.from(followed.keys())) letGo(root);
  }
}

const begins: ReadonlySet<string> = new Set(["command:WorkflowExecute", "command:TaskTrigger"]);

type Begun = { workflow?: { exec_id?: unknown }; task?: { exec_id: string }; payload?: unknown };

/** Ordered from outside: what a run orders stands in its own record, and is about another. */
function isRoot({ workflow, task }: Begun, run: string): boolean {
  return workflow?.exec_id === run || (workflow?.exec_id === undefined && task?.exec_id === run);
}

/** The execution that nobody called, of which this one is a part. */
export function rootOf(troupe: Troupe, execId: string): string {
  const { run } = troupe.get(execId);
  const { parent } = troupe.get(run);
  if (parent === null) return run;
  try {
    return rootOf(troupe, parent);
  } catch (error) {
    // Whoever called it has been forgotten.
    if (fromUnknown(error).code === "EXECUTION_NOT_FOUND") return run;
    throw error;
  }
}

export const rootIdOf = (troupe: Troupe, root: string): string => `${troupe.get(root).entity}/${root}`;
