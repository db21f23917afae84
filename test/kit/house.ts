// A troupe with its gateway and the built pages on a port of its own, for tests that look at pages in a browser.
//
// What it has on disk outlives it, so that it can go away and come back at the same address.

import type { AgentContext } from "../../src/agents/agent.ts";
import { openGateway } from "../../src/gateway/gateway.ts";
import { openGuard } from "../../src/gateway/guard.ts";
import type { Tokens } from "../../src/gateway/tokens.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { type Options, type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { builtPages } from "./browser.ts";

export type House = {
  url: string;
  t: Troupe;
  /** Runs of the agent `slow` that nobody has let go yet, oldest first. */
  held: { input: unknown; end: (output?: unknown) => void }[];
  close: () => Promise<void>;
  /** Ends, and leaves nobody at the address. */
  leave: () => Promise<void>;
  /** Comes back at the same address, with what was on disk. */
  comeBack: () => Promise<void>;
};

export const workflows: WorkflowSpec[] = [
  {
    id: "hello",
    description: "Greets somebody, or the world.",
    input: {
      type: "object",
      properties: {
        name: { type: "string", default: "world", description: "Who is greeted.", minLength: 2 },
        times: { type: "integer", minimum: 1, maximum: 5 },
        tone: { type: "string", enum: ["warm", "dry"] },
        friends: { type: "array", items: { type: "string" } },
        loud: { type: "boolean" },
      },
      required: ["name", "tone"],
    },
    tasks: [{ id: "greet", type: "agent", agent: "quick", with: { name: "${{ input.name }}" } }],
  },
  {
    id: "payout",
    tasks: [
      { id: "ask", type: "wait", wait: { approval: "Release the payout?" }, timeout: "2h", next: "pay" },
      { id: "pay", type: "agent", agent: "quick", with: { approved: "${{ tasks.ask.output.approved }}" } },
    ],
  },
  {
    id: "listening",
    tasks: [
      { id: "listen", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "act" },
      { id: "act", type: "agent", agent: "quick", with: "${{ tasks.listen.output }}" },
    ],
  },
  { id: "slow", tasks: [{ id: "work", type: "agent", agent: "slow", with: { n: "${{ input.n }}" } }] },
  { id: "broken", tasks: [{ id: "fall", type: "agent", agent: "broken" }] },
];

export async function openHouse(more: Partial<Options> = {}, tokens?: Tokens): Promise<House> {
  const disk = makeDisk();
  const held: House["held"] = [];
  const first = await open(disk, held, 0, more, tokens);
  const port = Number(new URL(first.url).port);
  let open_: Awaited<ReturnType<typeof open>> | undefined = first;
  const house: House = {
    url: first.url,
    t: first.t,
    held,
    async leave() {
      await open_?.close();
      open_ = undefined;
      held.length = 0;
    },
    async comeBack() {
      open_ = await open(disk, held, port, more, tokens);
      house.t = open_.t;
    },
    close: async () => open_?.close(),
  };
  return house;
}

async function open(disk: Disk, held: House["held"], port: number, more: Partial<Options>, tokens?: Tokens) {
  const pages = await builtPages();
  const slow = (input: unknown, { signal }: AgentContext): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const one = { input, end: (output: unknown = { done: true }) => resolve(output) };
      held.push(one);
      signal.addEventListener("abort", () => {
        if (held.includes(one)) held.splice(held.indexOf(one), 1);
        reject(signal.reason as Error);
      });
    });
  const t = await troupe({
    agents: [
      { id: "quick", handler: (input) => ({ greeted: input }) },
      { id: "slow", handler: slow },
      {
        id: "broken",
        handler: () => {
          throw new Error("the pump is dry");
        },
      },
    ],
    workflows,
    ...more,
    store: openMemory({ disk }),
  });
  const guard = openGuard({ host: "127.0.0.1", now: Date.now, tokens });
  const gateway = await openGateway({ troupe: t, guard, pages });
  const url = await gateway.listen({ host: "127.0.0.1", port });
  return {
    t,
    url,
    async close() {
      await gateway.close(500);
      await t.stop({ graceMs: 0 });
    },
  };
}
