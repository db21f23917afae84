// What agents use up: counted in the run that they work for, and in every run above it.
//
//   ctx.usage() ─▶ AR ─▶ the run's chart ─▶ the parent's chart ─▶ …       the chart holds it against its budget
//   `usage` in an agent's result ─▶ WO ─▶ the same
//
// Invariants:
//   U1. What is counted is recorded: a replay counts it again, and it is counted once.
//   U2. Of an agent that reports itself, the `usage` of its result is not counted too.
//   U3. A run counts what it and all that it waits for use; one that is detached counts for itself.

import type { Cue } from "../machines/cues.ts";
import type { BudgetLimits } from "../machines/workflow-memory.ts";
import { TroupeError } from "../protocol/errors.ts";
import { durationOf } from "../language/duration.ts";
import { as, type Ear, execIdIn, type Host, type Word } from "./component.ts";

type Usage = { tokens: number; cost: number };

const isAmount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;

/** What was reported, if it is any: at least one amount, and none that is no amount. */
function usageIn(value: unknown): Usage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { tokens, cost } = value as Record<string, unknown>;
  const areTokens = tokens === undefined || (isAmount(tokens) && Number.isSafeInteger(tokens));
  const isCost = cost === undefined || isAmount(cost);
  if (!areTokens || !isCost || (tokens === undefined && cost === undefined)) return undefined;
  return { tokens: (tokens as number | undefined) ?? 0, cost: (cost as number | undefined) ?? 0 };
}

/** The same of what a handler hands in, which is told if it is wrong. */
export function checkedUsage(spent: unknown): Usage {
  const usage = usageIn(spent);
  if (usage) return usage;
  const message = "a usage is { tokens, cost }: a whole number and a number, neither below 0, at least one of them";
  throw new TroupeError("VALIDATION_FAILED", message);
}

/** In this run, and in the one that waits for it; false if there is neither: an agent may run by itself. */
function count(host: Host, { tokens, cost }: Usage): boolean {
  const { id, facts } = host.run;
  const word = { type: "cue:Used", tokens, cost };
  const isTold = host.tell(`workflow/${id}`, word);
  if (!facts.parent) return isTold;
  const heard = { word: word as Word, by: "WO", from: `workflow/${id}`, run: id, id: "", cause: null } as const;
  host.forward(facts.parent.run, heard);
  return true;
}

/** A run below reports. */
export const usedBelow: Ear = (host, { word }) => void count(host, as<Cue<"cue:Used">>(word));

/** A handler reports: what its result says of that is known already. */
export const usedByHandler: Ear = (host, { word, from }) => {
  if (!count(host, as<Cue<"cue:Used">>(word))) return;
  const reported = host.run.facts.reported ?? {};
  host.note("reported", reported);
  host.put(reported, execIdIn(from), true);
};

/** An agent has ended. */
export const usedByAgent: Ear = (host, { word }) => {
  const execId = word.agent?.exec_id ?? "";
  const { reported } = host.run.facts;
  if (reported && Object.hasOwn(reported, execId)) return host.put(reported, execId, undefined);
  const { result } = word["payload"] as { result?: { output?: { usage?: unknown } } | null };
  const usage = usageIn(result?.output?.usage);
  if (usage) count(host, usage);
};

/** The limits that people raise when they let a run go on: only those that it has, and that can be read. */
export function raisedIn(data: unknown, budget: BudgetLimits | undefined): { raised?: BudgetLimits } {
  const given = (Object(data) as Record<string, unknown>)["budget"];
  if (!budget || typeof given !== "object" || given === null) return {};
  const { tokens, cost, time } = given as Record<string, unknown>;
  let isTime = true;
  const timeMs = durationOf(time as string | number, "budget.time", () => {
    isTime = false;
    return 0;
  });
  const raised = {
    ...(budget.tokens !== undefined && isAmount(tokens) && { tokens }),
    ...(budget.cost !== undefined && isAmount(cost) && { cost }),
    ...(budget.timeMs !== undefined && time !== undefined && isTime && { timeMs }),
  };
  return { raised };
}
