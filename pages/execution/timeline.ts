// The timeline of a run: one row for each task, agent and tool, each with what it did when.
//
// Invariants:
//   ET1. The pieces of a row follow each other without overlap, and end at its end or now.
//   ET2. After n lines nothing of a later line is in a row.

import { countBelow, type Face, isOver, type Life, type Story } from "./story.ts";

export type Piece = {
  from: number;
  until: number;
  /** `queue` until it begins, `run`, `wait` for something outside, `rest` until it is tried again. */
  kind: "queue" | "run" | "wait" | "rest" | "paused";
  attempt: number;
  /** How this piece ended, if it has. */
  face: Face;
};

export type Row = { life: Life; pieces: readonly Piece[]; face: Face; from: number; until: number };

const kinds: Readonly<Partial<Record<Face, Piece["kind"]>>> = {
  pending: "queue",
  running: "run",
  waiting: "wait",
  retrying: "rest",
  paused: "paused",
};

/** Everyone who lives after n lines, parents before children, in the order of their beginning. */
export function livesAt(story: Story, n: number): Life[] {
  const alive = story.order.filter((life) => (life.moves[0]?.at ?? n) < n);
  const inner = Map.groupBy(alive, ({ parent }) => parent);
  const from = (parent: string | null): Life[] =>
    (inner.get(parent) ?? []).flatMap((life) => [life, ...from(life.key)]);
  return from(null);
}

export function rowOf(life: Life, n: number, now: number): Row {
  const moves = life.moves.slice(
    0,
    countBelow(life.moves, n, ({ at }) => at),
  );
  const pieces: Piece[] = [];
  moves.forEach(({ face, attempt, time }, index) => {
    const next = moves[index + 1];
    const kind = kinds[face];
    if (kind === undefined) return;
    pieces.push({ from: time, until: Math.max(time, next?.time ?? now), kind, attempt, face: next?.face ?? face });
  });
  const last = moves.at(-1);
  const from = moves[0]?.time ?? now;
  const isEnded = last !== undefined && isOver(last.face);
  return { life, pieces, face: last?.face ?? "idle", from, until: isEnded ? last.time : Math.max(now, from) };
}

/** From the first line to the last, or to now while it goes on. */
export function spanOf(story: Story, n: number, now: number): { from: number; until: number } {
  const from = story.times[0] ?? now;
  const root = story.root?.moves.at(-1);
  const isEnded = root !== undefined && isOver(root.face) && root.at < n;
  const until = isEnded ? (story.times.at(-1) ?? now) : Math.max(now, story.times[n - 1] ?? now);
  return { from, until: Math.max(until, from + 1) };
}

const niceSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000];
const longSteps = [2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14_400].map((step) => step * 60_000);

/** Round times between two, about so many. */
export function ticksOf(from: number, until: number, about: number): number[] {
  const raw = (until - from) / Math.max(1, about);
  const all = [...niceSteps, ...longSteps];
  const step = all.find((candidate) => candidate >= raw) ?? Math.ceil(raw / 86_400_000) * 86_400_000;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= until; tick += step) ticks.push(tick);
  return ticks;
}

/** `950 ms`, `1.24 s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1).replace(/\.?0+$/, "")} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return pair(minutes, "m", Math.floor((ms % 60_000) / 1_000), "s");
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? pair(hours, "h", minutes % 60, "m") : pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

const pair = (big: number, unit: string, small: number, smaller: string): string =>
  small === 0 ? `${big}${unit}` : `${big}${unit} ${small}${smaller}`;
