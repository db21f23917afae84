// Forgets what ended long enough ago, a little at a time, for as long as the troupe runs.

import type { Clock } from "../actors/clock.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { Store } from "../store/store.ts";

/** So many runs at once; the store takes a part of them along in each commit. */
const runsAtOnce = 5_000;
const restMs = 20;
const pauseMaxMs = 60_000;
const pauseLeastMs = 1_000;

type Log = (level: "warn", message: string, fields: Readonly<Record<string, unknown>>) => void;

/** Gives what ends it. */
export function keepPruning(store: Store, clock: Clock, retentionMs: number, log: Log): () => void {
  const pauseMs = Math.min(Math.max(retentionMs / 10, pauseLeastMs), pauseMaxMs);
  let isOpen = true;
  let cancel = (): void => undefined;

  async function forget(): Promise<void> {
    let forgotten = 0;
    try {
      forgotten = await store.prune(clock.now() - retentionMs, runsAtOnce);
    } catch (error) {
      if (isOpen) log("warn", "what has ended could not be forgotten", { message: fromUnknown(error).message });
    }
    if (isOpen) wait(forgotten === runsAtOnce ? restMs : pauseMs);
  }
  function wait(ms: number): void {
    cancel = clock.alarm(clock.now() + ms, () => void forget());
  }

  wait(pauseMs);
  return () => {
    isOpen = false;
    cancel();
  };
}
