// Walks a plan by hand: whatever is ready begins after every fact, as a chart would have it.

import type { EndStatus } from "../../src/machines/cues.ts";
import {
  type Begin,
  type Graph,
  openPlan,
  openTasks,
  type Plan,
  release,
  settle,
  take,
  type Verdict,
} from "../../src/machines/plan.ts";
import type { Outcome } from "../../src/machines/speech.ts";
import { idOf } from "../../src/testing/part.ts";

/** The seed of the n-th turn: far enough from the next for all that begins in it. */
export const seedOf = (turn: number): string => idOf(turn * 0x10000);

type More = { next?: string; lane?: number };

export class Walk {
  readonly graph: Graph;
  readonly begun: Begin[] = [];
  readonly pauses: string[] = [];
  plan: Plan;
  #turn = 0;

  constructor(graph: Graph) {
    this.graph = graph;
    this.plan = openPlan(graph);
    this.go();
  }

  get verdict(): Verdict | null {
    return this.plan.verdict;
  }

  /** The ids of the open tasks, in the order of the lanes. */
  get open(): string[] {
    return openTasks(this.plan).map(({ id }) => id);
  }

  /** Every task that has begun, with its lane. */
  get story(): string[] {
    return this.begun.map(({ task, lane }) => `${task.id}${lane}`);
  }

  go(): this {
    this.#turn += 1;
    const taken = take(this.graph, this.plan, seedOf(this.#turn));
    this.plan = taken.plan;
    this.begun.push(...taken.begin);
    if (taken.pause !== undefined) this.pauses.push(taken.pause);
    return this;
  }

  release(): this {
    this.plan = release(this.plan);
    return this;
  }

  /** The newest execution of a task ends, and nothing begins yet. */
  settle(id: string, status: EndStatus, result: Outcome | null, { lane, next }: More = {}): this {
    const begin = this.begun.findLast((one) => one.task.id === id && one.lane === (lane ?? one.lane));
    if (!begin) throw new Error(`no task '${id}' has begun`);
    this.plan = settle(this.graph, this.plan, { ...begin, status, result, ...(next !== undefined && { next }) });
    return this;
  }

  ok(id: string, output: Record<string, unknown> = { of: id }, more: More = {}): this {
    return this.settle(id, "SUCCESS", { output }, more).go();
  }

  fails(id: string, error: Outcome, lane?: number): this {
    return this.settle(id, "FAILED", error, { ...(lane !== undefined && { lane }) }).go();
  }
}
