// What definitions say of who may begin when, worked out for one run or call.

import { isPriority, priorities } from "../language/check-expressions.ts";
import { durationOf } from "../language/duration.ts";
import type { ConcurrencySpec, RateSpec, Scope, Value, WorkflowSpec } from "../language/spec.ts";
import { evaluate } from "../language/template.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { DoorRule } from "./flow-line.ts";

/** How a run or call stands in line, worked out once. Plain JSON. */
export type Flow = {
  concurrency?: { limit: number; key: string | null; queueMax: number | null };
  rate?: { limit: number; perMs: number; key: string | null };
};
export type RunFlow = Flow & {
  workflow: string;
  /** A task of another run waits for its end. */
  isChild?: true;
  onLimit?: "skip" | "cancel_oldest";
  priority?: number;
  turn?: string;
};

type Limited = { readonly concurrency?: ConcurrencySpec; readonly rate?: RateSpec };

const keyCharsMax = 256;

/** Whether the definition says anything of when its runs may begin. */
export const hasFlow = ({ concurrency, rate, priority, fair_by }: WorkflowSpec): boolean =>
  (concurrency ?? rate ?? priority ?? fair_by) !== undefined;

/** How a run of the workflow stands in line. */
export function flowOf(spec: WorkflowSpec, scope: Scope): RunFlow {
  const { concurrency, priority, fair_by } = spec;
  const { on_limit = "queue" } = concurrency ?? {};
  return {
    workflow: spec.id,
    ...limitsOf(spec, scope),
    ...(on_limit !== "queue" && { onLimit: on_limit }),
    ...(priority !== undefined && { priority: priorityOf(priority, scope) }),
    ...(fair_by !== undefined && { turn: keyOf(fair_by, scope, "fair_by") }),
  };
}

/** What a call of an agent or tool stands in line for. */
export function callFlowOf(definition: Limited | undefined, input: unknown): Flow | undefined {
  if (!definition?.concurrency && !definition?.rate) return undefined;
  const workflow = { id: "", exec_id: "", correlation_id: "", started_at: "" };
  return limitsOf(definition, { input, tasks: {}, workflow });
}

function limitsOf({ concurrency, rate }: Limited, scope: Scope): Flow {
  const keyIn = (key: Value | undefined, field: string): string | null =>
    key === undefined ? null : keyOf(key, scope, field);
  return {
    ...(concurrency && {
      concurrency: {
        limit: concurrency.limit,
        key: keyIn(concurrency.key, "concurrency.key"),
        queueMax: concurrency.queue_max ?? null,
      },
    }),
    ...(rate && {
      rate: { limit: rate.limit, perMs: durationOf(rate.per, "per", refuse), key: keyIn(rate.key, "rate.key") },
    }),
  };
}

/** The doors of what stands in line: of its concurrency first, for a rate is not used up in vain. */
export function doorsOf({ concurrency, rate }: Flow, what: string): DoorRule[] {
  return [
    ...(concurrency
      ? [{ scope: `concurrency of ${what}`, key: concurrency.key, limit: concurrency.limit } satisfies DoorRule]
      : []),
    ...(rate
      ? [
          {
            scope: `rate of ${what}`,
            key: rate.key,
            rate: { limit: rate.limit, perMs: rate.perMs },
          } satisfies DoorRule,
        ]
      : []),
  ];
}

function keyOf(template: Value, scope: Scope, field: string): string {
  const value = evaluate(template, scope, field);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (text !== undefined && text.length <= keyCharsMax) return text;
  const message = `${field} must give a value of at most ${keyCharsMax} characters, and gave ${text?.length ?? "none"}`;
  throw new TroupeError("EXPRESSION_ERROR", message, { field });
}

function priorityOf(template: Value, scope: Scope): number {
  const value = evaluate(template, scope, "priority");
  if (isPriority(value)) return value;
  throw new TroupeError("EXPRESSION_ERROR", `priority must give ${priorities}`, { field: "priority" });
}

const refuse = (field: string, message: string): never => {
  throw new TroupeError("EXPRESSION_ERROR", `${field}: ${message}`, { field });
};
