// Goal: user functions are begun once, heard once, told to stop when they should, and whatever they do harms nobody.
// Method: agents and tools that misbehave in every way there is, in a whole troupe in virtual time.

import { describe, expect, test } from "vitest";
import type { AgentContext } from "../../src/agents/agent.ts";
import { newHandlers } from "../../src/actors/handlers.ts";
import type { Options } from "../../src/runtime/options.ts";
import { type Bed, heldAgent, openBed, second, settled } from "../runtime/bed.ts";

type Handler = (input: unknown, context: AgentContext) => unknown;
const withAgent = (handler: Handler, more: Partial<Options> = {}): Promise<Bed> =>
  openBed({ agents: [{ id: "agent", handler }], ...more } as Parameters<typeof openBed>[0]);
const end = async (handler: Handler, more: Partial<Options> = {}) => {
  const { t } = await withAgent(handler, more);
  return t.execute({ agent: "agent" }, { n: 1 });
};
const failed = (cause_code?: string, message: unknown = expect.anything()): object => {
  const without: unknown = expect.not.objectContaining({ cause_code: expect.anything() });
  return { status: "FAILED", error: { code: "AGENT_ERROR", message, details: cause_code ? { cause_code } : without } };
};

test("who has a place and has not begun is not idle: a process that stops waits for him, too", () => {
  const handlers = newHandlers({} as Parameters<typeof newHandlers>[0]);
  handlers.reserve("agent", "run", "handler/one");
  expect(handlers.isIdle()).toBe(false);
  handlers.release("handler/one");
  expect(handlers.isIdle()).toBe(true);
});

describe("what a handler returns", () => {
  test.each<[string, unknown, object]>([
    ["an object", { a: [1, null] }, { a: [1, null] }],
    ["a text", "hello", { value: "hello" }],
    ["a list", [1, 2], { value: [1, 2] }],
    ["null", null, { value: null }],
    ["false", false, { value: false }],
    ["a date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["what becomes a text", { toJSON: () => "short" }, { value: "short" }],
    ["fields that are nothing", { a: undefined, b: () => 1, c: 2 }, { c: 2 }],
  ])("%s is its output", async (_name, returned, output) => {
    expect(await end(() => returned)).toMatchObject({ status: "SUCCESS", output });
    expect(await end(() => Promise.resolve(returned))).toMatchObject({ status: "SUCCESS", output });
  });

  test("anything that can be awaited is awaited", async () => {
    const thenable = Object.fromEntries([[String("then"), (done: (value: unknown) => void) => done({ late: true })]]);
    expect(await end(() => thenable)).toMatchObject({ status: "SUCCESS", output: { late: true } });
  });

  test.each<[string, () => unknown]>([
    ["undefined", () => undefined],
    ["an empty object", () => ({})],
    ["only a function", () => () => 1],
  ])("%s is no answer of an agent", async (_name, handler) => {
    expect(await end(handler)).toMatchObject(failed("EMPTY_RESULT"));
  });

  test("nothing is an answer of a tool", async () => {
    const { t } = await openBed({ tools: [{ id: "look", handler: () => undefined }] });
    expect(await t.execute({ tool: "look" })).toMatchObject({ status: "SUCCESS", output: {} });
  });

  test("what contains itself, or has no JSON, fails the call and nothing else", async () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    expect(await end(() => circular)).toMatchObject(failed(undefined, expect.stringContaining("circular")));
    expect(await end(() => ({ n: 1n }))).toMatchObject(failed());
    const sly = {
      get a(): never {
        throw new Error("not you");
      },
    };
    expect(await end(() => sly)).toMatchObject(failed(undefined, "not you"));
  });

  test("more than a message may have fails the call, counted in bytes", async () => {
    const limits = { payloadBytes: 1_000 };
    expect(await end(() => ({ a: "x".repeat(980) }), { limits })).toMatchObject({ status: "SUCCESS" });
    for (const a of ["x".repeat(1_000), "ä".repeat(500)]) {
      expect(await end(() => ({ a }), { limits })).toMatchObject(failed("PAYLOAD_TOO_LARGE"));
    }
  });

  test("is copied: what the handler does to it later changes nothing", async () => {
    const output = { list: [1] };
    const { t } = await withAgent(() => output);
    const { execId } = await t.execute({ agent: "agent" });
    output.list.push(2);
    expect(t.get(execId).result).toEqual({ output: { list: [1] } });
  });
});

describe("what a handler throws", () => {
  test.each<[string, unknown, object]>([
    ["an error", new Error("no luck"), failed(undefined, "no luck")],
    ["an error with a code", Object.assign(new Error("no"), { code: "CARD_DECLINED" }), failed("CARD_DECLINED", "no")],
    ["a code that is none", Object.assign(new Error("no"), { code: "not one" }), failed(undefined, "no")],
    ["a number as a code", Object.assign(new Error("no"), { code: 7 }), failed(undefined, "no")],
    ["a text", "just a text", failed(undefined, "just a text")],
    ["undefined", undefined, failed(undefined, "undefined")],
    ["null", null, failed(undefined, "null")],
    ["what cannot be printed", Object.create(null), failed(undefined, "a value that cannot be printed was thrown")],
    [
      "what throws when looked at",
      new Proxy(
        {},
        {
          get: () => {
            throw new Error("hands off");
          },
        },
      ),
      failed(),
    ],
  ])("%s becomes its failure", async (_name, thrown, expected) => {
    const throws = (): never => {
      throw thrown;
    };
    expect(await end(throws)).toMatchObject(expected);
    expect(await end(() => Promise.reject(thrown as Error))).toMatchObject(expected);
  });

  test("details are kept if they are JSON and not too many, else left out", async () => {
    const withDetails =
      (details: unknown): Handler =>
      () => {
        throw Object.assign(new Error("no"), { details });
      };
    expect(await end(withDetails({ card: "1234" }))).toMatchObject({ error: { details: { card: "1234" } } });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const details of [circular, { n: 1n }, "text", [1], { big: "x".repeat(100_000) }, { toJSON: () => 1 }]) {
      expect(await end(withDetails(details))).toMatchObject({
        status: "FAILED",
        error: { message: "no", details: {} },
      });
    }
  });

  test("a message without end is cut", async () => {
    const { error } = await end(() => {
      throw new Error("x".repeat(1_000_000));
    });
    expect(error?.message.length).toBeLessThan(5_000);
  });
});

describe("what a handler is told", () => {
  test("its input, attempt, key, deadline, ids, and a log with its name", async () => {
    let told: AgentContext | undefined;
    const { t, clock, reports } = await withAgent((input, context) => {
      told = context;
      context.log.warn("odd", { about: "this" });
      return { input };
    });
    const { execId } = await t.execute({ agent: "agent" }, { n: 1 });
    expect(told).toMatchObject({ attempt: 1, idempotencyKey: `${execId}:1`, execId });
    expect(told?.deadline?.getTime()).toBe(clock.now() + 30 * second);
    expect(told?.correlationId).toBe(t.get(execId).correlationId);
    expect(told?.signal.aborted).toBe(false);
    expect(reports).toContainEqual({
      level: "warn",
      message: "odd",
      fields: { agent: "agent", exec_id: execId, attempt: 1, about: "this" },
    });
  });

  test("what it thinks, streams and does is heard as it comes, and no more once it has ended", async () => {
    const held = heldAgent("agent");
    const { t, pass } = await openBed({ agents: [held.definition] });
    const heard: unknown[] = [];
    t.subscribe(
      () => undefined,
      ({ word }) => {
        const { type, payload } = word as unknown as { type: string; payload: { context: object } };
        if (type.startsWith("progress:Agent") && !type.includes("Runtime")) heard.push([type, payload.context]);
      },
    );
    const ended = t.execute({ agent: "agent" });
    await settled();
    const { context, end: done } = held.runs[0] ?? expect.unreachable();
    context.thinking("hm");
    context.token("He");
    context.step({ done: 1 });
    done({ n: 1 });
    await ended;
    context.token("late");
    await pass(second);
    expect(heard).toMatchObject([
      ["progress:AgentThinking", { attempt: 1, text: "hm" }],
      ["progress:AgentToken", { attempt: 1, text: "He" }],
      ["progress:AgentStep", { attempt: 1, step: { done: 1 } }],
    ]);
  });

  test("a step that is no JSON throws where it is said, and nowhere else", async () => {
    const { t } = await withAgent((_input, { step }) => {
      step({ n: 1n });
      return { never: true };
    });
    expect(await t.execute({ agent: "agent" })).toMatchObject(failed());
  });
});

describe("a tool that an agent calls", () => {
  const tools = [
    { id: "double", handler: (input: unknown) => ({ n: (input as { n: number }).n * 2 }) },
    {
      id: "bad",
      handler: () => {
        throw Object.assign(new Error("broken"), { code: "NO_STOCK" });
      },
    },
    {
      id: "strict",
      input: (value: unknown) => {
        if (value !== 1) throw new Error("must be 1");
        return value;
      },
      handler: () => 1,
    },
  ];

  test("gives its output, and is an execution of its own below the agent", async () => {
    const keys: string[] = [];
    const spy = {
      id: "spy",
      handler: (_i: unknown, { idempotencyKey }: { idempotencyKey: string }) => void keys.push(idempotencyKey),
    };
    const { t } = await withAgent(
      async (_input, { tool }) => {
        await Promise.all([tool("spy", {}), tool("spy", {})]);
        return tool("double", { n: 4 });
      },
      { tools: [...tools, spy] },
    );
    const { execId, output } = await t.execute({ agent: "agent" });
    expect(output).toEqual({ n: 8 });
    expect(
      (await t.list({ run: execId, entity: "tool" })).items.map(({ id, status }) => `${id} ${status}`).sort(),
    ).toEqual(["double SUCCESS", "spy SUCCESS", "spy SUCCESS"]);
    expect(keys).toEqual([`${execId}:1:1`, `${execId}:1:2`]);
  });

  test.each<[string, string, unknown, string]>([
    ["fails", "bad", {}, "NO_STOCK"],
    ["is not there", "nothing", {}, "TOOL_NOT_FOUND"],
    ["has a name that is none", "a b", {}, "TOOL_NOT_FOUND"],
    ["does not like its input", "strict", 2, "TOOL_INPUT_INVALID"],
    ["is given no JSON", "double", { n: 1n }, "INTERNAL_ERROR"],
  ])("that %s rejects with a code that the agent can catch", async (_name, id, input, code) => {
    const { t } = await withAgent(
      async (_input, { tool }) => {
        try {
          return await tool(id, input);
        } catch (error) {
          return { code: (error as { code?: string }).code ?? "INTERNAL_ERROR" };
        }
      },
      { tools },
    );
    expect(await t.execute({ agent: "agent" })).toMatchObject({ status: "SUCCESS", output: { code } });
  });

  test("ends with the agent that called it", async () => {
    let signal: AbortSignal | undefined;
    const slow = {
      id: "slow",
      handler: (_i: unknown, context: { signal: AbortSignal }) => (
        (signal = context.signal),
        new Promise(() => undefined)
      ),
    };
    const bed = await withAgent((_input, { tool }) => tool("slow", {}), { tools: [slow] });
    const { execId, result } = bed.t.startOne({ agent: "agent" });
    await settled();
    const report = bed.t.cancel(execId);
    await bed.pass(6 * second);
    expect((await report).children.map(({ entity, outcome }) => [entity, outcome])).toContainEqual(["tool", "ignored"]);
    expect(signal?.aborted).toBe(true);
    expect(await result()).toMatchObject({ status: "CANCELED" });
  });

  test("cannot be called once the agent has ended", async () => {
    const held = heldAgent("agent");
    const { t } = await openBed({ agents: [held.definition], tools });
    const ended = t.execute({ agent: "agent" });
    await settled();
    const { context, end: done } = held.runs[0] ?? expect.unreachable();
    done({ n: 1 });
    await ended;
    await expect(context.tool("double", { n: 1 })).rejects.toMatchObject({ code: "TOOL_CANCELED" });
  });
});

describe("a handler", () => {
  const workflows = [{ id: "w", tasks: [{ id: "a", type: "agent" as const, agent: "agent" }] }];

  test("F1: is not begun if it was canceled before the disk knew of it", async () => {
    const held = heldAgent("agent");
    const { t, pass } = await openBed({ agents: [held.definition], workflows });
    const { execId, result } = t.start("w");
    const report = t.cancel(execId);
    await pass(second);
    expect((await report).tookMs).toBe(0);
    expect(await result()).toMatchObject({ status: "CANCELED" });
    expect(held.runs).toHaveLength(0);
  });

  test("F1: is not begun before what led to it is on disk", async () => {
    const held = heldAgent("agent");
    const { t, store } = await openBed({ agents: [held.definition], workflows });
    t.start("w");
    store.crash();
    await settled();
    expect(held.runs).toHaveLength(0);
  });

  test("F2: what it says after its end is dropped", async () => {
    const held = heldAgent("agent", { ignores: true });
    const { t, pass } = await openBed({ agents: [held.definition], workflows });
    const { execId, result } = t.start("w");
    await settled();
    const canceling = t.cancel(execId);
    await pass(5 * second);
    await canceling;
    const { seq } = t.stats();
    held.runs[0]?.end({ late: true });
    await settled();
    expect(t.stats().seq).toBe(seq);
    expect(await result()).toMatchObject({ status: "CANCELED" });
  });

  test("F2: of a run that broke is told to stop, and not heard any more", async () => {
    const held = heldAgent("agent", { ignores: true });
    const bed = await openBed({ agents: [held.definition], workflows });
    const { execId, result } = bed.t.start("w");
    const other = bed.t.start("w");
    await settled();
    // Nothing that a chart of this kind ever hears.
    bed.t.system.take(execId, { on: "cue", address: `workflow/${execId}`, cue: { type: "cue:Nonsense" } });
    expect(await result()).toMatchObject({ status: "FAILED", error: { code: "INTERNAL_ERROR" } });
    expect(bed.t.stats()).toMatchObject({ collapsed: 1, parked: 0 });
    expect(held.runs.map(({ context }) => context.signal.aborted)).toEqual([true, false]);
    held.runs[0]?.end({ late: true });
    held.runs[1]?.end({ n: 2 });
    expect(await other.result()).toMatchObject({ status: "SUCCESS" });
    expect((await bed.t.list({ run: execId, status: ["RUNNING", "PENDING"] })).items).toEqual([]);
  });

  test("F3: is told to stop when it is canceled, over its time, or the process stops, and why", async () => {
    const held = heldAgent("agent");
    const timed = [{ id: "w", tasks: [{ id: "a", type: "agent" as const, agent: "agent", timeout: "5s" }] }];
    const { t, pass } = await openBed({ agents: [held.definition], workflows: timed });
    const runs = [t.start("w"), t.start("w")];
    await settled();
    const report = t.cancel(runs[0]?.execId ?? "", "enough");
    await settled();
    expect(held.runs[0]?.context.signal.reason).toMatchObject({
      code: "AGENT_CANCELED",
      message: "the workflow was canceled",
    });
    await report;
    await pass(6 * second);
    expect(held.runs[1]?.context.signal.reason).toMatchObject({ details: { cause: "timed_out" } });
    t.start("w");
    await settled();
    const stopping = t.stop({ graceMs: 100 });
    await pass(second);
    await stopping;
    expect(held.runs[2]?.context.signal.reason).toMatchObject({ message: "the process is stopping" });
  });
});
