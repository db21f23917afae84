// How the golden flows of tools are provoked.

import { throws, agent, tool, ok, asks, calls, oneTool, slow, type Scene } from "../scene.ts";
import { takes } from "../virtual-troupe.ts";

export const toolScenes: Record<string, Scene> = {
  "tool-1-success": {
    given: () => ({
      tools: tool((input) => {
        const { a, b } = input as { a: number; b: number };
        return { sum: a + b };
      }, "add"),
    }),
    direct: calls("add", { a: 1, b: 2 }),
  },
  "tool-2-tool-error": { given: () => ({ tools: tool(throws("NOT_FOUND"), "lookup") }), direct: calls("lookup") },
  "tool-3-invocation-timeout": {
    given: (clock) => ({ tools: tool(takes(clock, 10_000), "sleep", { timeoutMs: 1_000 }) }),
    direct: calls("sleep"),
  },
  "tool-4-agent-calls-tool": {
    given: () => ({ tools: tool(ok), agents: agent((_input, { tool: use }) => use("orders", { order: "A7" })) }),
    direct: asks("clerk"),
  },
  "tool-5-cancel": {
    given: oneTool(slow(20_000), { timeout: "30s" }),
    direct: async (stage) => {
      stage.troupe.start("shop");
      const { word } = await stage.until("event:ToolExecutionStarted");
      stage.given(stage.troupe.cancel(word.task?.exec_id ?? "", "stop"));
    },
  },
};
