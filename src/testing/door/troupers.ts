// Who is there in a simulation: the workflows, and for each agent and tool a mock, its own handler, or a refusal.
//
// Invariants:
//   T1. Nobody runs for real who was not named: what is not mocked is refused when it is called.

import { parted } from "../../runtime/callees.ts";
import type { AgentDefinition, AgentHandler } from "../../agents/agent.ts";
import { loadHandler } from "../../actors/handler-module.ts";
import { withData } from "../../language/define.ts";
import { loadProject } from "../../language/load.ts";
import { isError, problemText } from "../../language/problems.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { nearest } from "../../protocol/nearest.ts";
import type { ToolDefinition } from "../../tools/tool.ts";
import { tasksOf } from "../check/ways.ts";
import { type AnyMock, isMock, mock } from "./mock.ts";

export type Callee = AgentDefinition | ToolDefinition;
/** A mock, or the definition itself: then its own handler runs. */
export type Given<Definition extends Callee = Callee> = AnyMock | Definition;

export type Definitions = {
  /** The folder of the project that it is part of: what is not given here is read from there. */
  project?: string;
  /** Workflows that it calls. */
  workflows?: readonly WorkflowSpec[];
  agents?: readonly Given<AgentDefinition>[];
  tools?: readonly Given<ToolDefinition>[];
};
export type Others = {
  /** What agents and tools answer that have no mock; `"real"`: their own handlers run. Otherwise their calls fail. */
  unmocked?: "real" | ((call: { id: string; input: unknown; attempt: number }) => unknown);
};

/** One agent or tool as it is played: as it is defined, and what answers for it. */
export type Trouper = {
  definition: Callee;
  by: AnyMock | AgentHandler | "nobody";
};
export type Troupers = {
  workflow: string;
  workflows: WorkflowSpec[];
  agents: Trouper[];
  tools: Trouper[];
};

export async function troupersOf(
  workflow: WorkflowSpec | string,
  { project: folder, workflows = [], agents = [], tools = [], unmocked }: Definitions & Others,
): Promise<Troupers> {
  const project = folder === undefined ? undefined : await soundProject(folder);
  const given = [...(typeof workflow === "string" ? [] : [workflow]), ...workflows].map(withData);
  const ids = new Set(given.map(({ id }) => id));
  const everything = [...given, ...(project?.workflows ?? []).filter((one) => !ids.has(one.id))];
  const id = typeof workflow === "string" ? workflow : workflow.id;
  if (!everything.some((one) => one.id === id)) throw strange("WORKFLOW_NOT_FOUND", "workflow", id, everything);
  const own = parted(everything);
  const known = {
    agent: [...((project?.agents ?? []) as unknown as AgentDefinition[]), ...own.agents],
    tool: [...((project?.tools ?? []) as unknown as ToolDefinition[]), ...own.tools],
  };
  const called = own.workflows.flatMap(tasksOf);
  const named = {
    agent: called.flatMap((task) => (task.type === "agent" ? [task.agent] : [])),
    tool: called.flatMap((task) => (task.type === "tool" ? [task.tool] : [])),
  };
  const cast = async (kind: "agent" | "tool", list: readonly Given[]): Promise<Trouper[]> => {
    const listed = new Map<string, Trouper>();
    const defined = new Map(known[kind].map((definition) => [definition.id, definition as Callee]));
    for (const callee of [...defined.keys(), ...named[kind]]) {
      const definition = defined.get(callee) ?? ({ id: callee } as Callee);
      const isReal = unmocked === "real" && defined.has(callee);
      listed.set(callee, isReal ? await itself(definition, folder) : standIn(definition, unmocked));
    }
    for (const one of list) {
      // Which tools an agent calls stands nowhere.
      if (kind === "agent" && isMock(one) && !listed.has(one.id)) {
        throw strange("AGENT_NOT_FOUND", kind, one.id, listed.keys());
      }
      const definition = isMock(one) ? without({ ...defined.get(one.id), ...one.definition }) : one;
      listed.set(one.id, isMock(one) ? { definition, by: one } : await itself(one, folder));
    }
    return [...listed.values()];
  };
  const all = { agents: await cast("agent", agents), tools: await cast("tool", tools) };
  return { workflow: id, workflows: own.workflows, ...all };
}

/** A definition without whoever runs it. */
function without(definition: object): Callee {
  const { kind: _kind, handler: _handler, module: _module, ...rest } = definition as AgentDefinition;
  return rest as Callee;
}

async function itself(definition: Callee, folder = process.cwd()): Promise<Trouper> {
  const { handler, module, kind, id } = definition;
  if (kind === "remote") {
    throw new TroupeError("VALIDATION_FAILED", `'${id}' runs elsewhere (kind: remote): give a mock for it`, { id });
  }
  const by = typeof module === "function" ? module : (handler ?? (await loadHandler(module as string, folder)));
  return { definition: without(definition), by: by as AgentHandler };
}

function standIn(definition: Callee, unmocked: Others["unmocked"]): Trouper {
  const { id } = definition;
  const answers = typeof unmocked === "function" && unmocked;
  const by = answers ? mock(id).answers((input, { attempt }) => answers({ id, input, attempt })) : "nobody";
  return { definition: without(definition), by };
}

async function soundProject(folder: string) {
  const project = await loadProject(folder);
  const errors = project.problems.filter(isError);
  if (errors.length === 0) return project;
  const texts = errors.map((problem) => problemText(problem, project.files.get(problem.file)));
  throw new TroupeError("DEFINITION_INVALID", `the project cannot be run:\n${texts.join("\n")}`, { errors: [] });
}

function strange(
  code: "WORKFLOW_NOT_FOUND" | "AGENT_NOT_FOUND",
  what: string,
  id: string,
  known: Iterable<string | { id: string }>,
): TroupeError {
  const ids = [...known].map((one) => (typeof one === "string" ? one : one.id));
  const meant = nearest(id, ids);
  const hint = meant === undefined ? `there is ${ids.join(", ") || "none"}` : `did you mean '${meant}'?`;
  return new TroupeError(code, `nothing here names ${what} '${id}'; ${hint}`, { [what]: id });
}
