// The definitions of a troupe: checked together, their modules loaded, and taken over all at once or not at all.

import { defective, prepare, type Sizes, type Workflow } from "../actors/definition.ts";
import { loadHandler } from "../actors/handler-module.ts";
import { type AgentDefinition, type AgentHandler, isOfThisProcess } from "../agents/agent.ts";
import { withData } from "../language/define.ts";
import type { Schema } from "../language/json-schema.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { nearest } from "../protocol/nearest.ts";
import type { FieldError } from "../protocol/refusal.ts";
import type { ToolDefinition, ToolHandler } from "../tools/tool.ts";
import { defectsOfCallee, parted, withMs } from "./callees.ts";
import type { Archive } from "./definition-archive.ts";
import type { Definitions } from "./options.ts";

/** Types it; `troupe()` checks it. */
export const defineAgent = <const In extends Schema = true, const Out extends Schema = true>(
  definition: AgentDefinition<In, Out>,
): AgentDefinition<In, Out> => definition;
/** Types it; `troupe()` checks it. */
export const defineTool = <const In extends Schema = true, const Out extends Schema = true>(
  definition: ToolDefinition<In, Out>,
): ToolDefinition<In, Out> => definition;

type Callee = AgentDefinition | ToolDefinition;

/** Ids that are defined no more. */
export type Gone = { workflows?: readonly string[]; agents?: readonly string[]; tools?: readonly string[] };

export function openDefinitions(folder: string, sizes: Sizes, areToolsElsewhere = false) {
  const workflows = new Map<string, Workflow>();
  const agents = new Map<string, AgentDefinition>();
  const tools = new Map<string, ToolDefinition>();
  const hashes = new Map<string, Workflow>();
  const loaded = new WeakMap<Callee, AgentHandler | ToolHandler>();
  let archive: Archive | undefined;

  /** Nothing, if it runs elsewhere. */
  async function handlerFor(
    kind: "agent" | "tool",
    definition: Callee,
  ): Promise<AgentHandler | ToolHandler | undefined> {
    const defects = defectsOfCallee(definition, kind);
    if (defects.length > 0) throw defective(`${kind} '${String(Object(definition).id)}'`, defects);
    const { handler, module } = definition;
    if (!isOfThisProcess(definition)) return undefined;
    if (typeof module === "function") return module;
    return handler ?? ((await loadHandler(module as string | URL, folder)) as AgentHandler);
  }

  return {
    folder,
    workflows,
    agents,
    tools,
    byHash: (hash: string): Workflow | undefined => hashes.get(hash) ?? archive?.find(hash),
    holdsCode: (hash: string): boolean => archive?.holdsCode(hash) ?? false,
    /** Whatever was and will be defined is kept there. */
    keepIn(given: Archive): void {
      archive = given;
      archive.keep(workflows);
    },
    renew: (hash: string): void => archive?.renew(hash),
    forget(hash: string): void {
      hashes.delete(hash);
    },
    handlerOf(definition: Callee): AgentHandler | ToolHandler {
      const handler = loaded.get(definition);
      if (!handler) throw new Error(`the handler of '${definition.id}' was not loaded`);
      return handler;
    },
    /** Takes these over, and takes those away that are gone. */
    async add(given: Definitions, gone: Gone = {}): Promise<void> {
      const own = parted(given.workflows ?? []);
      const givenAgents = [...(given.agents ?? []), ...own.agents];
      const givenTools = [...(given.tools ?? []), ...own.tools];
      const ready = new Map<Callee, AgentHandler | ToolHandler>();
      const taken = async <Definition extends Callee>(kind: "agent" | "tool", one: Definition): Promise<Definition> => {
        const handler = await handlerFor(kind, one);
        const definition = withMs(one);
        if (handler) ready.set(definition, handler);
        return definition;
      };
      const newAgents: AgentDefinition[] = [];
      const newTools: ToolDefinition[] = [];
      for (const agent of givenAgents) newAgents.push(await taken("agent", agent));
      for (const tool of givenTools) newTools.push(await taken("tool", tool));
      const prepared = own.workflows.map((spec) => prepare(dataOnly(spec), sizes));
      refuseTwins({ agent: newAgents, tool: newTools, workflow: prepared });
      const goneTools = new Set(gone.tools);
      const known = new Set([...[...tools.keys()].filter((id) => !goneTools.has(id)), ...newTools.map(({ id }) => id)]);
      if (!areToolsElsewhere) for (const workflow of prepared) checkTools(workflow, known);
      const goneWorkflows = new Set([...(gone.workflows ?? []), ...prepared.map(({ id }) => id)]);
      refuseSharedPaths([...[...workflows.values()].filter(({ id }) => !goneWorkflows.has(id)), ...prepared]);
      // From here on nothing can fail: what was wrong anywhere has changed nothing.
      for (const [definition, handler] of ready) loaded.set(definition, handler);
      for (const id of gone.workflows ?? []) workflows.delete(id);
      for (const id of gone.agents ?? []) agents.delete(id);
      for (const id of goneTools) tools.delete(id);
      for (const agent of newAgents) agents.set(agent.id, agent);
      for (const tool of newTools) tools.set(tool.id, tool);
      for (const workflow of prepared) {
        workflows.set(workflow.id, workflow);
        hashes.set(workflow.hash, workflow);
      }
      // Before any run can begin with it.
      archive?.keep(workflows);
    },
  };
}

/** A delivery goes to one workflow. */
function refuseSharedPaths(all: readonly Workflow[]): void {
  const owners = new Map<string, string>();
  for (const { id, spec } of all) {
    for (const trigger of spec.triggers ?? []) {
      if (trigger.type !== "webhook") continue;
      const owner = owners.get(trigger.path);
      const message = `the webhook path '${trigger.path}' is already that of workflow '${owner}'`;
      if (owner !== undefined) throw defective(`workflow '${id}'`, [{ field: "triggers", message }]);
      owners.set(trigger.path, id);
    }
  }
}

/** What a workflow is must outlive this process: its schemas are data, however they were written. */
function dataOnly(given: WorkflowSpec): WorkflowSpec {
  const spec = withData(given);
  const { id, input, output } = Object(spec) as Partial<WorkflowSpec>;
  const errors = Object.entries({ input, output }).flatMap(([field, schema]): FieldError[] => {
    if (typeof schema !== "function" && typeof Object(schema).safeParse !== "function") return [];
    return [{ field, message: "cannot be written as JSON Schema: a workflow's schema may not change what it checks" }];
  });
  if (errors.length > 0) throw defective(`workflow '${String(id)}'`, errors);
  return spec;
}

/** Of two with one id the later would win without a word. */
function refuseTwins(kinds: Readonly<Record<string, readonly { id: string }[]>>): void {
  for (const [kind, definitions] of Object.entries(kinds)) {
    const ids = definitions.map(({ id }) => id);
    const twin = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twin !== undefined) throw defective(`${kind} '${twin}'`, [{ field: "id", message: "is given twice" }]);
  }
}

/** Where tools run in this process, all of them are here; an agent may be served by a runtime elsewhere. */
function checkTools(workflow: Workflow, known: ReadonlySet<string>): void {
  const errors = [...workflow.tasks.values()].flatMap(({ id, spec }): FieldError[] => {
    if (spec.type !== "tool" || known.has(spec.tool)) return [];
    const meant = nearest(spec.tool, [...known]);
    const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
    return [{ field: `task '${id}'`, message: `there is no tool '${spec.tool}'${hint}` }];
  });
  if (errors.length > 0) throw defective(`workflow '${workflow.id}'`, errors);
}
