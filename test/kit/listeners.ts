// Counts who listens to an engine, by standing between it and them.

import type { Troupe } from "../../src/runtime/troupe.ts";

export function countListeners({ system }: Troupe): () => number {
  let listeners = 0;
  const { subscribe } = system;
  system.subscribe = (listener) => {
    listeners += 1;
    const off = subscribe(listener);
    return () => {
      listeners -= 1;
      off();
    };
  };
  return () => listeners;
}
