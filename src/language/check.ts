// Everything that is wrong with a workflow or a project, all at once, however wrong it is: one checker for YAML, for
// TypeScript, and for what is handed to the library.
//
// Invariants:
//   K1. It ends and throws nothing, whatever data it is given.
//   K2. What has no error runs: the engine takes it without a complaint of its own.
//   K3. A defect names a place that is there, or the key that is missing in a place that is.

import { isObject } from "../protocol/json.ts";
import { checkBlocks, type Sizes } from "./check-blocks.ts";
import { checkValue, placeInCallee, placesOf } from "./check-expressions.ts";
import { checkInput } from "./check-input.ts";
import { checkCall, checkCallee, type Callees, checkTwins, checkVariable, type Known } from "./check-references.ts";
import { checkKeys, type Found } from "./check-shape.ts";
import { checkTimes } from "./check-times.ts";
import { collect, kindOf, type Notes, shown } from "./defects.ts";
import { type TaskNode, tasksOf, treeOf } from "./blocks.ts";
import * as grammar from "./grammar.ts";
import { defectsOfSchema } from "./json-schema.ts";
import { isMeasured } from "./measure.ts";
import type { Defect, Path } from "./spec.ts";

/** What a definition stands in. Agents, tools and so on that are not given may be anywhere, and are not looked for. */
export type Around = Known & { sizes?: Partial<Sizes> };

/** As the engine has them if nothing else is said. */
export const usualSizes: Sizes = { tasksMax: 1_000, depthMax: 16, fanOutMax: 1_000 };

export function checkWorkflow(spec: unknown, around: Around = {}): Defect[] {
  const notes = collect();
  if (!isObject(spec)) {
    notes.note([], "BAD_TYPE", `a workflow must be an object with "id" and "tasks", and is ${kindOf(spec)}`);
    return notes.defects;
  }
  if (!isMeasured(spec, notes.note)) return notes.defects;
  const sizes = { ...usualSizes, ...around.sizes };
  const found = checkKeys(spec, grammar.workflow, "a workflow", notes, sizes.depthMax);
  const top = treeOf(spec, sizes.depthMax);
  const known = withOwn(spec, around);
  if (!checkBlocks(top, sizes, notes)) return notes.defects;
  checkTimes(spec, top, notes);
  for (const node of tasksOf(top)) {
    const callee = checkCall(node, known, notes);
    if (callee) checkInput(node.spec["with"] ?? {}, callee.input, [...node.path, "with"], calleeOf(node), notes);
    checkWait(node.spec, node.path, notes);
    if (node.type === "workflow" && node.spec["workflow"] === spec["id"] && node.spec["detached"] !== true) {
      const hint = "a loop of tasks does it, or a detached run";
      notes.note([...node.path, "workflow"], "WORKFLOW_CYCLE", `workflow ${shown(spec["id"])} contains itself`, hint);
    }
  }
  checkTriggers(spec, known, notes);
  checkList(spec, "agents", known, around.agents, notes);
  checkList(spec, "tools", known, around.tools, notes);
  const placeOf = placesOf(top, spec["triggers"]);
  for (const one of found) {
    const callee = calleeAround(spec, one);
    check(one, () => (callee ? placeInCallee(one, callee.value) : placeOf(one)), notes);
  }
  return notes.defects;
}

export function checkProject(spec: unknown): Defect[] {
  const notes = collect();
  if (!isObject(spec)) {
    notes.note([], "BAD_TYPE", `a project must be an object with "version" and "name", and is ${kindOf(spec)}`);
    return notes.defects;
  }
  if (!isMeasured(spec, notes.note)) return notes.defects;
  const found = checkKeys(spec, grammar.project, "a project", notes, usualSizes.depthMax);
  const known = knownIn(spec);
  checkList(spec, "agents", known, undefined, notes);
  checkList(spec, "tools", known, undefined, notes);
  const { default_agent: agent } = spec;
  if (typeof agent === "string" && !known.agents?.has(agent)) {
    notes.note(["default_agent"], "UNKNOWN_AGENT", `there is no agent ${shown(agent)}`);
  }
  for (const one of found) {
    const callee = calleeAround(spec, one);
    const server = { names: ["env"], tasks: new Set<string>(), env: known.env ?? new Set<string>() };
    check(one, () => (callee ? placeInCallee(one, callee.value) : server), notes);
  }
  return notes.defects;
}

/** What every agent and tool has, of one that is handed in with its function. */
export function checkShared(definition: Record<string, unknown>, what: string): Defect[] {
  const shared = Object.fromEntries(Object.keys(grammar.callee).map((key) => [key, definition[key]]));
  const notes = collect();
  if (!isMeasured(shared, notes.note)) return notes.defects;
  const found = checkKeys(shared, grammar.callee, what, notes, usualSizes.depthMax);
  for (const one of found) check(one, () => placeInCallee(one, shared), notes);
  return notes.defects;
}

/** What a project offers its workflows. */
export function knownIn(spec: unknown): Required<Omit<Known, "workflows">> {
  const given = isObject(spec) ? spec : {};
  const names = [given["env"], given["secrets"]].flatMap((list) => (Array.isArray(list) ? list : []));
  return {
    agents: calleesOf(given["agents"]),
    tools: calleesOf(given["tools"]),
    servers: new Set(isObject(given["mcp"]) ? Object.keys(given["mcp"]) : []),
    env: new Set(names.filter((name): name is string => typeof name === "string")),
  };
}

const calleesOf = (list: unknown): Callees =>
  new Map((Array.isArray(list) ? list.filter(isObject) : []).map((one) => [textOf(one["id"]), one]));

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The workflow's own agents and tools are known to it beside those of the project. */
function withOwn(spec: Record<string, unknown>, around: Known): Known {
  const both = (theirs: Callees | undefined, own: unknown): Callees | undefined =>
    theirs && new Map([...theirs, ...calleesOf(own)]);
  return { ...around, agents: both(around.agents, spec["agents"]), tools: both(around.tools, spec["tools"]) };
}

function check(found: Found, placeOf: () => Parameters<typeof checkValue>[1], notes: Notes): void {
  if (found.kind.is === "schema") defectsOfSchema(found.value, found.path, notes.note);
  else checkValue(found, placeOf(), notes);
}

const calleeOf = ({ type, spec }: TaskNode): string => `${textOf(type)} ${shown(spec[textOf(type)])}`;

/** The agent or tool that a value is part of. */
function calleeAround(spec: Record<string, unknown>, { path }: Found): { value: unknown } | undefined {
  const [key, index] = path;
  const list = key === "agents" || key === "tools" ? spec[key] : undefined;
  return Array.isArray(list) ? { value: list[Number(index)] } : undefined;
}

function checkList(
  spec: Record<string, unknown>,
  key: "agents" | "tools",
  known: Known,
  taken: Callees | undefined,
  notes: Notes,
): void {
  const list = spec[key];
  if (!Array.isArray(list)) return;
  checkTwins(list, [key], taken, key === "agents" ? "an agent" : "a tool", notes.note);
  for (const [index, value] of list.entries()) checkCallee(value, [key, index], known, notes);
}

function checkWait(spec: Readonly<Record<string, unknown>>, path: Path, { note }: Notes): void {
  const { type, wait, timeout } = spec;
  if (type !== "wait" || timeout !== undefined || !isObject(wait)) return;
  const what = wait["signal"] !== undefined ? "a signal" : wait["approval"] !== undefined ? "an approval" : undefined;
  if (what !== undefined) note([...path, "timeout"], "MISSING_TIMEOUT", `a wait for ${what} needs a timeout`);
}

function checkTriggers(spec: Record<string, unknown>, known: Known, notes: Notes): void {
  const { triggers } = spec;
  const paths = new Set<unknown>();
  for (const [index, trigger] of Array.isArray(triggers) ? triggers.entries() : []) {
    if (!isObject(trigger)) continue;
    const at = ["triggers", index];
    if (trigger["type"] === "schedule")
      checkInput(trigger["with"] ?? {}, spec["input"], [...at, "with"], "this workflow", notes);
    const { path, verify } = trigger;
    if (isObject(verify)) checkVariable(verify["secret"], [...at, "verify", "secret"], known, notes.note);
    if (typeof path !== "string") continue;
    if (paths.has(path)) notes.note([...at, "path"], "DUPLICATE_ID", `${shown(path)} is already the path of a webhook`);
    paths.add(path);
  }
}
