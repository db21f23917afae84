// What the definitions of a project have to do with each other: ids used twice, and workflows that contain themselves.

import { isObject } from "../protocol/json.ts";
import { shown } from "./defects.ts";
import type { ReadFile } from "./file.ts";
import { tasksOf, treeOf } from "./blocks.ts";
import type { Path, Problem } from "./spec.ts";

export function checkAcross(files: readonly ReadFile[], depthMax: number): Problem[] {
  const problems: Problem[] = [];
  const twin = (file: ReadFile, path: Path, id: string, what: string, first: string): void => {
    const message = `${shown(id)} is already the ${what} in ${first}`;
    problems.push(file.problem({ path, code: "DUPLICATE_ID", message, severity: "error" }));
  };
  for (const [what, find] of Object.entries(unique)) {
    const first = new Map<string, string>();
    for (const file of files) {
      for (const [path, id] of find(file.value)) {
        const other = first.get(id);
        // Within one file, its own check has said so.
        if (other === undefined) first.set(id, file.file);
        else if (other !== file.file) twin(file, path, id, what, other);
      }
    }
  }
  return [...problems, ...cyclesOf(files, depthMax)];
}

type Named = [path: Path, id: string];

const unique: Readonly<Record<string, (value: unknown) => Named[]>> = {
  "id of a workflow": (value) => textAt(value, "id", []),
  "path of a webhook": (value) => inList(value, "triggers", "path"),
  "id of an agent": (value) => inList(value, "agents", "id"),
  "id of a tool": (value) => inList(value, "tools", "id"),
};

function textAt(value: unknown, key: string, path: Path): Named[] {
  const text = isObject(value) ? value[key] : undefined;
  return typeof text === "string" ? [[[...path, key], text]] : [];
}

function inList(value: unknown, list: string, key: string): Named[] {
  const entries = isObject(value) ? value[list] : undefined;
  return Array.isArray(entries) ? entries.flatMap((entry, index) => textAt(entry, key, [list, index])) : [];
}

type Call = { file: ReadFile; path: Path; from: string; to: string };

/** A detached run is not contained in the one that starts it. */
function callsOf(file: ReadFile, depthMax: number): Call[] {
  const { value } = file;
  if (!isObject(value)) return [];
  return [...tasksOf(treeOf(value, depthMax))].flatMap(({ type, spec, path }) => {
    const { workflow: to, detached } = spec;
    if (type !== "workflow" || typeof to !== "string" || detached === true) return [];
    return [{ file, path: [...path, "workflow"], from: typeof value["id"] === "string" ? value["id"] : "", to }];
  });
}

/** Every call that is part of a circle; one of a workflow to itself is found without the others. */
function cyclesOf(files: readonly ReadFile[], depthMax: number): Problem[] {
  const calls = Map.groupBy(
    files.flatMap((file) => callsOf(file, depthMax)),
    ({ from }) => from,
  );
  return [...calls.values()].flat().flatMap((call) => {
    const way = call.to === call.from ? undefined : wayBack(call, calls);
    if (!way) return [];
    const message = `workflow ${shown(call.from)} contains itself: ${[call.from, ...way].join(" → ")}`;
    return [call.file.problem({ path: call.path, code: "WORKFLOW_CYCLE", message, severity: "error" })];
  });
}

/** The shortest way from the workflow that is called to the one that calls it. */
function wayBack({ from, to }: Call, calls: ReadonlyMap<string, readonly Call[]>): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const open = [to];
  for (let at = open.shift(); at !== undefined; at = open.shift()) {
    if (at === from) {
      const way = [at];
      for (let step = cameFrom.get(at); step !== undefined; step = cameFrom.get(step)) way.unshift(step);
      return way;
    }
    for (const next of calls.get(at) ?? []) {
      if (next.to === to || cameFrom.has(next.to)) continue;
      cameFrom.set(next.to, at);
      open.push(next.to);
    }
  }
  return undefined;
}
