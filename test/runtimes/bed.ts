// Agents and tools of other languages as processes over a real NATS server, beside a troupe that orders and remembers.
//
// Where a language cannot be run a test says what is missing and is skipped; with CI=true it fails.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import type { Layout } from "../../src/protocol/layouts.ts";
import type { Options } from "../../src/runtime/options.ts";
import { troupe, type Troupe } from "../../src/runtime/troupe.ts";
import { natsForThisFile } from "../kit/nats.ts";
import { root } from "../kit/tree.ts";

/** Only what hangs takes so long. */
const patienceMs = 60_000;
/** Everything but who runs agents and tools. */
const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
/** Where nobody reads why a test was skipped. */
const isWatched = !["", "0", "false"].includes(process.env["CI"] ?? "");

export type Language = "python" | "c";
export const languages: readonly Language[] = ["python", "c"];
type Program = {
  /** What tells whether it can be run here, and makes it ready. */
  readonly prepare: readonly (readonly string[])[];
  readonly run: readonly string[];
  /** What Debian calls what it needs. */
  readonly packages: string;
};

export const folderOf = (language: Language): string => join(root, "examples/runtimes", language);
const make = ["make", "--silent", "-C", folderOf("c")];
export const programs: { readonly [L in Language]: Program } = {
  python: {
    prepare: [["python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]],
    run: ["python3", join(folderOf("python"), "conformance.py")],
    packages: "python3",
  },
  c: {
    // Two files of tests may build at the same time.
    prepare: [
      [...make, "needs"],
      ["flock", folderOf("c"), ...make],
    ],
    run: [join(folderOf("c"), "build/conformance")],
    packages: "gcc make pkg-config libc6-dev libnats-dev libcjson-dev libssl-dev",
  },
};

const missing: { [L in Language]?: string } = {};

/** What keeps the programs of a language from being run; empty if nothing does. */
function missingFor(language: Language): string {
  const { prepare, packages } = programs[language];
  try {
    for (const [command = "", ...args] of prepare) execFileSync(command, args, { stdio: "pipe", timeout: patienceMs });
    return "";
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    return `${language}: ${stderr?.toString().trim() || message}. On Debian: apt-get install ${packages}`;
  }
}

/** A test that needs programs of these languages. */
export function withRuntimes(name: string, needed: readonly Language[], body: () => Promise<void>): void {
  test(name, async (context) => {
    for (const language of needed) {
      const reason = (missing[language] ??= missingFor(language));
      if (reason === "") continue;
      if (isWatched) throw new Error(reason);
      context.skip(reason);
    }
    await body();
  });
}

export type Running = { child: ChildProcess; said: () => string; ended: Promise<number | null> };

const running = new Set<ChildProcess>();
const closes: (() => Promise<unknown>)[] = [];

/** A program as a process that does not outlive its test. */
export function begin(language: Language, environment: Readonly<Record<string, string>>): Running {
  const [command = "", ...args] = programs[language].run;
  const child = spawn(command, args, {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => void (said += piece));
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once("exit", (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  return { child, said: () => said, ended };
}

afterEach(async () => {
  for (const child of running) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await gone;
  }
  running.clear();
  for (const close of closes.splice(0).reverse()) await close();
});

/** A NATS server for a file of tests, and on it a troupe and programs for each test. */
export function natsWithRuntimes() {
  const { server, directory, signIn, open } = natsForThisFile();
  let houses = 0;

  async function house(options: Options & { subjects?: Layout } = {}) {
    houses += 1;
    const prefix = `p${houses}`;
    const { subjects = "flow" } = options;
    const transport = await open(prefix, { layout: subjects });
    closes.push(() => transport.close());
    const t: Troupe = await troupe({ roles: orchestration, ...options, prefix, transport });
    closes.push(() => t.stop({ graceMs: 0 }));
    const outside: NatsConnection = await connect(signIn());
    closes.push(() => outside.close());
    const heard: { name: string; execId: string }[] = [];
    // What a stream was late to acknowledge is said again, as the same message.
    const known = new Set<string | undefined>();
    // Whoever hears commands or results would hide that nobody else does.
    for (const pattern of ["events.>", "progress.>", "*.*.events.>", "*.*.progress.>"]) {
      outside.subscribe(`${prefix}.${pattern}`, {
        callback: (_error, message) => {
          const { metadata, agent, tool } = message.json<Record<string, { [field: string]: string }>>();
          if (known.has(metadata?.["message_id"])) return;
          known.add(metadata?.["message_id"]);
          heard.push({ name: metadata?.["message_type"] ?? "", execId: (tool ?? agent)?.["exec_id"] ?? "" });
        },
      });
    }
    await outside.flush();
    const key = join(directory(), "runtime.nk");
    writeFileSync(key, `${server().seed}\n`, { mode: 0o600 });
    const environment = { NATS_URL: server().url(), NATS_NKEY: key, TROUPE_PREFIX: prefix, TROUPE_SUBJECTS: subjects };

    return {
      t,
      heard,
      /** How often this was said. */
      times: (name: string): number => heard.filter((one) => one.name === name).length,
      begin: (language: Language, more: Readonly<Record<string, string>> = {}): Running =>
        begin(language, { ...environment, ...more }),
      /** Once the troupe knows so many runtimes that can be given work. */
      registered: (count = 1) =>
        until(() => expect(t.runtimes().filter(({ state }) => state === "registered")).toHaveLength(count)),
    };
  }
  return { house, server };
}

export const until = <T>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: patienceMs });
