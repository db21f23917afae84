// Goal: discovery is told what each subscription heard, and what of it went wrong.

import { expect, test } from "vitest";
import { newEndpoints } from "../../src/actors/endpoints.ts";
import type { Listening } from "../../src/actors/subscriptions.ts";
import { taskExecutor } from "../../src/actors/task-executor.ts";

const nothing = (): void => undefined;
const listening = (pattern: string, group?: string): Listening => ({
  code: "TE",
  pattern,
  ...(group !== undefined && { group }),
  takes: () => true,
  refuses: "all",
});

function opened() {
  const refused = { times: 0, last: "" };
  return { refused, endpoints: newEndpoints([taskExecutor], () => refused) };
}

test("an endpoint is called after its role and what it hears, without ids and wildcards", () => {
  const { endpoints } = opened();
  endpoints.add(listening("compozy.commands.task.>", "task-executor"));
  endpoints.add(listening("compozy.*.task.events.*.started"));
  endpoints.add(listening("compozy.commands.agent_runtime.019900aa-0000-7000-8000-000000000001.>"));
  endpoints.add(listening("_INBOX.019900aa-0000-7000-8000-000000000001.*"));
  expect(endpoints.all().map(({ name, group }) => [name, group])).toEqual([
    ["task-executor_commands_task", "task-executor"],
    ["task-executor_task_events_started", undefined],
    ["task-executor_commands_agent_runtime", undefined],
    ["task-executor_inbox", undefined],
  ]);
});

test("it counts what came and what was refused meanwhile, each where it came", () => {
  const { endpoints, refused } = opened();
  const first = endpoints.add(listening("p.first"));
  const second = endpoints.add(listening("p.second"));
  first(nothing);
  second(() => {
    refused.times += 1;
    refused.last = "INVALID_ENVELOPE: no JSON";
  });
  second(nothing);
  const [one, other] = endpoints.all();
  expect(one).toMatchObject({ requests: 1, errors: 0 });
  expect(one).not.toHaveProperty("lastError");
  expect(other).toMatchObject({ requests: 2, errors: 1, lastError: "INVALID_ENVELOPE: no JSON" });
  expect(other?.processingMs).toBeGreaterThan(0);
});

test("what is thrown counts as an error, and is thrown on", () => {
  const { endpoints } = opened();
  const counted = endpoints.add(listening("p.first"));
  const handle = (): void => {
    throw new Error("the desk is gone");
  };
  expect(() => counted(handle)).toThrow("the desk is gone");
  expect(endpoints.all()).toMatchObject([{ requests: 1, errors: 1, lastError: "the desk is gone" }]);
});
