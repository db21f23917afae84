// The command `troupe` as a process that is listened to while it runs: what it says is waited for, its end is read.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "./tree.ts";

export type Said = { stdout: string; stderr: string };
export type EndedProcess = Said & { code: number | null; signal: NodeJS.Signals | null };

export type TroupeProcess = {
  child: ChildProcess;
  /** Everything it has said so far. */
  said: () => Said;
  /** Settles once something is found in what it has said; rejects if it ends before. */
  until: <T>(find: (said: Said) => T | undefined, what: string) => Promise<T>;
  ended: Promise<EndedProcess>;
};

type Given = {
  cwd?: string;
  environment?: Readonly<Record<string, string>>;
  /** What it reads from its standard input, to its end. */
  input?: string | undefined;
  /** It is ended then; only what hangs takes so long. */
  limitMs?: number;
};

/** What this machine has set is nobody's business here. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:TROUPE_|NODE_OPTIONS|FORCE_COLOR|npm_command)/.test(name)),
);

const running = new Set<ChildProcess>();

/** Whatever a test leaves running, or a test that failed, ends with it. */
export async function endAll(): Promise<void> {
  for (const child of running) {
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await gone;
  }
  running.clear();
}

export function spawnTroupe(
  args: readonly string[],
  { cwd = root, environment = {}, input, limitMs }: Given = {},
): TroupeProcess {
  const child = spawn(process.execPath, [join(root, "bin/troupe.js"), ...args], {
    cwd,
    env: { ...clean, NO_COLOR: "1", ...environment },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout: limitMs,
  });
  running.add(child);
  child.stdin?.end(input);
  const said: Said = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  const lookAgain = (): void => waiting.forEach((look) => look());
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (piece: string) => {
      said[name] += piece;
      lookAgain();
    });
  }
  let isOver = false;
  const ended = new Promise<EndedProcess>((resolve) => {
    // All that it said has come by then, which at its exit is not certain.
    child.once("close", (code, signal) => {
      isOver = true;
      running.delete(child);
      resolve({ code, signal, ...said });
      lookAgain();
    });
  });
  return {
    child,
    said: () => ({ ...said }),
    until: (find, what) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = find(said);
          if (found === undefined && !isOver) return;
          waiting.delete(look);
          if (found === undefined) reject(new Error(`it ended before ${what}:\n${said.stdout}${said.stderr}`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
    ended,
  };
}
