// Lets virtual time pass, and everything in it happen.

import type { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** Whatever was promised and needs no time has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const until = clock.now() + ms;
  await settled();
  while ((clock.nextAt() ?? Infinity) <= until) {
    clock.next();
    await settled();
  }
  clock.advanceTo(until);
  await settled();
}
