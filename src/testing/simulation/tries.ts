// What a client tries of the limits of a troupe, and what came of each.

import type { Limits } from "../../actors/limits.ts";
import type { TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import { fromUnknown, TroupeError } from "../../protocol/errors.ts";
import type { Life } from "./life.ts";
import type { Move } from "./scenario.ts";

/** `code`: with which error it was refused; null if it was not. */
export type Tried = { limit: keyof Limits; max: number; given: number; code: string | null };

const wait = (id: string): TaskSpec => ({ id, type: "wait", wait: { duration: "1ms" } });
const chained = (count: number): TaskSpec[] =>
  Array.from({ length: count }, (_, index) => ({
    ...wait(`t${index}`),
    ...(index < count - 1 && { next: `t${index + 1}` }),
  }));
const nested = (depth: number, id = "n"): TaskSpec =>
  depth <= 1 ? wait(id) : { id, type: "parallel", branches: { in: [nested(depth - 1, `${id}n`)] } };
const branched = (count: number): TaskSpec => ({
  id: "p",
  type: "parallel",
  branches: Object.fromEntries(Array.from({ length: count }, (_, index) => [`b${index}`, [wait(`t${index}`)]])),
});

/** A definition that has so much of one thing. */
const large = {
  tasks: { limit: "tasksMax", of: (count) => ({ id: "large", tasks: chained(count) }) },
  branches: { limit: "fanOutMax", of: (count) => ({ id: "wide", tasks: [branched(count)] }) },
  nesting: { limit: "depthMax", of: (count) => ({ id: "deep", tasks: [nested(count)] }) },
} satisfies Record<string, { limit: keyof Limits; of: (count: number) => WorkflowSpec }>;

/** What is wider than this by default is not made for the sake of trying it. */
const sizeMax = 100;

type Try = Extract<Move, { do: "look" | "listen" | "define" | "fork" }>;

export function newTries() {
  const tried: Tried[] = [];
  /** How many subscriptions each life has; one is the play's own. */
  const listening = new Map<number, number>();

  const note = (limit: keyof Limits, max: number, given: number, code: string | null): void =>
    void tried.push({ limit, max, given, code });

  async function look({ troupe }: Life, execId: string | undefined): Promise<void> {
    const { historyPage } = troupe.limits;
    const { items } = await troupe.list({ limit: 10_000 });
    note("historyPage", historyPage, items.length, null);
    if (execId === undefined) return;
    const lines = await troupe.history(execId, { limit: 10_000 });
    note("historyPage", historyPage, lines.length, null);
  }
  function listen({ number, troupe }: Life): void {
    const { subscriptionsMax } = troupe.limits;
    const given = (listening.get(number) ?? 1) + 1;
    try {
      troupe.subscribe(() => undefined);
      listening.set(number, given);
      note("subscriptionsMax", subscriptionsMax, given, null);
    } catch (error) {
      note("subscriptionsMax", subscriptionsMax, given, fromUnknown(error).code);
    }
  }
  async function define({ troupe }: Life, { what, isTooMuch }: Try & { do: "define" }): Promise<void> {
    const { limit, of } = large[what];
    const max = troupe.limits[limit];
    if (max > sizeMax) return;
    const given = max + (isTooMuch ? 1 : 0);
    // It may be too much in another way already: then it says nothing of the limit that is tried.
    if (limit !== "tasksMax" && given + 1 > troupe.limits.tasksMax) return;
    if (limit === "fanOutMax" && troupe.limits.depthMax < 2) return;
    try {
      await troupe.define({ workflows: [of(given)] });
      note(limit, max, given, null);
    } catch (error) {
      note(limit, max, given, fromUnknown(error).code);
    }
  }

  /** What comes of it is a run like any other. */
  async function fork({ troupe }: Life, { task, isRetry }: Try & { do: "fork" }, execId: string): Promise<void> {
    const from = `${troupe.get(execId).id}_${task}`;
    if (isRetry) await troupe.retryFrom(execId, from);
    else await troupe.fork(execId, { from });
  }

  return {
    tried,
    note,
    /** What is refused, because the process is gone meanwhile, is of no account; anything else ends the play. */
    make(life: Life, move: Try, execId: string | undefined): void {
      if (move.do === "listen") return listen(life);
      const done =
        move.do === "look"
          ? look(life, execId)
          : move.do === "define"
            ? define(life, move)
            : fork(life, move, execId ?? "");
      done.catch((error: unknown) => {
        if (!(error instanceof TroupeError)) throw error;
      });
    },
  };
}
