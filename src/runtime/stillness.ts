// Waiting until nothing is under way any more, as a stop does.

import type { Clock } from "../actors/clock.ts";

/** Waits until something is so, looking now and then, at most so long. */
export function quiet(clock: Clock, isSo: () => boolean, graceMs: number): Promise<void> {
  const until = clock.now() + graceMs;
  return new Promise((done) => {
    const look = (): void => {
      if (isSo() || clock.now() >= until) done();
      else clock.alarm(clock.now() + 5, look);
    };
    look();
  });
}
