// Goal: calls of agents and tools go in as their definitions allow, and the same after a restart.
// Method: calls in virtual time, with a restart in which calls of before come back in any order.

import { expect, test } from "vitest";
import { type Call, newCalls } from "../../src/actors/flow-calls.ts";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import type { Key, Unit } from "../../src/store/store.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";

const beganAt = 1_790_000_000_000;
const second = 1_000;
const handler = () => ({});
const agents = new Map<string, AgentDefinition>([
  ["one", { id: "one", handler, concurrency: { limit: 1, key: "${{ input.k }}", queue_max: 1 } }],
]);
const tools = new Map<string, ToolDefinition>([
  ["rated", { id: "rated", handler, rate: { limit: 1, per: "10s" } }],
  ["free", { id: "free", handler }],
]);

function opened({ isOpen = true, keys = new Map<string, Key>(), at = beganAt } = {}) {
  const clock = virtualClock(at);
  const told: string[] = [];
  const again: string[] = [];
  const calls = newCalls({
    clock,
    memory: {
      key: (key) => keys.get(key),
      append: ({ keys: more = [] }: Unit) => more.forEach((key) => keys.set(key.key, key)),
    },
    definitions: { agents, tools },
    tell: ({ execId }) => void told.push(execId),
    again: (_run, address) => void again.push(address),
  });
  if (isOpen) calls.open();
  return { calls, clock, told, again, keys };
}
const call = (execId: string, id: string, input: unknown = {}): Call => ({
  kind: agents.has(id) ? "agent" : "tool",
  id,
  execId,
  input,
  run: "r",
  address: `handler/${execId}`,
});

test("what sets no limit is nobody's concern, and a full line or a bad key refuses with a reason", () => {
  const { calls } = opened();
  expect(calls.want(call("1", "free"))).toBeUndefined();
  expect(calls.want(call("2", "nobody"))).toBeUndefined();
  const rooms = ["3", "4", "5"].map((execId) => calls.want(call(execId, "one", { k: "a" })));
  expect(rooms).toMatchObject([
    { is: "room" },
    { is: "line" },
    {
      is: "refused",
      error: { code: "AGENT_DISPATCH_FAILED", details: { cause_code: "RATE_LIMITED", limit: "queue_max", max: 1 } },
    },
  ]);
  expect(calls.want(call("6", "one", {}))).toMatchObject({ is: "refused", error: { code: "EXPRESSION_ERROR" } });
});

test("Q3: who is told may go in when it wants again; who has ended meanwhile gives way to the next", () => {
  const { calls, told } = opened();
  const [first, second_] = [call("1", "one", { k: 1 }), call("2", "one", { k: 1 })];
  calls.want(first);
  calls.want(second_);
  calls.leave("1");
  expect(told).toEqual(["2"]);
  calls.want(call("3", "one", { k: 1 }));
  expect(calls.want(second_)).toEqual({ is: "room" });
  calls.leave("2");
  expect(told).toEqual(["2", "3"]);
});

test("Q1: after a restart nobody goes in before all that were in are in again, and then who came first", () => {
  const { calls, told } = opened({ isOpen: false });
  calls.resume(call("3", "one", { k: 1 }), "waiting");
  calls.resume(call("2", "one", { k: 1 }), "waiting");
  expect(calls.want(call("4", "one", { k: 2 }))).toEqual({ is: "line" });
  calls.resume(call("1", "one", { k: 1 }), "begun");
  calls.resume(call("5", "one", { k: 3 }), "waiting");
  calls.leave("5");
  expect(told).toEqual([]);
  calls.open();
  expect(told).toEqual(["4"]);
  calls.leave("1");
  expect(told).toEqual(["4", "2"]);
});

test("a run that is parked gives way with all its calls, and is in again when it is back", () => {
  const { calls, told } = opened();
  calls.want(call("1", "one", { k: 1 }));
  calls.want({ ...call("2", "one", { k: 1 }), run: "other" });
  calls.abandon("r");
  expect(told).toEqual(["2"]);
  calls.resume(call("1", "one", { k: 1 }), "begun");
  calls.leave("2");
  calls.want(call("3", "one", { k: 1 }));
  expect(told, "the first is in, and the third waits").toEqual(["2"]);
  calls.leave("1");
  expect(told).toEqual(["2", "3"]);
});

test("Q2: a handler that begins anew counts for the rate once more, and waits for it", () => {
  const before = opened();
  before.calls.want(call("1", "rated"));
  before.calls.begin("1");
  const after = opened({ isOpen: false, keys: before.keys, at: beganAt + 5 * second });
  after.calls.resume(call("1", "rated"), "begun");
  expect([after.calls.restart(call("1", "rated")), after.calls.restart(call("2", "free"))]).toEqual([true, false]);
  after.calls.open();
  expect(after.again).toEqual([]);
  after.clock.advance(6 * second);
  expect(after.again).toEqual(["handler/1"]);
  expect(after.calls.want(call("3", "rated"))).toEqual({ is: "line" });
  after.clock.advance(9 * second);
  expect(after.told).toEqual([]);
  after.clock.advance(second);
  expect(after.told).toEqual(["3"]);
});

test("Q1: who was let in and had not begun before a restart counts for the rate before it begins", () => {
  const { calls, clock, told } = opened({ isOpen: false });
  calls.resume(call("1", "rated"), "let in");
  calls.resume(call("2", "rated"), "waiting");
  calls.open();
  clock.advance(60 * second);
  expect(told).toEqual([]);
  expect(calls.want(call("1", "rated"))).toEqual({ is: "room" });
  calls.begin("1");
  clock.advance(10 * second - 1);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual(["2"]);
});
