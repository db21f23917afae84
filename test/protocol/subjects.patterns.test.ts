// Patterns hear the messages they are for, in both layouts, and no others.
//
// Method: each pattern by example, and properties over the subjects of all keys.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entryOf, keys, kindOf, type Key } from "../../src/protocol/catalogue.ts";
import { layouts, type Address, type Layout } from "../../src/protocol/layouts.ts";
import { isConcrete, matches, subjectCodec, type Selection } from "../../src/protocol/subjects.ts";
import { addressesOf, everyForm } from "../kit/addresses.ts";
import { hostileTokens } from "../kit/messages.ts";
import { id, refusalOf } from "../kit/sent.ts";

const prefix = "compozy";
const codecs = {
  flow: subjectCodec({ prefix, layout: "flow" }),
  correlated: subjectCodec({ prefix, layout: "correlated" }),
};
const { flow, correlated } = codecs;
const [x, r] = [id(2), id(3)];

describe("patterns", () => {
  const cases: readonly (readonly [Selection, string, string])[] = [
    [{ kind: "event" }, "events.*.instance.*.*", "*.*.events.*.*"],
    [{ kind: "event", entity: "task" }, "events.task.instance.*.*", "*.task.events.*.*"],
    [{ kind: "event", entity: "task", execId: x }, `events.task.instance.${x}.*`, `*.task.events.${x}.*`],
    [{ kind: "result", entity: "agent" }, "results.agent.*", "*.agent.results.*"],
    [{ kind: "progress", execId: x }, `progress.*.${x}.*`, `*.*.progress.${x}.*`],
    [{ key: "event:TaskScheduled" }, "events.task.instance.*.scheduled", "*.task.events.*.scheduled"],
    [{ key: "command:TaskTrigger", params: { wf: "_" } }, "commands.task._.trigger.*", "*.task.commands.*.trigger"],
    [{ key: "log:LogEmitted", params: { level: "error" } }, "logs.*.*.error", "*.*.logs.error"],
    [{ key: "progress:AgentRuntimeHeartbeat" }, "heartbeats.agent_runtime.*", "heartbeats.agent_runtime.*"],
    [{ whole: "commands", entity: "agent" }, "commands.agent.>", "*.agent.commands.>"],
    [
      { whole: "commands", entity: "agent_runtime", runtimeId: r },
      `commands.agent_runtime.${r}.>`,
      `*.agent_runtime.commands.${r}.>`,
    ],
    [{ whole: "events" }, "events.>", "*.*.events.>"],
    [{ whole: "logs" }, "logs.>", "*.*.logs.>"],
    [{ whole: "rejected" }, "rejected.>", "rejected.>"],
    [{ whole: "heartbeats" }, "heartbeats.>", "heartbeats.>"],
  ];
  test.each(cases)("%j is %s, or %s", (selection, inFlow, inCorrelated) => {
    expect(flow.patternOf(selection)).toBe(`${prefix}.${inFlow}`);
    expect(correlated.patternOf(selection)).toBe(`${prefix}.${inCorrelated}`);
  });

  test("S3: no hostile text gets into a pattern", () => {
    const attempts: ((hostile: string) => Selection)[] = [
      (hostile) => ({ kind: "event", execId: hostile }),
      (hostile) => ({ whole: "commands", entity: "agent_runtime", runtimeId: hostile }),
      (hostile) => ({ key: "command:TriggerAgent", params: { wf: hostile } }),
    ];
    const property = fc.property(hostileTokens, fc.constantFrom(...attempts), (hostile, attempt) => {
      expect(refusalOf(() => flow.patternOf(attempt(hostile))).code).toBe("INVALID_ID");
    });
    fc.assert(property, { numRuns: 200 });
  });

  const whole = (key: Key): Selection => {
    const entity = entryOf(key).entity;
    const roots = {
      command: "commands",
      result: "results",
      event: "events",
      progress: "progress",
      log: "logs",
    } as const;
    if (key === "progress:AgentRuntimeHeartbeat") return { whole: "heartbeats" };
    if (key === "log:MessageRejected") return { whole: "rejected" };
    const root = roots[kindOf(key)];
    return root === "logs" ? { whole: root } : { whole: root, ...(entity !== null && { entity }) };
  };
  const subjectsOf = (layout: Layout) =>
    fc.constantFrom(...everyForm.filter(([, own]) => own === layout)).chain(([key]) => addressesOf(key, layout));

  test.each(layouts)("a pattern hears the messages it is for and no others, in the layout %s", (layout) => {
    const codec = codecs[layout];
    const property = fc.property(subjectsOf(layout), ({ key, ...rest }) => {
      const subject = codec.build({ key, ...rest } as Address);
      const heardBy = keys.filter((other) => matches(codec.patternOf({ key: other } as Selection), subject));
      // An acknowledgment's entity is open in its pattern, so that it also hears the results of agents and tools.
      expect(heardBy.filter((other) => other !== "result:CommandAck" || other === key)).toEqual([key]);
      expect(matches(codec.patternOf({ kind: "event" }), subject)).toBe(kindOf(key) === "event");
      expect(matches(codec.patternOf(whole(key)), subject)).toBe(true);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test.each([
    ["a.b", "a.b", true],
    ["a.b", "a.c", false],
    ["a.b", "a.b.c", false],
    ["a.b.c", "a.b", false],
    ["a.*", "a.b", true],
    ["a.*", "a", false],
    ["a.*", "a.b.c", false],
    ["*.b", "a.b", true],
    ["a.*.c", "a.b.c", true],
    ["a.>", "a.b", true],
    ["a.>", "a.b.c.d", true],
    ["a.>", "a", false],
    ["a.>", "b.c", false],
    [">", "a", true],
    ["*.>", "a", false],
    ["*.>", "a.b", true],
    ["a*", "ab", false],
    ["a.>.c", "a.b.c", false],
  ])("%s hears %s: %s", (pattern, subject, heard) => {
    expect(matches(pattern, subject)).toBe(heard);
  });

  test.each([
    ["a", true],
    ["a.b", true],
    ["", false],
    ["a.", false],
    [".a", false],
    ["a b", false],
    ["a.*", false],
    ["a.>", false],
    ["a>b", false],
    ["a\r\nb", false],
  ])("%j can be published to: %s", (subject, can) => {
    expect(isConcrete(subject)).toBe(can);
  });
});
