// The definitions of a troupe: checked together, their modules loaded, and taken over all at once or not at all.

import { prepare, type Sizes, type Workflow } from "../actors/definition.ts";
import { loadHandler } from "../actors/handler-module.ts";
import type { AgentDefinition, AgentHandler } from "../agents/agent.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { nearest } from "../protocol/nearest.ts";
import type { FieldError } from "../protocol/refusal.ts";
import type { ToolDefinition, ToolHandler } from "../tools/tool.ts";
import type { Definitions } from "./options.ts";

/** Types it; `troupe()` checks it. */
export const defineAgent = (definition: AgentDefinition): AgentDefinition => definition;
/** Types it; `troupe()` checks it. */
export const defineTool = (definition: ToolDefinition): ToolDefinition => definition;

type Callee = AgentDefinition | ToolDefinition;

const calleeKeys = ["id", "description", "timeoutMs", "isolation", "handler", "module"];
const keysOf = { agent: calleeKeys, tool: [...calleeKeys, "input", "output"] } as const;

export function openDefinitions(folder: string, sizes: Sizes, areToolsElsewhere = false) {
  const workflows = new Map<string, Workflow>();
  const agents = new Map<string, AgentDefinition>();
  const tools = new Map<string, ToolDefinition>();
  const hashes = new Map<string, Workflow>();
  const loaded = new Map<Callee, AgentHandler | ToolHandler>();

  async function handlerFor(kind: "agent" | "tool", definition: Callee): Promise<AgentHandler | ToolHandler> {
    const defects = defectsOf(kind, definition);
    if (defects.length > 0) throw invalid(`${kind} '${String(Object(definition).id)}'`, defects);
    const { handler, module } = definition;
    return handler ?? ((await loadHandler(module as string | URL, folder)) as AgentHandler);
  }

  return {
    workflows,
    agents,
    tools,
    byHash: (hash: string): Workflow | undefined => hashes.get(hash),
    handlerOf(definition: Callee): AgentHandler | ToolHandler {
      const handler = loaded.get(definition);
      if (!handler) throw new Error(`the handler of '${definition.id}' was not loaded`);
      return handler;
    },
    async add(given: Definitions): Promise<void> {
      const { workflows: specs = [], agents: newAgents = [], tools: newTools = [] } = given;
      const ready = new Map<Callee, AgentHandler | ToolHandler>();
      for (const agent of newAgents) ready.set(agent, await handlerFor("agent", agent));
      for (const tool of newTools) ready.set(tool, await handlerFor("tool", tool));
      const prepared = specs.map((spec) => prepare(spec, sizes));
      refuseTwins({ agent: newAgents, tool: newTools, workflow: prepared });
      const known = new Set([...tools.keys(), ...newTools.map(({ id }) => id)]);
      if (!areToolsElsewhere) for (const workflow of prepared) checkTools(workflow, known);
      // From here on nothing can fail: what was wrong anywhere has changed nothing.
      for (const [definition, handler] of ready) loaded.set(definition, handler);
      for (const agent of newAgents) agents.set(agent.id, agent);
      for (const tool of newTools) tools.set(tool.id, tool);
      for (const workflow of prepared) {
        workflows.set(workflow.id, workflow);
        hashes.set(workflow.hash, workflow);
      }
    },
  };
}

function defectsOf(kind: "agent" | "tool", definition: Callee): FieldError[] {
  if (typeof definition !== "object" || definition === null) return [{ field: "", message: "is no object" }];
  const { id, handler, module, timeoutMs, isolation } = definition as Record<keyof AgentDefinition, unknown>;
  const schemas = definition as { input?: unknown; output?: unknown };
  const defects: FieldError[] = [];
  const note = (field: string, message: string): void => void defects.push({ field, message });
  for (const key of Object.keys(definition)) {
    if (keysOf[kind].includes(key)) continue;
    const meant = nearest(key, keysOf[kind]);
    note(key, `is unknown${meant === undefined ? "" : `; did you mean '${meant}'?`}`);
  }
  if (typeof id !== "string" || !isDefinitionId(id)) note("id", `'${String(id)}' is no definition id`);
  if ((handler === undefined) === (module === undefined))
    note("handler", "needs a handler or a module, one of the two");
  if (handler !== undefined && typeof handler !== "function") note("handler", "must be a function");
  if (module !== undefined && typeof module !== "string" && !(module instanceof URL)) {
    note("module", "must be a path or a URL");
  }
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0 && Number.isFinite(timeoutMs))) {
    note("timeoutMs", "must be a number above 0");
  }
  if (isolation !== undefined && isolation !== "inline") note("isolation", "must be inline");
  for (const field of kind === "tool" ? (["input", "output"] as const) : []) {
    if (schemas[field] !== undefined && !isSchema(schemas[field])) {
      note(field, "must be a schema with safeParse, or a function");
    }
  }
  return defects;
}

const isSchema = (value: unknown): boolean =>
  typeof value === "function" || typeof (Object(value) as { safeParse?: unknown }).safeParse === "function";

/** Of two with one id the later would win without a word. */
function refuseTwins(kinds: Readonly<Record<string, readonly { id: string }[]>>): void {
  for (const [kind, definitions] of Object.entries(kinds)) {
    const ids = definitions.map(({ id }) => id);
    const twin = ids.find((id, index) => ids.indexOf(id) !== index);
    if (twin !== undefined) throw invalid(`${kind} '${twin}'`, [{ field: "id", message: "is given twice" }]);
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
  if (errors.length > 0) throw invalid(`workflow '${workflow.id}'`, errors);
}

function invalid(what: string, errors: FieldError[]): TroupeError {
  const listed = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return new TroupeError("DEFINITION_INVALID", `${what} has defects: ${listed}`, { errors });
}
