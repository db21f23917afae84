// How the golden flows of tasks are provoked.

import type { ToolHandler } from "../../../src/tools/tool.ts";
import {
  look,
  workflow,
  throws,
  inTurn,
  tool,
  ok,
  retry,
  starts,
  oneTool,
  oneAgent,
  slow,
  swift,
  fails,
  type Scene,
} from "../scene.ts";
import { takes } from "../virtual-troupe.ts";

/** A schema as anyone may write one: it gives the value back, or throws. */
function wantsNumber(value: unknown): unknown {
  if (typeof (value as { n?: unknown }).n === "number") return value;
  throw new Error("n must be a number");
}

export const taskScenes: Record<string, Scene> = {
  "task-1-success": {
    given: () => ({ workflows: [workflow([{ id: "tick", type: "signal", signal: "tick" }])] }),
    direct: starts,
  },
  "task-2-tool-success": { given: oneTool(swift), direct: starts },
  "task-3-agent-success": { given: oneAgent(() => () => ({ text: "done" })), direct: starts },
  "task-4-internal-failure": {
    given: () => ({
      tools: tool(ok, "orders", { input: wantsNumber }),
      workflows: [workflow([{ ...look, with: { n: "${{ input.n }}" } }])],
    }),
    direct: ({ troupe }) => void troupe.start("shop", { n: "x" }),
  },
  "task-5a-tool-error": { given: oneTool(fails("NOT_FOUND")), direct: starts },
  "task-5b-tool-timeout": { given: oneTool(slow(10_000), { timeout: "1s" }), direct: starts },
  "task-6a-agent-error": { given: oneAgent(fails("REFUSED")), direct: starts },
  "task-6b-agent-timeout": { given: oneAgent(slow(10_000), { timeout: "1s" }), direct: starts },
  "task-6c-agent-dispatch-failed": {
    given: () => ({ workflows: [workflow([{ id: "ask", type: "agent", agent: "gpu" }])] }),
    direct: starts,
  },
  "task-7-retry": {
    given: oneAgent((clock) => inTurn(takes(clock, 10_000), () => ({ text: "now" })), {
      timeout: "1s",
      ...retry(2, "200ms"),
    }),
    direct: starts,
  },
  "task-8-wait-resume": {
    given: () => ({ workflows: [workflow([{ id: "ok", type: "wait", wait: { approval: "ok?" }, timeout: "1h" }])] }),
    direct: async (stage) => {
      stage.troupe.start("shop");
      const { word } = await stage.until("event:TaskWaitingStarted");
      stage.given(stage.troupe.resume(word.task?.exec_id ?? "", { approved: true }));
    },
  },
  "task-9-wait-timeout": {
    given: () => ({ workflows: [workflow([{ id: "go", type: "wait", wait: { signal: "go" }, timeout: "1s" }])] }),
    direct: starts,
  },
  "task-10-parallel": {
    given: () => ({
      tools: tool(ok),
      workflows: [
        workflow([{ id: "p", type: "parallel", branches: { a: [{ ...look, id: "a" }], b: [{ ...look, id: "b" }] } }]),
      ],
    }),
    direct: starts,
  },
  "task-11-trigger-direct": {
    given: () => ({
      tools: tool(ok),
      workflows: [
        workflow([
          { ...look, next: "more" },
          { ...look, id: "more" },
        ]),
      ],
    }),
    direct: ({ troupe }) => void troupe.startOne({ task: "shop.look" }, { n: 1 }),
  },
  "task-12-retry-then-success": {
    given: oneTool(() => inTurn(throws("BUSY"), ok) as ToolHandler, retry(3, "100ms")),
    direct: starts,
  },
  "task-13-retry-exhausted": { given: oneTool(fails("BUSY"), retry(2, "100ms")), direct: starts },
  "task-14-non-retryable": {
    given: oneTool(fails("CARD_DECLINED"), retry(3, "100ms", { never_on: ["CARD_DECLINED"] })),
    direct: starts,
  },
  "task-15-timed-out": {
    given: () => ({
      workflows: [
        workflow([
          {
            id: "p",
            type: "parallel",
            timeout: "1s",
            branches: { w: [{ id: "w", type: "wait", wait: { signal: "go" }, timeout: "1h" }] },
          },
        ]),
      ],
    }),
    direct: starts,
  },
  "task-16-executor-lost": {
    given: oneTool(slow(60_000), { timeout: "2s" }),
    direct: async (stage) => {
      const { execId } = stage.troupe.start("shop");
      await stage.until("event:ToolExecutionStarted");
      stage.kill(execId, "TE");
    },
  },
};
