// The results of orders that have ended, for a while: whoever repeats one is answered the same, and nothing is done.
//
// Invariants:
//   AN1. No more are kept than the limits say, in number and in bytes, and none for longer than two minutes.

import type { Encoded } from "../protocol/envelope.ts";

/** As long as a stream takes the same message for a repetition. */
const keptMs = 120_000;

export type Answer = Encoded & { id: string };
/** Without an answer: whoever ordered it has given it up. */
type Kept = { answer: Answer | undefined; at: number; bytes: number };

export function newAnswered({ answersMax, bytesMax }: { answersMax: number; bytesMax: number }) {
  const kept = new Map<string, Kept>();
  let bytes = 0;

  function forget(execId: string): void {
    bytes -= kept.get(execId)?.bytes ?? 0;
    kept.delete(execId);
  }
  function sweep(now: number): void {
    for (const [execId, { at }] of kept) {
      if (kept.size <= answersMax && bytes <= bytesMax && now - at < keptMs) return;
      forget(execId);
    }
  }

  return {
    keep(execId: string, answer: Answer | undefined, now: number): void {
      forget(execId);
      const size = answer?.bytes.byteLength ?? 0;
      kept.set(execId, { answer, at: now, bytes: size });
      bytes += size;
      sweep(now);
    },
    find(execId: string, now: number): Kept | undefined {
      sweep(now);
      return kept.get(execId);
    },
    size: (): { answers: number; bytes: number } => ({ answers: kept.size, bytes }),
  };
}
