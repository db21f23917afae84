// Goal: what people write as an agent is an agent, and what cannot be one does not compile.
// Method: definitions that the compiler reads; the few that run are called as the engine calls them.

import { expect, expectTypeOf, test } from "vitest";
import type { AgentContext, AgentDefinition, AgentHandler } from "../../src/agents/agent.ts";
import type { ToolContext } from "../../src/tools/tool.ts";

const context = (said: unknown[]): AgentContext => ({
  signal: new AbortController().signal,
  attempt: 1,
  idempotencyKey: "key",
  deadline: null,
  execId: "exec",
  env: {},
  correlationId: "correlation",
  thinking: (text) => void said.push({ thinking: text }),
  think: (text) => void said.push({ thinking: text }),
  usage: (spent) => void said.push({ usage: spent }),
  token: (text) => void said.push({ token: text }),
  step: (data) => void said.push({ step: data }),
  tool: async (id, input) => ({ id, input }),
  log: { debug() {}, info() {}, warn() {}, error() {} },
});

test("a handler says and asks things, and gives its result at once or later", async () => {
  const said: unknown[] = [];
  const later: AgentHandler = async (input, { thinking, token, step, tool }) => {
    thinking("hm");
    token("a");
    step(1);
    return tool("orders", input);
  };
  expect(await later(7, context(said))).toEqual({ id: "orders", input: 7 });
  expect(said).toEqual([{ thinking: "hm" }, { token: "a" }, { step: 1 }]);
  const atOnce: AgentHandler = (input) => input;
  expect(atOnce(7, context([]))).toBe(7);
});

test("a definition has a handler or a module, and not both", () => {
  const handler: AgentHandler = (input) => input;
  const definitions: AgentDefinition[] = [
    { id: "a", handler, timeoutMs: 5, isolation: "inline", description: "Gives what it is given." },
    { id: "b", module: "./agents/b.ts" },
    { id: "c", module: new URL("file:///agents/c.ts") },
    // @ts-expect-error neither
    { id: "d" },
    // @ts-expect-error both
    { id: "e", handler, module: "./agents/e.ts" },
    // @ts-expect-error no id
    { handler },
    // @ts-expect-error not offered
    { id: "f", handler, isolation: "worker" },
  ];
  expect(definitions).toHaveLength(7);
});

test("an agent is told all that a tool is told, and a tool does not think, stream or call tools", () => {
  expectTypeOf<AgentContext>().toExtend<ToolContext>();
  expectTypeOf<Exclude<keyof AgentContext, keyof ToolContext>>().toEqualTypeOf<
    "action" | "thinking" | "think" | "token" | "tool" | "usage"
  >();
});
