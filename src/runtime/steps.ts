// What the charts of runs did and do, step by step: asked for in pages, or heard as it happens.
//
//   commit ─▶ due ─▶ one piece of one run's records at a time ─▶ its spectator ─▶ whoever watches
//
// A run is watched by one spectator, however many listen. Nothing is done, and nothing kept, while nobody does.
//
// Invariants:
//   SW1. Whoever watches hears every step of every record behind the one he began at, once, in order.
//   SW2. What is heard is on disk.
//   SW3. Between two pieces of work the process has its turn.

import { afterTurn } from "../actors/clock.ts";
import type { Limits } from "../actors/limits.ts";
import type { ChartStep } from "../actors/spectator.ts";
import type { System } from "../actors/system.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Store } from "../store/store.ts";
import { callable, checkArgument, checkFields, wholeNumber } from "./arguments.ts";
import type { Options } from "./options.ts";
import { openView, type View } from "./view.ts";

export type { ChartStep } from "../actors/spectator.ts";

/** After which record, and how many: a page ends with the record that fills it. */
export type StepPage = { afterSeq?: number; limit?: number };

export type Steps = {
  steps: ChartStep[];
  /** Up to which record this goes: where the next page begins. */
  seq: number;
  hasMore: boolean;
  /** Whether everything from the beginning on could be shown; if not, why not. */
  isWhole: boolean;
  reason: string | null;
};

type Means = {
  system: System;
  store: Store;
  limits: Limits;
  report: NonNullable<Options["log"]>;
  /** Which run an execution belongs to. */
  runOf: (execId: string) => string;
};

type Listener = { heard: (step: ChartStep) => void; seq: number; isOff: boolean; isBehind: boolean };
/** `from`: behind which record whoever watches all runs has not heard of this one. */
type Watched = { view: View; listeners: Set<Listener>; from: number };

const stepsUnlessSaid = 1_000;
const stepsMax = 10_000;
const stepsPerPiece = 250;
/** Views of which a page was asked: the next page goes on from there. */
const keptMax = 4;

const pageRules = { afterSeq: wholeNumber(0), limit: wholeNumber(1) };

export function openSteps({ system, store, limits, report, runOf }: Means) {
  const kept = new Map<string, View>();
  const watched = new Map<string, Watched>();
  const all = new Set<Listener>();
  /** Runs with records that nobody has seen, and behind which they are. */
  const due = new Map<string, number>();
  let isPumping = false;
  let off: (() => void) | undefined;

  const turn = (): Promise<void> => new Promise(afterTurn);

  // ── pages ──

  async function pageOf(run: string, afterSeq: number, limit: number): Promise<Steps> {
    const known = kept.get(run);
    kept.delete(run);
    const view = known && known.seq <= afterSeq ? known : openView(system, store, run);
    const steps: ChartStep[] = [];
    let hasMore = true;
    while (hasMore && steps.length < limit) {
      const piece = await view.next(Math.min(stepsPerPiece, limit - steps.length));
      hasMore = piece.hasMore;
      for (const step of piece.steps) if (step.seq > afterSeq) steps.push(step);
      if (hasMore) await turn();
    }
    if (hasMore) keep(run, view);
    return { steps, seq: Math.max(afterSeq, view.seq), hasMore, isWhole: view.isWhole, reason: view.reason };
  }

  function keep(run: string, view: View): void {
    kept.set(run, view);
    const [oldest] = kept.keys();
    if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
  }

  // ── as it happens ──

  function hear(run: string, afterSeq: number): void {
    if (!watched.has(run) && (all.size === 0 || due.size >= limits.watchedMax)) return;
    if (!due.has(run)) due.set(run, afterSeq);
    void pump();
  }

  async function pump(): Promise<void> {
    if (isPumping) return;
    isPumping = true;
    try {
      // What becomes due meanwhile comes behind the others.
      for (const [run, afterSeq] of due) {
        due.delete(run);
        await follow(run, afterSeq);
      }
    } catch (error) {
      // The next commit is the next try, from where each has come to.
      due.clear();
      if (!system.isStopped()) report("warn", "charts cannot be watched", { reason: fromUnknown(error).message });
    } finally {
      isPumping = false;
    }
  }

  async function follow(run: string, afterSeq: number): Promise<void> {
    const one = watched.get(run) ?? (all.size > 0 ? admit(run, afterSeq, afterSeq) : undefined);
    if (!one) return;
    const { view, listeners, from } = one;
    const { steps, hasMore } = await view.next(stepsPerPiece);
    for (const step of steps) {
      for (const listener of listeners) if (!listener.isBehind) tell(listener, step);
      if (step.seq > from) for (const listener of all) tell(listener, step);
    }
    await turn();
    if (hasMore) hear(run, view.seq);
    else if (view.isOver && listeners.size === 0 && !due.has(run)) watched.delete(run);
  }

  function tell(listener: Listener, step: ChartStep): void {
    if (listener.isOff || step.seq <= listener.seq) return;
    try {
      listener.heard(step);
    } catch (error) {
      report("error", "a listener failed", { reason: fromUnknown(error).message });
    }
  }

  /** Room for one more; where there is none, whoever was not watched by itself makes it. */
  function admit(run: string, afterSeq: number, from: number): Watched | undefined {
    if (watched.size >= limits.watchedMax) {
      const free = [...watched].find(([id, { listeners }]) => listeners.size === 0 && !due.has(id));
      if (!free) return undefined;
      watched.delete(free[0]);
    }
    const one = { view: openView(system, store, run, afterSeq), listeners: new Set<Listener>(), from };
    watched.set(run, one);
    return one;
  }

  /** Brings someone who wants to hear of the past to where the others are. */
  async function catchUp(run: string, { view }: Watched, listener: Listener): Promise<void> {
    while (!listener.isOff) {
      const { steps, seq, reason } = await pageOf(run, listener.seq, stepsUnlessSaid);
      for (const step of steps) tell(listener, step);
      listener.seq = Math.max(listener.seq, seq);
      if (listener.seq < view.seq && reason === null) continue;
      listener.isBehind = false;
      return;
    }
  }

  function watchRun(run: string, listener: Listener): () => void {
    const { committed } = system.stats();
    const one = watched.get(run) ?? admit(run, listener.seq, due.get(run) ?? committed);
    if (!one) {
      const max = limits.watchedMax;
      throw new TroupeError("RATE_LIMITED", `${max} runs are watched already`, { limit: "watchedMax", max });
    }
    one.listeners.add(listener);
    if (listener.seq < one.view.seq) {
      listener.isBehind = true;
      catchUp(run, one, listener).catch((error: unknown) => {
        report("warn", "a run cannot be watched", { run, reason: fromUnknown(error).message });
      });
    }
    hear(run, committed);
    return () => {
      one.listeners.delete(listener);
      if (one.listeners.size === 0 && all.size === 0 && watched.get(run) === one) watched.delete(run);
    };
  }

  function watchAll(listener: Listener): () => void {
    all.add(listener);
    return () => {
      all.delete(listener);
      if (all.size > 0) return;
      for (const [run, { listeners }] of watched) if (listeners.size === 0) watched.delete(run);
    };
  }

  function end(): void {
    off?.();
    off = undefined;
    all.clear();
    watched.clear();
    due.clear();
  }

  return {
    /** What the charts of its run did, from the beginning or from a record on. */
    async steps(execId: string, page: StepPage = {}): Promise<Steps> {
      checkFields(page, pageRules, "the page of steps cannot be understood");
      const { afterSeq = 0, limit = stepsUnlessSaid } = page;
      return pageOf(runOf(execId), afterSeq, Math.min(limit, stepsMax));
    },
    /** The definition that its run began with; null for an agent or tool by itself, or if it is not kept. */
    async workflowOf(execId: string): Promise<WorkflowSpec | null> {
      const view = openView(system, store, runOf(execId));
      await view.next(1);
      return view.workflow;
    },
    /**
     * Hears each step of the charts of a run, or of all runs, once it is on disk: from now on, or of one run behind
     * the record that is given. Gives what ends that.
     */
    watch(execId: string | null, heard: (step: ChartStep) => void, from: Pick<StepPage, "afterSeq"> = {}): () => void {
      checkArgument("heard", heard, callable);
      checkFields(from, execId === null ? {} : { afterSeq: pageRules.afterSeq }, "where to begin cannot be understood");
      const seq = from.afterSeq ?? system.stats().committed;
      const listener: Listener = { heard, seq, isOff: false, isBehind: false };
      const leave = execId === null ? watchAll(listener) : watchRun(runOf(execId), listener);
      off ??= system.subscribe(({ run, seq: at }) => hear(run, at - 1));
      return () => {
        if (listener.isOff) return;
        listener.isOff = true;
        leave();
        if (watched.size === 0 && all.size === 0) end();
      };
    },
  };
}
