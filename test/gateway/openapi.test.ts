// Goal: the OpenAPI document is one, says all of the contract, and refers to nothing that is not there. Method: a real
// validator over it, its operations and references counted against the contract, and what is served held against it.

import { Validator } from "@seriousme/openapi-schema-validator";
import { afterEach, expect, test } from "vitest";
import { type Route, routes } from "../../src/gateway/contract.ts";
import { openapi } from "../../src/gateway/openapi.ts";
import { openBed, stopAll } from "./bed.ts";

afterEach(stopAll);

type Document = { openapi: string; paths: Record<string, Record<string, { operationId: string; responses: object }>> };
const document = openapi() as unknown as Document & { components: { schemas: object } };
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

test("the document is valid by OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document) as never);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(validator.version).toBe("3.1");
});

test("a document that is none is refused by the same validator", async () => {
  const broken = structuredClone(document) as unknown as { paths: Record<string, object> };
  broken.paths["/x"] = { get: { responses: "none" } };
  expect((await new Validator().validate(broken as never)).valid).toBe(false);
});

test("every operation of the contract is in it once, with every status that it answers", () => {
  expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual(Object.keys(routes).toSorted());
  for (const { operationId, responses } of operations) {
    const { answers } = routes[operationId as keyof typeof routes] as Route;
    expect(Object.keys(responses).toSorted(), operationId).toEqual([...Object.keys(answers), "default"].toSorted());
  }
});

test("every reference leads somewhere, and every component is referred to", () => {
  const text = JSON.stringify(document);
  const referred = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name));
  const there = new Set(Object.keys(document.components.schemas));
  expect([...referred].filter((name) => !there.has(name ?? ""))).toEqual([]);
  expect([...there].filter((name) => !referred.has(name))).toEqual([]);
  expect(text).not.toContain("#/$defs/");
});

test("it is served as it is", async () => {
  const bed = await openBed();
  const { json, status } = await bed.raw({ url: "/openapi.json" });
  expect(status).toBe(200);
  expect(json).toEqual(JSON.parse(JSON.stringify(document)));
});
