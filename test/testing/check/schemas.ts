// Schemas of every keyword that values are made by.

import type { JsonSchema } from "../../../src/language/spec.ts";

export const schemas: Readonly<Record<string, JsonSchema>> = {
  order: {
    type: "object",
    properties: {
      id: { type: "string", pattern: "^[A-Z]-\\d+$" },
      count: { type: "integer", minimum: 1, maximum: 5 },
      price: { type: "number", exclusiveMinimum: 0, multipleOf: 0.5 },
      mail: { type: "string", format: "email" },
      when: { type: "string", format: "date-time" },
      kind: { enum: ["small", "large", null] },
      lines: { type: "array", items: { type: "object", properties: { sku: { type: "string" } }, required: ["sku"] } },
      note: { type: ["string", "null"], maxLength: 8 },
    },
    required: ["id", "count"],
    additionalProperties: false,
  },
  either: { oneOf: [{ type: "object", properties: { a: { const: 1 } }, required: ["a"] }, { type: "string" }] },
  referring: {
    $defs: { id: { type: "string", minLength: 3 } },
    type: "object",
    properties: { id: { $ref: "#/$defs/id" } },
  },
  all: { allOf: [{ required: ["a"] }, { properties: { a: { type: "boolean" } } }], type: "object" },
  unique: { type: "array", items: { type: "integer" }, uniqueItems: true, minItems: 3, maxItems: 3 },
  anything: true,
};
