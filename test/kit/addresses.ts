// Arbitrary valid addresses of every key in both layouts, made from the templates' own parameters.

import fc from "fast-check";
import { entryOf, keys, type Key } from "../../src/protocol/catalogue.ts";
import { errors } from "../../src/protocol/errors.ts";
import { layouts, slotOf, templateOf, type Address, type Layout } from "../../src/protocol/layouts.ts";
import { definitionIds, execIds } from "./messages.ts";

const tokens: Readonly<Record<string, fc.Arbitrary<string>>> = {
  task: definitionIds,
  agent: definitionIds,
  tool: definitionIds,
  component: fc.stringMatching(/^[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,5}){0,3}$/),
  level: fc.constantFrom("debug", "info", "warn", "error"),
  reason: fc.constantFrom(...Object.keys(errors).map((code) => code.toLowerCase())),
  entity: fc.constantFrom("workflow", "task", "agent_runtime"),
};

function tokensOf(key: Key, param: string): fc.Arbitrary<string> {
  if (param !== "wf") return tokens[param] ?? execIds;
  return entryOf(key).entity === "workflow" ? definitionIds : fc.oneof(definitionIds, fc.constant("_"));
}

/** The parameters of a template, in the order in which they stand in the subject. */
export const paramsOf = (key: Key, layout: Layout): string[] =>
  templateOf(key)
    [layout].map(slotOf)
    .filter((param) => param !== undefined);

/** Heartbeats and dead letters have one form only, and it does not name the run. */
const layoutsOf = (key: Key): Layout[] =>
  layouts.filter((layout) => layout === "flow" || paramsOf(key, layout).includes("corr"));

export const addressesOf = (key: Key, layout: Layout): fc.Arbitrary<Address> =>
  fc
    .record(Object.fromEntries(paramsOf(key, layout).map((param) => [param, tokensOf(key, param)])), {
      noNullPrototype: true,
    })
    .map((params) => ({ key, layout, params }) as unknown as Address);

/** Every key in every layout that it has. */
export const everyForm: readonly (readonly [Key, Layout])[] = keys.flatMap((key) =>
  layoutsOf(key).map((layout) => [key, layout] as const),
);
