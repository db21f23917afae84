// Results for a process that is not there at the moment: they are said again until it is, or until it is too late.
//
//   result ─▶ published with a way to hear that nobody hears it ─503─▶ after a while: published again
//
// Invariants:
//   JR1. A result that nobody hears is said again, as the same message, as long as it may be of use.

import type { Encoded } from "../protocol/envelope.ts";
import type { Clock } from "./clock.ts";
import { limits } from "./limits.ts";

/** As long as a late result is still recorded where it is for. */
const usefulMs = 60_000;
const againMs = 500;
/** Those that nobody complained of so soon have been heard. */
const heardMs = 10_000;
const watchedMax = 10_000;

type Watched = { encoded: Encoded; at: number; seen: number };

type Means = {
  clock: Clock;
  publish: (encoded: Encoded, id: string) => void;
  /** What they may take of memory: the oldest are forgotten first. */
  bytesMax?: number;
};

export function newRedelivery({ clock, publish, bytesMax = limits.resultsBytes.default }: Means) {
  const watched = new Map<string, Watched>();
  const alarms = new Set<() => void>();
  let bytes = 0;

  function keep(id: string, one: Watched): void {
    watched.set(id, one);
    bytes += one.encoded.bytes.byteLength;
  }
  function forget(id: string): void {
    bytes -= watched.get(id)?.encoded.bytes.byteLength ?? 0;
    watched.delete(id);
  }

  /** Those that are oldest stand first. */
  function sweep(now: number): void {
    for (const [id, { seen }] of watched) {
      if (now - seen < heardMs && watched.size <= watchedMax && bytes <= bytesMax) return;
      forget(id);
    }
  }

  return {
    watch(id: string, encoded: Encoded): void {
      const now = clock.now();
      sweep(now);
      if (!watched.has(id)) keep(id, { encoded, at: now, seen: now });
    },
    /** Nobody hears it. Whether it was one of these. */
    unheard(id: string): boolean {
      const one = watched.get(id);
      if (!one) return false;
      forget(id);
      const now = clock.now();
      if (now - one.at >= usefulMs) return true;
      const cancel = clock.alarm(now + againMs, () => {
        alarms.delete(cancel);
        keep(id, { ...one, seen: clock.now() });
        publish(one.encoded, id);
      });
      alarms.add(cancel);
      return true;
    },
    close(): void {
      for (const cancel of alarms) cancel();
      alarms.clear();
      watched.clear();
      bytes = 0;
    },
  };
}
