// A workflow that the tests of the door play: a charge that is tried again, a wait for a signature, a way for failure.

import { defineAgent, defineTool, defineWorkflow } from "../../../src/index.ts";

const receipt = { type: "object", properties: { receipt: { type: "string" } }, required: ["receipt"] } as const;
const sum = { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] } as const;

export const charge = defineTool({ id: "charge", input: sum, output: receipt, handler: () => ({ receipt: "real" }) });
export const packer = defineAgent({ id: "packer", handler: async (_input, { tool }) => tool("weigh", { box: 1 }) });

export const order = defineWorkflow({
  id: "order",
  timeout: "90d",
  input: sum,
  output: receipt,
  tasks: [
    {
      id: "pay",
      type: "tool",
      tool: "charge",
      with: { sum: "${{ input.sum }}" },
      timeout: "10s",
      retry: { max_attempts: 3, backoff: { initial: "2s" } },
      next: "sign",
    },
    { id: "sign", type: "wait", wait: { signal: "signed" }, timeout: "30d", next: "ship", on_error: "refund" },
    { id: "ship", type: "agent", agent: "packer" },
    { id: "refund", type: "tool", tool: "charge", with: { sum: "${{ -input.sum }}" } },
  ],
  result: { receipt: "${{ tasks.pay.output.receipt }}" },
});
