// Times as people say them, exact when pointed at; all of them move on together, once a second.

import { signal } from "@preact/signals";

export const now = signal(Date.now());
setInterval(() => {
  if (document.visibilityState === "visible") now.value = Date.now();
}, 1_000);

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** `850 ms`, `12 s`, `3 m 20 s`, `2 h 5 m`, `4 d 3 h`. */
export function lengthOf(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < minute) return `${Math.floor(ms / 1_000)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} m ${Math.floor((ms % minute) / 1_000)} s`;
  if (ms < day) return `${Math.floor(ms / hour)} h ${Math.floor((ms % hour) / minute)} m`;
  return `${Math.floor(ms / day)} d ${Math.floor((ms % day) / hour)} h`;
}

/** One unit is enough here, and no part of a second. */
function sinceWords(at: number, from: number): string {
  const ms = Math.abs(from - at);
  if (ms < 2_000) return "now";
  const [one] = ms < minute ? [`${Math.floor(ms / 1_000)} s`] : lengthOf(ms).split(/(?<=[a-z]) /);
  return at > from ? `in ${one}` : `${one} ago`;
}

const exact = (at: Date): string =>
  `${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })} (${at.toISOString()})`;

/** How long ago, or in how long. */
export function Time({ at }: { at: string | number | null | undefined }) {
  if (at === null || at === undefined) return <span class="muted">–</span>;
  const date = new Date(at);
  return (
    <time dateTime={date.toISOString()} title={exact(date)} class="nowrap">
      {sinceWords(date.getTime(), now.value)}
    </time>
  );
}

/** How long it took, or takes so far. */
export function Took({ from, to }: { from: string | null; to: string | null }) {
  if (from === null) return <span class="muted">–</span>;
  const until = to === null ? now.value : Date.parse(to);
  return <span class="nowrap">{lengthOf(until - Date.parse(from))}</span>;
}
