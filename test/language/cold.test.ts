// Goal: whoever starts the library does not pay for CEL, JSON Schema and patterns before the first is used.
// Method: a process of its own that notes every package it is asked to load, before and after.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

const at = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

const program = `
  import { registerHooks } from "node:module";
  const loaded = new Set();
  registerHooks({ resolve: (name, context, next) => (loaded.add(name), next(name, context)) });
  const packages = ["ajv/dist/2020.js", "ajv-formats", "@marcbachmann/cel-js", "re2js"];
  const late = () => packages.filter((name) => loaded.has(name));
  await import(${at("index.ts")});
  const { evaluate, checkTemplate } = await import(${at("language/template.ts")});
  const { schemaOf } = await import(${at("language/json-schema.ts")});
  const steps = [late()];
  const value = { a: "\${{ input.a[0].b }}", b: "text \${{ tasks['x'].output }}" };
  checkTemplate(value, [], { names: ["input", "tasks"], tasks: new Set(["x"]) }, console.error);
  evaluate(value, { input: { a: [{ b: 1 }] }, tasks: { x: { status: "SUCCESS", output: 1 } }, workflow: {} });
  schemaOf((value) => value).check(1);
  steps.push(late());
  evaluate("\${{ 1 + 1 }}", { input: {}, tasks: {}, workflow: {} });
  steps.push(late());
  schemaOf({ type: "string" }).check(1);
  steps.push(late());
  process.stdout.write(JSON.stringify(steps));
`;

test("plain paths and functions load none of them, and the rest only what they need", () => {
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  const [started, paths, expression, schema] = JSON.parse(said) as string[][];
  expect(started).toEqual([]);
  expect(paths).toEqual([]);
  expect(expression).toEqual(["@marcbachmann/cel-js"]);
  expect(schema).toEqual(expect.arrayContaining(["ajv/dist/2020.js", "ajv-formats"]));
});
