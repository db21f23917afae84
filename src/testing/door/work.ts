// Functions of handlers at work in real time: virtual time stands still until they have answered, or wait for it.

import { systemClock } from "../../actors/clock.ts";
import { TroupeError } from "../../protocol/errors.ts";

/** So much of the machine's own time has a function: one that waits for virtual time to pass would wait for ever. */
const patienceMs = 10_000;

export type Work = ReturnType<typeof newWork>;

export function newWork() {
  const atWork = new Map<symbol, string>();
  let wake = (): void => undefined;

  return {
    /** Somebody is at work; gives what says that they rest, and that they go on. */
    begin(name: string): { rest: () => void; goOn: () => void } {
      const one = Symbol(name);
      atWork.set(one, name);
      return {
        rest() {
          atWork.delete(one);
          if (atWork.size === 0) wake();
        },
        goOn: () => void atWork.set(one, name),
      };
    },
    /** Waits until nobody is; whether anybody was. */
    async idle(): Promise<boolean> {
      if (atWork.size === 0) return false;
      const { now, alarm } = systemClock();
      await new Promise<void>((resolve, reject) => {
        const cancel = alarm(now() + patienceMs, () => reject(overdue([...atWork.values()])));
        wake = () => {
          cancel();
          resolve();
        };
      });
      return true;
    },
    /** The process is gone: nobody waits for those who were at work in it. */
    stop(): void {
      atWork.clear();
      wake();
    },
  };
}

function overdue(names: readonly string[]): TroupeError {
  const who = [...new Set(names)].join(", ");
  const message = `${who} has not answered within ${patienceMs} ms of real time, in which no virtual time passes: `;
  const hint = "use hangs() for what only ends when it is told to, and after() for what takes its time";
  return new TroupeError("COMMAND_TIMEOUT", `${message}${hint}`);
}
