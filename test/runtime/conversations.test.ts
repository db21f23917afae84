// Goal: the engine gives whoever holds conversations what he needs: runs that can be found, named and asked for again.
// Method: direct runs at the door of a troupe, in virtual time, across restarts.

import { describe, expect, test } from "vitest";
import { memoryTransport } from "../../src/transport/memory.ts";
import { heldAgent, hour, newClock, openBed, refusal, second } from "./bed.ts";

const echo = { id: "echo", handler: (input: unknown) => ({ said: input }) };
const ofMine = { agents: [echo] };

describe("a direct run", () => {
  test("is found by its labels while it runs, when it has ended, and after a restart", async () => {
    const slow = heldAgent("slow");
    const bed = await openBed({ agents: [slow.definition] });
    const labels = { thread: "t9", session: "s1" };
    const { execId, accepted } = bed.t.startOne({ agent: "slow" }, {}, { labels });
    await accepted();
    const found = async (t = bed.t): Promise<unknown> => (await t.list({ labels: { thread: "t9" } })).items;
    expect(await found()).toMatchObject([{ execId, entity: "task", labels }]);
    slow.runs[0]?.end({ ok: true });
    await bed.pass(second);
    expect(await found()).toMatchObject([{ execId, status: "SUCCESS", labels }]);
    await bed.t.stop();
    const { t } = await openBed({ agents: [slow.definition], disk: bed.disk, clock: bed.clock });
    expect(await found(t)).toMatchObject([{ execId, labels }]);
  });

  test("cannot have labels that no execution may have", async () => {
    const { t } = await openBed(ofMine);
    const labels = { thread: "x".repeat(300) };
    expect(await refusal(() => t.startOne({ agent: "echo" }, {}, { labels }))).toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });

  test("has the id that it is given, which nothing else can have then", async () => {
    const { t, pass } = await openBed(ofMine);
    const execId = t.system.id();
    const handle = t.startOne({ agent: "echo" }, {}, { execId });
    expect(handle.execId).toBe(execId);
    expect(await refusal(() => t.startOne({ agent: "echo" }, {}, { execId }))).toMatchObject({
      code: "EXEC_ID_CONFLICT",
    });
    await pass(second);
    expect(await handle.result()).toMatchObject({ execId, status: "SUCCESS" });
    expect(await refusal(() => t.startOne({ agent: "echo" }, {}, { execId }))).toMatchObject({
      code: "EXEC_ID_CONFLICT",
    });
    expect(await refusal(() => t.startOne({ agent: "echo" }, {}, { execId: "mine" }))).toMatchObject({
      code: "VALIDATION_FAILED",
    });
  });

  test("says who asked for it, and so does its cancel", async () => {
    const slow = heldAgent("slow");
    const { t, pass } = await openBed({ agents: [slow.definition] });
    const { execId, accepted } = t.startOne({ agent: "slow" }, {}, { by: "GW" });
    await accepted();
    expect(await t.requestCancel(execId, "enough", "GW")).toBe(true);
    await pass(10 * second);
    const sources = (await t.history(execId))
      .filter(({ type }) => ["command:TaskTrigger", "command:TaskCancel"].includes(type))
      .map(({ envelope }) => envelope.metadata["source_component"]);
    expect(sources.slice(0, 2)).toEqual(["api.Gateway", "api.Gateway"]);
  });

  test("is known by its key for as long as is wished, also after a restart", async () => {
    const clock = newClock();
    const { t, disk, pass } = await openBed({ ...ofMine, clock });
    const start = { idempotencyKey: "k1", keyMs: hour };
    expect(t.startedBy("k1")).toBeUndefined();
    const { execId, accepted } = t.startOne({ agent: "echo" }, {}, start);
    expect(t.startedBy("k1")).toBe(execId);
    await accepted();
    await pass(second);
    await t.stop();
    const again = await openBed({ ...ofMine, disk, clock });
    expect(again.t.startedBy("k1")).toBe(execId);
    expect(again.t.startOne({ agent: "echo" }, {}, start)).toMatchObject({ execId, duplicate: true });
    await again.pass(hour);
    expect(again.t.startedBy("k1")).toBeUndefined();
    expect(again.t.startOne({ agent: "echo" }, {}, start)).toMatchObject({ duplicate: false });
  });
});

test("the newest run that bears a mark is found by it, also after a restart, as long as it is kept", async () => {
  const clock = newClock();
  const given = { ...ofMine, clock, limits: { retentionMs: hour } };
  const { t, disk, pass } = await openBed(given);
  const begin = (...marks: string[]): string => t.startOne({ agent: "echo" }, {}, { marks }).execId;
  begin("thread/t1", "session/s1");
  await pass(second);
  const newest = begin("thread/t1");
  await pass(second);
  await t.stop();
  const again = await openBed({ ...given, disk });
  expect(again.t.newestOf("thread/t1")).toBe(newest);
  expect(again.t.newestOf("session/s1")).not.toBe(newest);
  expect(again.t.newestOf("thread/t2")).toBeUndefined();
  await again.pass(2 * hour);
  expect(again.t.newestOf("thread/t1")).toBeUndefined();
});

describe("a request to cancel", () => {
  test("is answered once it is taken, and does not wait for whoever does not stop", async () => {
    const deaf = heldAgent("deaf", { ignores: true });
    const { t, pass } = await openBed({ agents: [deaf.definition] });
    const { execId, accepted } = t.startOne({ agent: "deaf" }, {});
    await accepted();
    expect(await t.requestCancel(execId, "enough")).toBe(true);
    expect(t.get(execId).status).toBe("RUNNING");
    expect(await refusal(() => t.requestCancel("nobody"))).toMatchObject({ code: "EXECUTION_NOT_FOUND" });
    await pass(20 * second);
    expect(t.get(execId).status).toBe("CANCELED");
    expect(await t.requestCancel(execId, "again")).toBe(false);
  });
});

describe("the journal", () => {
  test("is read from any line on, of all runs or of one, and says where it ends", async () => {
    const { t, pass } = await openBed(ofMine);
    const first = t.startOne({ agent: "echo" }, {});
    const other = t.startOne({ agent: "echo" }, {});
    await pass(second);
    const whole = await t.journal({ fromLine: 0 });
    expect(whole.isEnd).toBe(true);
    expect(whole.lines.map(({ line }) => line)).toEqual(whole.lines.map((_, index) => index + 1));
    expect(whole.nextLine).toBe(whole.lines.length + 1);
    expect(t.stats().line).toBe(whole.lines.length);
    const middle = await t.journal({ fromLine: 7 });
    expect(middle.lines).toEqual(whole.lines.slice(6));
    const own = await t.journal({ fromLine: 0, execId: first.execId });
    expect(own.lines).toEqual(await t.history(first.execId));
    expect(own.lines.some(({ run }) => run === other.execId)).toBe(false);
    expect(await t.journal({ fromLine: whole.nextLine })).toEqual({
      lines: [],
      nextLine: whole.nextLine,
      isEnd: true,
    });
  });
});

describe("what is refused at another door", () => {
  const bytes = new TextEncoder().encode('{"type":"run_agent"}');
  const received = { subject: "ws", headers: {}, bytes };

  test("is logged", async () => {
    const { t, reports } = await openBed(ofMine);
    t.refuse("GW", received, new Error("no"));
    expect(reports).toMatchObject([{ level: "error", fields: { code: "INTERNAL_ERROR", subject: "ws" } }]);
  });

  test("is said on the bus, where there is one, as a log line and a dead letter", async () => {
    const clock = newClock();
    const transport = memoryTransport({ clock });
    const { t, pass } = await openBed({ ...ofMine, transport, clock });
    const heard: string[] = [];
    const listener = transport.connect({ name: "monitor", onFault: () => undefined });
    for (const pattern of ["compozy.logs.>", "compozy.rejected.>"]) {
      listener.subscribe(pattern, ({ subject }) => void heard.push(subject));
    }
    const correlationId = t.system.id();
    t.refuse("GW", received, new Error("no"), correlationId);
    await pass(1);
    expect(heard.sort()).toEqual([
      `compozy.logs.api_gateway.${correlationId}.error`,
      "compozy.rejected.internal_error",
    ]);
    expect(t.stats().bridge?.rejected).toEqual({ INTERNAL_ERROR: 1 });
  });
});

test("a conversation that was deleted is so after a restart, until its runs are forgotten too", async () => {
  const clock = newClock();
  const { t, disk, pass } = await openBed({ ...ofMine, clock, limits: { retentionMs: hour } });
  t.forgetThread("t1");
  const at = clock.now();
  expect([t.threadForgottenAt("t1"), t.threadForgottenAt("t2")]).toEqual([at, 0]);
  await pass(second);
  await t.stop();
  const again = await openBed({ ...ofMine, disk, clock, limits: { retentionMs: hour } });
  expect(again.t.threadForgottenAt("t1")).toBe(at);
  await again.pass(2 * hour);
  again.t.forgetThread("t2");
  expect(again.t.threadForgottenAt("t1")).toBe(0);
});

test("news of handlers are heard alone, until that is ended", async () => {
  const talker = {
    id: "talker",
    handler: (_input: unknown, { think }: { think: (text: string) => void }) => {
      think("hm");
      return { ok: true };
    },
  };
  const { t, pass } = await openBed({ agents: [talker] });
  const heard: string[] = [];
  const off = t.onNews(({ word }) => void heard.push(word.type));
  t.startOne({ agent: "talker" }, {});
  await pass(second);
  expect(heard).toContain("progress:AgentThinking");
  heard.length = 0;
  off();
  t.startOne({ agent: "talker" }, {});
  await pass(second);
  expect(heard).toEqual([]);
});
