// Goal: whatever a component is sent reaches it, alone or with others, and what nobody knows is refused once.
//
// Method: the table is made for every set of components and asked about a subject of every message.

import { describe, expect, it } from "vitest";
import { componentsOf } from "../../src/runtime/roles.ts";
import { besideRemoteTools, isShared, keysOf, subscriptionsOf } from "../../src/actors/subscriptions.ts";
import { entryOf, type Key, keys, kindOf } from "../../src/protocol/catalogue.ts";
import { layouts } from "../../src/protocol/layouts.ts";
import { matches, type SubjectCodec, subjectCodec } from "../../src/protocol/subjects.ts";
import type { Component } from "../../src/actors/component.ts";
import { uuid } from "../kit/bridged.ts";

const all = componentsOf({});
const runtimeId = uuid(0xa1);
const sets: Component[][] = Array.from({ length: 2 ** all.length - 1 }, (_, index) =>
  all.filter((_component, place) => ((index + 1) >> place) % 2 === 1),
);

/** A subject of a message: each wildcard of its pattern filled. */
function subjectFor(subjects: SubjectCodec, key: Key): string {
  const pattern = subjects.patternOf({ key } as Parameters<SubjectCodec["patternOf"]>[0]);
  return pattern.replaceAll("*", runtimeId);
}

const listOf = (components: readonly Component[], layout: (typeof layouts)[number] = "flow") =>
  subscriptionsOf(components, subjectCodec({ prefix: "p", layout }), runtimeId);

describe.each(layouts)("what is subscribed to in the layout %s", (layout) => {
  const subjects = subjectCodec({ prefix: "p", layout });

  it("U1: whatever a component hears and is sent has a pattern that takes it, whoever else is here", () => {
    const missing = sets.flatMap((here) =>
      here.flatMap((component) =>
        keysOf(component)
          .filter((key) => kindOf(key) !== "result" && entryOf(key).to.includes(component.code))
          .filter((key) => {
            const subject = subjectFor(subjects, key);
            return !listOf(here, layout).some(({ pattern, takes }) => matches(pattern, subject) && takes(key));
          })
          .map((key) => `${here.map(({ code }) => code).join()}: ${component.code} ${key}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it("U1: whoever asks hears the answers on the subject that its request names", () => {
    for (const [code, entity] of [
      ["TD", "task"],
      ["TE", "agent"],
      ["TE", "tool"],
      ["TE", "workflow"],
      ["AD", "agent_runtime"],
    ] as const) {
      const component = all.filter((one) => one.code === code);
      const subject =
        layout === "flow" ? `p.results.${entity}.${runtimeId}` : `p.${uuid(1)}.${entity}.results.${runtimeId}`;
      const found = listOf(component, layout).filter(({ pattern }) => matches(pattern, subject));
      expect(found, `${code} ${entity}`).toHaveLength(1);
      expect(found[0]?.group).toBeUndefined();
    }
  });

  it("U2: an unknown word about an entity is refused by exactly one component", () => {
    for (const entity of ["workflow", "task", "agent", "tool"]) {
      const subject =
        layout === "flow"
          ? `p.commands.${entity}.${entity === "workflow" ? "explode.x" : "w.explode.x"}`
          : `p.${uuid(1)}.${entity}.commands.x.explode`;
      const owners = listOf(all, layout).filter(
        ({ pattern, refuses }) => refuses === "all" && matches(pattern, subject),
      );
      expect(owners, subject).toHaveLength(1);
    }
  });

  it("U3: no set of components hears an unknown entity or all of the commands", () => {
    const subject = layout === "flow" ? "p.commands.planet.w.explode.x" : `p.${uuid(1)}.planet.commands.x.explode`;
    for (const here of sets) {
      expect(listOf(here, layout).filter(({ pattern }) => matches(pattern, subject))).toEqual([]);
    }
  });
});

describe("queue groups", () => {
  it("have the names that the protocol gives them", () => {
    const groups = new Set(listOf(all).flatMap(({ group }) => group ?? []));
    expect([...groups].toSorted()).toEqual(
      ["agent-dispatcher", "orchestrator", "state-manager", "task-dispatcher", "task-executor", "tool-executor"].filter(
        (name) => name !== "task-dispatcher",
      ),
    );
    expect(listOf(all.filter(({ code }) => code === "TD")).map(({ group }) => group)).toContain("task-dispatcher");
  });

  it("do not divide cancels among executors, nor the news of runtimes among dispatchers", () => {
    const alone = (code: string, key: Key): boolean => !all.some((one) => one.code === code && isShared(one, key));
    expect(alone("TE", "command:TaskCancel")).toBe(true);
    expect(alone("XE", "command:ToolCancel")).toBe(true);
    expect(alone("AD", "event:AgentRuntimeRegistered")).toBe(true);
    expect(alone("AD", "progress:AgentRuntimeHeartbeat")).toBe(true);
    expect(alone("AD", "command:TriggerAgent")).toBe(false);
  });

  it("let one owner take an order that a whole group could do", () => {
    const isDivided = (key: Key): boolean => kindOf(key) === "command" && !/AgentRuntime|ToolCancel/.test(key);
    for (const key of keys.filter(isDivided)) {
      const takers = all.filter((component) => isShared(component, key));
      expect(takers.length, key).toBeGreaterThan(0);
    }
  });

  it("leave what is stored for the orchestrator to it, on the entity that executors own", () => {
    const executor = listOf(all.filter(({ code }) => code === "TE"));
    const whole = executor.find(({ pattern }) => pattern === "p.commands.task.>");
    expect(whole?.takes("command:TaskExecute")).toBe(true);
    for (const key of ["command:TaskTrigger", "command:TaskResume", "command:TaskCancel"] as const) {
      expect(whole?.takes(key), key).toBe(false);
    }
  });
});

describe.each(layouts)("beside tools of other processes, in the layout %s", (layout) => {
  const subjects = subjectCodec({ prefix: "p", layout });
  const executor = all.filter(({ code }) => code === "XE");
  const order = (tool: string): string =>
    subjects.patternOf({ key: "command:ToolExecute", params: { tool } }).replaceAll("*", runtimeId);
  const takersOf = (tools: ReadonlyMap<string, { kind?: "module" | "remote" }>, tool: string) =>
    besideRemoteTools(listOf(executor, layout), subjects, tools)
      .filter(({ pattern, takes }) => matches(pattern, order(tool)) && takes("command:ToolExecute", tool))
      .map(({ group }) => group);

  it("U4: own tools are shared with those who serve them, theirs are theirs, the unknown is refused once", () => {
    const tools = new Map([
      ["own", {}],
      ["far", { kind: "remote" as const }],
    ]);
    expect(["own", "far", "unknown"].map((tool) => takersOf(tools, tool))).toEqual([
      ["tool-executor"],
      [],
      ["tool-owner"],
    ]);
    expect(takersOf(new Map([["own", {}]]), "unknown")).toEqual(["tool-executor"]);
  });
});
