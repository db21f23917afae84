// Goal: the JSON Schemas for editors allow what the checker allows, refuse what is wrong in the shape of a file, and
// explain every key. Method: a validator over the good examples and the corpus; every property is visited.

import { Ajv2020 } from "ajv/dist/2020.js";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { checkProject, checkWorkflow } from "../../src/language/check.ts";
import { schemaNames, schemaOfFile } from "../../src/language/schema-file.ts";
import { readYaml } from "../../src/language/yaml-source.ts";
import { root, treeOf } from "../kit/tree.ts";

const ajv = new Ajv2020({ strict: false, allErrors: false });
const accepts = {
  workflow: ajv.compile(schemaOfFile("workflow")),
  project: ajv.compile(schemaOfFile("project")),
};

describe("the schemas", () => {
  test.each(schemaNames)("%s is in the repository as it is made here: `npm run docs` would change nothing", (name) => {
    const kept: unknown = JSON.parse(readFileSync(join(root, `schemas/${name}.schema.json`), "utf8"));
    expect(kept).toEqual(schemaOfFile(name));
  });

  test("explain every key", () => {
    const silent: string[] = [];
    const visit = (schema: unknown, path: string): void => {
      if (typeof schema !== "object" || schema === null) return;
      for (const [key, inner] of Object.entries(schema)) {
        const isProperty = path.endsWith(".properties");
        if (
          isProperty &&
          !path.includes(".if.") &&
          Object.keys(Object(inner)).length > 0 &&
          !("description" in inner)
        ) {
          silent.push(`${path}.${key}`);
        }
        visit(inner, `${path}.${key}`);
      }
    };
    for (const name of schemaNames) visit(schemaOfFile(name), name);
    expect(silent).toEqual([]);
  });

  test("allow every good example", () => {
    const files = [...treeOf("{test/language/good,examples}/**/*.yaml")];
    expect(files.length).toBeGreaterThan(10);
    const refused = files.filter(([path, text]) => {
      const accept = path.endsWith("troupe.yaml") ? accepts.project : accepts.workflow;
      return !accept(parse(text));
    });
    expect(refused.map(([path]) => path)).toEqual([]);
  });

  // What the checker finds in the shape alone, an editor shows while it is written.
  const shape = new Set(["UNKNOWN_KEY", "MISSING_KEY", "BAD_TYPE"]);
  // Keys that JSON itself cannot tell, and a key that depends on what is around its object.
  const beyondSchemas = ["bad-id-proto-branch", "unknown-key-proto", "unknown-key-undo-in-undo"];
  const corpus = join(import.meta.dirname, "corpus");
  const files = globSync("{workflows,projects}/*.yaml", { cwd: corpus }).sort();

  test("refuse what has a wrong shape, and nothing that is only wrong in what it means", () => {
    const differing = files.flatMap((file) => {
      const { value, flaws } = readYaml(readFileSync(join(corpus, file), "utf8"));
      if (flaws.length > 0) return [];
      const isProject = file.startsWith("projects");
      const defects = isProject ? checkProject(value) : checkWorkflow(value);
      const isRefused = !(isProject ? accepts.project : accepts.workflow)(value);
      const codes = defects.filter(({ severity }) => severity === "error").map(({ code }) => code);
      if (codes.some((code) => shape.has(code)) && !isRefused) return [`${file} is allowed`];
      return codes.length === 0 && isRefused ? [`${file} is refused`] : [];
    });
    expect(differing).toEqual(beyondSchemas.map((name) => `workflows/${name}.yaml is allowed`));
  });
});
