// How many workflow executions run at once: a slot for each, and a queue for whoever finds none.
//
// Invariants:
//   L1. Never more hold a slot than there are, but for children, and those that came back after a restart.
//   L2. A slot that is given back goes to whoever waited longest, once.

export type Slots = ReturnType<typeof newSlots>;

export function newSlots({ max, grant }: { max: number; grant: (run: string) => void }) {
  const held = new Set<string>();
  const queue = new Set<string>();
  // Runs that held one before a restart and have not been seen since.
  let inherited = 0;

  const fill = (): void => {
    for (const run of queue) {
      if (held.size + inherited >= max) return;
      queue.delete(run);
      held.add(run);
      grant(run);
    }
  };

  return {
    /**
     * Whether the run may begin at once; else it stands in the queue, and is granted a slot later. A child never
     * waits: its parent has a slot, and would keep it while it waits for the child.
     */
    want(run: string, isChild = false): boolean {
      if (isChild || (held.size + inherited < max && queue.size === 0)) {
        held.add(run);
        return true;
      }
      queue.add(run);
      return false;
    },
    release(run: string): void {
      if (queue.delete(run)) return;
      if (!held.delete(run) && inherited > 0) inherited -= 1;
      fill();
    },
    /** It never began: whatever it had, or stood in line for, is given back. */
    abandon(run: string): void {
      if (!queue.delete(run) && held.delete(run)) fill();
    },
    /** After a restart: so many hold a slot, and these wait for one. */
    inherit(count: number, waiting: readonly string[]): void {
      inherited = count;
      for (const run of waiting) queue.add(run);
      fill();
    },
    taken: (): number => held.size + inherited,
    waiting: (): number => queue.size,
    place: (run: string): number => [...queue].indexOf(run) + 1,
  };
}
