// Goal: nothing in the code spells a message that the catalogue does not hold.
// Method: the code searched as text, with planted mistakes that must be found.

import { describe, expect, test } from "vitest";
import { treeOf } from "../kit/tree.ts";
import { misspellings } from "./spelling.ts";

describe("the code", () => {
  const code = treeOf("{src,bin,scripts,bench,examples}/**/*.{ts,js,mjs,md,yaml,yml,json}");

  test("it spells no message that the catalogue does not hold, and old names only in the protocol", () => {
    expect(code.size).toBeGreaterThan(20);
    expect([...code].flatMap(([path, text]) => misspellings(path, text))).toEqual([]);
  });

  test.each([
    ["a key nobody knows", "src/a.ts", 'emit({ type: "event:AgentStarted" })', "event:AgentStarted"],
    ["a key of the wrong kind", "src/a.ts", 'on: { "command:CommandAck": "done" }', "command:CommandAck"],
    ["a key with an old name", "src/protocol/a.ts", 'const key = "command:ExecuteTask";', "command:ExecuteTask"],
    ["a key in a comment", "src/a.ts", "// Says event:TaskDone twice.", "event:TaskDone"],
    ["a key in another quote", "bin/a.js", "send('log:LogLine')", "log:LogLine"],
    ["a beginning of no key", "src/a.ts", 'key.startsWith("event:Tolo")', "event:Tolo"],
    ["a beginning that is not asked for", "src/a.ts", 'key === "event:Tool"', "event:Tool"],
    ["a name nobody knows", "bench/a.ts", 'nameOf(key) === "TaskExecutionFinished"', "TaskExecutionFinished"],
    ["a name spelled the other way", "src/a.ts", 'const name = "TaskExecutionCancelled";', "TaskExecutionCancelled"],
    ["a name in a sentence", "src/a.ts", 'fail("timed out waiting for AgentResult")', "AgentResult"],
    ["a name in a template", "scripts/a.ts", "log(`no ${kind} ToolInvocationFailed\n here`)", "ToolInvocationFailed"],
    ["an imperative", "src/a.ts", 'say("StartWorkflow")', "StartWorkflow"],
    ["an old name outside the protocol", "src/machines/a.ts", 'type: "WorkflowTrigger"', "WorkflowTrigger"],
  ])("%s is found", (_, path, text, found) => {
    expect(misspellings(path, text)).toEqual([`${path}: ${found}`]);
  });

  test.each([
    ["a key", "src/a.ts", 'emit({ type: "command:TriggerAgent" })'],
    ["a name", "src/a.ts", 'fail("timed out waiting for AgentExecutionResult")'],
    ["an old name in the protocol", "src/protocol/a.ts", 'old("WorkflowTrigger")'],
    ["a cue", "src/machines/a.ts", 'raise({ type: "cue:TaskEnded" })'],
    ["a beginning of keys", "src/a.ts", 'key.startsWith("event:Tool")'],
    ["a beginning of keys in a pattern", "src/a.ts", "/^event:TaskExecution(?!Started)/.test(key)"],
    ["a beginning of keys in a type", "src/a.ts", "type Ours = Extract<Key, `command:Workflow${string}`>;"],
    ["a type", "src/a.ts", "export type TaskResult = Payload<Key>;"],
    ["a word with a colon", "src/a.ts", '"result: Ok, event: Nothing"'],
  ])("%s is left alone", (_, path, text) => {
    expect(misspellings(path, text)).toEqual([]);
  });
});
