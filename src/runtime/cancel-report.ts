// What came of a cancel: which executions below confirmed it, which did not, and how long each took.

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import type { Committed, System } from "../actors/system.ts";
import { isTerminal } from "../protocol/statuses.ts";

export type ChildReport = {
  execId: string;
  entity: string;
  id: string;
  /**
   * `confirmed`: it stopped and said so. `ignored`: it did not, and was given up; it may still be at work.
   * `ended`: it had ended by itself. `open`: nothing was heard of it in time.
   */
  outcome: "confirmed" | "ignored" | "ended" | "open";
  tookMs: number;
};

type Means = { system: System; clock: Clock; run: string; root: Named };

/** A task by itself and its first call have one id. */
type Named = { entity: string; execId: string };
const keyOf = ({ entity, execId }: Named): string => `${entity}/${execId}`;

/** The longest that anything canceled may take, and a little. */
const patienceMs = 15_000;

type Payload = { status?: string; result?: { error?: { details?: { confirmed?: boolean } } } | null };

/** Watches from now on. */
export function reportOf({ system, clock, run, root }: Means) {
  const beganAt = clock.now();
  const rootKey = keyOf(root);
  const children = new Map<string, ChildReport>();
  const runs = new Set<string>();
  const ignored = new Set<string>();
  let isRootOpen = false;
  let finish = (): void => undefined;

  /** Whatever is open below, in this run and in those of child workflows. */
  function gather(id: string, within: string): void {
    const found = system.run(id);
    if (!found || runs.has(id)) return;
    runs.add(id);
    const open = [...found.executions.values()].filter((one) => one.isOpen);
    for (const one of open) {
      const { execId, entity, id: name } = one;
      if (keyOf(one) === rootKey) isRootOpen = true;
      else if (execId === within || isBelow(open, one, within)) {
        children.set(keyOf(one), { execId, entity, id: name, outcome: "open", tookMs: 0 });
        const context = found.actors.get(`task/${execId}`)?.life.snapshot.context as { childId?: unknown } | undefined;
        if (typeof context?.childId === "string") gather(context.childId, context.childId);
      }
    }
    const own = found.actors.get(`task/${within}`)?.life.snapshot.context as { childId?: unknown } | undefined;
    if (typeof own?.childId === "string") gather(own.childId, own.childId);
  }
  gather(run, root.execId);

  const hear = (word: Word, at: number): void => {
    const { status = "", result } = (word["payload"] ?? {}) as Payload;
    const callee = word.tool ?? word.agent;
    if (callee && result?.error?.details?.confirmed === false) ignored.add(callee.exec_id);
    if (!word.type.startsWith("event:") || !isTerminal(status)) return;
    const entity = word.tool ? "tool" : word.agent ? "agent" : word.task ? "task" : "workflow";
    const key = keyOf({ entity, execId: word[entity]?.exec_id ?? "" });
    if (key === rootKey) isRootOpen = false;
    const child = children.get(key);
    if (child?.outcome !== "open") return;
    const isIgnored = callee !== undefined && ignored.has(child.execId);
    child.outcome = status !== "CANCELED" ? "ended" : isIgnored ? "ignored" : "confirmed";
    child.tookMs = at - beganAt;
  };
  const isDone = (): boolean => !isRootOpen && [...children.values()].every(({ outcome }) => outcome !== "open");

  const end = system.subscribe((committed: Committed) => {
    if (!runs.has(committed.run)) return;
    for (const { word, disposition } of committed.said) if (disposition === undefined) hear(word, committed.at);
    if (isDone()) finish();
  });

  const now = (): { children: ChildReport[]; tookMs: number } => {
    end();
    return { children: [...children.values()], tookMs: clock.now() - beganAt };
  };
  return {
    now,
    done: (): Promise<ReturnType<typeof now>> =>
      new Promise((resolve) => {
        if (isDone()) return resolve(now());
        const cancel = clock.alarm(beganAt + patienceMs, () => finish());
        finish = () => {
          cancel();
          resolve(now());
        };
      }),
    /** Whoever waits is told what is known by now. */
    stop: (): void => finish(),
  };
}

type Execution = NonNullable<ReturnType<System["run"]>>["executions"] extends ReadonlyMap<string, infer E> ? E : never;

/** Whether it is inside another, however deep. */
function isBelow(open: readonly Execution[], { parent, parents }: Execution, root: string): boolean {
  if (parent === root || Object.values(parents).some(({ exec_id }) => exec_id === root)) return true;
  const above = open.find(({ execId, entity }) => execId === parent && entity !== "agent");
  return above !== undefined && above.parent !== parent && isBelow(open, above, root);
}
