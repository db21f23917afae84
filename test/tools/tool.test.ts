// Goal: what people write as a tool is a tool, and what cannot be one does not compile.
// Method: definitions that the compiler reads.

import { expect, test } from "vitest";
import { z } from "zod";
import type { ToolDefinition } from "../../src/tools/tool.ts";

test("a definition has a handler or a module, and not both", () => {
  const definitions: ToolDefinition[] = [
    { id: "a", handler: (input) => input, input: z.object({ id: z.string() }), output: (value) => value },
    { id: "b", module: "./tools/orders.ts#find", input: { type: "object" }, timeout: "5s", env: ["PAY_TOKEN"] },
    // @ts-expect-error neither
    { id: "c" },
    // @ts-expect-error both
    { id: "d", handler: () => 1, module: "./tools/d.ts" },
    // @ts-expect-error a tool does not call tools
    { id: "e", handler: (_input, { tool }) => tool("a", 1) },
    // @ts-expect-error no schema
    { id: "f", handler: () => 1, input: 7 },
  ];
  expect(definitions).toHaveLength(6);
});
