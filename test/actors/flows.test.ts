// Goal: the engine holds the conversations of the golden flows, message for message, in both layouts of subjects.
// Method: each flow is provoked through the door of the library, in virtual time over a store in memory: in one process
// alone, in one on a transport, where the bytes are read, and with every component in a process of its own.

import { describe, expect, test } from "vitest";
import { type Layout, layouts } from "../../src/protocol/layouts.ts";
import { leftOut, playScene, scenes } from "../kit/flow-scenes.ts";
import type { Scene } from "../kit/scene.ts";
import { type Flow, flowOf, flows } from "../kit/flows.ts";
import { compared } from "../kit/recorder.ts";
import { allRoles, type Line } from "../kit/virtual-troupe.ts";

type House = Pick<Scene, "processes"> & { wire?: true };
const houses: Readonly<Record<string, House>> = {
  alone: {},
  "on a transport": { processes: [allRoles] },
  // What its own components tell each other goes over the transport too.
  "on a wire": { processes: [allRoles], wire: true },
  spread: { processes: allRoles.map((role) => [role]) },
};
const settings = layouts.flatMap((layout) => Object.entries(houses).map(([name, house]) => ({ layout, name, house })));

async function holds(id: string, subjects: Layout, house: House = {}): Promise<void> {
  const flow = flowOf(id);
  const { troupe, lines, answers } = await playScene(scenes[id] as Scene, { subjects, ...house });
  const { problem, bindings } = compared(flow, lines, subjects);
  expect(problem).toBeNull();
  const ended = Object.keys(flow.then).map((name) => [name, troupe.get(bindings.get(name) ?? "").status]);
  expect(Object.fromEntries(ended)).toEqual(flow.then);
  const declined: Readonly<Record<string, string>> = { "workflow-9-resume-not-waiting": "INVALID_STATE" };
  expect(answers).toEqual(answers.map(() => declined[id] ?? "well"));
  expect(answers.length).toBe(commandsIn(flow));
}

/** The commands that are given at the door while a run is under way: each has an answer. */
const commandsIn = ({ messages }: Flow): number =>
  messages.filter(({ kind, type, by }) => kind === "command" && by === "API" && !/Execute|Trigger/.test(type)).length;

describe.each(settings)("$name, in the layout $layout", ({ layout, house }) => {
  for (const [id, scene] of Object.entries(scenes)) {
    if (scene.processes === undefined) test(`${id}: ${flowOf(id).title}`, () => holds(id, layout, house));
  }
});

describe.each(layouts)("where it matters who is there, in the layout %s", (layout) => {
  for (const [id, { processes, isForClients }] of Object.entries(scenes)) {
    if (processes === undefined || (isForClients && layout !== "flow")) continue;
    test(`${id}: ${flowOf(id).title}`, () => holds(id, layout));
  }
});

describe("the comparison", async () => {
  const flow = flowOf("task-2-tool-success");
  const said = (await playScene(scenes["task-2-tool-success"] as Scene)).lines;

  test("it notices a word that is missing, one too many, and one that came too early", () => {
    expect(compared(flow, said).problem).toBeNull();
    for (const [index, { word }] of said.entries()) {
      if (!/Task|Tool/.test(word.type)) continue;
      expect(compared(flow, said.toSpliced(index, 1)).problem, `without ${word.type}`).not.toBeNull();
      expect(
        compared(flow, said.toSpliced(index, 0, said[index] as Line)).problem,
        `${word.type} twice`,
      ).not.toBeNull();
    }
    expect(compared(flow, said.toReversed()).problem).not.toBeNull();
  });

  test("it notices another speaker, status, code, execution and subject", () => {
    const id = "019b76da-a800-7000-8000-000000000000";
    const spoilt: ((line: Line) => Line)[] = [
      (line) => ({ ...line, by: "SM" }),
      (line) => ({ ...line, word: { ...line.word, payload: { ...Object(line.word["payload"]), status: "PENDING" } } }),
      (line) => ({ ...line, word: { ...line.word, task: { id: "look", exec_id: id } } }),
      (line) => ({ ...line, word: { ...line.word, to: `compozy.results.tool.${id}` } }),
    ];
    const at = said.findIndex(({ word }) => word.type === "event:TaskExecutionSuccess");
    for (const spoil of spoilt) {
      expect(compared(flow, said.with(at, spoil(said[at] as Line))).problem).not.toBeNull();
    }
    const failed = flowOf("task-5a-tool-error");
    const codeless = { ...failed, messages: failed.messages.map((one) => ({ ...one, code: "TOOL_CANCELED" })) };
    expect(compared(codeless, said).problem).not.toBeNull();
  });

  test("it shows where they part: what is lost, what is too much, and the conversation as a diagram", () => {
    const at = said.findIndex(({ word }) => word.type === "event:ToolExecutionStarted");
    const lines = compared(flow, said.toSpliced(at, 1)).problem?.split("\n") ?? [];
    expect(lines[0]).toMatch(/^task-2-tool-success: expected XE event:ToolExecutionStarted .* but XE result:/);
    expect(lines.filter((line) => line.startsWith("- ")).join()).toContain("event:ToolExecutionStarted");
    expect(lines.filter((line) => line.startsWith("+ ")).join()).toContain("result:ToolExecutionResult");
    expect(lines).toContain("sequenceDiagram");
    expect(lines).toContain("    SM-->>SM: Records TaskScheduled");
  });
});

test("a retry waits for its delay, and who is lost is given up when its time is over", async () => {
  const timesOf = async (id: string, ...types: string[]): Promise<number[]> => {
    const { lines } = await playScene(scenes[id] as Scene);
    return types.map((type) => lines.findLast(({ word }) => word.type === type)?.at ?? Number.NaN);
  };
  const [retried = 0, again] = await timesOf("task-7-retry", "event:TaskRetryScheduled", "command:TaskExecute");
  expect(again).toBe(retried + 200);
  const lost = ["event:TaskExecutionStarted", "event:TaskExecutionTimedOut", "event:ToolExecutionFailed"];
  const [began = 0, timedOut, failed] = await timesOf("task-16-executor-lost", ...lost);
  expect([timedOut, failed]).toEqual([began + 2_000 + 5_000, began + 2_000 + 5_000 + 5_000]);
  const ended = ["command:TriggerAgent", "event:AgentExecutionFailed"];
  const [triggered, refused] = await timesOf("agent-4-dispatch-failed", ...ended);
  expect(refused).toBe(triggered);
});

test("every event moves its execution, and what a message says caused it was said before", async () => {
  for (const id of Object.keys(scenes)) {
    const { lines } = await playScene(scenes[id] as Scene);
    expect(lines.filter(({ disposition }) => disposition !== undefined)).toEqual([]);
    for (const [index, { cause, correlationId, word }] of lines.entries()) {
      const found = cause === null || lines.slice(0, index).some((line) => line.id === cause);
      expect(found, `${id}: ${word.type} was caused by ${cause}, in ${correlationId}`).toBe(true);
    }
  }
});

test("every flow is played here, or it is said why not", () => {
  const isPlayed = ({ id }: Flow): boolean => id in scenes;
  expect(flows.filter((flow) => !isPlayed(flow)).map(({ id }) => id)).toEqual(Object.keys(leftOut));
  expect(Object.keys(leftOut).filter((id) => !id.startsWith("ws-"))).toEqual([]);
  expect(flows.filter(isPlayed).length).toBe(Object.keys(scenes).length);
});
