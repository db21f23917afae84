// Goal: a tool's input and output are as its schema wants them, or it is said what is wrong with them.
// Method: zod schemas and functions, each with values that fit and values that do not.

import { expect, test } from "vitest";
import { z } from "zod";
import { checkedBy, type ToolDefinition } from "../../src/tools/tool.ts";

const order = z.object({
  id: z.string(),
  lines: z.array(z.object({ count: z.int() })),
  note: z.string().default("none"),
});

test("a value passes where there is no schema", () => {
  expect(checkedBy(undefined, 7)).toEqual({ value: 7 });
});

test("a zod schema fills in what is missing", () => {
  expect(checkedBy(order, { id: "1", lines: [] })).toEqual({ value: { id: "1", lines: [], note: "none" } });
});

test("a zod schema names every field that breaks it", () => {
  const { errors } = checkedBy(order, { id: 1, lines: [{ count: 1 }, { count: "2" }] });
  expect(errors?.map(({ field }) => field)).toEqual(["id", "lines.1.count"]);
  expect(errors?.every(({ message }) => message.length > 0)).toBe(true);
});

test("a function gives the value as it should be, or throws what is wrong with it", () => {
  const even = (value: unknown): unknown => {
    if (Number(value) % 2 !== 0) throw new Error("must be even");
    return Number(value);
  };
  expect(checkedBy(even, "4")).toEqual({ value: 4 });
  expect(checkedBy(even, 3)).toEqual({ errors: [{ field: "", message: "must be even" }] });
});

test("a function may throw anything", () => {
  const refuse = (): never => {
    throw "no";
  };
  expect(checkedBy(refuse, 3)).toEqual({ errors: [{ field: "", message: "no" }] });
});

test("a definition has a handler or a module, and not both", () => {
  const definitions: ToolDefinition[] = [
    { id: "a", handler: (input) => input, input: order, output: (value) => value },
    { id: "b", module: "./tools/orders.ts#find" },
    // @ts-expect-error neither
    { id: "c" },
    // @ts-expect-error both
    { id: "d", handler: () => 1, module: "./tools/d.ts" },
    // @ts-expect-error a tool does not call tools
    { id: "e", handler: (_input, { tool }) => tool("a", 1) },
  ];
  expect(definitions).toHaveLength(5);
});
