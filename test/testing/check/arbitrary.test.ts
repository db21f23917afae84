// Values drawn by fast-check from JSON Schemas, held against the schemas.

import { sample } from "fast-check";
import { expect, test } from "vitest";
import { schemaOf } from "../../../src/language/json-schema.ts";
import { arbitraryOf } from "../../../src/testing/check/arbitrary.ts";
import { schemas } from "./schemas.ts";

test.each(Object.entries(schemas).filter(([name]) => name !== "anything"))(
  "B1: whatever is drawn for the schema '%s' passes its check",
  async (_name, schema) => {
    const made = await arbitraryOf(schema);
    if (!made) throw new Error("nothing can be drawn");
    for (const value of sample(made, { seed: 1, numRuns: 200 })) {
      expect(schemaOf(schema).check(value).errors, JSON.stringify(value)).toBeUndefined();
    }
  },
);

test("where there is no schema nothing is drawn", async () => {
  expect(await arbitraryOf(undefined)).toBeUndefined();
  expect(await arbitraryOf(false)).toBeUndefined();
});
