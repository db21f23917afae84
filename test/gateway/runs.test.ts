// Goal: every request is answered once and every run that was taken ends once, in time, whatever becomes of the agent.
// Method: runs of a real troupe in virtual time, over a store that commits when it is told to; no socket is needed.

import { describe, expect, test } from "vitest";
import { openRuns, type Order, type Runs } from "../../src/gateway/runs.ts";
import type { OutFrame } from "../../src/gateway/frames.ts";
import { troupe, type Troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";
import { countListeners } from "../kit/listeners.ts";
import { pass } from "../kit/passing.ts";
import { echo, held, slow } from "./socket-bed.ts";

type Bed = {
  t: Troupe;
  runs: Runs;
  clock: VirtualClock;
  kept: Disk;
  agent: ReturnType<typeof held>;
  told: string[];
  frames: OutFrame[];
  pass: (ms: number) => Promise<void>;
  /** Whether anything reaches the disk. */
  disk: (works: boolean) => void;
  order: (agentId: string, more?: Partial<Order>) => Order;
};

/** Never answers, whatever it is told. */
const deaf = { id: "deaf", timeout: "10s", handler: () => new Promise(() => undefined) };

async function openBed(kept: Disk = makeDisk(), clock = virtualClock(Date.UTC(2026, 0, 1))): Promise<Bed> {
  const waiting: (() => void)[] = [];
  let works = true;
  const commit = (act: () => void): void => (works ? queueMicrotask(act) : void waiting.push(act));
  const store = openMemory({ disk: kept, commit });
  const agent = held();
  const agents = [echo, { ...agent.definition, timeout: "1h" }, { ...slow, timeout: "10s" }, deaf];
  const t = await troupe({ store, clock, random: randomFrom(3), agents });
  const runs = openRuns(t, () => undefined);
  const told: string[] = [];
  const frames: OutFrame[] = [];
  let count = 0;
  const order = (agentId: string, more: Partial<Order> = {}): Order => {
    count += 1;
    return {
      runId: t.system.id(),
      correlationId: t.system.id(),
      agentId,
      threadId: "t1",
      sessionId: "s1",
      requestId: `r${count}`,
      input: { user_request: "hi", thread_id: "t1", data: {} },
      streams: false,
      trace: {},
      accepted: (_names, duplicate) => void told.push(duplicate ? "ack again" : "ack"),
      refused: ({ code }) => void told.push(`error ${code}`),
      tell(frame) {
        frames.push(frame);
        told.push(frame.type);
      },
      over: () => void told.push("over"),
      ...more,
    };
  };
  return {
    t,
    runs,
    clock,
    kept,
    agent,
    told,
    frames,
    order,
    pass: (ms) => pass(clock, ms),
    disk(is) {
      works = is;
      if (works) for (const act of waiting.splice(0)) act();
    },
  };
}

const shown = (told: readonly string[]): string => told.filter((one) => one !== "agent_thinking").join(", ");

describe("a run", () => {
  test("RN1: is acknowledged once it is on disk, and told of to its end", async () => {
    const { runs, order, told, pass: wait, disk } = await openBed();
    disk(false);
    runs.begin(order("echo"));
    await wait(1_000);
    expect(told).toEqual([]);
    disk(true);
    await wait(1_000);
    expect(shown(told)).toBe("ack, agent_started, agent_completed, over");
  });

  test("RN1: that nothing acknowledges in five seconds is refused; the request that comes again finds it", async () => {
    const { runs, order, told, pass: wait, disk, t } = await openBed();
    disk(false);
    const first = order("slow");
    runs.begin(first);
    await wait(5_000);
    expect(told).toEqual(["error COMMAND_TIMEOUT"]);
    disk(true);
    await wait(1_000);
    expect(told).toEqual(["error COMMAND_TIMEOUT"]);
    const known = runs.knownAs("s1", first.requestId);
    expect(known).toBe(first.runId);
    runs.takeUp(order("slow", { requestId: first.requestId }), first.runId);
    await wait(20_000);
    expect(shown(told)).toBe("error COMMAND_TIMEOUT, ack again, agent_completed, over, over");
    expect((await t.list({ entity: "task" })).items).toHaveLength(1);
  });

  test("RN1: that the engine refuses is refused with its error, and ends", async () => {
    const { runs, order, told, pass: wait } = await openBed();
    runs.begin(order("echo", { input: { user_request: "x".repeat(2_000_000), thread_id: "t1", data: {} } }));
    await wait(1);
    expect(told).toEqual(["error PAYLOAD_TOO_LARGE", "over"]);
  });

  test.each([
    ["hangs and stops when told", "slow"],
    ["hangs and does not listen", "deaf"],
  ])("RN2: whose agent %s ends in time, and says why", async (_how, agent) => {
    const { runs, order, told, frames, pass: wait } = await openBed();
    runs.begin(order(agent));
    await wait(30_000);
    expect(shown(told)).toBe("ack, agent_started, agent_completed, over");
    expect(frames.at(-1)).toMatchObject({ status: "TIMED_OUT", error: { code: "AGENT_INVOCATION_TIMEOUT" } });
  });

  test("RN2: of whose end nothing can be heard is given up by its deadline, and told so once", async () => {
    const { runs, order, told, frames, pass: wait, disk } = await openBed();
    runs.begin(order("slow"));
    await wait(1_000);
    disk(false);
    await wait(28_000);
    expect(shown(told)).toBe("ack, agent_started");
    await wait(1_000);
    expect(shown(told)).toBe("ack, agent_started, agent_completed, over");
    expect(frames.at(-1)).toMatchObject({ status: "TIMED_OUT", error: { code: "API_TIMEOUT" }, synthetic: true });
    disk(true);
    await wait(60_000);
    expect(shown(told)).toBe("ack, agent_started, agent_completed, over");
  });

  test("RN2: of before a restart has the time that its agent has, and not less", async () => {
    const first = await openBed();
    const asked = first.order("held");
    first.runs.begin(asked);
    await first.pass(1_000);
    first.runs.close();
    await first.t.stop({ graceMs: 0 });
    const { runs, order, told, pass: wait, agent, t } = await openBed(first.kept, first.clock);
    runs.resume(order("held"), t.get(asked.runId));
    await wait(1_000_000);
    expect(shown(told)).toBe("");
    agent.end();
    await wait(1_000);
    expect(shown(told)).toBe("agent_completed, over");
  });

  test("RN2: for whose agent there is nobody ends, and says why", async () => {
    const { runs, order, told, frames, pass: wait } = await openBed();
    runs.begin(order("nobody"));
    await wait(120_000);
    expect(shown(told)).toBe("ack, agent_completed, over");
    expect(frames.at(-1)).toMatchObject({ status: "FAILED", error: { code: "AGENT_DISPATCH_FAILED" } });
  });

  test("RN3: is told of its end after the ack of its cancel", async () => {
    const { runs, order, told, pass: wait } = await openBed();
    const asked = order("slow");
    runs.begin(asked);
    await wait(1_000);
    const answers = {
      accepted: () => void told.push("canceled"),
      refused: (error: unknown) => void told.push(`not canceled: ${(error as { code: string }).code}`),
    };
    void runs.cancel(asked.runId, "enough", answers);
    await wait(10_000);
    expect(shown(told)).toBe("ack, agent_started, canceled, agent_completed, over");
    await runs.cancel(asked.runId, "enough", answers);
    expect(told.at(-1)).toBe("canceled");
    await runs.cancel("nobody", "enough", answers);
    expect(told.at(-1)).toBe("not canceled: EXECUTION_NOT_FOUND");
  });

  test("RN3: that ended before its cancel was taken is told of after the answer to that", async () => {
    const { runs, order, told, pass: wait, disk, agent } = await openBed();
    const asked = order("held");
    runs.begin(asked);
    await wait(1_000);
    disk(false);
    agent.end();
    await wait(1);
    void runs.cancel(asked.runId, "enough", {
      accepted: () => void told.push("canceled"),
      refused: (error) => void told.push(`not canceled: ${(error as { code: string }).code}`),
    });
    disk(true);
    await wait(1_000);
    expect(shown(told)).toBe("ack, agent_started, not canceled: INVALID_STATE, agent_completed, over");
  });

  test("RN3: whose cancel is not answered in time is told of after that was said", async () => {
    const { runs, order, told, pass: wait, disk } = await openBed();
    const asked = order("slow");
    runs.begin(asked);
    await wait(1_000);
    disk(false);
    const canceling = runs.cancel(asked.runId, "enough", {
      accepted: () => void told.push("canceled"),
      refused: () => void told.push("not canceled"),
    });
    await wait(6_000);
    await canceling;
    expect(told.at(-1)).toBe("not canceled");
    disk(true);
    await wait(10_000);
    expect(shown(told)).toBe("ack, agent_started, not canceled, agent_completed, over");
  });

  test("RN4: is listened for only while one is open", async () => {
    const { runs, order, t, pass: wait } = await openBed();
    const listeners = countListeners(t);
    runs.begin(order("echo"));
    runs.begin(order("slow"));
    expect(listeners()).toBe(1);
    await wait(5_000);
    expect([runs.open(), listeners()]).toEqual([1, 1]);
    await wait(30_000);
    expect([runs.open(), listeners()]).toEqual([0, 0]);
  });
});
