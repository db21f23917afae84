// Goal: every example does what its README says. Method: each project is loaded from its folder and run through the
// door in virtual time; how it ends is asserted, and what was written down on the way.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadProject } from "../src/language/load.ts";
import { makeDisk, openMemory } from "../src/store/memory.ts";
import { virtualClock } from "../src/testing/virtual-clock.ts";
import { mortal } from "./actors/recovery-bed.ts";
import { type Example, openExample, storyIn } from "./kit/example.ts";
import { root } from "./kit/tree.ts";
import { run as runProgram } from "./kit/troupe.ts";

const second = 1_000;
const hour = 3_600 * second;
const examples = readdirSync(join(root, "examples"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(root, "examples", entry.name, "troupe.yaml")))
  .map(({ name }) => name);

/** Starts it, lets so much time pass, and gives how it stands. */
async function run({ t, pass }: Example, workflow: string, input: unknown, forMs = hour) {
  const { execId, result } = t.start(workflow, input);
  await pass(forMs);
  const { status } = t.get(execId);
  return status === "RUNNING" || status === "PAUSED" ? { execId, status } : result();
}

test("there is an example for everything that the index lists, and nothing else", () => {
  expect(examples).toEqual([
    "approval",
    "budget",
    "cron",
    "dispatch-failure",
    "error-and-fallback",
    "fan-out",
    "hello",
    "parcel",
    "saga",
    "sub-workflow",
    "timeout-and-retry",
  ]);
});

test.each(examples)("%s loads without a problem", async (name) => {
  const { problems, workflows } = await loadProject(join(root, "examples", name));
  expect(problems).toEqual([]);
  expect(workflows.length).toBeGreaterThan(0);
});

test("the project of all of them has the workflows and agents of each, and nothing else", async () => {
  const all = await loadProject(join(root, "examples"));
  const each = await Promise.all(examples.map((name) => loadProject(join(root, "examples", name))));
  expect(all.problems).toEqual([]);
  const idsIn = (callees: readonly { id: string }[]): string[] => callees.map(({ id }) => id).toSorted();
  expect(idsIn(all.workflows)).toEqual(idsIn(each.flatMap(({ workflows }) => workflows)));
  // Which module it is, is said from another folder; everything else is the same.
  const wholly = (agents: typeof all.agents) =>
    agents
      .map((agent) =>
        "module" in agent ? { ...agent, module: String(agent.module).replace(/^.*\/agents\//, "") } : agent,
      )
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(wholly(all.agents)).toEqual(wholly(each.flatMap(({ agents }) => agents)));
});

test.each(examples)("what the README of %s says to run, runs", (name) => {
  const page = readFileSync(join(root, "examples", name, "README.md"), "utf8");
  const [, workflow = "", input = ""] = /`npx node examples\/run\.ts [\w-]+ (\w+) '(.*)'`/.exec(page) ?? [];
  // Who waits for a person, or for six o'clock, is not run so; and one takes its time.
  if (workflow === "") return expect(["approval", "budget", "cron"]).toContain(name);
  if (name === "timeout-and-retry") return;
  const { exit, stdout, stderr } = runProgram(process.execPath, ["examples/run.ts", name, workflow, input]);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(stdout).toMatch(name === "saga" ? /unbook_room TaskExecutionSuccess[^]*\nFAILED: / : /\nSUCCESS: /);
});

test("each workflow can be begun with nothing given, as somebody does who looks for the first time", async () => {
  const { t, pass } = await openExample("");
  // The steps of a parcel take real time, unless told otherwise.
  for (const id of t.workflowIds()) t.start(id, id === "parcel" ? { seconds: 0 } : {});
  await pass(hour);
  // No person has answered, and the budget has stopped one; the card of the saga is declined, which is what it shows.
  const { items } = await t.list({ entity: "workflow", limit: 100 });
  const stands = Object.fromEntries(items.map(({ id, status, errorCode }) => [id, errorCode ?? status]));
  expect(Object.keys(stands).toSorted()).toEqual([...t.workflowIds()].toSorted());
  expect(stands).toMatchObject({ payout: "RUNNING", ponder: "PAUSED", trip: "TASK_FAILED" });
  const { payout: _payout, ponder: _ponder, trip: _trip, ...others } = stands;
  expect(Object.entries(others).filter(([, stand]) => stand !== "SUCCESS")).toEqual([]);
});

test("the agent that is meant where a message names none takes what is said to it", async () => {
  const example = await openExample("");
  const { spec } = await loadProject(join(root, "examples"));
  const { result } = example.t.startOne({ agent: spec?.default_agent ?? "" }, { user_request: "Ada", data: {} });
  await example.pass(second);
  expect(await result()).toMatchObject({ status: "SUCCESS", output: { text: "hello, Ada" } });
});

test("parcel: goes through all its steps, two of them side by side", async () => {
  const example = await openExample("parcel");
  expect(await run(example, "parcel", { seconds: 0 })).toMatchObject({ output: { done: "send" } });
  const [begun, ...steps] = example.story();
  expect(begun).toBe("parcel Started");
  expect(steps.toSorted()).toEqual(
    ["pack", "weigh", "stamp", "label", "papers", "load", "send", "parcel"].map((id) => `${id} Success`).toSorted(),
  );
});

describe("hello", () => {
  test("greets by name", async () => {
    const example = await openExample("hello");
    expect(await run(example, "hello", { name: "Ada" })).toMatchObject({ output: { text: "hello, Ada" } });
    expect(example.story()).toEqual(["hello Started", "greet Success", "hello Success"]);
  });

  test("fills in the default of the input", async () => {
    expect(await run(await openExample("hello"), "hello", {})).toMatchObject({ output: { text: "hello, world" } });
  });

  test("fails for an input that its schema does not allow, and nothing runs", async () => {
    const example = await openExample("hello");
    expect(await run(example, "hello", { name: 7 })).toMatchObject({
      error: { code: "VALIDATION_FAILED", details: { errors: [{ field: "name", message: "must be string" }] } },
    });
    expect(example.story()).toEqual(["hello Failed VALIDATION_FAILED"]);
  });
});

describe("error and fallback", () => {
  test("the clerk writes what the poet could not, and knows why", async () => {
    const example = await openExample("error-and-fallback");
    const text = "A note about mud (NO_MUSE: nothing comes to mind about mud)";
    expect(await run(example, "poem", { about: "mud" })).toMatchObject({ status: "SUCCESS", output: { text } });
    expect(example.story()).toEqual([
      "poem Started",
      "write Failed AGENT_ERROR of NO_MUSE",
      "plain Success",
      "poem Success",
    ]);
  });

  test("nobody steps in where nothing failed", async () => {
    const example = await openExample("error-and-fallback");
    await run(example, "poem", { about: "spring" });
    expect(example.story()).toEqual(["poem Started", "write Success", "poem Success"]);
  });
});

test("dispatch failure: the intern takes over what nobody serves, at once", async () => {
  const example = await openExample("dispatch-failure");
  expect(await run(example, "report", { numbers: [1, 2, 3] }, second)).toMatchObject({
    output: { by: "intern", sum: 6 },
  });
  expect(example.story()).toEqual([
    "report Started",
    "analyse Failed AGENT_DISPATCH_FAILED",
    "estimate Success",
    "report Success",
  ]);
});

describe("timeout and retry", () => {
  test("the third attempt answers, 5 s and 10 s after those that took too long", async () => {
    const example = await openExample("timeout-and-retry");
    const began = example.clock.now();
    const { result } = example.t.start("patience", { wakes_at: 3 });
    await example.pass(18 * second);
    expect(example.story().filter((line) => line.startsWith("ask RetryScheduled"))).toHaveLength(2);
    expect(example.story().at(-1)).not.toBe("patience Success");
    await example.pass(2 * second);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { awake: 3 } });
    expect(example.clock.now() - began).toBe(20 * second);
  });

  test("who sleeps through all attempts has failed", async () => {
    const example = await openExample("timeout-and-retry");
    const end = await run(example, "patience", { wakes_at: 4 });
    expect(end).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
  });
});

test("fan-out: the cities that are known come in their order, those that are not are named", async () => {
  const example = await openExample("fan-out");
  const end = await run(example, "weather", { cities: ["Bergen", "Atlantis", "Lisbon", "Nuuk"] });
  expect(end).toMatchObject({
    status: "SUCCESS",
    output: {
      known: [
        { city: "Bergen", weather: "rain" },
        { city: "Lisbon", weather: "sun" },
        { city: "Nuuk", weather: "snow" },
      ],
      missing: ["Atlantis"],
    },
  });
  const outcomes = example.story().filter((line) => line.startsWith("forecast"));
  expect(outcomes.toSorted()).toEqual([
    "forecast Failed AGENT_ERROR of NO_STATION",
    "forecast Success",
    "forecast Success",
    "forecast Success",
  ]);
});

describe("approval", () => {
  const asked = async () => {
    const example = await openExample("approval");
    const { result } = example.t.start("payout", { amount: 12 });
    await example.pass(second);
    const { items } = await example.t.list({ status: ["WAITING"] });
    return { ...example, result, task: items[0]?.execId ?? "" };
  };

  test("a yes pays", async () => {
    const { t, pass, result, task, story } = await asked();
    await Promise.all([t.resume(task, { approved: true }), pass(second)]);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { paid: 12 } });
    expect(story().slice(-4)).toEqual(["ask Success", "answered Success", "pay Success", "payout Success"]);
  });

  test("a no is an answer like another", async () => {
    const { t, pass, result, task } = await asked();
    await Promise.all([t.resume(task, { approved: false, comment: "too much" }), pass(second)]);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { noted: "refused: too much" } });
  });

  test("no answer within two hours is noted, and not a moment before", async () => {
    const { pass, result, story } = await asked();
    await pass(2 * hour - 2 * second);
    expect(story().at(-1)).toBe("ask WaitingStarted");
    await pass(2 * second);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { noted: "nobody answered" } });
  });
});

describe("saga", () => {
  const undone = [
    "trip Started",
    "flight Success",
    "room Success",
    "pay Failed AGENT_ERROR of CARD_DECLINED",
    "unbook_room Success",
    "unbook_flight Success",
    "trip Failed TASK_FAILED of AGENT_ERROR",
  ];

  test("what can be paid is booked, and nothing is undone", async () => {
    const example = await openExample("saga");
    const end = await run(example, "trip", { to: "Rome", price: 400 });
    expect(end).toMatchObject({ status: "SUCCESS", output: { flight: "flight to Rome", room: "room to Rome" } });
    expect(example.story()).toEqual(["trip Started", "flight Success", "room Success", "pay Success", "trip Success"]);
  });

  test("a declined card undoes the room, then the flight", async () => {
    const example = await openExample("saga");
    const end = await run(example, "trip", { to: "Rome", price: 4_000 });
    expect(end).toMatchObject({ status: "FAILED", error: { code: "TASK_FAILED" } });
    expect(example.story()).toEqual(undone);
  });

  test("and so it does whenever the process dies on the way", async () => {
    let deaths = 0;
    for (let append = 1; append < 100; append += 1) {
      const disk = makeDisk();
      const clock = virtualClock(Date.UTC(2026, 0, 1));
      const { store, isDead } = mortal(openMemory({ disk }), { append, isWritten: true });
      const first = await openExample("saga", { store, clock });
      let isAccepted = false;
      void first.t
        .start("trip", { to: "Rome", price: 4_000 })
        .accepted()
        .then(
          () => (isAccepted = true),
          () => undefined,
        );
      await first.pass(hour);
      if (!isDead()) break;
      deaths += 1;
      const second = await openExample("saga", { disk, clock: virtualClock(clock.now()) });
      await second.pass(hour);
      expect(storyIn(disk)).toEqual(isAccepted || storyIn(disk).length > 0 ? undone : []);
    }
    expect(deaths).toBeGreaterThanOrEqual(undone.length);
  });
});

test("sub-workflow: the bread is waited for, the cleaning is not", async () => {
  const example = await openExample("sub-workflow");
  const { result } = example.t.start("breakfast", { flour: "rye" });
  await example.pass(second);
  const end = await result();
  expect(end).toMatchObject({ status: "SUCCESS", output: { bread: "a loaf of rye" } });
  expect(example.t.get(String(end.output?.["cleaning"])).status).toBe("RUNNING");
  await example.pass(hour);
  expect(example.story().filter((line) => /^(?:breakfast|cleaning) (?!Started)/.test(line))).toEqual([
    "breakfast Success",
    "cleaning Success",
  ]);
});

test("cron: runs on the mornings of weekdays, by the clock in Paris, and makes up for what was missed", async () => {
  // A Friday, in winter: six in Paris is five here.
  const clock = virtualClock(Date.UTC(2026, 0, 2, 4, 59));
  const disk = makeDisk();
  const first = await openExample("cron", { disk, clock });
  const runs = (): number => storyIn(disk).filter((line) => line === "morning Success").length;
  await first.pass(59 * second);
  expect(runs()).toBe(0);
  await first.pass(2 * second);
  expect(runs()).toBe(1);
  await first.pass(48 * hour);
  expect(runs()).toBe(1);
  await first.pass(24 * hour);
  expect(runs()).toBe(2);
  await first.t.stop();
  // Opened again on Tuesday at noon, it makes up for the morning.
  const again = await openExample("cron", { disk, clock: virtualClock(Date.UTC(2026, 0, 6, 11)) });
  await again.pass(60 * second);
  expect(runs()).toBe(3);
});

test("budget: the run pauses when its tokens are used up, and goes on when it is granted more", async () => {
  const example = await openExample("budget");
  const { execId } = await run(example, "ponder", {});
  expect(example.story()).toEqual([
    "ponder Started",
    ...["think", "enough", "think", "enough"].map((task) => `${task} Success`),
    "ponder Paused",
    "think Success",
  ]);
  expect(example.t.why(execId)).toContain("the run used 1200 tokens, its budget allows 1000");
  await Promise.all([example.t.resume(execId, { budget: { tokens: 2_000 } }), example.pass(second)]);
  expect(example.story().slice(7)).toEqual([
    "ponder Resumed",
    ...["enough", "think", "enough", "think", "enough"].map((task) => `${task} Success`),
    "ponder Paused",
    "think Success",
  ]);
  expect(example.t.why(execId)).toContain("its budget allows 2000");
});
