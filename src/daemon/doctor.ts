// What a daemon needs of this machine, looked at one after the other: each finding with what to do about it.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { loadProject } from "../language/load.ts";
import { isError } from "../language/problems.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { lockDirectory } from "../store/lock.ts";
import { type Config, readConfig } from "./config.ts";
import { heldPort } from "./held.ts";
import { pagesFolder } from "./pages-folder.ts";

export type Finding = { name: string; is: "good" | "slow" | "bad"; says: string; fix?: string };
type Found = Omit<Finding, "name">;

const nodeLeast = [24, 15] as const;
/** Room for a day of a busy daemon, more or less. */
const freeBytesLeast = 1_073_741_824;
const fsyncRounds = 20;
/** A disk that needs longer makes every step wait for it. */
const fsyncMsMost = 20;

const good = (says: string): Found => ({ is: "good", says });
const bad = (says: string, fix: string): Found => ({ is: "bad", says, fix });

/** `from` is the file of the command: the pages are looked for from there. */
export async function examine(flags: Readonly<Record<string, unknown>>, from: URL) {
  let config: Config;
  try {
    config = await readConfig({ flags });
  } catch (error) {
    const found = bad(fromUnknown(error).message, "mend what is named; `troupe config show --origin` shows the rest");
    return { isJson: flags["json"] === true, findings: [nodeVersion(), { name: "settings", ...found }] };
  }
  const { settings } = config;
  const directory = resolve(settings.data_dir);
  const checks: readonly (readonly [name: string, look: () => Found | Promise<Found>])[] = [
    ["settings", () => good("understood")],
    ["data directory", () => writable(directory)],
    ["data directory", () => unheld(directory)],
    ["room on disk", () => room(directory)],
    ["disk", () => writes(directory)],
    ["port", () => free(settings.host, settings.port)],
    ["project", () => project(config.project)],
    ["pages", () => pages(from)],
  ];
  const findings: Finding[] = [nodeVersion()];
  for (const [name, look] of checks) findings.push({ name, ...(await found(look)) });
  return { isJson: settings.json, findings };
}

/** Whatever a look runs into is found, too. */
async function found(look: () => Found | Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    return bad(fromUnknown(error).message, "see to that, and look again");
  }
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isRecent = major > nodeLeast[0] || (major === nodeLeast[0] && minor >= nodeLeast[1]);
  const name = "node";
  if (isRecent) return { name, ...good(process.version) };
  return { name, ...bad(`${process.version} is too old`, `install Node ${nodeLeast.join(".")} or newer`) };
}

/** What is not there yet is made where the nearest folder above it is. */
function nearestAbove(path: string): string {
  return existsSync(path) ? path : nearestAbove(dirname(path));
}

function writable(directory: string): Found {
  const there = nearestAbove(directory);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
    return good(there === directory ? `${directory} can be written` : `${directory} can be made`);
  } catch {
    return bad(`${there} cannot be written`, "make it writable for this user, or choose another with --data-dir");
  }
}

function unheld(directory: string): Found {
  if (!existsSync(directory)) return good("nobody has it");
  try {
    lockDirectory(directory)();
    return good("nobody has it");
  } catch (error) {
    const { message, details } = fromUnknown(error);
    if (details["reason"] !== "store_locked") throw error;
    return bad(message, `if that is the daemon you mean, all is well; else \`kill ${String(details["pid"])}\``);
  }
}

function room(directory: string): Found {
  const { bavail, bsize } = statfsSync(nearestAbove(directory));
  const bytes = bavail * bsize;
  const says = `${(bytes / 2 ** 30).toFixed(1)} GiB free`;
  if (bytes >= freeBytesLeast) return good(says);
  return { is: "slow", says, fix: "make room, or shorten how long ended runs are kept (`retention`)" };
}

function writes(directory: string): Found {
  const file = join(nearestAbove(directory), `.troupe-doctor-${process.pid}`);
  const handle = openSync(file, "w");
  const took: number[] = [];
  try {
    for (let round = 0; round < fsyncRounds; round++) {
      const from = performance.now();
      writeSync(handle, Buffer.alloc(4_096), 0, 4_096, 0);
      fsyncSync(handle);
      took.push(performance.now() - from);
    }
  } finally {
    closeSync(handle);
    rmSync(file);
  }
  const median = took.toSorted((a, b) => a - b)[fsyncRounds >> 1] ?? 0;
  const says = `${median.toFixed(2)} ms until 4 KiB are safely written`;
  if (median <= fsyncMsMost) return good(says);
  return { is: "slow", says, fix: "choose a --data-dir on a faster disk: every step waits for it" };
}

function free(host: string, port: number): Promise<Found> {
  if (port === 0) return Promise.resolve(good("any that is free"));
  const server = createServer();
  return new Promise((done) => {
    server.once("error", (error) => {
      const { message } = fromUnknown(heldPort(error, { host, port }));
      done(bad(message, "if that is the daemon you mean, all is well"));
    });
    server.listen(port, host, () => server.close(() => done(good(`${host}:${port} is free`))));
  });
}

async function project(folder: string | null): Promise<Found> {
  if (folder === null) return { is: "slow", says: "there is no troupe.yaml here", fix: "`troupe init` makes one" };
  const { spec, problems, unserved, workflows } = await loadProject(folder);
  const errors = [...problems.filter(isError), ...unserved];
  if (errors.length === 0) return good(`"${spec?.name}" is sound: ${workflows.length} workflows`);
  return bad(`${errors.length} problems in ${folder}`, `\`troupe validate ${folder}\` shows them`);
}

function pages(from: URL): Found {
  const folder = pagesFolder(from);
  if (folder !== undefined) return good("built");
  return { is: "slow", says: "they are not built: the daemon has no page to show", fix: "`npm run pages` builds them" };
}
