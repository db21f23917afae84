// Times that contradict each other: waits that cannot end, and limits that can never be reached.

import { isObject } from "../protocol/json.ts";
import { durationOf } from "./duration.ts";
import { type Notes } from "./defects.ts";
import { type Block, type TaskNode, tasksOf } from "./blocks.ts";
import type { Path } from "./spec.ts";

const dayMs = 86_400_000;
const code = "UNSATISFIABLE_TIMEOUT";

type Limit = { ms: number; says: string };

/** The milliseconds of what is a duration, and nothing otherwise: that is noted elsewhere. */
function msOf(given: unknown): number | undefined {
  if (typeof given !== "number" && typeof given !== "string") return undefined;
  let isOne = true;
  const ms = durationOf(given, "", () => (isOne = false));
  return isOne ? ms : undefined;
}

export function checkTimes(spec: Readonly<Record<string, unknown>>, top: Block, notes: Notes): void {
  const deadline = spec["timeout"] === undefined ? dayMs : msOf(spec["timeout"]);
  const says =
    spec["timeout"] === undefined ? "24h, the timeout of a workflow that sets none" : "the timeout of the workflow";
  for (const task of tasksOf(top)) {
    const limits = limitsAbove(task);
    if (deadline !== undefined && !isUndoing(task)) limits.push({ ms: deadline, says });
    checkTask(task, limits, notes);
  }
}

const isUndoing = ({ within }: TaskNode): boolean =>
  within.kind === "undo" || (within.holder !== undefined && isUndoing(within.holder));

/** The limits of the containers that it stands in. */
function limitsAbove({ within }: TaskNode): Limit[] {
  const limits: Limit[] = [];
  for (let { kind, holder } = within; holder && kind !== "undo"; { kind, holder } = holder.within) {
    const ms = msOf(holder.spec["timeout"]);
    if (ms !== undefined) limits.push({ ms, says: `the timeout of "${holder.id}", which it is part of` });
  }
  return limits;
}

function checkTask({ path, spec, type }: TaskNode, above: readonly Limit[], { note, warn }: Notes): void {
  const total = msOf(spec["total_timeout"]);
  const timeout = msOf(spec["timeout"]);
  const outer = total === undefined ? above : [...above, { ms: total, says: "its total_timeout" }];
  const neverReached = (key: string, ms: number | undefined, limits: readonly Limit[]): void => {
    const limit = limits.find((candidate) => ms !== undefined && ms > candidate.ms);
    if (limit) warn([...path, key], code, `can never be reached: it is longer than ${limit.says}`);
  };
  neverReached("timeout", timeout, outer);
  neverReached("total_timeout", total, above);
  const own = timeout === undefined ? outer : [...outer, { ms: timeout, says: "its timeout" }];
  neverReached("heartbeat", msOf(spec["heartbeat"]), own);
  checkAttempts(path, spec["retry"], outer, { note, warn });
  const wait = type === "wait" && isObject(spec["wait"]) ? msOf(spec["wait"]["duration"]) : undefined;
  const limit = own.find(({ ms }) => wait !== undefined && wait > ms);
  if (limit) note([...path, "wait", "duration"], code, `can never end: it is longer than ${limit.says}`);
}

/** The delays alone, each as short as jitter can make it, may be longer than the time there is. */
function checkAttempts(
  path: Path,
  retry: unknown,
  limits: readonly Limit[],
  { note, warn }: Pick<Notes, "note" | "warn">,
): void {
  if (!isObject(retry)) return;
  const { max_attempts: attempts = 1, backoff = {} } = retry;
  if (!isObject(backoff) || typeof attempts !== "number" || attempts > 100) return;
  const { factor = 2, jitter = 0 } = backoff;
  const initial = msOf(backoff["initial"] ?? 1_000);
  const longest = msOf(backoff["max"] ?? 60_000);
  if (initial === undefined || longest === undefined || typeof factor !== "number" || typeof jitter !== "number")
    return;
  if (longest < initial) {
    const says = `is ${longest} ms, less than the ${initial} ms that it begins with`;
    note([...path, "retry", "backoff", "max"], "BAD_VALUE", says);
  }
  let sum = 0;
  for (let attempt = 2; attempt <= attempts; attempt++) {
    sum += Math.min(longest, initial * factor ** (attempt - 2)) * (1 - jitter);
    const limit = limits.find(({ ms }) => sum > ms);
    if (!limit) continue;
    const says = `attempt ${attempt} can never begin: the delays before it are longer than ${limit.says}`;
    return warn([...path, "retry", "max_attempts"], code, says);
  }
}
