// One life of the engine's process: started, asked, stopped, killed; whoever waits for it when it dies is told so.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { End } from "../../src/runtime/desk.ts";
import type { Ask, Orders, Told } from "./engine.ts";

/** The process ended before it answered: nobody knows whether it was done. */
export class Lost extends Error {}

/** The engine said no, with a code. */
export class Refused extends Error {
  readonly code: string;
  constructor({ code, message }: { code: string; message: string }) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

type Waiting = { what: string; resolve: (answer: unknown) => void; reject: (error: Error) => void };

const program = fileURLToPath(new URL("./engine.ts", import.meta.url));

/** Generous: only a request that is never answered takes so long. */
const answerMs = 30_000;

type Ready = { ms: number; live: number; busy: number; parked: number };
type Ears = {
  becomesReady: PromiseWithResolvers<Ready>;
  bornAt: number;
  ended: Map<string, End>;
  ends: Map<string, { resolve: (end: End) => void; reject: (error: Error) => void }[]>;
  requests: Map<number, Waiting>;
};

function hear(told: Told, { becomesReady, bornAt, ended, ends, requests }: Ears): void {
  if ("ready" in told) return becomesReady.resolve({ ms: performance.now() - bornAt, ...told.ready });
  if ("failed" in told) return becomesReady.reject(new Refused(told.failed));
  if ("ended" in told) {
    const { execId } = told.ended;
    ended.set(execId, told.ended);
    for (const { resolve } of ends.get(execId) ?? []) resolve(told.ended);
    ends.delete(execId);
    return;
  }
  const waiting = requests.get(told.number);
  requests.delete(told.number);
  if ("error" in told) waiting?.reject(new Refused(told.error));
  else waiting?.resolve(told.answer);
}

export type Life = ReturnType<typeof begin>;

export function begin(orders: Orders) {
  const child: ChildProcess = spawn(process.execPath, [program, JSON.stringify(orders)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  const requests = new Map<number, Waiting>();
  const ends: Ears["ends"] = new Map();
  const ended = new Map<string, End>();
  /** What was not answered in time. */
  const unanswered: string[] = [];
  let errors = "";
  let number = 0;
  let isOpen = true;
  const bornAt = performance.now();

  child.stderr?.on("data", (text: Buffer) => (errors += String(text)));
  const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on("exit", (code, signal) => resolve({ code, signal }));
    child.on("error", (error) => (errors += String(error)));
  });
  // Messages may arrive after the exit: the channel closes last.
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  void Promise.all([gone, closed]).then(() => {
    isOpen = false;
    const lost = new Lost("the process has ended");
    for (const { reject } of requests.values()) reject(lost);
    for (const waiting of ends.values()) for (const { reject } of waiting) reject(lost);
    becomesReady.reject(lost);
  });

  const becomesReady = Promise.withResolvers<Ready>();
  becomesReady.promise.catch(() => undefined);

  child.on("message", (told: Told) => hear(told, { becomesReady, bornAt, ended, ends, requests }));

  return {
    pid: child.pid ?? 0,
    ready: becomesReady.promise,
    gone,
    closed,
    unanswered,
    errors: () => errors,
    /** Requests that have no answer yet. */
    open: (): string[] => [...requests.values()].map(({ what }) => what),
    ask(request: Ask): Promise<unknown> {
      if (!isOpen) return Promise.reject(new Lost("the process has ended"));
      number += 1;
      const own = number;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const what = JSON.stringify(request);
      requests.set(own, { what, resolve, reject });
      const late = setTimeout(() => unanswered.push(`${what} had no answer in ${answerMs} ms`), answerMs);
      child.send({ number: own, ...request }, (error) => error && reject(new Lost(error.message)));
      return promise.finally(() => clearTimeout(late));
    },
    /** How a watched execution ended. */
    end(execId: string): Promise<End> {
      const known = ended.get(execId);
      if (known) return Promise.resolve(known);
      if (!isOpen) return Promise.reject(new Lost("the process has ended"));
      return new Promise((resolve, reject) => ends.set(execId, [...(ends.get(execId) ?? []), { resolve, reject }]));
    },
    /** From now on requests are lost at once; what was asked before is still answered. */
    hangUp: (): void => void (isOpen = false),
    signal: (signal: NodeJS.Signals): void => void child.kill(signal),
    async kill(): Promise<void> {
      isOpen = false;
      child.kill("SIGKILL");
      await closed;
    },
  };
}
