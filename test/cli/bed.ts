// A project and a daemon for the command line: both are real, and the commands are run as people run them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawnTroupe } from "../kit/process.ts";
import type { Ended } from "../kit/troupe.ts";

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

type Given = { cwd?: string; env?: Readonly<Record<string, string>>; input?: string; timeout?: number };

/** Begins the command, without waiting for it. */
export function begin(args: readonly string[], { env = {}, timeout = limitMs, ...given }: Given = {}): Run {
  const { child, until, ended } = spawnTroupe(args, { ...given, environment: env, limitMs: timeout });
  return {
    ended: ended.then(({ code, stdout, stderr }) => ({ exit: code, stdout, stderr })),
    until: (text) =>
      until(
        ({ stdout, stderr }) => (stdout.includes(text) || stderr.includes(text) ? stdout : undefined),
        `it said '${text}'`,
      ),
    interrupt: () => void child.kill("SIGINT"),
    kill: () => void child.kill("SIGKILL"),
  };
}

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
  // What is still at work when a test file is through is waited for by nobody.
  const line = ["up", "--port", port, "--json", "--data-dir", dataDir, "--grace", "100ms"];
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
