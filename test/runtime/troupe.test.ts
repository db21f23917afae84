// Goal: a troupe opens with what can be, refuses the rest in words that help, and closes without losing anything.
// Method: right and wrong options; stops with work under way; stores that are found again.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as door from "../../src/index.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import type { Options } from "../../src/runtime/options.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { heldAgent, hour, newClock, openBed, refusal, second, settled } from "./bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ heard: input }) };
const ask = { id: "ask", tasks: [{ id: "a", type: "agent" as const, agent: "echo" }] };

test("the door has the functions that a user needs, and nothing else that runs", () => {
  expect(Object.keys(door).sort()).toEqual(
    [
      "TroupeError",
      "defineAgent",
      "defineProject",
      "defineTool",
      "defineWorkflow",
      "mermaidOfWorkflow",
      "openSqlite",
      "rebuildViews",
      "sequence",
      "statechartOf",
      "systemClock",
      "troupe",
      "version",
    ].sort(),
  );
});

test("the door is enough for a first workflow", async () => {
  const greeter = door.defineAgent({
    id: "greeter",
    handler: (input) => ({ text: `Hello ${(input as { who: string }).who}` }),
  });
  const greet = door.defineWorkflow({
    id: "greet",
    tasks: door.sequence({ id: "say", type: "agent", agent: "greeter", with: { who: "${{ input.who }}" } }),
  });
  const t = await door.troupe({ agents: [greeter], workflows: [greet] });
  const ended = await t.run<{ text: string }>("greet", { who: "Ada" });
  expect(ended.status === "SUCCESS" && ended.output.text).toBe("Hello Ada");
  await t.stop();
});

describe("options", () => {
  test.each<[object, string]>([
    [{ agent: [] }, "did you mean 'agents'?"],
    [{ wholly: 1 }, "there are workflows, agents, tools"],
    [{ agents: {} }, "agents must be a list"],
    [{ store: "sqlite" }, 'store must be "memory", { directory }, or a store'],
    [{ store: { direcotry: "x" } }, 'store must be "memory", { directory }, or a store'],
    [{ limits: { concurency: 1 } }, 'did you mean "concurrency"?'],
    [{ limits: 7 }, "limits must be an object"],
    [{ subjects: "flat" }, "subjects must be one of flow, correlated"],
    [{ log: "loud" }, "log must be a function"],
    [{ clock: {} }, "clock must be a clock"],
  ])("%j are refused", async (options, says) => {
    const { code, message } = await refusal(() => troupe(options as Options));
    expect(code).toBe("VALIDATION_FAILED");
    expect(message).toContain(says);
  });

  test("all that is wrong with them is told at once", async () => {
    const { details } = await refusal(() => troupe({ agent: 1, log: 1, tools: 1 } as unknown as Options));
    expect((details as { errors: unknown[] }).errors).toHaveLength(3);
  });

  test.each<[string, object, string]>([
    ["an agent without a handler", { agents: [{ id: "a" }] }, "needs a handler or a module"],
    ["an agent with both", { agents: [{ ...echo, module: "x" }] }, "needs a handler or a module"],
    ["a handler that is none", { agents: [{ id: "a", handler: "x" }] }, "must be a function"],
    ["an id that is none", { tools: [{ ...echo, id: "a b" }] }, 'id: "a b" is no id'],
    ["a misspelt key", { tools: [{ ...echo, inputs: 1 }] }, "did you mean 'input'?"],
    ["a schema that is none", { tools: [{ ...echo, input: { type: "objekt" } }] }, "input.type: must be equal"],
    ["a timeout that is none", { agents: [{ ...echo, timeoutMs: 0 }] }, "must be a number above 0"],
    ["nothing", { agents: [null] }, "is no object"],
    ["two agents of one id", { agents: [echo, { ...echo }] }, "is given twice"],
    ["two workflows of one id", { agents: [echo], workflows: [ask, ask] }, "is given twice"],
    [
      "a tool that is not there",
      { tools: [{ ...echo, id: "look" }], workflows: [{ id: "w", tasks: [{ id: "a", type: "tool", tool: "loook" }] }] },
      "did you mean 'look'?",
    ],
  ])("%s is a defect of the definitions", async (_name, options, says) => {
    const { code, message } = await refusal(() => troupe(options as Options));
    expect(code).toBe("DEFINITION_INVALID");
    expect(message).toContain(says);
  });

  test("that are wrong leave no store behind that nobody can open", async () => {
    const directory = await mkdtemp(join(tmpdir(), "troupe-door-"));
    try {
      expect((await refusal(() => troupe({ store: { directory }, agents: [{ id: "a" } as never] }))).code).toBe(
        "DEFINITION_INVALID",
      );
      const broken = { ...newClock(), now: () => expect.unreachable("a clock that does not go") };
      await expect(troupe({ store: { directory }, clock: broken })).rejects.toThrow("does not go");
      const t = await troupe({ store: { directory }, agents: [echo], workflows: [ask] });
      const { execId } = await t.run("ask", { n: 1 }, { idempotencyKey: "k" });
      await t.stop();
      const again = await troupe({ store: { directory }, agents: [echo], workflows: [ask] });
      expect(await again.result(execId)).toMatchObject({ status: "SUCCESS", output: { heard: {} } });
      await again.stop();
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

test("a store in memory lets the process at its other work, however long the load", async () => {
  const it = await troupe({ agents: [echo], workflows: [ask] });
  let rang = false;
  setTimeout(() => (rang = true), 1);
  let runs = 0;
  for (; !rang && runs < 20_000; runs++) await it.run("ask");
  expect(rang, `after ${runs} runs`).toBe(true);
  await it.stop();
});

describe("define", () => {
  test("adds agents, tools and workflows to a troupe that runs", async () => {
    const { t } = await openBed();
    expect((await refusal(() => t.run("ask"))).code).toBe("WORKFLOW_NOT_FOUND");
    await t.define({ agents: [echo], workflows: [ask] });
    expect(await t.run("ask")).toMatchObject({ status: "SUCCESS" });
  });

  test("replaces for runs that begin from now on, and lets others go on as they began", async () => {
    const wait = { id: "s", type: "wait" as const, wait: { signal: "go" }, timeout: "1h", next: "a" };
    const { t } = await openBed({
      agents: [echo],
      workflows: [{ id: "ask", tasks: [wait, ...ask.tasks], result: { v: 1 } }],
    });
    const old = t.start("ask");
    await settled();
    await t.define({ workflows: [{ ...ask, result: { v: 2 } }] });
    expect(await t.run("ask")).toMatchObject({ output: { v: 2 } });
    await t.signal(old.execId, "go");
    expect(await old.result()).toMatchObject({ status: "SUCCESS", output: { v: 1 } });
  });

  test("changes nothing at all if anything is wrong", async () => {
    const { t } = await openBed();
    const wrong = { agents: [echo], workflows: [ask, { id: "w", tasks: [] }] };
    expect((await refusal(() => t.define(wrong))).code).toBe("DEFINITION_INVALID");
    expect((await refusal(() => t.run("ask"))).code).toBe("WORKFLOW_NOT_FOUND");
    expect((await refusal(() => t.define({ limits: {} } as object))).code).toBe("VALIDATION_FAILED");
  });
});

describe("stop", () => {
  const workflows = [{ id: "w", tasks: [{ id: "a", type: "agent" as const, agent: "slow" }] }];

  test("takes nothing new, and lets handlers end within its limit", async () => {
    const held = heldAgent("slow");
    const bed = await openBed({ agents: [held.definition], workflows });
    const { t, pass } = bed;
    const { execId, result } = t.start("w");
    const ended = result();
    await settled();
    const stopping = t.stop({ graceMs: 10 * second });
    for (const act of [
      () => t.start("w"),
      () => t.run("w"),
      () => t.pause(execId),
      () => t.cancel(execId),
      () => t.define({}),
    ]) {
      expect(await refusal(act)).toMatchObject({ code: "INVALID_STATE", message: expect.stringContaining("stopping") });
    }
    await pass(3 * second);
    held.runs[0]?.end({ n: 1 });
    expect(await ended).toMatchObject({ status: "SUCCESS" });
    await pass(second);
    await stopping;
    expect(bed.disk.owner).toBe(null);
    expect(t.stop(), "a second stop is the first").toBe(t.stop());
  });

  test("gives up handlers that take longer; who waits is told, and the next start goes on", async () => {
    const held = heldAgent("slow", { ignores: true });
    const one = await openBed({ agents: [held.definition], workflows });
    const { execId, result } = one.t.start("w");
    const waiting = refusal(result);
    await settled();
    const stopping = one.t.stop({ graceMs: second });
    await one.pass(2 * second);
    await stopping;
    expect(await waiting).toMatchObject({ code: "INVALID_STATE", message: expect.stringContaining("stopped before") });
    const two = await openBed({ agents: [held.definition], workflows, disk: one.disk, clock: one.clock });
    expect(two.t.recovered).toMatchObject({ live: expect.any(Number), parked: 0 });
    await two.pass(second);
    held.runs.at(-1)?.end({ n: 2 });
    expect(await two.t.result(execId)).toMatchObject({ status: "SUCCESS", output: { n: 2 } });
  });

  test("leaves no alarm behind", async () => {
    const { t, clock, pass } = await openBed({
      agents: [echo],
      workflows: [ask, { id: "nap", tasks: [{ id: "n", type: "wait", wait: { duration: "1d" } }] }],
    });
    await t.run("ask");
    t.start("nap");
    await settled();
    const stopping = t.stop();
    await pass(second);
    await stopping;
    await pass(2 * hour);
    expect(clock.pending()).toBe(0);
  });
});

describe("subscribe", () => {
  test("hears every message once it is on disk, until it is ended; a listener that fails harms nobody", async () => {
    const { t, reports } = await openBed({ agents: [echo], workflows: [ask] });
    const heard: string[] = [];
    t.subscribe(() => {
      throw new Error("deaf");
    });
    const end = t.subscribe(({ said }) => heard.push(...said.map(({ word }) => word.type)));
    await t.run("ask");
    expect(heard[0]).toBe("command:WorkflowExecute");
    expect(heard.at(-1)).toBe("event:WorkflowExecutionSuccess");
    expect(reports.some(({ message, fields }) => message.includes("listener") && fields["reason"] === "deaf")).toBe(
      true,
    );
    end();
    end();
    const { length } = heard;
    await t.run("ask");
    expect(heard).toHaveLength(length);
  });
});

test("a store that is in trouble is said at once, and nothing is taken until it is well", async () => {
  const disk = makeDisk();
  const store = openMemory({ disk });
  const t = await troupe({ store, clock: newClock(), agents: [echo], workflows: [ask] });
  await settled();
  disk.breakAfter(0, "store_full");
  const { result } = t.start("ask");
  await settled();
  expect((await refusal(() => t.start("ask"))).message).toBeTruthy();
  disk.mend();
  expect(await result(), "what was taken is not lost").toMatchObject({ status: "SUCCESS" });
  expect(await t.run("ask")).toMatchObject({ status: "SUCCESS" });
});
