// What is to be checked, read from its files: a workflow, all that it calls, and where in which file each part stands.

import { existsSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { withDefaults } from "../../language/defaults.ts";
import { type ReadFile, readDefinition } from "../../language/file.ts";
import { type LoadedWorkflow, loadProject, loadWorkflow, type Project } from "../../language/load.ts";
import { isError } from "../../language/problems.ts";
import type { Path, Problem, WorkflowSpec } from "../../language/spec.ts";
import { nearest } from "../../protocol/nearest.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { CalleeSpec, Cast, Flaw } from "../check/trial.ts";
import { called, flawOfProblem } from "./definition.ts";
import type { PlacedFlaw, Subject } from "./flaw.ts";
import { tasksIn } from "./evidence.ts";

export type Place = { file: string; line: number; col: number };

export type Loaded = {
  /** Nothing, if it cannot be run: then the problems say why. */
  subject?: Subject;
  cast: Cast;
  workflow: string;
  /** What loading alone has found. */
  flaws: readonly PlacedFlaw[];
  /** What is wrong and no finding; and the text of the files that it is in. */
  problems: readonly Problem[];
  texts: ReadonlyMap<string, string>;
  /** Where a finding is; nothing for what no file holds. */
  placeOf(flaw: Pick<PlacedFlaw, "workflow" | "task" | "path">): Place | undefined;
};

/** The nearest folder above with a project in it. */
function projectAbove(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (["troupe.yaml", "troupe.ts"].some((name) => existsSync(join(folder, name)))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

type Around = {
  /** Files of workflows that it calls and that no project has. */
  beside?: readonly string[];
  /** The folder of the project, or its file, if it is not the one above. */
  config?: string;
};

/** A workflow by its file, or by its id in the project around a folder. */
export async function loadChecked(
  given: string,
  folder: string,
  { beside = [], config }: Around = {},
): Promise<Loaded> {
  const isFile = existsSync(resolve(folder, given)) || /[/\\]|\.(?:ya?ml|m?[jt]s)$/.test(given);
  const start = isFile ? dirname(resolve(folder, given)) : folder;
  const around = config === undefined ? projectAbove(start) : projectAt(resolve(folder, config));
  const project = around === undefined ? undefined : await loadProject(around);
  const path = isFile ? resolve(folder, given) : fileOf(given, around, project);
  const reads = new Map<string, ReadFile>();
  const own = await readDefinition(path, shownPath(folder, path));
  const { spec, problems, files } = seenFrom(project, around, path, await loadWorkflow(path));
  if (!spec) return broken(own, problems, files);
  const others = await othersOf(
    project,
    beside.map((file) => resolve(folder, file)),
    spec.id,
  );
  const { agents = [], tools = [], spec: projectSpec } = project ?? {};
  const filled = withDefaults(spec, projectSpec?.defaults, {
    agents: [...agents, ...(spec.agents ?? [])],
    tools: [...tools, ...(spec.tools ?? [])],
  });
  const workflows = new Map([filled, ...others.specs].map((one) => [one.id, one]));
  const { defaults } = projectSpec ?? {};
  const subject: Subject = { ...subjectOf(filled, workflows, agents, tools), ...(defaults && { defaults }) };
  const all = called(subject).map((one) => one.spec);
  reads.set(spec.id, own);
  for (const { id } of all) {
    const home = others.homes.get(id) ?? (around && project?.homes.get(`workflow/${id}`));
    if (id === spec.id || home === undefined) continue;
    const at = around !== undefined && !others.homes.has(id) ? join(around, home) : home;
    reads.set(id, await readDefinition(at, shownPath(folder, at)));
  }
  const flaws = problems.flatMap((problem) => flawOfProblem(problem, own.value) ?? []);
  return {
    subject,
    workflow: spec.id,
    cast: castOf(all, subject),
    flaws,
    problems: problems.filter((problem) => !flawOfProblem(problem, own.value)),
    texts: files,
    placeOf: placing(reads, workflows),
  };
}

function projectAt(path: string): string {
  const folder = /^troupe\.(?:yaml|ts)$/.test(basename(path)) ? dirname(path) : path;
  if (projectAbove(folder) === folder) return folder;
  throw new TroupeError("VALIDATION_FAILED", `--config: there is no troupe.yaml in '${folder}'`, { folder });
}

/** What a project knows of one of its files is more than the file knows by itself: what it names is there, or not. */
function seenFrom(
  project: Project | undefined,
  around: string | undefined,
  path: string,
  alone: LoadedWorkflow,
): Pick<LoadedWorkflow, "spec" | "problems" | "files"> {
  const file = around === undefined ? "" : relative(around, path).split(sep).join("/");
  if (!project?.files.has(file)) return alone;
  const problems = project.problems.filter((problem) => problem.file === file);
  const { spec } = alone;
  return { problems, files: project.files, ...(spec && !problems.some(isError) && { spec }) };
}

function fileOf(id: string, around: string | undefined, project: Project | undefined): string {
  if (around === undefined || !project) {
    const message = `there is no file '${given(id)}', and no project here that has a workflow of this name`;
    throw new TroupeError("WORKFLOW_NOT_FOUND", message, { workflow: id });
  }
  const home = project.homes.get(`workflow/${id}`);
  if (home !== undefined) return join(around, home);
  const known = project.workflows.map((one) => one.id);
  const guess = nearest(id, known);
  const hint = guess === undefined ? `there are ${known.join(", ") || "none"}` : `did you mean '${guess}'?`;
  throw new TroupeError("WORKFLOW_NOT_FOUND", `no workflow '${given(id)}' in this project; ${hint}`, { workflow: id });
}
const given = (text: string): string => text.slice(0, 100);

const shownPath = (folder: string, path: string): string => {
  const shown = relative(folder, path);
  return shown.startsWith("..") || shown === "" ? path : shown.split(sep).join("/");
};

/** A definition with errors is not run; those of them that are findings are told as such. */
function broken(own: ReadFile, problems: readonly Problem[], texts: Loaded["texts"]): Loaded {
  const errors = problems.filter(isError);
  const flaws = errors.map((problem) => flawOfProblem(problem, own.value));
  const isTold = flaws.every((flaw) => flaw !== undefined);
  const id = String(Object(own.value).id ?? basename(own.file));
  return {
    workflow: id,
    cast: { workflows: [] },
    flaws: isTold ? problems.flatMap((problem) => flawOfProblem(problem, own.value) ?? []) : [],
    problems: isTold ? [] : problems,
    texts,
    placeOf: placing(new Map([[id, own]]), new Map()),
  };
}

async function othersOf(project: Project | undefined, beside: readonly string[], own: string) {
  const specs = (project?.workflows ?? []).filter(({ id }) => id !== own);
  const homes = new Map<string, string>();
  for (const path of beside) {
    const { spec } = await loadWorkflow(path);
    if (!spec)
      throw new TroupeError("DEFINITION_INVALID", `${basename(path)} has problems: troupe validate tells them`);
    specs.push(spec);
    homes.set(spec.id, path);
  }
  return { specs, homes };
}

function subjectOf(
  spec: WorkflowSpec,
  workflows: ReadonlyMap<string, WorkflowSpec>,
  agents: readonly object[],
  tools: readonly object[],
): Subject {
  const all = (key: "agents" | "tools", shared: readonly object[]): ReadonlyMap<string, CalleeSpec> => {
    const own = [...workflows.values()].flatMap((one): readonly object[] => one[key] ?? []);
    return new Map([...shared, ...own].map(playable).map((one) => [one.id, one]));
  };
  return { spec, workflows, agents: all("agents", agents), tools: all("tools", tools) };
}

/** Who runs it, and where, is nothing to a stand-in. */
function playable(callee: object): CalleeSpec {
  const { kind: _kind, module: _module, isolation: _isolation, ...spec } = callee as Record<string, unknown>;
  return spec as unknown as CalleeSpec;
}

/** Agents and tools stand beside the workflows, also those that a workflow has to itself. */
const castOf = (all: readonly WorkflowSpec[], { agents, tools }: Subject): Cast => ({
  workflows: all.map(({ agents: _agents, tools: _tools, ...spec }) => spec),
  agents: [...agents.values()],
  tools: [...tools.values()],
});

const placing =
  (reads: ReadonlyMap<string, ReadFile>, workflows: ReadonlyMap<string, WorkflowSpec>): Loaded["placeOf"] =>
  ({ workflow, task, path }: Pick<Flaw, "workflow" | "task"> & { path?: Path }) => {
    const read = reads.get(workflow);
    if (!read) return undefined;
    const spec = workflows.get(workflow);
    const own = task !== undefined && spec ? tasksIn(spec).get(task)?.path : undefined;
    const at = path ?? (own ? [...own, "id"] : ["id"]);
    const { file, line, col } = read.problem({ path: at, code: "", message: "is here", severity: "warning" });
    return { file, line, col };
  };
