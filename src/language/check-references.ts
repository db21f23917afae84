// Whether what a definition names is defined: agents, tools, workflows, actions, servers and environment values.

import { isObject } from "../protocol/json.ts";
import { listed, meantId, type Note, type Notes, shown } from "./defects.ts";
import type { TaskNode } from "./blocks.ts";
import type { Path } from "./spec.ts";

/** What is known of an agent, tool or workflow that is named. */
export type Callee = { readonly kind?: unknown; readonly input?: unknown; readonly actions?: unknown };
export type Callees = ReadonlyMap<string, Callee>;

/** Names that are not given are not checked: they may be anywhere. */
export type Known = {
  agents?: Callees | undefined;
  tools?: Callees | undefined;
  workflows?: Callees | undefined;
  servers?: ReadonlySet<string> | undefined;
  env?: ReadonlySet<string> | undefined;
};

function named(id: unknown, known: Callees | undefined, path: Path, kind: string, note: Note): Callee | undefined {
  if (typeof id !== "string" || id === "" || !known) return undefined;
  const callee = known.get(id);
  if (callee) return callee;
  const hint = meantId(id, known.keys()) ?? (known.size === 0 ? `there are no ${kind}s` : undefined);
  note(path, `UNKNOWN_${kind.toUpperCase()}`, `there is no ${kind} ${shown(id)}`, hint);
  return undefined;
}

/** The agent, tool or workflow that a task calls, if it is there. */
export function checkCall({ spec, path, type }: TaskNode, known: Known, { note }: Notes): Callee | undefined {
  if (type !== "agent" && type !== "tool" && type !== "workflow") return undefined;
  const callee = named(spec[type], known[`${type}s`], [...path, type], type, note);
  const { action } = spec;
  if (type !== "agent" || callee?.kind !== "llm" || typeof action !== "string") return callee;
  const actions = isObject(callee.actions) ? Object.keys(callee.actions) : [];
  if (actions.includes(action)) return callee;
  const hint = meantId(action, actions) ?? (actions.length > 0 ? `there are ${listed(actions)}` : "it has no actions");
  note([...path, "action"], "UNKNOWN_ACTION", `agent ${shown(spec["agent"])} has no action ${shown(action)}`, hint);
  return callee;
}

/** What an agent or tool names itself. */
export function checkCallee(given: unknown, path: Path, known: Known, { note }: Notes): void {
  if (!isObject(given)) return;
  for (const [index, name] of textsOf(given["env"])) {
    checkVariable(name, [...path, "env", index], known, note);
  }
  if (given["kind"] === "llm") {
    for (const [index, id] of textsOf(given["tools"])) {
      named(id, known.tools, [...path, "tools", index], "tool", note);
    }
  }
  const { server } = given;
  if (given["kind"] !== "mcp" || typeof server !== "string" || !known.servers || known.servers.has(server)) return;
  const hint = meantId(server, known.servers) ?? "servers are defined under mcp of the project";
  note([...path, "server"], "UNKNOWN_MCP", `there is no MCP server ${shown(server)}`, hint);
}

export function checkVariable(name: unknown, path: Path, { env }: Known, note: Note): void {
  if (typeof name !== "string" || !env || env.has(name)) return;
  const hint = meantId(name, env) ?? "names are declared under env or secrets of the project";
  note(path, "UNKNOWN_ENV", `${shown(name)} is not declared`, hint);
}

const textsOf = (list: unknown): [number, string][] =>
  Array.isArray(list)
    ? [...list.entries()].filter((entry): entry is [number, string] => typeof entry[1] === "string")
    : [];

/** Of definitions in a list, those after the first with an id. */
export function checkTwins(list: unknown, path: Path, taken: Callees | undefined, what: string, note: Note): void {
  const first = new Set<unknown>();
  for (const [index, one] of Array.isArray(list) ? list.entries() : []) {
    const id: unknown = isObject(one) ? one["id"] : undefined;
    if (typeof id !== "string") continue;
    const isTaken = taken?.has(id);
    const whose = isTaken ? `${what} of the project` : what;
    if (isTaken || first.has(id))
      note([...path, index, "id"], "DUPLICATE_ID", `${shown(id)} is already the id of ${whose}`);
    first.add(id);
  }
}
