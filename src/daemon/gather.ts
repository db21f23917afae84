// Texts that are written together: whatever is said in one turn of the process leaves as one write.
//
// Invariants:
//   GT1. Everything is written once, in order; after flush() nothing waits.

import { afterTurn } from "../actors/clock.ts";

export function gather(write: (text: string) => void) {
  let waiting = "";
  function flush(): void {
    if (waiting === "") return;
    const text = waiting;
    waiting = "";
    write(text);
  }
  return {
    flush,
    write(text: string): void {
      if (waiting === "") afterTurn(flush);
      waiting += text;
    },
  };
}
