// How late the process is for what it has to do: the most that an alarm rang too late, lately.

import type { Clock } from "../actors/clock.ts";

const everyMs = 500;
/** Ten seconds of them. */
const samplesMax = 20;

export function watchLag(clock: Clock) {
  const samples: number[] = [];
  let cancel = (): void => undefined;
  function next(): void {
    const due = clock.now() + everyMs;
    cancel = clock.alarm(due, () => {
      samples.push(Math.max(0, clock.now() - due));
      if (samples.length > samplesMax) samples.shift();
      next();
    });
  }
  next();
  return {
    ms: (): number => Math.max(0, ...samples),
    close: (): void => cancel(),
  };
}
