// Which conversations were deleted, and when: their runs stay, and are no longer taken for a part of them.

import type { Clock } from "../actors/clock.ts";
import type { Store } from "../store/store.ts";
import { checkArgument, text } from "./arguments.ts";

const noteName = "forgotten_threads";
/** Whoever deletes more within the time that runs are kept finds the first of them again. */
const keptMax = 10_000;

export function openForgottenThreads(store: Store, clock: Clock, { retentionMs }: { retentionMs: number }) {
  const forgotten = new Map<string, number>(JSON.parse(store.note(noteName) ?? "[]") as [string, number][]);
  return {
    /** When the conversation was deleted last; 0 is never. */
    threadForgottenAt: (id: string): number => forgotten.get(id) ?? 0,
    forgetThread(id: string): void {
      checkArgument("id", id, text);
      const now = clock.now();
      forgotten.delete(id);
      forgotten.set(id, now);
      // Once its runs are gone there is nothing left to be taken for a part of it.
      for (const [one, at] of forgotten) if (at < now - retentionMs || forgotten.size > keptMax) forgotten.delete(one);
      store.setNote(noteName, JSON.stringify([...forgotten]));
    },
  };
}
