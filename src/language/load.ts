// Reads a project, or one workflow, from files: every problem of all of them with its place, and what is sound.

import { existsSync, globSync } from "node:fs";
import { basename, resolve, sep } from "node:path";
import { isObject } from "../protocol/json.ts";
import { checkAcross } from "./check-across.ts";
import { isGlob } from "./check-texts.ts";
import { type Around, checkProject, checkWorkflow, knownIn, usualSizes } from "./check.ts";
import { withDefaults } from "./defaults.ts";
import { type ReadFile, readDefinition } from "./file.ts";
import { project as projectKeys } from "./grammar.ts";
import { inOrder, isError, problemOf } from "./problems.ts";
import { unservedIn } from "./served.ts";
import type { AgentSpec, Defect, Problem, ProjectSpec, ToolSpec, WorkflowSpec } from "./spec.ts";

export type Project = {
  /** Nothing, if the file of the project is not sound. */
  spec?: ProjectSpec;
  /** Those without errors, with the project's defaults filled in. Nothing of a project with errors is to be run. */
  workflows: WorkflowSpec[];
  /** Those of the project, and those that single workflows have to themselves. */
  agents: AgentSpec[];
  tools: ToolSpec[];
  problems: Problem[];
  /** Warnings of what is sound and cannot run yet: whoever opens the project refuses it for these. */
  unserved: Problem[];
  /** The text of each file that was read, by its path from the folder. */
  files: ReadonlyMap<string, string>;
  /** Which file holds a definition: `workflow/<id>`, `agent/<id>` and `tool/<id>`. */
  homes: ReadonlyMap<string, string>;
};

export type LoadedWorkflow = { spec?: WorkflowSpec } & Pick<Project, "problems" | "unserved" | "files">;

type Sizes = NonNullable<Around["sizes"]>;

const projectFiles = ["troupe.yaml", "troupe.ts"];

export async function loadProject(folder: string, sizes: Sizes = {}): Promise<Project> {
  const file = projectFiles.find((name) => existsSync(resolve(folder, name)));
  if (file === undefined) return without(folder);
  const read = await readDefinition(resolve(folder, file), file);
  const problems = read.value === undefined ? [...read.problems] : withChecked(read, checkProject(read.value));
  const isSound = read.value !== undefined && !problems.some(isError);
  const { paths, unmatched } = workflowFiles(folder, read);
  const workflows = await Promise.all(paths.map((path) => readDefinition(resolve(folder, path), path)));
  const around = { ...aroundOf(read.value, workflows), sizes };
  const checked = workflows.map((one) => ({ ...one, problems: problemsOf(one, around) }));
  const across = checkAcross(workflows, sizes.depthMax ?? usualSizes.depthMax);
  problems.push(...unmatched, ...checked.flatMap((one) => one.problems), ...across);
  const spec = isSound ? (read.value as ProjectSpec) : undefined;
  const sound = checked.filter((one) => !problems.some((problem) => problem.file === one.file && isError(problem)));
  const specs = sound.map(({ value }) => value as WorkflowSpec);
  const own = <T>(key: "agents" | "tools"): T[] =>
    [...(spec ? [spec] : []), ...specs].flatMap((holder) => (holder[key] ?? []) as T[]);
  const agents = own<AgentSpec>("agents");
  const tools = own<ToolSpec>("tools");
  return {
    ...(spec && { spec }),
    workflows: specs.map((workflow) => withDefaults(workflow, spec?.defaults, { agents, tools })),
    agents,
    tools,
    problems: inOrder(problems),
    unserved: inOrder([read, ...sound].flatMap(unservedOf)),
    files: new Map([read, ...workflows].map((one) => [one.file, one.text])),
    homes: new Map([...homesIn(read.file, spec), ...sound.flatMap((one) => homesIn(one.file, one.value))]),
  };
}

type Holder = { id?: string; tasks?: unknown; agents?: { id: string }[]; tools?: { id: string }[] };

function homesIn(file: string, value: unknown): [string, string][] {
  const { id, tasks, agents = [], tools = [] } = Object(value) as Holder;
  const own = tasks !== undefined && id !== undefined ? [`workflow/${id}`] : [];
  const names = [...own, ...agents.map((one) => `agent/${one.id}`), ...tools.map((one) => `tool/${one.id}`)];
  return names.map((name) => [name, file]);
}

/** One workflow by itself: what it names may be anywhere. */
export async function loadWorkflow(path: string, around: Around = {}): Promise<LoadedWorkflow> {
  const read = await readDefinition(resolve(path), basename(path));
  const problems = inOrder(problemsOf(read, around));
  const told = { problems, unserved: unservedOf(read), files: new Map([[read.file, read.text]]) };
  return problems.some(isError) ? told : { spec: read.value as WorkflowSpec, ...told };
}

const unservedOf = (read: ReadFile): Problem[] => unservedIn(read.value).map(read.problem);

const problemsOf = (read: ReadFile, around: Around): Problem[] =>
  read.value === undefined ? read.problems : withChecked(read, checkWorkflow(read.value, around));

/** What the text itself has wrong at a place is the cause of whatever else is wrong there. */
function withChecked(read: ReadFile, defects: readonly Defect[]): Problem[] {
  const isSaid = ({ line, col }: Problem): boolean => read.problems.some((one) => one.line === line && one.col === col);
  return [...read.problems, ...defects.map(read.problem).filter((problem) => !isSaid(problem))];
}

function without(folder: string): Project {
  const isThere = existsSync(folder);
  const message = isThere ? `there is no troupe.yaml in ${folder}` : `there is no folder ${folder}`;
  const hint = isThere ? "begin with two lines: `version: 1` and `name: my-project`" : "name the folder of a project";
  const defect = { path: [], code: "SYNTAX", message, hint, severity: "error" as const };
  const problem = problemOf(defect, "troupe.yaml", { line: 1, col: 1 });
  return {
    workflows: [],
    agents: [],
    tools: [],
    problems: [problem],
    unserved: [],
    files: new Map(),
    homes: new Map(),
  };
}

const isDefinition = (path: string): boolean => !path.endsWith(".d.ts");

/** The files that the globs of the project match, and the globs that match none. */
function workflowFiles(folder: string, read: ReadFile): { paths: string[]; unmatched: Problem[] } {
  const given = isObject(read.value) ? read.value["workflows"] : undefined;
  const globs = given === undefined ? (projectKeys["workflows"]?.default as string[]) : given;
  const unmatched: Problem[] = [];
  const paths = (Array.isArray(globs) ? globs : []).flatMap((glob: unknown, index) => {
    if (typeof glob !== "string" || !isGlob(glob)) return [];
    const found = globSync(glob, { cwd: folder, exclude: ["**/node_modules/**"] }).filter(isDefinition);
    if (found.length === 0 && given !== undefined) {
      const message = `"${glob}" matches no file`;
      unmatched.push(read.problem({ path: ["workflows", index], code: "BAD_VALUE", message, severity: "warning" }));
    }
    return found.map((path) => path.split(sep).join("/"));
  });
  return { paths: [...new Set(paths)].filter((path) => path !== read.file).sort(), unmatched };
}

/** What each workflow of a project can name. A broken project file may have meant anything. */
function aroundOf(project: unknown, workflows: readonly ReadFile[]): Around {
  const ids = new Map(
    workflows.flatMap(({ value }) =>
      isObject(value) && typeof value["id"] === "string" ? [[value["id"], value] as const] : [],
    ),
  );
  const known = workflows.every(({ value }) => value !== undefined) ? { workflows: ids } : {};
  return isObject(project) ? { ...knownIn(project), ...known } : known;
}
