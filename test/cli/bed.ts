// A project and a daemon for the command line: both are real, and the commands are run as people run them.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root } from "../kit/tree.ts";
import type { Ended } from "../kit/troupe.ts";

const program = join(root, "bin/troupe.js");

const files = {
  "troupe.yaml": `version: 1
name: shop
agents:
  - { id: greeter, kind: module, module: "./agents.ts#greet" }
  - { id: broken, kind: module, module: "./agents.ts#fail" }
  - { id: held, kind: module, module: "./agents.ts#hold" }
`,
  "agents.ts": `
export const greet = ({ name }: { name: string }): { text: string } => ({ text: \`hello, \${name}\` });
export const fail = (): never => {
  throw new Error("the press is broken");
};
export const hold = (_input: unknown, { signal }: { signal: AbortSignal }): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
`,
  "workflows/hello.yaml": `id: hello
input: { type: object, properties: { name: { type: string, default: world } } }
tasks:
  - { id: greet, type: agent, agent: greeter, with: { name: "\${{ input.name }}" } }
`,
  "workflows/press.yaml": `id: press
tasks:
  - { id: warm, type: agent, agent: greeter, with: { name: press }, next: print }
  - { id: print, type: agent, agent: broken }
`,
  "workflows/long.yaml": `id: long
tasks:
  - { id: work, type: agent, agent: held, timeout: 1h }
`,
  "workflows/payout.yaml": `id: payout
tasks:
  - { id: ask, type: wait, wait: { approval: "Release it?" }, timeout: 1h, next: pay }
  - { id: pay, type: agent, agent: greeter, with: { name: "\${{ tasks.ask.output.approved }}" } }
`,
  "workflows/parent.yaml": `id: parent
tasks:
  - { id: call, type: workflow, workflow: hello, next: again }
  - { id: again, type: workflow, workflow: press }
`,
  "workflows/gate.yaml": `id: gate
tasks:
  - { id: stand, type: wait, wait: { signal: go }, timeout: 1h, next: greet }
  - { id: greet, type: agent, agent: greeter, with: { name: "\${{ tasks.stand.output.name }}" } }
`,
};

export type Run = {
  ended: Promise<Ended>;
  /** Resolves with all that was written so far, once it holds this. */
  until(text: string): Promise<string>;
  interrupt(): void;
  kill(): void;
};

/** Only what hangs takes so long. */
const limitMs = 110_000;
const daemonLimitMs = 900_000;

/** Begins the command, without waiting for it. */
export function begin(args: readonly string[], { cwd = root, env = {}, input, timeout = limitMs }: Given = {}): Run {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...clean, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout,
  });
  child.stdin?.end(input);
  const said = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
      for (const look of waiting) look();
    });
  }
  const ended = new Promise<Ended>((resolve) => child.on("close", (exit) => resolve({ exit, ...said })));
  return {
    ended,
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!said.stdout.includes(text) && !said.stderr.includes(text)) return;
          waiting.delete(look);
          resolve(said.stdout);
        };
        waiting.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended without saying '${text}': ${JSON.stringify(said)}`)));
      }),
    interrupt: () => void child.kill("SIGINT"),
    kill: () => void child.kill("SIGKILL"),
  };
}
type Given = { cwd?: string; env?: Readonly<Record<string, string>>; input?: string; timeout?: number };

/** What this machine has set is nobody's business here. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:TROUPE_|NODE_OPTIONS|FORCE_COLOR|npm_command)/.test(name)),
);

export function newProject(more: Readonly<Record<string, string>> = {}): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "troupe-cli-"));
  for (const [path, text] of Object.entries({ ...files, ...more })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A daemon of that project at any port that is free, and commands that find it by what it wrote. */
export async function openDaemonBed({ dataDir = ".troupe", port = "0" }: { dataDir?: string; port?: string } = {}) {
  const { folder, remove } = newProject();
  const line = ["up", "--port", port, "--json", "--data-dir", dataDir];
  const start = (): Run => begin(line, { cwd: folder, timeout: daemonLimitMs });
  let daemon = start();
  const ready = async (): Promise<string> => {
    const [first = ""] = (await daemon.until('"event":"ready"')).split("\n");
    return (JSON.parse(first) as { http: string }).http;
  };
  return {
    folder,
    url: await ready(),
    begin: (...args: string[]): Run => begin(args, { cwd: folder }),
    troupe: (...args: string[]): Promise<Ended> => begin(args, { cwd: folder }).ended,
    /** As if the power had failed, and came back. */
    async crash(): Promise<void> {
      daemon.kill();
      await daemon.ended;
      daemon = start();
      await ready();
    },
    async close(): Promise<void> {
      daemon.interrupt();
      await daemon.ended;
      remove();
    },
  };
}
export type DaemonBed = Awaited<ReturnType<typeof openDaemonBed>>;

/** An address where nobody answers. */
export const deadUrl = (): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(`http://127.0.0.1:${port}`));
    });
  });

/** The id in what a start has said. */
export const idIn = ({ stdout }: Pick<Ended, "stdout">): string =>
  /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(stdout)?.[0] ?? "none";
export const linesIn = ({ stdout }: Pick<Ended, "stdout">): Record<string, unknown>[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
