// Goal: whatever is handed in at any function of the door gives a right answer or a TroupeError, and nothing else.
// Method: the usual mistakes by name, with the message that they get; then every function with arguments by chance, of
// which some are right, at a troupe that afterwards still works and stops.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TroupeError } from "../../src/protocol/errors.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { heldAgent, openBed, refusal, settled } from "./bed.ts";

const nobody = "01920000-0000-7000-8000-000000000000";
const fine = { id: "fine", handler: () => ({ ok: true }) };
const parts = {
  tools: [fine],
  workflows: [
    { id: "works", tasks: [{ id: "a", type: "tool" as const, tool: "fine" }] },
    { id: "waits", tasks: [{ id: "w", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" }] },
  ],
};
const door = (t: Troupe): Record<string, (...given: never[]) => unknown> =>
  Object.fromEntries(Object.entries(t).filter(([, value]) => typeof value === "function")) as never;

describe("mistakes are named", () => {
  const invalid: [string, (t: Troupe) => unknown, string][] = [
    ["no options", () => troupe(null as never), "must be an object, not null"],
    ["options that are a list", () => troupe([] as never), "must be an object, not a list"],
    ["no workflow", (t) => t.start(null as never), "workflow must be a text, not null"],
    ["no options of a start", (t) => t.start("works", {}, null as never), "must be an object, not null"],
    ["a mistyped option", (t) => t.start("works", {}, { lables: {} } as never), "did you mean 'labels'?"],
    ["labels of null", (t) => t.start("works", {}, { labels: null } as never), "labels must be an object"],
    ["an empty key", (t) => t.start("works", {}, { idempotencyKey: "" }), "idempotencyKey must be a text of 1 to 256"],
    ["nothing to run", (t) => t.startOne(null as never), "must be an object, not null"],
    ["two things to run", (t) => t.startOne({ agent: "a", tool: "b" } as never), "name one to run"],
    ["a tool that is no text", (t) => t.execute({ tool: 5 } as never), "tool must be a text"],
    ["no execution", (t) => t.cancel(null as never), "execId must be a text, not null"],
    ["a reason that is none", (t) => t.pause(nobody, 5 as never), "reason must be a text of at most"],
    ["no definitions", (t) => t.define(null as never), "must be an object, not null"],
    ["a mistyped definition", (t) => t.define({ workflow: [] } as never), "did you mean 'workflows'?"],
    ["no options of a stop", (t) => t.stop(null as never), "must be an object, not null"],
    ["a grace that is no number", (t) => t.stop({ graceMs: "1s" } as never), "graceMs must be so many milliseconds"],
    ["an unknown word", (t) => t.list({ stauts: ["FAILED"] } as never), "did you mean 'status'?"],
    ["a status that is a number", (t) => t.list({ status: 5 } as never), "status must be a list"],
    ["a status that is none", (t) => t.list({ status: ["SUCESS"] }), "did you mean 'SUCCESS'?"],
    ["an entity that is none", (t) => t.list({ entity: "workflows" as never }), "did you mean 'workflow'?"],
    ["a limit below 1", (t) => t.list({ limit: -1 }), "limit must be a whole number, 1 or more"],
    ["a cursor that is none", (t) => t.list({ after: "x" }), "`after` is not a cursor"],
    ["a cursor that is no text", (t) => t.list({ after: 5 as never }), "after must be a text"],
    ["labels that are no texts", (t) => t.list({ labels: { a: 1 } as never }), "labels must hold texts"],
    ["a grouping that is none", (t) => t.count({}, "stats" as never), "did you mean 'status'?"],
    ["a query of null", (t) => t.cancelAll(null as never), "must be an object, not null"],
    ["an execution that is a list", (t) => t.retry([] as never), "execId must be a text, not a list"],
    ["a line below 0", (t) => t.history(nobody, { fromLine: -1 }), "fromLine must be a whole number, 0 or more"],
    ["no listener", (t) => t.subscribe(null as never), "listener must be a function, not null"],
    ["no file", (t) => t.backup(undefined as never), "file must be a text, not undefined"],
  ];
  test.each(invalid)("%s", async (_name, act, message) => {
    const { t } = await openBed(parts);
    expect(await refusal(async () => act(t))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining(message),
    });
    expect(await t.run("works")).toMatchObject({ status: "SUCCESS" });
  });

  test("the result of what nobody waits for is refused: a runtime", async () => {
    const { t } = await openBed(parts);
    await settled();
    const [runtime] = (await t.list({ entity: "agent_runtime" })).items;
    expect(await refusal(() => t.result(runtime?.execId ?? ""))).toMatchObject({ code: "INVALID_STATE" });
  });
});

/** Whatever a caller may have in hand. */
const wild = fc.oneof(
  fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
  fc.constantFrom<unknown>(null, undefined, "", "x", 5, -1, Number.NaN, Symbol("s"), () => undefined, {}, []),
  fc.string(),
);
const words = ["agent", "tool", "task", "workflows", "agents", "tools", "status", "limit", "after", "labels", "order"];
const more = ["idempotencyKey", "correlationId", "fromLine", "graceMs", "text", "createdFrom", "id", "run", "entity"];
const record = fc.dictionary(fc.constantFrom(...words, ...more), wild, { maxKeys: 3 });

test("random arguments give a right answer or a TroupeError, at every function of the door", async () => {
  const bed = await openBed({ ...parts, agents: [heldAgent("slow").definition] });
  const { t } = bed;
  const open = t.start("waits").execId;
  const ended = (await t.run("works")).execId;
  const known = fc.constantFrom(open, ended, nobody, "works", "waits", "fine", { tool: "fine" }, { agent: "slow" });
  const argument = fc.oneof(wild, record, known);
  const names = Object.keys(door(t)).filter((name) => name !== "stop" && name !== "backup");
  const strange: string[] = [];
  const note = (call: string) => (error: unknown) => {
    if (!(error instanceof TroupeError)) strange.push(`${call}: ${String(error)}`);
    else if (error.code === "INTERNAL_ERROR") strange.push(`${call}: ${error.message}`);
  };
  const ends: (() => void)[] = [];
  const waits: Promise<unknown>[] = [];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.array(argument, { maxLength: 3 }), async (name, given) => {
      const call = `${name}(${fc.stringify(given)})`;
      try {
        const answer = door(t)[name]?.(...(given as never[]));
        if (typeof answer === "function") ends.push(answer as () => void);
        else waits.push(Promise.resolve(answer).catch(note(call)));
      } catch (error) {
        note(call)(error);
      }
      await settled();
      expect(strange).toEqual([]);
    }),
    { numRuns: 4_000, seed: 7 },
  );
  await bed.pass(60_000);
  for (const end of ends) end();
  expect(strange).toEqual([]);
  expect(bed.reports.filter(({ level, message }) => level === "error" && message !== "a listener failed")).toEqual([]);
  expect(await t.run("works")).toMatchObject({ status: "SUCCESS" });
  const stopping = t.stop({ graceMs: 0 });
  await bed.pass(10_000);
  await stopping;
  await Promise.all(waits);
  expect(strange).toEqual([]);
});

test("random options open a troupe or are refused, and hold nothing then", async () => {
  const names = ["store", "limits", "prefix", "subjects", "folder", "log", "clock", "random", "roles", "wire", "tools"];
  const options = fc.dictionary(fc.constantFrom(...names, "agents", "workflows", "transport"), wild, { maxKeys: 4 });
  await fc.assert(
    fc.asyncProperty(fc.oneof(wild, options), async (given) => {
      try {
        const opened = await troupe(given as never);
        await opened.stop({ graceMs: 0 });
      } catch (error) {
        expect(error).toBeInstanceOf(TroupeError);
      }
    }),
    { numRuns: 400, seed: 7 },
  );
});

test("what a listener changes reaches no chart and no other listener: it is frozen, and he is told", async () => {
  const { t, reports } = await openBed(parts);
  const heard: unknown[] = [];
  t.subscribe(({ said }) => {
    for (const { word } of said) Object.assign(word, { payload: { status: "FAILED" } });
  });
  t.subscribe(({ said }) => {
    for (const { word } of said) (word["payload"] as { context: Record<string, unknown> }).context["input"] = "spoiled";
  });
  t.subscribe(({ said }) => heard.push(...said.map(({ word }) => word.type)));
  expect(await t.run("works", { n: 1 })).toMatchObject({ status: "SUCCESS", output: { ok: true } });
  expect(heard).toContain("event:WorkflowExecutionSuccess");
  expect(reports).toContainEqual({
    level: "error",
    message: "a listener failed",
    fields: { reason: expect.stringContaining("read only property") },
  });
});
