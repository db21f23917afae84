// Goal: the turns of a thread run one at a time and in order, and what is shown of conversations is what was said.
// Method: turns over a real troupe in virtual time, and threads as the HTTP interface shows them.

import { describe, expect, test } from "vitest";
import { markOf, openThreads, type RunLabels, via } from "../../src/gateway/threads.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { pass } from "../kit/passing.ts";
import { held } from "./socket-bed.ts";

async function openBed(disk: Disk = makeDisk(), clock = virtualClock(Date.UTC(2026, 0, 1))) {
  const agent = held();
  const t = await troupe({
    store: openMemory({ disk }),
    clock,
    random: randomFrom(3),
    agents: [
      { ...agent.definition, timeout: "1h" },
      { id: "echo", handler: () => ({ text: "ok" }) },
    ],
  });
  const threads = openThreads(t, () => undefined);
  const heard: string[] = [];
  const want = (thread: string, turn: string): void =>
    threads.want(thread, turn, "held", {
      begins: () => void heard.push(`${turn} begins`),
      waits: (before) => void heard.push(`${turn} waits behind ${before}`),
      refused: ({ code }) => void heard.push(`${turn} refused ${code}`),
    });
  /** A run as the gateway begins it. */
  const run = async (thread: string, agentId: string, session = "s1"): Promise<string> => {
    const labels: RunLabels = { via, session, thread, request: "r1" };
    const input = { user_request: "hi", thread_id: thread, data: {} };
    const marks = [markOf.thread(thread), markOf.session(session)];
    const handle = t.startOne({ agent: agentId }, input, { labels, marks });
    await handle.accepted();
    await pass(clock, 1_000);
    return handle.execId;
  };
  return { t, threads, heard, want, run, agent, disk, clock, pass: (ms: number) => pass(clock, ms) };
}

test("TH1: the turns of a thread begin one after the other, and those of another beside them", async () => {
  const { threads, heard, want } = await openBed();
  for (const [thread, turn] of [
    ["t1", "a"],
    ["t1", "b"],
    ["t2", "c"],
  ] as const)
    want(thread, turn);
  threads.ended("t1", "a");
  want("t1", "d");
  threads.ended("t1", "b");
  threads.ended("t1", "d");
  expect(heard.filter((one) => !one.startsWith("c"))).toEqual([
    "a begins",
    "b waits behind 1",
    "b begins",
    "d waits behind 1",
    "d begins",
  ]);
  expect(heard).toContain("c begins");
});

test("TH1: a turn waits for the end of what was begun before a restart", async () => {
  const first = await openBed();
  await first.run("t1", "held");
  await first.t.stop({ graceMs: 0 });
  const { heard, want, agent, pass: wait } = await openBed(first.disk, first.clock);
  want("t1", "a");
  expect(heard).toEqual(["a waits behind 1"]);
  await wait(1_000);
  agent.end();
  await wait(1_000);
  expect(heard).toEqual(["a waits behind 1", "a begins"]);
});

describe("TH2: whoever wants a turn", () => {
  test("is told once that it begins or is refused, also when the gateway stops", async () => {
    const { threads, heard, want } = await openBed();
    for (const turn of ["a", "b", "c"]) want("t1", turn);
    threads.ended("t1", "b");
    threads.close();
    threads.ended("t1", "a");
    expect(heard.filter((one) => !one.includes("waits"))).toEqual(["a begins", "c refused INVALID_STATE"]);
  });

  test("is refused behind sixteen others", async () => {
    const { heard, want } = await openBed();
    for (let turn = 0; turn <= 17; turn += 1) want("t1", `${turn}`);
    expect(heard.at(-1)).toBe("17 refused THREAD_BUSY");
    expect(heard.filter((one) => one.includes("refused"))).toHaveLength(1);
  });

  test("of a thread that was quiet for long begins at once", async () => {
    const { threads, heard, want, pass: wait } = await openBed();
    want("t1", "a");
    threads.ended("t1", "a");
    await wait(601_000);
    expect(threads.stats()).toEqual({ threads: 0 });
    want("t1", "b");
    expect(heard).toEqual(["a begins", "b begins"]);
  });
});

describe("what is shown", () => {
  test("of a thread is who talked, what was said, and what came of it", async () => {
    const { threads, run, agent } = await openBed();
    const first = await run("t1", "echo");
    const second = await run("t1", "held");
    expect(await threads.get("t1")).toMatchObject({
      thread_id: "t1",
      agent_id: "held",
      status: "BUSY",
      runs: 2,
      queued: 0,
      turns: [
        {
          run_id: first,
          status: "SUCCESS",
          request: { user_request: "hi", thread_id: "t1" },
          result: { text: "ok" },
          error: null,
        },
        { run_id: second, status: "RUNNING", result: null, ended_at: null },
      ],
    });
    agent.end();
    await expect(threads.get("t2")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
  });

  test("of all threads begins with the one that talked last, page by page", async () => {
    const { threads, run } = await openBed();
    for (const thread of ["t1", "t2", "t3", "t1"]) await run(thread, "echo");
    const ids = (page: { items: { thread_id: string }[] }): string[] => page.items.map(({ thread_id }) => thread_id);
    const first = await threads.list({ limit: 2 });
    expect(ids(first)).toEqual(["t1", "t3"]);
    const rest = await threads.list({ limit: 2, after: first.next_cursor ?? "" });
    expect(ids(rest)).toEqual(["t2"]);
    expect(rest.next_cursor).toBeNull();
  });

  test("is nothing of a thread that was deleted, also after a restart; its runs stay", async () => {
    const bed = await openBed();
    const execId = await bed.run("t1", "echo");
    await bed.run("t2", "held");
    expect(() => bed.threads.remove("t2")).toThrow("something runs in thread 't2'");
    expect(() => bed.threads.remove("t9")).toThrow("there is no thread 't9'");
    bed.threads.remove("t1");
    await bed.pass(1_000);
    expect(bed.threads.agentOf("t1")).toBeUndefined();
    await bed.t.stop({ graceMs: 0 });
    const { threads, t, run } = await openBed(bed.disk, bed.clock);
    expect((await threads.list({ limit: 10 })).items.map(({ thread_id }) => thread_id)).toEqual(["t2"]);
    expect(t.get(execId)).toMatchObject({ status: "SUCCESS" });
    await run("t1", "echo");
    expect(await threads.get("t1")).toMatchObject({ runs: 1 });
  });
});
