// Goal: all that is wrong with the definition of an agent or a tool is told, each at its place.
// Method: definitions that are right and wrong in every key.

import { expect, test } from "vitest";
import { defectsOfCallee } from "../../src/runtime/callees.ts";

const handler = (): null => null;
const defects = (given: object, what: "agent" | "tool" = "agent"): string[] =>
  defectsOfCallee({ id: "a", handler, ...given }, what).map(({ field, message }) => `${field} ${message}`);

test("what is right has none", () => {
  expect(defects({})).toEqual([]);
  expect(defects({ concurrency: { limit: 1, key: "${{ input.a }}", queue_max: 0 } })).toEqual([]);
  expect(defects({ rate: { limit: 1, per: "1s" }, timeout: "5m", env: ["PAY_TOKEN"], description: "pays" })).toEqual(
    [],
  );
  expect(defects({ handler: undefined, module: new URL("file:///agents/a.ts") })).toEqual([]);
  expect(defects({ handler: undefined, kind: "remote" })).toEqual([]);
});

test("every defect of its limits is told, where it is", () => {
  expect(defects({ concurrency: 3, rate: [] })).toEqual([
    "concurrency must be {limit, key, queue_max}, and is a number",
    "rate must be {limit, per, key}, and is a list",
  ]);
  expect(defects({ concurrency: { limit: 0, on_limit: "skip", queue_max: -1 }, rate: { limit: 1.5 } })).toEqual([
    "concurrency.limit must be a whole number, 1 or more, and is 0",
    'concurrency.on_limit "on_limit" is no key of concurrency',
    "concurrency.queue_max must be a whole number, 0 or more, and is -1",
    "rate.limit must be a whole number, 1 or more, and is 1.5",
    'rate.per rate needs "per"',
  ]);
  expect(defects({ rate: { limit: 1, per: "soon" } })[0]).toContain("rate.per 'soon' is no duration");
  expect(defects({ rate: { limit: 1, per: 0 } })).toEqual(["rate.per must be longer than nothing"]);
  expect(defects({ concurrency: { limit: 1, key: "${{ tasks.a }}" } })[0]).toContain("concurrency.key");
});

test("every defect of its other keys is told, where it is", () => {
  expect(defects({ id: undefined, kind: "llm", isolation: "worker", inputs: 1 })).toEqual([
    "inputs is unknown; did you mean 'input'?",
    "kind must be module or remote",
    "isolation must be inline",
    'id an agent needs "id"',
  ]);
  expect(defects({ kind: "http" }, "tool")).toEqual(["kind must be module or remote"]);
  expect(defects({ kind: "remote", handler: undefined, concurrency: { limit: 2 }, rate: undefined }, "tool")).toEqual([
    "concurrency is not kept here: whoever serves a remote tool has its own limits",
  ]);
  expect(defects({ timeout: "0s", timeoutMs: -1, env: ["a b"], output: { type: "objekt" } })).toEqual([
    "timeoutMs says the same as `timeout`: leave one out",
    "timeoutMs must be a number above 0",
    "timeout must be longer than nothing",
    'env.0 "a b" is no name of an environment value, such as PAY_TOKEN',
    "output.type must be equal to one of the allowed values",
  ]);
  expect(defectsOfCallee([], "tool")).toEqual([{ field: "", message: "is no object" }]);
});
