// Goal: whoever follows the journal gets every message once and in order, also across restarts and when he is slow.
// Method: streams over a real troupe, read piece by piece, against what the journal itself says.

import { once } from "node:events";
import type { Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { openStreams, type Streams } from "../../src/gateway/stream.ts";
import { troupe, type Troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { countListeners } from "../kit/listeners.ts";

type Event = { id: number | null; event: string; data: Record<string, unknown> };
type Context = { think: (text: string) => void };

const open: { t: Troupe; streams: Streams }[] = [];
afterEach(async () => {
  for (const { t, streams } of open.splice(0)) {
    streams.close();
    await t.stop({ graceMs: 0 });
  }
});

async function openBed(
  disk: Disk = makeDisk(),
  heartbeatMs = 60_000,
  limits: Parameters<typeof openStreams>[0]["limits"] = {},
) {
  const t = await troupe({
    store: openMemory({ disk, commit: setImmediate }),
    agents: [
      { id: "echo", handler: () => ({ text: "ok" }) },
      { id: "large", handler: () => ({ text: "x".repeat(500_000) }) },
      {
        id: "thinker",
        handler(_input: unknown, { think }: Context) {
          for (let count = 0; count < 1_000; count += 1) think(String(count));
          return { text: "ok" };
        },
      },
    ],
    tools: [{ id: "orders", handler: () => ({ state: "sent" }) }],
  });
  const streams = openStreams({ troupe: t, heartbeatMs, limits });
  const bed = { t, streams, disk };
  open.push(bed);
  return bed;
}

/** Reads a stream as a browser does, as long as it is asked for more. */
function reading(stream: Readable) {
  const events: Event[] = [];
  const comments: string[] = [];
  let rest = "";
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  async function more(): Promise<boolean> {
    const { value, done } = await pieces.next();
    if (done === true) return false;
    rest += value.toString();
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      if (fields["event"] === undefined) comments.push(block);
      else {
        const data = JSON.parse(fields["data"] ?? "null") as Event["data"];
        events.push({ id: fields["id"] === undefined ? null : Number(fields["id"]), event: fields["event"], data });
      }
    }
    return true;
  }
  return {
    events,
    comments,
    async until(is: () => boolean): Promise<void> {
      while (!is()) if (!(await more())) throw new Error(`it ended after ${JSON.stringify(events.at(-1))}`);
    },
    async toEnd(): Promise<void> {
      while (await more());
    },
    leave: () => void stream.destroy(),
  };
}

const isEnd = ({ event }: Event): boolean => event === "TaskExecutionSuccess";
const numbersOf = (events: readonly Event[]): number[] => events.flatMap(({ id }) => (id === null ? [] : [id]));

test("SS1: an execution is told from its beginning and as it goes on, each message with its number", async () => {
  const { t, streams } = await openBed();
  const handle = t.startOne({ agent: "echo" }, {});
  await handle.result();
  const past = reading(streams.events({ execId: handle.execId }));
  await past.until(() => past.events.some(isEnd));
  const history = await t.history(handle.execId);
  expect(past.events.map(({ id }) => id)).toEqual(history.map(({ line }) => line));
  expect(past.events.map(({ data }) => data)).toEqual(history.map(({ envelope }) => envelope));
  expect(past.events[0]).toMatchObject({ event: "TaskTrigger", data: { task: { exec_id: handle.execId } } });
});

test("SS1: all executions are told from now on, and nothing of before", async () => {
  const { t, streams } = await openBed();
  await t.execute({ agent: "echo" }, {});
  const first = (await t.journal({ fromLine: t.stats().line + 1 })).nextLine;
  const now = reading(streams.events({}));
  await now.until(() => now.comments.length === 1);
  await Promise.all([t.execute({ agent: "echo" }, {}), t.execute({ tool: "orders" }, {})]);
  await now.until(() => now.events.filter(isEnd).length === 2);
  const { lines } = await t.journal({ fromLine: first });
  expect(numbersOf(now.events)).toEqual(lines.map(({ line }) => line).slice(0, now.events.length));
});

describe("SS2: whoever comes back with the last number that he saw", () => {
  test("gets what followed, wherever he was cut off, and nothing twice", async () => {
    const { t, streams } = await openBed();
    const { execId, accepted } = t.startOne({ agent: "echo" }, {});
    await accepted();
    const whole = reading(streams.events({ execId }));
    await whole.until(() => whole.events.some(isEnd));
    const all = numbersOf(whole.events);
    for (const [place, last] of all.entries()) {
      const rest = reading(streams.events({ execId, lastEventId: String(last) }));
      if (place + 1 < all.length) await rest.until(() => rest.events.some(isEnd));
      expect(numbersOf(rest.events)).toEqual(all.slice(place + 1));
      rest.leave();
    }
  });

  test("gets it also from a daemon that was begun anew over the same log", async () => {
    const first = await openBed();
    const before = reading(first.streams.events({}));
    await before.until(() => before.comments.length === 1);
    await first.t.execute({ agent: "echo" }, {});
    await before.until(() => before.events.some(isEnd));
    await first.t.execute({ tool: "orders" }, {});
    await first.t.stop({ graceMs: 0 });

    const second = await openBed(first.disk);
    const last = String(before.events.at(-1)?.id);
    const after = reading(second.streams.events({ lastEventId: last }));
    await second.t.execute({ agent: "echo" }, {});
    await after.until(() => after.events.filter(isEnd).length === 2);
    const { lines } = await second.t.journal({ fromLine: before.events[0]?.id ?? 0 });
    const heard = [...numbersOf(before.events), ...numbersOf(after.events)];
    expect(heard).toEqual(lines.map(({ line }) => line).slice(0, heard.length));
  });

  test("and what is no number, or of nobody, is refused before anything is said", async () => {
    const { t, streams } = await openBed();
    expect(() => streams.events({ lastEventId: "abc" })).toThrow("'abc' is no number of an event");
    expect(() => streams.events({ execId: "nobody" })).toThrow("no execution 'nobody' is known");
    // Of another journal than this: there is nothing to go on from.
    const lost = reading(streams.events({ lastEventId: "999999" }));
    await t.execute({ agent: "echo" }, {});
    await lost.until(() => lost.events.some(isEnd));
  });
});

test("filters let pass what is of an entity, of a type by name or key, or of a correlation", async () => {
  const { t, streams } = await openBed();
  const mine = t.system.id();
  const correlated = t.startOne({ agent: "echo" }, {}, { correlationId: mine });
  await correlated.result();
  const other = t.startOne({ agent: "echo" }, {});
  await other.result();
  const kindsOf = async (query: object, count: number): Promise<string[]> => {
    const found = reading(streams.events({ lastEventId: "0", ...query }));
    await found.until(() => found.events.length >= count);
    found.leave();
    return found.events.map(({ event }) => event);
  };
  expect(new Set(await kindsOf({ type: "TaskExecutionSuccess" }, 2))).toEqual(new Set(["TaskExecutionSuccess"]));
  expect(await kindsOf({ type: "event:AgentExecutionResult" }, 2)).toEqual(Array(2).fill("AgentExecutionResult"));
  expect(await kindsOf({ entity: "agent_runtime" }, 1)).toContain("AgentRuntimeRegistered");
  const own = reading(streams.events({ lastEventId: "0", correlationId: mine }));
  await own.until(() => own.events.some(isEnd));
  expect(own.events.map(({ id }) => id)).toEqual((await t.history(correlated.execId)).map(({ line }) => line));
});

test("SS3: a slow reader costs a bounded number of news, and misses no message", async () => {
  const { t, streams } = await openBed();
  const slow = reading(streams.events({ progress: true }));
  await slow.until(() => slow.comments.length === 1);
  await t.execute({ agent: "thinker" }, {});
  await slow.until(() => slow.events.some(isEnd) && slow.events.some(({ id }) => id === null));
  const news = slow.events.filter(({ id, event }) => id === null && event === "AgentThinking");
  expect(news[0]).toMatchObject({ event: "AgentThinking", data: { payload: { context: { text: "0" } } } });
  expect(news.length).toBeLessThanOrEqual(256);
  const { lines } = await t.journal({ fromLine: numbersOf(slow.events)[0] ?? 0 });
  expect(numbersOf(slow.events)).toEqual(lines.map(({ line }) => line).slice(0, numbersOf(slow.events).length));
});

test("news are those of handlers and of charts, of one execution if that is asked", async () => {
  const { t, streams } = await openBed();
  const execId = t.system.id();
  const all = reading(streams.events({ progress: true }));
  await all.until(() => all.comments.length === 1);
  await t.startOne({ agent: "echo" }, {}, { execId }).result();
  await t.execute({ agent: "thinker" }, {});
  // An agent that says nothing is heard to think all the same: its chart says so.
  await all.until(() => all.events.some(({ id, data }) => id === null && taskIn(data) === execId));
  const own = reading(streams.events({ execId, progress: true }));
  await own.until(() => own.events.some(isEnd));
  await t.execute({ agent: "thinker" }, {});
  // What an acknowledgment of a runtime is about, only its cause says.
  expect(new Set(own.events.map(({ data }) => taskIn(data) ?? execId))).toEqual(new Set([execId]));
});
const taskIn = (data: Event["data"]): unknown => (data["task"] as { exec_id?: string } | undefined)?.exec_id;

test("SS3: a reader that never reads is pulled from no further than a page", async () => {
  const { t, streams } = await openBed();
  const { execId } = t.startOne({ agent: "echo" }, {});
  await t.result(execId);
  let pages = 0;
  const { journal } = t;
  t.journal = (from) => {
    pages += 1;
    return journal(from);
  };
  const stream = streams.events({ lastEventId: "0" });
  stream.read(0);
  for (let count = 0; count < 300; count += 1) await t.execute({ agent: "echo" }, {});
  await expect.poll(() => stream.readableLength).toBeGreaterThan(0);
  const before = pages;
  for (let count = 0; count < 50; count += 1) await t.execute({ agent: "echo" }, {});
  expect(stream.readableLength).toBeLessThan(1_000_000);
  expect(pages - before).toBeLessThanOrEqual(50);
});

test("SS4: a stream with nothing to say is heard of now and then, and ends when the gateway does", async () => {
  const { streams } = await openBed(makeDisk(), 20);
  const quiet = reading(streams.events({}));
  await quiet.until(() => quiet.comments.filter((one) => one === ": alive").length === 2);
  expect(streams.stats()).toEqual({ streams: 1 });
  streams.close();
  await quiet.toEnd();
  expect(streams.stats()).toEqual({ streams: 0 });
  await reading(streams.events({})).toEnd();
});

test("SS4: a client that goes away ends its stream at once, and the engine is listened to no longer", async () => {
  const { t, streams } = await openBed();
  const listeners = countListeners(t);
  const [one, two] = [streams.events({}), streams.events({ progress: true })];
  for (const stream of [one, two]) await once(stream, "readable");
  expect([streams.stats().streams, listeners()]).toEqual([2, 1]);
  one.destroy();
  expect([streams.stats().streams, listeners()]).toEqual([1, 1]);
  two.destroy();
  expect([streams.stats().streams, listeners()]).toEqual([0, 0]);
});

test("SS3: of a record with large messages no more is kept for a reader than it can be sent at once", async () => {
  const { t, streams } = await openBed();
  const { execId } = t.startOne({ agent: "large" }, {});
  await t.result(execId);
  const whole = (await t.history(execId)).map(({ line }) => line);
  const stream = streams.events({ execId });
  await once(stream, "readable");
  await expect.poll(() => stream.readableLength).toBeGreaterThan(400_000);
  expect(stream.readableLength).toBeLessThan(1_000_000);
  const reader = reading(stream);
  await reader.until(() => reader.events.length === whole.length);
  expect(numbersOf(reader.events)).toEqual(whole);
});

test("SS3: a reader that has stopped reading is ended, and one that waits for something to read is not", async () => {
  const { t, streams } = await openBed(makeDisk(), 60_000, { streamStalledMs: 50 });
  const { execId } = t.startOne({ agent: "large" }, {});
  await t.result(execId);
  const quiet = streams.events({});
  quiet.resume();
  const silent = streams.events({ execId });
  await once(silent, "readable");
  await once(silent, "close");
  expect([quiet.destroyed, streams.stats().streams]).toEqual([false, 1]);
});

test("SS5: one stream too many is refused, and there is room again when one has ended", async () => {
  const { streams } = await openBed(makeDisk(), 60_000, { streams: 2 });
  const [one] = [streams.events({}), streams.events({})];
  expect(() => streams.events({})).toThrow(
    expect.objectContaining({ code: "RATE_LIMITED", message: expect.stringContaining("raise 'streams'") as string }),
  );
  one.destroy();
  await expect(reading(streams.events({ lastEventId: "0" })).until(() => true)).resolves.toBeUndefined();
});

test("SS5: others have their turn between two readers of large pages", async () => {
  const { t, streams } = await openBed();
  await t.result(t.startOne({ agent: "large" }, {}).execId);
  const readers = Array.from({ length: 20 }, () => streams.events({ lastEventId: "0" }));
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(
    readers.map(async (stream) => {
      const reader = reading(stream);
      await reader.until(() => reader.events.some(isEnd));
    }),
  );
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(readers.length);
});
