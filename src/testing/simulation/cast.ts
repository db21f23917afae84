// The handlers of a simulation: each call does the next of what its cast is to do, by the clock of its process.

import type { Clock } from "../../actors/clock.ts";
import type { AgentContext, AgentDefinition } from "../../agents/agent.ts";
import type { ToolContext, ToolDefinition } from "../../tools/tool.ts";
import type { Act, Cast } from "./scenario.ts";

/** A handler that was begun, as those outside saw it. */
export type Begun = {
  kind: "agent" | "tool";
  execId: string;
  idempotencyKey: string;
  life: number;
  at: number;
  /** The newest record on disk at that moment. */
  seq: number;
};

export type Stage = {
  clock: Clock;
  /** Writes down that a handler began. */
  began: (kind: Begun["kind"], context: { execId: string; idempotencyKey: string }) => void;
  /** Holds whoever hangs, until all is over. */
  hang: (release: () => void) => void;
  /** How many calls each cast has had; it outlives the process. */
  calls: Map<string, number>;
  /** From some time on each does nothing but answer. */
  isPlain: () => boolean;
};

/** What no handler should return. Some of it is JSON after all, and counts as an answer. */
const garbage: readonly (() => unknown)[] = [
  () => undefined,
  () => null,
  () => 10n,
  () => Symbol("nothing"),
  () => () => "a function",
  () => {
    const round: Record<string, unknown> = {};
    return (round["itself"] = round);
  },
  () => "x".repeat(3_000),
  () => new Date(Number.NaN),
  () => ({
    get trap() {
      throw new Error("a getter that throws");
    },
  }),
  () => {
    throw { toString: null };
  },
];

export const agentsOf = (casts: readonly Cast[], stage: Stage): AgentDefinition[] =>
  casts.map((cast) => ({
    ...limitsOf(cast),
    handler: (input: unknown, context: AgentContext) => {
      stage.began("agent", context);
      return perform(nextOf(cast, stage), input, context, stage);
    },
  }));

export const toolsOf = (casts: readonly Cast[], stage: Stage): ToolDefinition[] =>
  casts.map((cast) => ({
    ...limitsOf(cast),
    handler: (input: unknown, context: ToolContext) => {
      stage.began("tool", context);
      return perform(nextOf(cast, stage), input, context, stage);
    },
  }));

const limitsOf = ({ id, concurrency, rate }: Cast) => ({
  id,
  ...(concurrency && { concurrency }),
  ...(rate && { rate }),
});

function nextOf({ id, acts }: Cast, { calls, isPlain }: Stage): Act {
  if (isPlain()) return { do: "answer" };
  const call = calls.get(id) ?? 0;
  calls.set(id, call + 1);
  return acts[call % acts.length] ?? { do: "answer" };
}

function perform(act: Act, input: unknown, context: AgentContext | ToolContext, stage: Stage): unknown {
  const { clock } = stage;
  const { signal } = context;
  if (act.do === "answer") return { got: input };
  if (act.do === "spend") {
    if ("usage" in context) context.usage({ tokens: act.tokens, cost: act.cost });
    return { got: input };
  }
  if (act.do === "steps") return step(act, context, clock);
  if (act.do === "slow") return wait(clock, act.ms, signal);
  if (act.do === "deaf") return wait(clock, act.ms);
  if (act.do === "hang") return new Promise((resolve) => stage.hang(() => resolve({ at: "last" })));
  if (act.do === "garbage") return garbage[act.which]?.();
  if (act.do === "call") return "tool" in context ? callTools(act, context) : { got: input };
  const error = Object.assign(new Error("as it is written"), act.code !== null && { code: act.code });
  if (act.ms === 0) throw error;
  return wait(clock, act.ms, signal).then(() => Promise.reject(error));
}

function wait(clock: Clock, ms: number, signal?: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = clock.alarm(clock.now() + ms, () => resolve({ after: ms }));
    signal?.addEventListener("abort", () => {
      cancel();
      reject(signal.reason instanceof Error ? signal.reason : new Error("told to stop"));
    });
  });
}

async function step({ everyMs, times }: Act & { do: "steps" }, context: AgentContext | ToolContext, clock: Clock) {
  for (let count = 1; count <= times; count++) {
    await wait(clock, everyMs, context.signal);
    context.step({ count });
  }
  return { after: context.lastStep ?? null };
}

async function callTools({ tools, bears }: Act & { do: "call" }, context: AgentContext): Promise<unknown> {
  context.thinking("which tool?");
  const results: unknown[] = [];
  for (const tool of tools) {
    const called = context.tool(tool, { for: context.execId });
    results.push(bears ? await called.catch((error: unknown) => String(error)) : await called);
  }
  return { results: results.length };
}
