// Goal: what a schema lets through is what TypeScript knows of it, from the input of a run to its output.
// Method: the compiler reads this file; each line it has to refuse says so, and is an error where it does not.

import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineProject, defineWorkflow, type OutputOf, type TypedWorkflow } from "../../src/language/define.ts";
import type { Filled, Given } from "../../src/language/typed.ts";
import { defineAgent, defineTool } from "../../src/runtime/definitions.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";

const order = {
  type: "object",
  properties: {
    id: { type: "string" },
    count: { type: "integer", default: 1 },
    kind: { enum: ["new", "old"] },
    note: { type: ["string", "null"] },
    lines: { type: "array", items: { type: "object", properties: { n: { type: "number" } }, required: ["n"] } },
    either: { anyOf: [{ const: 1 }, { type: "boolean" }] },
    more: { type: "object", additionalProperties: { type: "number" } },
  },
  required: ["id"],
} as const;

describe("JSON Schema written out", () => {
  test("gives the type of what it lets through, defaults filled in", () => {
    expectTypeOf<Filled<typeof order>>().toEqualTypeOf<{
      readonly id: string;
      readonly count: number;
      readonly kind?: "new" | "old";
      readonly note?: string | null;
      readonly lines?: readonly { readonly n: number }[];
      readonly either?: boolean | 1;
      readonly more?: Readonly<Record<string, number>>;
    }>();
    expectTypeOf<Given<typeof order>["count"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Filled<true>>().toEqualTypeOf<unknown>();
    expectTypeOf<Filled<{ readonly allOf: readonly [] }>>().toEqualTypeOf<unknown>();
    expectTypeOf<Filled<{ readonly properties: { readonly a: { readonly type: "null" } } }>>().toEqualTypeOf<{
      readonly a?: null;
    }>();
  });
});

describe("a schema of zod, or a function", () => {
  test("gives the type of what it makes, and of what it may be given", () => {
    const schema = z.object({ id: z.string(), count: z.number().default(1) });
    expectTypeOf<Filled<typeof schema>>().toEqualTypeOf<{ id: string; count: number }>();
    expectTypeOf<Given<typeof schema>>().toEqualTypeOf<{ id: string; count?: number | undefined }>();
    const check = (value: unknown): number => Number(value);
    expectTypeOf<Filled<typeof check>>().toEqualTypeOf<number>();
  });
});

describe("an agent or a tool", () => {
  test("is given what its input lets through, and answers what its output lets through", () => {
    const definitions = [
      defineAgent({
        id: "a",
        input: order,
        output: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
        handler: (input, { think }) => {
          expectTypeOf(input.count).toEqualTypeOf<number>();
          think(input.id);
          // @ts-expect-error there is no such field
          think(String(input.nope));
          return { ok: true };
        },
      }),
      defineTool({
        id: "b",
        input: z.object({ n: z.number() }),
        output: z.object({ twice: z.number() }),
        handler: async ({ n }, { env }) => ({ twice: n * 2, key: env["KEY"] }),
      }),
      // @ts-expect-error the answer is no { ok }
      defineTool({ id: "c", output: { type: "object", required: ["ok"], properties: { ok: {} } }, handler: () => 1 }),
      // @ts-expect-error the input has no `m`
      defineTool({ id: "d", input: z.object({ n: z.number() }), handler: ({ m }) => Number(m) }),
      defineTool({ id: "e", handler: (input) => expectTypeOf(input).toEqualTypeOf<unknown>() }),
      // @ts-expect-error think is for agents
      defineTool({ id: "f", handler: (_input, { think }) => think("hm") }),
    ];
    expect(definitions).toHaveLength(6);
  });
});

describe("a workflow", () => {
  const refund = defineWorkflow({
    id: "refund",
    input: order,
    output: { type: "object", properties: { paid: { type: "boolean" } }, required: ["paid"] },
    tasks: [
      { id: "decide", type: "agent", agent: "judge", with: ({ input }) => ({ order: input.id, count: input.count }) },
      {
        id: "each",
        type: "each",
        items: ({ input }) => input.lines ?? [],
        // @ts-expect-error there is no such field
        do: [{ id: "one", type: "tool", tool: "t", with: ({ input }) => input.nope }],
      },
    ],
    result: ({ input }) => ({ paid: input.count > 0 }),
  });

  test("knows what goes in, and what comes out", () => {
    expectTypeOf(refund).toEqualTypeOf<TypedWorkflow<Given<typeof order>, { readonly paid: boolean }>>();
    const use = async ({ run, start }: Pick<Troupe, "run" | "start">): Promise<void> => {
      const end = await run(refund, { id: "1" });
      if (end.status === "SUCCESS") expectTypeOf(end.output).toEqualTypeOf<{ readonly paid: boolean }>();
      // @ts-expect-error the id is missing
      await run(refund, { count: 1 });
      // @ts-expect-error the input is missing
      await run(refund);
      // @ts-expect-error the id is a text
      start(refund, { id: 1 });
      // By its id alone nothing is known of it.
      expectTypeOf((await start("refund").result()).output).toEqualTypeOf<
        Readonly<Record<string, unknown>> | undefined
      >();
      const free = defineWorkflow({ id: "free", tasks: [{ id: "a", type: "tool", tool: "t" }] });
      expectTypeOf((await run(free)).output).toEqualTypeOf<Readonly<Record<string, unknown>> | undefined>();
      await run(free, { any: "thing" });
    };
    expect(use).toBeTypeOf("function");
    expectTypeOf<OutputOf<string>>().toEqualTypeOf<{ readonly value: string }>();
  });

  test("that is defined with zod is data", () => {
    const input = z.object({ id: z.string(), count: z.number().default(1) });
    const typed = defineWorkflow({
      id: "w",
      input,
      tasks: [{ id: "a", type: "tool", tool: "t", with: ({ input: { count } }) => count.toFixed() }],
    });
    expect(typed.input).toMatchObject({ type: "object", required: ["id"], properties: { count: { default: 1 } } });
    expectTypeOf(typed).toEqualTypeOf<TypedWorkflow<{ id: string; count?: number | undefined }, unknown>>();
  });

  test("that is misspelled does not compile", () => {
    // @ts-expect-error a task of no type
    defineWorkflow({ id: "w", tasks: [{ id: "a", type: "tol", tool: "t" }] });
    // @ts-expect-error no key of a workflow
    defineWorkflow({ id: "w", tasks: [], timeuot: "1s" });
    // @ts-expect-error no schema
    defineWorkflow({ id: "w", input: "text", tasks: [] });
  });
});

test("a project takes agents and tools as they are defined, and as YAML has them", () => {
  const agent = defineAgent({ id: "a", input: order, handler: ({ id }) => ({ id }) });
  const tool = defineTool({ id: "t", module: (input) => input });
  const far = { id: "far", kind: "remote" } as const;
  const project = defineProject({ version: 1, name: "shop", agents: [agent, far], tools: [tool] });
  // @ts-expect-error an agent needs a kind, or a function
  expect(defineProject({ version: 1, name: "shop", agents: [{ id: "a" }] })).not.toEqual(project);
});
