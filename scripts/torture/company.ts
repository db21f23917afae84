// What the tortured engine runs: workflows of every kind, and handlers that write down each time they are run.

import { appendFileSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { Definitions } from "../../src/runtime/troupe.ts";

/** One line of the handlers' ledger. */
export type Ran = { handler: string; execId: string; key: string; pid: number; phase: "begun" | "over"; at: number };

type Context = { execId: string; idempotencyKey: string; attempt: number; signal: AbortSignal };
type Handler = (input: { n: number }, context: Context) => unknown;

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));

const handlers: Readonly<Record<"clerk" | "sleeper", Handler>> & Readonly<Record<string, Handler>> = {
  clerk: ({ n }) => ({ n, by: "clerk" }),
  sleeper: (_input, { signal }) => untilAborted(signal),
};
const tools: Readonly<Record<string, Handler>> = {
  look: ({ n }) => ({ n, by: "look" }),
  slow: async ({ n }) => {
    await after(20 + (n % 7) * 10);
    return { n, by: "slow" };
  },
  flaky: ({ n }, { attempt }) => {
    if (attempt < 3) throw Object.assign(new Error(`attempt ${attempt} fails`), { code: "FLAKY" });
    return { n, by: "flaky" };
  },
  broken: () => {
    throw Object.assign(new Error("it never works"), { code: "BROKEN" });
  },
  dozer: (_input, { signal }) => untilAborted(signal),
};

const input = "${{ input }}";
const retry = { max_attempts: 3, backoff: { initial: 10, max: 50 } };
const branch = (name: string): WorkflowSpec["tasks"] => [
  { id: `${name}-ask`, type: "agent", agent: "clerk", with: input, next: `${name}-look` },
  { id: `${name}-look`, type: "tool", tool: "look", with: input },
];

const workflows: readonly WorkflowSpec[] = [
  { id: "one", tasks: [{ id: "ask", type: "agent", agent: "clerk", with: input }] },
  {
    id: "three",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", with: input, next: "look" },
      { id: "look", type: "tool", tool: "slow", with: input, next: "check" },
      { id: "check", type: "agent", agent: "clerk", with: input },
    ],
  },
  { id: "retried", tasks: [{ id: "try", type: "tool", tool: "flaky", with: input, retry }] },
  { id: "doomed", tasks: [{ id: "try", type: "tool", tool: "broken", with: input, retry }] },
  {
    id: "rescued",
    tasks: [
      { id: "try", type: "tool", tool: "broken", with: input, on_error: "mend" },
      { id: "mend", type: "tool", tool: "look", with: input },
    ],
  },
  {
    id: "parallel",
    tasks: [
      {
        id: "all",
        type: "parallel",
        branches: Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, branch(name)])),
        next: "sum",
      },
      { id: "sum", type: "agent", agent: "clerk", with: input },
    ],
  },
  {
    id: "signaled",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", with: input, next: "wait" },
      { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "look" },
      { id: "look", type: "tool", tool: "look", with: input },
    ],
  },
  { id: "timed", tasks: [{ id: "wait", type: "wait", wait: { duration: 150 }, next: "ask" }, ...ask()] },
  { id: "paused", tasks: [{ id: "wait", type: "wait", wait: { duration: 50 }, next: "ask" }, ...ask()] },
  { id: "canceled", tasks: [{ id: "sleep", type: "agent", agent: "sleeper", with: input, timeout: "1h" }] },
  { id: "late", tasks: [{ id: "doze", type: "tool", tool: "dozer", with: input, timeout: 200 }] },
  { id: "nested", tasks: [{ id: "inner", type: "workflow", workflow: "one", with: input }] },
];

function ask(): WorkflowSpec["tasks"] {
  return [{ id: "ask", type: "agent", agent: "clerk", with: input }];
}

/** Every run of a handler leaves a line when it begins and one when it is over, whatever becomes of it. */
function written(name: string, handler: Handler, ledger: string) {
  const write = (phase: Ran["phase"], { execId, idempotencyKey }: Context): void => {
    const ran: Ran = { handler: name, execId, key: idempotencyKey, pid: process.pid, phase, at: Date.now() };
    appendFileSync(ledger, `${JSON.stringify(ran)}\n`);
  };
  return async (given: unknown, context: Context): Promise<unknown> => {
    write("begun", context);
    try {
      return await handler(given as { n: number }, context);
    } finally {
      write("over", context);
    }
  };
}

export function company(ledger: string): Definitions {
  const all = (of: Readonly<Record<string, Handler>>) =>
    Object.entries(of).map(([id, handler]) => ({ id, handler: written(id, handler, ledger) }));
  return { workflows, agents: all(handlers), tools: all(tools) };
}
