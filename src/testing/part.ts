// A part: a chart with ways to begin and what it may hear, so that it can be searched, drawn and tested.

import type { AnyStateMachine, ContextFrom, EventFrom, InputFrom } from "xstate";
import type { Stamp, Unstamped } from "../machines/step.ts";

/** Something a chart may hear. The note tells variants of one message apart. */
export type Line<M extends AnyStateMachine> = { note?: string; event: Unstamped<EventFrom<M>> };

export type Part<M extends AnyStateMachine> = {
  readonly machine: M;
  /** Ways to begin, by name. */
  readonly inputs: Readonly<Record<string, Unstamped<InputFrom<M>>>>;
  /** What it may hear when it remembers this: fitting, stale, doubled and foreign, in every variant that matters. */
  readonly menu: (context: ContextFrom<M>) => readonly Line<M>[];
};

export const labelOf = <M extends AnyStateMachine>({ note, event }: Line<M>): string =>
  note === undefined ? String((event as { type: string }).type) : `${(event as { type: string }).type} (${note})`;

/** A fixed id by number, for lines and inputs: a UUIDv7 that says which it is. */
export const idOf = (number: number): string => `01900000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, "0");

/** A stamp by time and count; the seed follows from both, so that a history is the same every time. */
export function stampAt(at: number, count = 0): Stamp {
  const time = hex(at, 12);
  return { at, seed: `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${hex(count * 0x10000, 12)}` };
}
