// Templates and schemas of a definition: each template is checked with the names and tasks that are in scope there.

import { isObject } from "../protocol/json.ts";
import type { Found } from "./check-shape.ts";
import { type Note, type Notes, shown } from "./defects.ts";
import { type Block, sights, tasksOf } from "./blocks.ts";
import type { Path } from "./spec.ts";
import { timeOf } from "./duration.ts";
import { checkTemplate, type Place } from "./template.ts";

const none: ReadonlySet<string> = new Set();
const only = (...names: string[]): Place => ({ names, tasks: none });
const delivered = only("input", "body", "headers", "query");

/** What is in scope where a value of a workflow stands. */
export function placesOf(top: Block, triggers: unknown): (found: Found) => Place {
  const sight = sights(top);
  const nodes = new Map([...tasksOf(top)].map((node) => [keyOf(node.path), node]));
  const known = new Set([...nodes.values()].map(({ id }) => id));
  const seen = new Map<string, Place>();
  return ({ path, within }) => {
    const [first] = path;
    if (first === "triggers") return isWebhook(triggers, path[1]) ? delivered : only();
    if (first === "result") return { ...sight.atEnd(), known };
    const key = keyOf(within);
    const node = nodes.get(key);
    if (!node) return only("input");
    const place = seen.get(key) ?? { ...sight.of(node), known };
    seen.set(key, place);
    return path.at(-1) === "match" && path.at(-2) === "wait" ? { ...place, names: [...place.names, "signal"] } : place;
  };
}

const isWebhook = (triggers: unknown, index: unknown): boolean =>
  Array.isArray(triggers) && (triggers[Number(index)] as { type?: unknown } | null)?.type === "webhook";

const keyOf = (path: Path): string => JSON.stringify(path);

/** What is in scope in an agent or tool. */
export function placeInCallee({ path, within }: Found, callee: unknown): Place {
  const key = path[within.length];
  if (key === "concurrency" || key === "rate") return only("input");
  const { env } = isObject(callee) ? callee : {};
  const names = Array.isArray(env) ? env.filter((name): name is string => typeof name === "string") : [];
  return { names: ["input", "env"], tasks: none, env: new Set(names) };
}

export function checkValue({ path, value, kind }: Found, place: Place, { note }: Notes): void {
  if (kind.is !== "value") return;
  // A plain value of the wrong kind has been complained about already.
  const isTemplate = typeof value === "string" && value.includes("${{");
  const wanted = kind.gives !== undefined && isTemplate ? { ...place, gives: kind.gives } : place;
  checkTemplate(value, path, wanted, note);
  if (isTemplate || typeof value === "function") return;
  if (path.at(-1) === "until") checkTime(path, value, note);
  if (path.at(-1) === "priority") checkPriority(path, value, note);
}

function checkTime(path: Path, value: unknown, note: Note): void {
  if (timeOf(value) !== undefined) return;
  const says = "write 2030-01-31T09:00:00Z, with a time zone, or epoch milliseconds";
  note(path, "BAD_VALUE", `${shown(value)} is no time: ${says}`);
}

const priorityMax = 100;
export const priorities = `a whole number from -${priorityMax} to ${priorityMax}`;
export const isPriority = (value: unknown): value is number =>
  Number.isInteger(value) && Math.abs(Number(value)) <= priorityMax;

function checkPriority(path: Path, value: unknown, note: Note): void {
  if (!isPriority(value)) note(path, "BAD_VALUE", `must be ${priorities}, and is ${shown(value)}`);
}
