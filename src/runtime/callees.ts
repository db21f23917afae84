// What is wrong with the definition of an agent or a tool, all of it at once.

import type { AgentDefinition } from "../agents/agent.ts";
import { checkShared } from "../language/check.ts";
import { durationOf } from "../language/duration.ts";
import { callee } from "../language/grammar.ts";
import type { AgentSpec, ToolSpec, WorkflowSpec } from "../language/spec.ts";
import { isObject } from "../protocol/json.ts";
import { nearest } from "../protocol/nearest.ts";
import type { FieldError } from "../protocol/refusal.ts";
import type { ToolDefinition } from "../tools/tool.ts";

type Callee = AgentDefinition | ToolDefinition;
type Given = Readonly<Record<string, unknown>>;
type Note = (field: string, message: string) => void;

const keys = [...Object.keys(callee), "kind", "timeoutMs", "isolation", "handler", "module"];

export function defectsOfCallee(definition: unknown, what: "agent" | "tool" = "agent"): FieldError[] {
  if (!isObject(definition)) return [{ field: "", message: "is no object" }];
  const { kind, isolation } = definition;
  const defects: FieldError[] = [];
  const note: Note = (field, message) => void defects.push({ field, message });
  for (const key of Object.keys(definition)) {
    if (keys.includes(key)) continue;
    const meant = nearest(key, keys);
    note(key, `is unknown${meant === undefined ? "" : `; did you mean '${meant}'?`}`);
  }
  const isRemote = kind === "remote";
  if (kind !== undefined && kind !== "module" && !isRemote) note("kind", "must be module or remote");
  // Of an agent the dispatcher keeps them; orders of a tool go to whoever serves it, past everybody else.
  for (const key of isRemote && what === "tool" ? ["concurrency", "rate"] : []) {
    if (definition[key] !== undefined) note(key, "is not kept here: whoever serves a remote tool has its own limits");
  }
  if (isolation !== undefined && isolation !== "inline") note("isolation", "must be inline");
  noteHandler(definition, isRemote, note);
  noteTimeout(definition, note);
  for (const { path, message, hint } of checkShared(definition, what === "agent" ? "an agent" : "a tool")) {
    note(path.join("."), hint === undefined ? message : `${message}; ${hint}`);
  }
  return defects;
}

function noteHandler({ handler, module }: Given, isRemote: boolean, note: Note): void {
  if (isRemote) {
    if ((handler ?? module) !== undefined) note("kind", "is remote: it has no handler here");
    return;
  }
  if ((handler === undefined) === (module === undefined)) {
    note("handler", "needs a handler or a module, one of the two");
  }
  if (handler !== undefined && typeof handler !== "function") note("handler", "must be a function");
  if (module !== undefined && !["string", "function"].includes(typeof module) && !(module instanceof URL)) {
    note("module", "must be a path, a URL or a function");
  }
}

function noteTimeout({ timeout, timeoutMs }: Given, note: Note): void {
  if (timeout !== undefined && timeoutMs !== undefined) note("timeoutMs", "says the same as `timeout`: leave one out");
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0 && Number.isFinite(timeoutMs))) {
    note("timeoutMs", "must be a number above 0");
  }
}

/** Its timeout in milliseconds, however it was given. */
export function withMs<Definition extends Callee>(definition: Definition): Definition {
  const { timeout } = definition;
  if (timeout === undefined) return definition;
  // What is no duration was refused before.
  return { ...definition, timeoutMs: durationOf(timeout, "timeout", () => undefined) };
}

/** As files have them. What this release does not run is refused like any definition that cannot be. */
export const definitionsOf = <Definition extends Callee>(
  list: readonly (AgentSpec | ToolSpec)[] | undefined,
): readonly Definition[] => (Array.isArray(list) ? (list as readonly Definition[]) : []);

/** The workflows, and as definitions the agents and tools that are their own. */
export function parted(specs: readonly WorkflowSpec[]) {
  const all = specs.map((spec) => Object(spec) as Partial<WorkflowSpec>);
  return {
    agents: all.flatMap(({ agents }) => definitionsOf<AgentDefinition>(agents)),
    tools: all.flatMap(({ tools }) => definitionsOf<ToolDefinition>(tools)),
    workflows: specs.map((spec) => {
      const { agents, tools } = Object(spec) as Partial<WorkflowSpec>;
      if (!Array.isArray(agents) && !Array.isArray(tools)) return spec;
      const { agents: _agents, tools: _tools, ...rest } = spec;
      return rest;
    }),
  };
}
