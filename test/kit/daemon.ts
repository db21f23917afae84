// A daemon as a process of its own, brought up by its command: it is waited for, asked, killed, and read to its end.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnTroupe, type TroupeProcess } from "./process.ts";

export type Ready = { event: string; http: string; ws: string; pid: number; durability: string };

export type RunningDaemon = Omit<TroupeProcess, "until"> & {
  /** Settles once stderr, or stdout, holds this; rejects if the process ends before. */
  logged: (what: string | RegExp) => Promise<void>;
  printed: (what: string | RegExp) => Promise<void>;
  ready: Promise<Ready>;
};

export const emptyFolder = (name = "daemon"): string => mkdtempSync(join(tmpdir(), `troupe-${name}-`));

type More = { environment?: Readonly<Record<string, string>>; cwd?: string; json?: boolean };

export function up(args: readonly string[], { json = true, ...more }: More = {}): RunningDaemon {
  const { until, ...daemon } = spawnTroupe(["up", "--port", "0", ...(json ? ["--json"] : []), ...args], more);
  const holds = async (where: "stdout" | "stderr", what: string | RegExp): Promise<void> => {
    await until((said) => (said[where].search(what) === -1 ? undefined : true), `it said ${String(what)}`);
  };
  const readyIn = ({ stdout }: { stdout: string }): Ready | undefined => {
    const line = /^\{"event":"ready".*\n/m.exec(stdout)?.[0];
    return line === undefined ? undefined : (JSON.parse(line) as Ready);
  };
  const ready = json ? until(readyIn, "it was ready") : Promise.reject(new Error("it says so in words"));
  // Whoever does not wait for it is not told that it never came.
  ready.catch(() => undefined);
  return {
    ...daemon,
    logged: (what) => holds("stderr", what),
    printed: (what) => holds("stdout", what),
    ready,
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
