// Goal: the frames of a run come in their one order, in whatever order, how often and how incompletely it is heard of.
// Method: examples of what is missing, and random words of a run under the rules that clients rely on.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RunFrame } from "../../src/gateway/frames.ts";
import { keepsRules } from "./frame-rules.ts";
import { newRunFrames, type RunFrames, type Word } from "../../src/gateway/run-frames.ts";

const run = "01900000-0000-7000-8000-000000000001";
const task = { id: "clerk", exec_id: run };
const agent = { id: "clerk", exec_id: run };
const tool = (id: string) => ({ id: "orders", exec_id: id });
const word = (type: string, more: object): Word => ({ type, ...more }) as unknown as Word;
const failed = (code: string) => ({ status: "FAILED", result: { error: { code, message: "no" } } });

const started = word("event:AgentExecutionStarted", { task, agent, payload: {} });
const thought = word("progress:AgentThinking", { task, agent, payload: { context: { text: "hm" } } });
const token = word("progress:AgentToken", { task, agent, payload: { context: { text: "h" } } });
const step = word("progress:AgentStep", { task, agent, payload: { context: { step: { n: 1 } } } });
const called = (id: string): Word =>
  word("command:ToolExecute", { task, agent, tool: tool(id), payload: { context: { input: { order: id } } } });
const began = (id: string): Word => word("event:ToolExecutionStarted", { task, agent, tool: tool(id), payload: {} });
const ended = (id: string): Word =>
  word("event:ToolExecutionSuccess", {
    task,
    agent,
    tool: tool(id),
    payload: { result: { output: { id } }, duration_ms: 3 },
  });
const broke = (id: string): Word =>
  word("event:ToolExecutionFailed", { task, agent, tool: tool(id), payload: failed("TOOL_ERROR") });
const succeeded = word("event:TaskExecutionSuccess", {
  task,
  payload: { status: "SUCCESS", result: { output: { text: "done" } }, duration_ms: 9 },
});
const failing = (code: string): Word => word("event:TaskExecutionFailed", { task, payload: failed(code) });
const canceled = word("event:TaskExecutionCanceled", {
  task,
  payload: { status: "CANCELED", context: { reason: "enough" } },
});
const timedOut = word("event:TaskExecutionTimedOut", { task, payload: failed("TASK_TIMEOUT") });

const open = (more: object = {}): RunFrames =>
  newRunFrames({ run, streams: false, isResumed: false, began: 0, ...more });
const told = (words: readonly Word[], frames = open()): RunFrame[] => words.flatMap((one) => frames.hear(one, 100));
const typesOf = (frames: readonly RunFrame[]): string[] =>
  frames.map(({ type, synthetic }) => (synthetic ? `${type} (synthetic)` : type));

describe("a run that is heard of", () => {
  test("RF1: in order is told as it was, with what each frame holds", () => {
    expect(told([started, thought, called("a"), began("a"), ended("a"), succeeded])).toEqual([
      { type: "agent_started" },
      { type: "agent_thinking", kind: "thought", text: "hm" },
      { type: "tool_executing", tool_id: "orders", tool_exec_id: "a", input: { order: "a" } },
      {
        type: "tool_completed",
        tool_id: "orders",
        tool_exec_id: "a",
        status: "SUCCESS",
        result: { id: "a" },
        error: null,
        duration_ms: 3,
      },
      { type: "agent_completed", status: "SUCCESS", result: { text: "done" }, error: null, duration_ms: 9 },
    ]);
  });

  test("RF1: by its thoughts before its begin is told of them after it", () => {
    expect(typesOf(told([thought, step, started]))).toEqual(["agent_started", "agent_thinking", "agent_thinking"]);
  });

  test("RF1: whose agent never began has no agent_started", () => {
    expect(told([failing("AGENT_DISPATCH_FAILED")])).toEqual([
      {
        type: "agent_completed",
        status: "FAILED",
        result: null,
        error: { code: "AGENT_DISPATCH_FAILED", message: "no" },
        duration_ms: 100,
      },
    ]);
  });

  test("RF2: without a thought has one supplied before its first tool, and before SUCCESS", () => {
    expect(typesOf(told([started, began("a")]))).toEqual([
      "agent_started",
      "agent_thinking (synthetic)",
      "tool_executing",
    ]);
    expect(typesOf(told([started, succeeded]))).toEqual([
      "agent_started",
      "agent_thinking (synthetic)",
      "agent_completed",
    ]);
  });

  test("RF3: by the end of a tool alone has its begin supplied, and a doubled or late one is not told", () => {
    expect(typesOf(told([started, thought, broke("a"), began("a"), broke("a")]))).toEqual([
      "agent_started",
      "agent_thinking",
      "tool_executing (synthetic)",
      "tool_completed",
    ]);
  });

  test("RF5: that ends while a tool is open has the tool's end supplied, and says nothing after its own", () => {
    const frames = told([started, thought, began("a"), canceled, ended("a"), thought, succeeded]);
    expect(typesOf(frames)).toEqual([
      "agent_started",
      "agent_thinking",
      "tool_executing",
      "tool_completed (synthetic)",
      "agent_completed",
    ]);
    expect(frames.at(-1)).toMatchObject({ status: "CANCELED", error: { code: "AGENT_CANCELED", message: "enough" } });
  });

  test("RF5: no more is given up, and says why", () => {
    const frames = open();
    told([started], frames);
    expect(frames.giveUp({ code: "API_TIMEOUT", message: "silence" }, 500)).toEqual([
      {
        type: "agent_completed",
        status: "TIMED_OUT",
        result: null,
        error: { code: "API_TIMEOUT", message: "silence" },
        duration_ms: 500,
        synthetic: true,
      },
    ]);
    expect(frames.giveUp({ code: "API_TIMEOUT", message: "silence" }, 500)).toEqual([]);
  });

  test("RF4: ends with the status that the protocol has for its error", () => {
    const statusAfter = (end: Word): unknown => (told([started, end]).at(-1) as { status?: string }).status;
    expect(statusAfter(failing("AGENT_ERROR"))).toBe("AGENT_ERROR");
    expect(statusAfter(failing("AGENT_INVOCATION_TIMEOUT"))).toBe("TIMED_OUT");
    expect(statusAfter(failing("AGENT_CANCELED"))).toBe("CANCELED");
    expect(statusAfter(failing("AGENT_RUNTIME_LOST"))).toBe("FAILED");
    expect(statusAfter(timedOut)).toBe("TIMED_OUT");
    expect(statusAfter(canceled)).toBe("CANCELED");
  });

  test("tells tokens only to those who want them, and no thought while it is being canceled", () => {
    expect(typesOf(told([started, token]))).toEqual(["agent_started"]);
    expect(told([started, token], open({ streams: true })).at(-1)).toMatchObject({ kind: "token", text: "h" });
    const frames = open();
    told([started], frames);
    frames.hush(true);
    expect(typesOf(told([thought, canceled], frames))).toEqual(["agent_completed"]);
    const late = open();
    told([started], late);
    late.hush(true);
    expect(told([thought, succeeded], late)).toMatchObject([{ text: "hm" }, { type: "agent_completed" }]);
    const saved = open();
    told([started], saved);
    saved.hush(true);
    expect(told([thought], saved)).toEqual([]);
    expect(typesOf(saved.hush(false))).toEqual(["agent_thinking"]);
  });
});

test("RF3: whatever is heard, in any order and any number of times, the frames keep every rule", () => {
  const ofTools = ["a", "b", "c"].flatMap((id) => [called(id), began(id), ended(id), broke(id)]);
  const ofRun = fc.constantFrom(started, thought, token, step, canceled, timedOut, succeeded, failing("AGENT_ERROR"));
  const words = fc.oneof(ofRun, fc.constantFrom(...ofTools));
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), fc.boolean(), fc.nat(30), (heard, streams, hushedFrom) => {
      const frames = open({ streams });
      const all = heard.flatMap((one, place) => [
        ...(place === hushedFrom ? frames.hush(true) : []),
        ...frames.hear(one, 100),
      ]);
      all.push(...frames.giveUp({ code: "API_TIMEOUT", message: "silence" }, 100));
      keepsRules(all);
    }),
    { numRuns: 5_000 },
  );
});
