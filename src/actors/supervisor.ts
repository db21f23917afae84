// Starts the parts of a process in order, starts again what fails, and stops them in reverse.
//
//   start: a ─▶ b ─▶ c          stop: c ─▶ b ─▶ a
//   b fails: c and b stop, b and c start again, up to a limit within a while ─▶ then everything stops, and that is said
//
// It is for the daemon, whose parts are a troupe, and the doors that hold on to it. A troupe by itself has no part that
// could be started again under it: memory runs ahead of the disk, so with a store whose writer has died all of it would
// have to be made anew from the log. It says so, refuses what is new, and is closed and opened as a whole; and whoever
// holds on to it with it.
//
// Invariants:
//   U1. A part starts only after those before it have, and stops only after those after it have.
//   U2. If one cannot start at first, those that had are stopped, in reverse, and the error is passed on.
//   U3. A part that fails is started again, so many times within a while, and with it those after it; then all stop,
//       and onFatal is told once.
//   U4. stop() stops each part once, however often it is called, and passes on the first error after all were stopped.

import { TroupeError, fromUnknown } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { Clock } from "./clock.ts";

/** Starts it; gives what stops it. `failed` says later that it is broken. */
export type Part = {
  name: string;
  start(failed: (error: unknown) => void): Promise<() => Promise<void> | void> | (() => Promise<void> | void);
};

export type Supervision = {
  clock: Clock;
  restartsMax?: number;
  withinMs?: number;
  report: Report;
  /** A part failed too often: everything has stopped. */
  onFatal: (error: TroupeError) => void;
};

type Running = { part: Part; stop: () => Promise<void> | void; failures: number[] };

const defaults = { restartsMax: 3, withinMs: 60_000 } as const;

export async function supervise(parts: readonly Part[], supervision: Supervision): Promise<{ stop(): Promise<void> }> {
  const { clock, report, onFatal } = supervision;
  const { restartsMax, withinMs } = { ...defaults, ...supervision };
  const running: Running[] = [];
  let stopping: Promise<void> | undefined;
  // One after the other, so that no part is started while another is stopped.
  let work: Promise<unknown> = Promise.resolve();

  async function begin(part: Part): Promise<Running> {
    const one: Running = { part, stop: () => undefined, failures: [] };
    one.stop = await part.start((error) => fail(one, error));
    return one;
  }

  function fail(one: Running, error: unknown): void {
    if (stopping) return;
    const { message } = fromUnknown(error);
    const now = clock.now();
    one.failures = [...one.failures.filter((at) => at > now - withinMs), now];
    const isTooOften = one.failures.length > restartsMax;
    report(isTooOften ? "error" : "warn", `${one.part.name} failed`, { message, failures: one.failures.length });
    if (isTooOften) return void giveUp(one, error);
    work = work.then(() => again(one)).catch((thrown: unknown) => fail(one, thrown));
  }

  async function again(one: Running): Promise<void> {
    if (stopping) return;
    const from = running.slice(running.indexOf(one));
    for (const each of from.toReversed()) await halt(each);
    for (const each of from) each.stop = await each.part.start((error) => fail(each, error));
    report("warn", `${one.part.name} was started again`, {});
  }

  /** What cannot be stopped is as broken as what is started anew because of that: it is said, and it goes on. */
  async function halt(one: Running): Promise<void> {
    const { part, stop } = one;
    one.stop = () => undefined;
    try {
      await stop();
    } catch (error) {
      report("warn", `${part.name} did not stop as it should`, { message: fromUnknown(error).message });
    }
  }

  async function giveUp({ part }: Running, error: unknown): Promise<void> {
    const { message } = fromUnknown(error);
    await stopAll().catch((thrown: unknown) =>
      report("error", "a part did not stop", { message: fromUnknown(thrown).message }),
    );
    const told = `${part.name} failed more than ${restartsMax} times within ${withinMs} ms: ${message}`;
    onFatal(new TroupeError("INTERNAL_ERROR", told, { part: part.name }, { cause: error }));
  }

  function stopAll(): Promise<void> {
    stopping ??= (async () => {
      await work;
      const errors: unknown[] = [];
      for (const { stop } of running.splice(0).reverse()) {
        try {
          await stop();
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
    })();
    return stopping;
  }

  for (const part of parts) {
    try {
      running.push(await begin(part));
    } catch (error) {
      await stopAll();
      throw error;
    }
  }
  return { stop: stopAll };
}
