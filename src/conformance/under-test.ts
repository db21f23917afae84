// The process of a runtime under test: started by the test with all that it needs to sign in, or known by its number.

import { spawn } from "node:child_process";
import type { Clock } from "../actors/clock.ts";
import { TroupeError } from "../protocol/errors.ts";

export type UnderTest = {
  stop(): void;
  /** Its exit code; null if that cannot be known. */
  ended: Promise<number | null>;
  /** What it wrote last. */
  said(): string;
  kill(): void;
};

const saidCharsMax = 4_096;
const lookMs = 100;

/** Through a shell, as people write commands; the shell becomes the runtime, so that a signal reaches it. */
export function startCommand(command: string, environment: Readonly<Record<string, string | undefined>>): UnderTest {
  const child = spawn("/bin/sh", ["-c", `exec ${command}`], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const keep = (bytes: Buffer): void => void (said = `${said}${bytes.toString()}`.slice(-saidCharsMax));
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.once("error", ({ message }) => {
    said += message;
    resolve(-1);
  });
  child.once("exit", (code, signal) => resolve(code ?? (signal === null ? -1 : signalBase)));
  return {
    stop: () => void child.kill("SIGTERM"),
    ended,
    said: () => said,
    kill: () => void child.kill("SIGKILL"),
  };
}
/** What a shell says of a process that a signal ended, without telling which. */
const signalBase = 128;

/** One that runs already: it can be told to end, and looked at. */
export function processOf(pid: number, clock: Clock): UnderTest {
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      // It has gone, or is another's.
      return false;
    }
  };
  if (!isThere()) throw new TroupeError("NOT_FOUND", `no process ${pid} of yours runs here`, { pid });
  const { promise: ended, resolve } = Promise.withResolvers<null>();
  const look = (): void => {
    if (!isThere()) return resolve(null);
    clock.alarm(clock.now() + lookMs, look);
  };
  return {
    stop() {
      process.kill(pid, "SIGTERM");
      look();
    },
    ended,
    said: () => "",
    // It was there before the test.
    kill: () => undefined,
  };
}
