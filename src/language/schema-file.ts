// The grammar as JSON Schema 2020-12, for editors: what is allowed where, and what it means when the pointer rests.
//
// It allows whatever the checker allows. The checker knows more: ways, references, expressions, times.

import { definitionIdPattern } from "../protocol/ids.ts";
import { patterns } from "./check-texts.ts";
import { project, workflow } from "./grammar.ts";
import { task } from "./grammar-tasks.ts";
import type { Form, Key, Keys, Kind } from "./kinds.ts";
import type { Json } from "./spec.ts";

type Schema = { [keyword: string]: Json | Schema | Schema[] };

export const schemaNames = ["workflow", "project"] as const;
export type SchemaName = (typeof schemaNames)[number];

const keysOf: Readonly<Record<SchemaName, Keys>> = { workflow, project };
const titles: Readonly<Record<SchemaName, string>> = {
  workflow: "A workflow file of troupe",
  project: "The file troupe.yaml of a project",
};

/** The schema of a kind of file. */
export const schemaOfFile = (name: SchemaName): Schema => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: `urn:troupe:language:1:${name}`,
  title: titles[name],
  ...objectOf(keysOf[name]),
  ...(name === "workflow" && {
    $defs: {
      block: { type: "array", minItems: 1, items: { $ref: "#/$defs/task" } },
      task: schemaOfKind(task),
    },
  }),
});

const { code, variable, model, prefix, method } = patterns;
/** Those that editors read as we do. */
const shownPatterns: Partial<Record<Form, RegExp>> = { id: definitionIdPattern, code, variable, model, prefix, method };

const durations: Schema = {
  anyOf: [
    { type: "string", pattern: "^\\d{1,12}(\\.\\d{1,6})?(ms|s|m|h|d)$" },
    { type: "number", minimum: 0 },
  ],
};

function schemaOfKind(kind: Kind): Schema {
  switch (kind.is) {
    case "text":
      return textOf(kind.form);
    case "boolean":
      return { type: "boolean" };
    case "number":
      return {
        type: kind.whole ? "integer" : "number",
        minimum: kind.least,
        ...(kind.most !== undefined && { maximum: kind.most }),
      };
    case "duration":
      return durations;
    case "size":
      return { type: ["string", "integer"] };
    case "choice":
      return { enum: [...kind.of] };
    case "value":
      return valueOf(kind);
    case "schema":
      return { type: ["object", "boolean"] };
    case "json":
      return {};
    case "list":
      return { type: "array", items: schemaOfKind(kind.of), ...(kind.least ? { minItems: kind.least } : {}) };
    case "map":
      return {
        type: "object",
        propertyNames: textOf(kind.names),
        additionalProperties: schemaOfKind(kind.of),
        ...(kind.least ? { minProperties: kind.least } : {}),
      };
    case "object":
      return objectOf(kind.keys);
    case "one":
      return { anyOf: kind.of.map((way) => schemaOfKind(way.kind)) };
    case "tagged":
      return taggedOf(kind);
    case "block":
      return { $ref: "#/$defs/block" };
  }
}

const textOf = (form: Form): Schema => {
  const pattern = shownPatterns[form]?.source;
  const least = form === "name" ? { minLength: 1, maxLength: 256 } : {};
  return { type: "string", ...least, ...(pattern !== undefined && { pattern }) };
};

function valueOf({ gives, text }: Extract<Kind, { is: "value" }>): Schema {
  if (text) return { type: "string" };
  if (gives === undefined) return {};
  return { anyOf: [{ type: gives === "list" ? "array" : "boolean" }, { type: "string", pattern: "\\$\\{\\{" }] };
}

const propertyOf = ({ kind, says, default: otherwise }: Key): Schema => ({
  description: says,
  ...(otherwise !== undefined && { default: otherwise }),
  ...schemaOfKind(kind),
});

function objectOf(keys: Keys): Schema {
  const required = Object.keys(keys).filter((key) => keys[key]?.required);
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(keys).map(([key, row]) => [key, propertyOf(row)])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** Which keys there are depends on one of them. */
function taggedOf({ thing, by, keys, each }: Extract<Kind, { is: "tagged" }>): Schema {
  const tags = Object.keys(each);
  const tag: Schema = { description: `What kind of ${thing} it is.`, enum: tags };
  return {
    type: "object",
    properties: { [by]: tag },
    required: [by],
    allOf: tags.map((name) => {
      const common = Object.entries(keys).filter(([, { only }]) => only === undefined || only.includes(name));
      const { properties, ...rest } = objectOf({ ...Object.fromEntries(common), ...each[name] });
      return {
        if: { properties: { [by]: { const: name } }, required: [by] },
        // oxlint-disable-next-line unicorn/no-thenable -- it is a keyword of JSON Schema
        then: { properties: { [by]: {}, ...(properties as Schema) }, ...rest },
      };
    }),
  };
}
