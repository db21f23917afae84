// What the agents and tools of a simulation do when they are called, and what is written down of it.
//
// Invariants:
//   H1. A mock is held against its schemas, told to stop and timed out like any handler: it is one.

import type { AgentContext, AgentDefinition, AgentHandler } from "../../agents/agent.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ToolDefinition } from "../../tools/tool.ts";
import type { Outcome, Place } from "../check/trial.ts";
import { type Answer, isMock, newScript } from "./mock.ts";
import type { Trouper } from "./troupers.ts";
import type { VirtualProcess } from "./process.ts";

/** A call of an agent or tool, as its handler saw it. */
export type Call = {
  readonly id: string;
  readonly kind: "agent" | "tool";
  /** Where it stands in the definition: `charge`, `charge@2` for its second attempt, `pages[3]/fetch`. */
  readonly place: Place;
  readonly input: unknown;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** When it began, and when it answered; null if it has not. */
  readonly at: number;
  endedAt: number | null;
  output?: unknown;
  error?: unknown;
  /** It was told to stop: canceled, over its time, or lost with its process. */
  wasStopped: boolean;
  /** In which life of the process, counted from 1. */
  readonly life: number;
};

export type Stage = {
  process: VirtualProcess;
  /** Where a call stands. */
  placeOf: (execId: string, attempt: number) => Place;
  plannedAt: (place: Place) => Outcome | undefined;
  called: (call: Call) => void;
  /** The test itself is wrong: whoever waits for the simulation is told. */
  complain: (error: unknown) => void;
};

/** What a fault may make of a call here. What a network does to one is for `checkWorkflow`. */
export const playable: ReadonlySet<Outcome["do"]> = new Set(["succeeds", "fails", "hangs", "slow", "late"]);
/** Where there is no timeout, slow is so much, and so much later than one is late. */
const slowMs = 60_000;
const lateMs = 1_000;

/** The definition with a handler that plays it. Scripts are begun anew for each simulation. */
export function performed(kind: "agent" | "tool", { definition, by }: Trouper, stage: Stage) {
  const script = typeof by === "object" && isMock(by) ? newScript(by) : undefined;
  const answerTo = (input: unknown, context: AgentContext): Answer => {
    if (typeof by === "function") return { does: "makes", make: by as AgentHandler, times: 1, afterMs: 0 };
    try {
      if (script) return script(input, context.attempt);
      const message = `${kind} '${definition.id}' was called with ${JSON.stringify(input)}, and nobody plays it: `;
      const hint = `give mock("${definition.id}") among the ${kind}s, or say what the \`unmocked\` answer`;
      throw new TroupeError(kind === "agent" ? "AGENT_NOT_FOUND" : "TOOL_NOT_FOUND", message + hint);
    } catch (error) {
      stage.complain(error);
      throw error;
    }
  };
  const handler: AgentHandler = async (input, context) => {
    const { attempt, idempotencyKey, execId } = context;
    const { process } = stage;
    await process.opened;
    const place = stage.placeOf(execId, attempt);
    const begun = { id: definition.id, kind, place, input, attempt, idempotencyKey, at: process.now() };
    const call: Call = { ...begun, endedAt: null, wasStopped: false, life: process.lives };
    stage.called(call);
    context.signal.addEventListener("abort", () => (call.wasStopped = true));
    try {
      const planned = stage.plannedAt(place);
      call.output = planned
        ? await faulty(planned, context, process)
        : await answered(answerTo(input, context), input, context, stage, definition.id);
      return call.output;
    } catch (error) {
      call.error = error;
      throw error;
    } finally {
      call.endedAt = process.now();
    }
  };
  return { ...definition, handler } as AgentDefinition & ToolDefinition;
}

async function answered(
  answer: Answer,
  input: unknown,
  context: AgentContext,
  { process }: Stage,
  name: string,
): Promise<unknown> {
  if (answer.afterMs > 0) await passed(answer.afterMs, context.signal, process);
  if (answer.does === "hangs") return stopped(context.signal);
  if (answer.does === "fails") throw failure(answer.code, answer.message);
  const work = process.work.begin(name);
  try {
    return await answer.make(input, resting(context, work));
  } finally {
    work.rest();
  }
}

/** While a tool is at work for it, an agent is not: what a tool takes is virtual time. */
function resting(context: AgentContext, work: { rest: () => void; goOn: () => void }): AgentContext {
  if (!("tool" in context)) return context;
  const tool: AgentContext["tool"] = async (id, input) => {
    const called = context.tool(id, input);
    work.rest();
    try {
      return await called;
    } finally {
      work.goOn();
    }
  };
  return { ...context, tool };
}

async function faulty(outcome: Outcome, { signal, deadline }: AgentContext, process: VirtualProcess): Promise<unknown> {
  const leftMs = deadline ? deadline.getTime() - process.now() : slowMs;
  switch (outcome.do) {
    case "fails":
      throw failure(outcome.code, "as it was planned");
    case "slow":
      await passed(Math.floor(leftMs * 0.9), signal, process);
      return outcome.output;
    case "late":
      await passed(leftMs + lateMs, undefined, process);
      return outcome.output;
    case "succeeds":
      return outcome.output;
    case "hangs":
    // What no handler can do was refused before.
    case "undispatched":
    case "doubled":
    case "dies":
    case "early":
      return stopped(signal);
  }
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

const stopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(reasonOf(signal)));
  });

function passed(ms: number, signal: AbortSignal | undefined, process: VirtualProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = process.later(ms, resolve);
    signal?.addEventListener("abort", () => {
      cancel();
      reject(reasonOf(signal));
    });
  });
}

const reasonOf = ({ reason }: AbortSignal): Error => (reason instanceof Error ? reason : new Error("told to stop"));
