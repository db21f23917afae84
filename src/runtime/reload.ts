// A project of files as a troupe takes it, and taken anew whenever a file of it changes.
//
//   folder ─▶ loadProject ─▶ sound? definitions ─▶ define          what runs goes on as it began
//     ▲                        └─ no: the problems are said, and all stays as it was
//     └── a file changes, and then nothing for a moment
//
// Invariants:
//   R1. What is broken changes nothing: the definitions before it stay, and every problem is said with its place.
//   R2. A change is taken once, after the last of those that come together; one that comes meanwhile is taken next.
//   R3. What changed nothing is not taken.

import { existsSync, readFileSync, watch } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseEnv } from "node:util";
import type { Clock } from "../actors/clock.ts";
import type { Limits } from "../actors/limits.ts";
import type { AgentDefinition } from "../agents/agent.ts";
import { loadProject } from "../language/load.ts";
import { isError, problemText } from "../language/problems.ts";
import type { Problem, ProjectSpec } from "../language/spec.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { ToolDefinition } from "../tools/tool.ts";
import { definitionsOf, parted } from "./callees.ts";
import type { Gone } from "./definitions.ts";
import type { Definitions, Options, Watch } from "./options.ts";

export type OpenedProject = {
  folder: string;
  definitions: Required<Definitions>;
  /** What the file of the project says of the troupe as a whole. */
  settings: Pick<Options, "limits" | "prefix" | "subjects" | "secrets">;
  /** Names and values of its file `.env`. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Warnings: with an error there is no project. */
  problems: Problem[];
  /** The text of each file, by its path from the folder. */
  files: ReadonlyMap<string, string>;
  /** Which file holds a definition: `workflow/<id>`, `agent/<id>` and `tool/<id>`. */
  homes: ReadonlyMap<string, string>;
  /** Where a file of it may appear or change. */
  folders: string[];
};

/** Reads a project; throws DEFINITION_INVALID with every problem if there is an error among them. */
export async function openProject(folder: string, sizes: Partial<Limits> = {}): Promise<OpenedProject> {
  const { spec, workflows, agents, tools, problems, unserved, files, homes } = await loadProject(folder, sizes);
  const found = [...problems, ...unserved.map((one): Problem => ({ ...one, severity: "error" }))];
  if (!spec || found.some(isError)) throw refusal(folder, found, files);
  return {
    folder,
    definitions: {
      workflows: parted(workflows).workflows,
      agents: definitionsOf<AgentDefinition>(agents),
      tools: definitionsOf<ToolDefinition>(tools),
    },
    settings: settingsOf(spec),
    environment: environmentOf(resolve(folder, ".env")),
    problems: found,
    files,
    homes,
    folders: foldersOf(folder, spec, [...files.keys()]),
  };
}

function environmentOf(file: string): OpenedProject["environment"] {
  if (!existsSync(file)) return {};
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    const message = `the file ${file} cannot be read: ${fromUnknown(error).message}`;
    throw new TroupeError("VALIDATION_FAILED", message, { path: file }, { cause: error });
  }
}

function settingsOf({ prefix, subjects, limits = {}, secrets = [] }: ProjectSpec): OpenedProject["settings"] {
  const { max_payload, concurrency, max_steps } = limits;
  const own = {
    ...(max_payload !== undefined && { payloadBytes: bytesOf(max_payload) }),
    ...(concurrency !== undefined && { concurrency: Number(concurrency) }),
    ...(max_steps !== undefined && { stepsMax: Number(max_steps) }),
  };
  return { limits: own, secrets, ...(prefix !== undefined && { prefix }), ...(subjects !== undefined && { subjects }) };
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};
/** Checked with the project. */
function bytesOf(size: number | string): number {
  const [, count, unit = "B"] = /^([\d.]+)(\w+)?$/.exec(String(size)) ?? [];
  return Math.round(Number(count) * (units[unit] ?? 1));
}

const globLetters = /[*?[{(]/;

function foldersOf(folder: string, { workflows = ["workflows/*"] }: ProjectSpec, files: readonly string[]): string[] {
  const globbed = workflows.map((glob) => {
    const steps = glob.split("/");
    const first = steps.findIndex((step) => globLetters.test(step));
    return steps.slice(0, first === -1 ? -1 : first).join("/");
  });
  const all = [
    folder,
    ...files.map((file) => dirname(resolve(folder, file))),
    ...globbed.map((at) => resolve(folder, at)),
  ];
  return [...new Set(all.map((at) => resolve(at)))].filter((at) => existsSync(at)).sort();
}

function refusal(folder: string, problems: readonly Problem[], files: ReadonlyMap<string, string>): TroupeError {
  const told = problems.map((problem) => problemText(problem, files.get(problem.file))).join("\n");
  const errors = problems.map(({ file, line, col, code, message, hint, severity }) => ({
    field: `${file}:${line}:${col}`,
    file,
    line,
    col,
    code,
    message,
    severity,
    ...(hint !== undefined && { hint }),
  }));
  return new TroupeError("DEFINITION_INVALID", `the project in ${folder} cannot be used:\n${told}`, { errors });
}

/** Files of this machine. */
export const watchFolder: Watch = (folder, heard, failed) => {
  const watcher = watch(folder, { persistent: false }, (_event, file) => heard(file));
  watcher.on("error", failed);
  return () => watcher.close();
};

export type Reloading = {
  project: OpenedProject;
  clock: Clock;
  sizes: Limits;
  define: (more: Definitions, gone: Gone) => Promise<void>;
  /** These are secrets from now on. */
  learn: (secrets: readonly string[]) => void;
  report: NonNullable<Options["log"]>;
};

/** Takes a project anew. */
export function openReloading({ project, sizes, define, learn, report }: Omit<Reloading, "clock">) {
  let current = project;
  return async (): Promise<OpenedProject> => {
    const next = await openProject(current.folder, sizes);
    const changed = changedIn(current.files, next.files);
    if (changed.length === 0) return current;
    learn(next.settings.secrets ?? []);
    await define(next.definitions, goneFrom(current.definitions, next.definitions));
    report("info", "the project was taken anew", { folder: current.folder, changed });
    return (current = next);
  };
}

function changedIn(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const all = new Set([...before.keys(), ...now.keys()]);
  return [...all].filter((file) => before.get(file) !== now.get(file)).sort();
}

function goneFrom(before: Required<Definitions>, now: Required<Definitions>): Gone {
  const kinds = ["workflows", "agents", "tools"] as const;
  return Object.fromEntries(
    kinds.map((kind) => {
      const left = new Set(now[kind].map(({ id }) => id));
      return [kind, before[kind].map(({ id }) => id).filter((id) => !left.has(id))];
    }),
  );
}

const quietMs = 100;

type Means = {
  watch: Watch;
  clock: Clock;
  folders: readonly string[];
  /** Takes the project anew, and gives where to look from then on. */
  reload: () => Promise<readonly string[]>;
  report: NonNullable<Options["log"]>;
};

/** Watches until what it gives is called. */
export function keepWatching({ watch: watchAt, clock, folders, reload, report }: Means): () => void {
  const watchers = new Map<string, () => void>();
  let cancelAlarm = (): void => undefined;
  let isBusy = false;
  let isOpen = true;
  let again = false;

  const failed =
    (folder: string) =>
    (error: unknown): void =>
      report("warn", "a folder cannot be watched: changes in it are not seen", {
        folder,
        reason: fromUnknown(error).message,
      });

  function lookAt(wanted: readonly string[]): void {
    for (const [folder, close] of watchers) {
      if (wanted.includes(folder)) continue;
      watchers.delete(folder);
      close();
    }
    for (const folder of wanted) {
      if (watchers.has(folder)) continue;
      try {
        watchers.set(folder, watchAt(folder, hear, failed(folder)));
      } catch (error) {
        failed(folder)(error);
      }
    }
  }

  function hear(file: string | null): void {
    if (!isOpen || (file !== null && !mayMatter(file))) return;
    cancelAlarm();
    cancelAlarm = clock.alarm(clock.now() + quietMs, () => void take());
  }

  async function take(): Promise<void> {
    again = isBusy;
    if (isBusy) return;
    isBusy = true;
    try {
      const wanted = await reload();
      if (isOpen) lookAt(wanted);
    } catch (error) {
      report("error", "a changed project cannot be used: everything stays as it was", {
        reason: fromUnknown(error).message,
      });
    } finally {
      isBusy = false;
    }
    if (again && isOpen) void take();
  }

  lookAt(folders);
  return () => {
    isOpen = false;
    cancelAlarm();
    for (const close of watchers.values()) close();
  };
}

/** Definitions, and folders that may hold some; not what editors and databases leave behind. */
const mayMatter = (file: string): boolean => /\.(ya?ml|m?[jt]s)$/i.test(file) || !file.includes(".");
