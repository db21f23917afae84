// A daemon as a process of its own, brought up by its command: it is waited for, asked, killed, and read to its end.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./tree.ts";

export type Ready = { event: string; http: string; ws: string; pid: number; durability: string };
export type EndedProcess = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

export type RunningDaemon = {
  child: ChildProcess;
  /** Everything it has said so far. */
  said: () => { stdout: string; stderr: string };
  /** Settles once stderr, or stdout, holds this; rejects if the process ends before. */
  logged: (what: string | RegExp) => Promise<void>;
  printed: (what: string | RegExp) => Promise<void>;
  ready: Promise<Ready>;
  ended: Promise<EndedProcess>;
};

export const emptyFolder = (name = "daemon"): string => mkdtempSync(join(tmpdir(), `troupe-${name}-`));

type More = { environment?: Readonly<Record<string, string>>; cwd?: string; json?: boolean };

const children = new Set<ChildProcess>();

/** Whatever a test leaves running, or a test that failed, ends with it. */
export async function endAll(): Promise<void> {
  for (const child of children) {
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await gone;
  }
  children.clear();
}

export function up(args: readonly string[], { environment = {}, cwd = root, json = true }: More = {}): RunningDaemon {
  const all = [join(root, "bin/troupe.js"), "up", "--port", "0", ...(json ? ["--json"] : []), ...args];
  const env = { ...process.env, NO_COLOR: "1", ...environment };
  const child = spawn(process.execPath, all, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const text = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      text[name] += piece;
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<EndedProcess>((resolve) => {
    child.once("close", (code, signal) => {
      children.delete(child);
      resolve({ code, signal, ...text });
      for (const look of waiting) look();
    });
  });
  const until = <T>(look: () => T | undefined, what: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const again = (): void => {
        const found = look();
        if (found === undefined && child.exitCode === null && child.signalCode === null) return;
        waiting.delete(again);
        if (found === undefined) reject(new Error(`it ended before ${what}:\n${text.stdout}${text.stderr}`));
        else resolve(found);
      };
      waiting.add(again);
      again();
    });
  const holds = async (where: keyof typeof text, what: string | RegExp): Promise<void> => {
    await until(() => (text[where].search(what) === -1 ? undefined : true), `it said ${String(what)}`);
  };
  const readyIn = (): Ready | undefined => {
    const line = text.stdout.split("\n").find((one) => one.startsWith('{"event":"ready"'));
    return line === undefined || !text.stdout.includes("\n") ? undefined : (JSON.parse(line) as Ready);
  };
  const ready = json ? until(readyIn, "it was ready") : Promise.reject(new Error("it says so in words"));
  // Whoever does not wait for it is not told that it never came.
  ready.catch(() => undefined);
  return {
    child,
    said: () => ({ ...text }),
    logged: (what) => holds("stderr", what),
    printed: (what) => holds("stdout", what),
    ready,
    ended,
  };
}

/** Asks a daemon; gives the status and what was answered, as JSON if it is. */
export async function ask(
  { http }: Ready,
  path: string,
  { method = "GET", body, headers = {} }: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Record<string, unknown>; text: string }> {
  const answer = await fetch(`${http}${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  return { status: answer.status, body: isJson ? (JSON.parse(text) as Record<string, unknown>) : {}, text };
}
