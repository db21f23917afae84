// What the tortured engine runs: workflows of every kind, and handlers that write down each time they are run.
//
// Over NATS the handlers are in processes of their own, and an outage may cost an attempt: there whatever has to end
// well is tried again until it does.

import { appendFileSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import type { Definitions } from "../../src/runtime/troupe.ts";
import type { Served } from "../../src/serve/serve.ts";

/** One line of the handlers' ledger. */
export type Ran = { handler: string; execId: string; key: string; pid: number; phase: "begun" | "over"; at: number };

type Context = { execId: string; idempotencyKey: string; attempt: number; signal: AbortSignal };
type Handler = (input: { n: number }, context: Context) => unknown;

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));

const agents: Readonly<Record<string, Handler>> = {
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

type Tasks = WorkflowSpec["tasks"];
/** How a task that has to end well is tried again. */
type Again = Pick<Extract<Tasks[number], { type: "agent" }>, "retry" | "timeout">;

const input = "${{ input }}";
const retry = { max_attempts: 3, backoff: { initial: 10, max: 50 } };
const persistent: Again = { timeout: "3s", retry: { max_attempts: 50, backoff: { initial: 50, max: 400 } } };

function workflows(again: Again): readonly WorkflowSpec[] {
  const ask: Tasks[number] = { id: "ask", type: "agent", agent: "clerk", with: input, ...again };
  const look: Tasks[number] = { id: "look", type: "tool", tool: "look", with: input, ...again };
  const branch = (name: string): Tasks => [
    { ...ask, id: `${name}-ask`, next: `${name}-look` },
    { ...look, id: `${name}-look` },
  ];
  const branches = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, branch(name)]));
  return [
    { id: "one", tasks: [ask] },
    {
      id: "three",
      tasks: [
        { ...ask, next: "look" },
        { id: "look", type: "tool", tool: "slow", with: input, ...again, next: "check" },
        { ...ask, id: "check" },
      ],
    },
    { id: "retried", tasks: [{ id: "try", type: "tool", tool: "flaky", with: input, retry, ...again }] },
    { id: "doomed", tasks: [{ id: "try", type: "tool", tool: "broken", with: input, retry }] },
    {
      id: "rescued",
      tasks: [
        { id: "try", type: "tool", tool: "broken", with: input, on_error: "mend" },
        { ...look, id: "mend" },
      ],
    },
    {
      id: "parallel",
      tasks: [
        { id: "all", type: "parallel", branches, next: "sum" },
        { ...ask, id: "sum" },
      ],
    },
    {
      id: "signaled",
      tasks: [
        { ...ask, next: "wait" },
        { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "look" },
        look,
      ],
    },
    { id: "timed", tasks: [{ id: "wait", type: "wait", wait: { duration: 150 }, next: "ask" }, ask] },
    { id: "paused", tasks: [{ id: "wait", type: "wait", wait: { duration: 50 }, next: "ask" }, ask] },
    { id: "canceled", tasks: [{ ...ask, id: "sleep", agent: "sleeper", timeout: "1h" }] },
    { id: "late", tasks: [{ id: "doze", type: "tool", tool: "dozer", with: input, timeout: 200 }] },
    { id: "nested", tasks: [{ id: "inner", type: "workflow", workflow: "one", with: input }] },
  ];
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

/** The handlers, each of which writes into the ledger. */
export function served(ledger: string): Required<Served> {
  const all = (of: Readonly<Record<string, Handler>>) =>
    Object.entries(of).map(([id, handler]) => ({ id, handler: written(id, handler, ledger) }));
  return { agents: all(agents), tools: all(tools) };
}

/** All of it in one process. */
export const company = (ledger: string): Definitions => ({ workflows: workflows({}), ...served(ledger) });

/** The same with the handlers elsewhere. */
export function companyApart(): Definitions {
  const remote = (id: string) => ({ id, kind: "remote" as const });
  return {
    workflows: workflows(persistent),
    agents: Object.keys(agents).map(remote),
    tools: Object.keys(tools).map(remote),
  };
}
