// I15: limits and rates are never exceeded, in any window of time, and whatever crashes lie in it.

import type { ConcurrencySpec, RateSpec } from "../../language/spec.ts";
import { durationOf } from "../../language/duration.ts";
import { withLimits, type Limits } from "../../actors/limits.ts";
import { lineageLabels } from "../../runtime/forks.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import type { Evidence, Line, Told } from "./evidence.ts";

/** An execution that was begun: from which line to which, when, and for which value of a key. */
type Stay = { execId: string; id: string; from: number; to: number; at: number; n: unknown; isChild: boolean };

export function* limits(evidence: Evidence, byExecution: ReadonlyMap<string, readonly Told[]>): Generator<string> {
  const { scenario, lines } = evidence;
  const max = withLimits(scenario.limits);
  const orders = ordersIn(lines);
  const stays = (entity: string): Stay[] => staysOf(entity, byExecution, orders);
  const runs = stays("workflow");
  for (const { id, concurrency, rate } of scenario.workflows) {
    yield* doors(
      `workflow '${id}'`,
      runs.filter((one) => one.id === id),
      { concurrency, rate },
      evidence,
    );
  }
  // A child begins whether there is room or not, also between a grant and what it was granted to.
  yield* tooMany(
    "executions in flight",
    runs.filter(({ isChild }) => !isChild),
    max.concurrency,
  );
  // Elsewhere others count, and what they say comes late.
  for (const kind of ["agent", "tool"] as const) {
    if (scenario.foreigners.length > 0) break;
    const calls = stays(kind);
    for (const cast of scenario[`${kind}s`]) {
      yield* doors(
        `${kind} '${cast.id}'`,
        calls.filter(({ id }) => id === cast.id),
        cast,
        evidence,
      );
    }
    yield* tooMany(`${kind}s at work`, calls, max[`${kind}s`], together(evidence));
  }
  yield* depths(evidence, max);
  yield* tried(evidence, max);
}

type Order = { n: unknown; isChild: boolean };

/** What each execution was ordered with, by its id. */
function ordersIn(lines: readonly Line[]): Map<string, Order> {
  const orders = new Map<string, Order>();
  for (const { type, envelope } of lines) {
    const entity = {
      "command:WorkflowExecute": "workflow",
      "command:TriggerAgent": "agent",
      "command:ToolExecute": "tool",
    }[type];
    const execId = entity && (envelope[entity] as { exec_id: string }).exec_id;
    if (!execId || orders.has(execId)) continue;
    const { input, trigger_type } = (envelope["payload"] as { context: { input: unknown; trigger_type?: string } })
      .context;
    orders.set(execId, { n: (Object(input) as { n?: unknown }).n, isChild: trigger_type === "workflow" });
  }
  return orders;
}

function staysOf(
  entity: string,
  byExecution: ReadonlyMap<string, readonly Told[]>,
  orders: ReadonlyMap<string, Order>,
): Stay[] {
  return [...byExecution.values()].flatMap((told): Stay[] => {
    if (told[0]?.entity !== entity) return [];
    const applied = told.filter(({ disposition }) => disposition === "applied");
    const began = applied.find(({ type }) => type.endsWith("ExecutionStarted"));
    if (!began) return [];
    const { id, exec_id } = began.envelope[entity] as { id: string; exec_id: string };
    const to = applied.find((one) => one.line > began.line && isTerminal(one.status))?.line ?? Infinity;
    const order = orders.get(exec_id) ?? { n: undefined, isChild: false };
    return [{ execId: exec_id, id, from: began.line, to, at: began.at, ...order }];
  });
}

type Doors = { concurrency?: ConcurrencySpec | undefined; rate?: RateSpec | undefined };

function* doors(
  what: string,
  stays: readonly Stay[],
  { concurrency, rate }: Doors,
  evidence: Evidence,
): Generator<string> {
  if (concurrency) {
    for (const [key, own] of byKey(stays, concurrency.key !== undefined)) {
      yield* tooMany(`${what}${key}`, own, concurrency.limit);
    }
  }
  // A clock that was put back makes any two moments near.
  if (!rate || evidence.jumpedMs > 0) return;
  const perMs = durationOf(rate.per, "", (_field, message) => {
    throw new Error(message);
  });
  for (const [key, own] of byKey(stays, rate.key !== undefined)) {
    const times = own.map(({ at }) => at).sort((one, other) => one - other);
    for (const [index, at] of times.entries()) {
      const next = times[index + rate.limit];
      if (next === undefined || next - at >= perMs) continue;
      yield `${what}${key}: ${rate.limit + 1} began within ${next - at} ms, at most ${rate.limit} may in ${perMs} ms`;
      break;
    }
  }
}

function byKey(stays: readonly Stay[], hasKey: boolean): Map<string, Stay[]> {
  return Map.groupBy(stays, ({ n }) => (hasKey ? ` for ${JSON.stringify(n ?? 0)}` : ""));
}

/** Whether two handlers were at work in the same process: a crash ends them, and its end is told later. */
function together({ begun }: Evidence): (one: Stay, other: Stay) => boolean {
  const lives = Map.groupBy(begun, ({ execId }) => execId);
  const livesOf = ({ execId }: Stay): number[] => (lives.get(execId) ?? []).map(({ life }) => life);
  return (one, other) => livesOf(one).some((life) => livesOf(other).includes(life));
}

/** Whenever one of these begins, so many are under way at most, itself among them. */
function* tooMany(
  what: string,
  stays: readonly Stay[],
  max: number,
  areTogether: (one: Stay, other: Stay) => boolean = () => true,
): Generator<string> {
  for (const one of stays) {
    const { execId, from } = one;
    const held = stays.filter((other) => other.from <= from && other.to > from && areTogether(one, other)).length;
    if (held > max) yield `${what}: ${execId} began as number ${held}, at most ${max} may be`;
  }
}

/** How deep workflows call each other. */
function* depths({ disk }: Evidence, { depthMax }: Limits): Generator<string> {
  const { rows } = disk;
  for (const { execId, entity, status } of rows.values()) {
    if (entity !== "workflow" || status !== "SUCCESS") continue;
    let depth = 1;
    for (let at = rows.get(execId)?.parent; at; depth += 1) at = rows.get(rows.get(at)?.run ?? "")?.parent;
    if (depth > depthMax) yield `workflow execution ${execId} is ${depth} deep, at most ${depthMax} may be`;
  }
}

const refusals: { readonly [limit in keyof Limits]?: string } = {
  labelsMax: "VALIDATION_FAILED",
  subscriptionsMax: "RATE_LIMITED",
  tasksMax: "DEFINITION_INVALID",
  fanOutMax: "DEFINITION_INVALID",
  depthMax: "DEFINITION_INVALID",
};
/** What is put on a fork or retry beside its own. */
const lineage: readonly string[] = Object.values(lineageLabels);
/** For these the same code has other reasons, too. */
const ambiguous: readonly string[] = ["labelsMax"];
/** Whatever is asked of a process that stops, or of a disk that is full, is refused for that. */
const otherwise: readonly string[] = ["INVALID_STATE", "INTERNAL_ERROR", "STORE_UNAVAILABLE"];

/** What clients tried: what is too much is refused as it is said, and what is not is not. */
function* tried(evidence: Evidence, max: Limits): Generator<string> {
  for (const { limit, given, code } of evidence.tried) {
    const refusal = refusals[limit];
    const isTooMuch = given > max[limit];
    if (isTooMuch && code === null) yield `${limit}: ${given} were taken, at most ${max[limit]} may be`;
    if (isTooMuch && code !== null && code !== refusal && ![...otherwise, "RATE_LIMITED"].includes(code)) {
      yield `${limit}: ${given} were refused with ${code}, not ${refusal}`;
    }
    if (!isTooMuch && code === refusal && code !== null && !ambiguous.includes(limit)) {
      yield `${limit}: ${given} were refused with ${code}, and ${max[limit]} may be`;
    }
  }
  for (const [execId, labels] of [...evidence.disk.rows].map(([id, row]) => [id, row.labels] as const)) {
    const own = Object.keys(labels ?? {}).filter((name) => !lineage.includes(name));
    if (own.length > max.labelsMax) yield `${execId} has too many labels`;
  }
}
