// Goal: what is logged can be found again, by what it is about and how bad it is, and there is never too much of it.
// Method: lines are said to a log that writes into a list.

import { describe, expect, test } from "vitest";
import { openLog } from "../../src/daemon/log.ts";
import { pretty } from "../../src/daemon/pretty.ts";

function bed(more: Partial<Parameters<typeof openLog>[0]> = {}) {
  const written: string[] = [];
  const log = openLog({ level: "info", isPretty: false, write: (text) => void written.push(text), ...more });
  return { log, written, parsed: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("a line", () => {
  test("is one line of JSON with its level, its time and its id", () => {
    const { log, written, parsed } = bed();
    log.report("warn", "two\nlines", { a: 1 });
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/^\{.*\}\n$/);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as string;
    expect(parsed()).toMatchObject([{ level: "warn", time, msg: "two\nlines", a: 1 }]);
    expect(parsed()[0]?.["message_id"]).toMatch(/^[\da-f-]{36}$/);
  });

  test("LG2: says which execution it is about, and which trace that belongs to", () => {
    const { log, parsed } = bed();
    log.knowTraces((run) => (run === "run-1" ? "trace-1" : undefined));
    log.report("error", "a run is parked", { run: "run-1" });
    log.report("info", "said by a handler", { run: "run-1", exec_id: "agent-1", trace_id: "its own" });
    log.report("info", "without a trace", { run: "run-2" });
    log.report("info", "about nothing", {});
    expect(parsed()).toMatchObject([
      { exec_id: "run-1", trace_id: "trace-1" },
      { exec_id: "agent-1", trace_id: "its own" },
      { exec_id: "run-2" },
      { msg: "about nothing" },
    ]);
    expect(parsed().map((line) => "trace_id" in line)).toEqual([true, true, false, false]);
    expect("exec_id" in (parsed()[3] ?? {})).toBe(false);
  });

  test("below the level is not written, and is once the level is lower", () => {
    const { log, written } = bed();
    log.report("debug", "not worth it", {});
    log.setLevel("debug");
    log.report("debug", "worth it", {});
    expect({ written: written.length, level: log.level() }).toEqual({ written: 1, level: "debug" });
  });

  test("LG3: is scrubbed before it is written or kept", () => {
    const { log, written } = bed({ scrub: (line) => line.replaceAll("hunter2", "***") });
    log.report("info", "hunter2 came", { nested: { secret: "hunter2" } });
    expect(written.join()).not.toContain("hunter2");
    expect(JSON.stringify(log.lines({ limit: 10 }))).not.toContain("hunter2");
  });
});

test("a level that is none is refused", () => {
  const { log } = bed();
  expect(() => log.setLevel("loud")).toThrow("'loud' is no level of the log");
  expect(log.level()).toBe("info");
});

describe("the newest lines", () => {
  test("are found by level, execution and workflow, the newest first", () => {
    const { log } = bed();
    log.report("info", "one", { run: "a", workflow: "hello" });
    log.report("error", "two", { run: "a", workflow: "hello" });
    log.report("warn", "three", { run: "b" });
    const said = (query: Parameters<typeof log.lines>[0]): string[] => log.lines(query).items.map((one) => one.message);
    expect(said({ limit: 10 })).toEqual(["three", "two", "one"]);
    expect(said({ limit: 10, level: "warn" })).toEqual(["three", "two"]);
    expect(said({ limit: 10, execId: "a" })).toEqual(["two", "one"]);
    expect(said({ limit: 10, workflow: "hello" })).toEqual(["two", "one"]);
    const { nextCursor } = log.lines({ limit: 1, workflow: "hello" });
    expect(said({ limit: 1, workflow: "hello", after: nextCursor ?? "" })).toEqual(["one"]);
  });

  test("come in pages that together are all of them, once each", () => {
    const { log } = bed();
    for (let at = 0; at < 25; at++) log.report("info", `line ${at}`, {});
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: ReturnType<typeof log.lines> = log.lines({ limit: 10, ...(cursor !== null && { after: cursor }) });
      seen.push(...page.items.map(({ message }) => message));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, at) => `line ${24 - at}`));
  });

  test("can be asked for one by one", () => {
    const { log } = bed();
    log.report("info", "here", { message_id: "m-1", a: 1 });
    expect(log.line("m-1")).toMatchObject({ message_id: "m-1", message: "here", context: { a: 1 }, exec_id: null });
    expect(log.line("m-2")).toBeUndefined();
  });

  test("LG1: are so many, and so many bytes, and no more", () => {
    const { log } = bed({ linesMax: 5 });
    for (let at = 0; at < 12; at++) log.report("info", `line ${at}`, {});
    expect(log.lines({ limit: 200 }).items.map(({ message }) => message)).toEqual(
      [11, 10, 9, 8, 7].map((at) => `line ${at}`),
    );
    const small = bed({ bytesMax: 1_000 }).log;
    for (let at = 0; at < 12; at++) small.report("info", "x".repeat(400), {});
    expect(small.lines({ limit: 200 }).items.length).toBeLessThan(3);
    small.report("info", "y".repeat(2_000), {});
    expect(small.lines({ limit: 200 }).items).toEqual([]);
  });

  test("are asked for with a cursor of theirs, or not at all", () => {
    expect(() => bed().log.lines({ limit: 1, after: "x" })).toThrow("the cursor is none");
  });
});

describe("for a person", () => {
  const line = { level: "warn", time: "2026-11-21T09:00:00.123Z", msg: "it waits", message_id: "m" };

  test("a line says when, how bad, what, and with what", () => {
    const text = pretty({ ...line, exec_id: "r", run: "r", reason: "no room left", count: 2 });
    expect(text).toBe('09:00:00.123 warn  it waits exec_id=r reason="no room left" count=2\n');
  });

  test("nothing in it commands the terminal", () => {
    const escape = String.fromCodePoint(27);
    const text = pretty({ ...line, msg: `${escape}[2Jgone`, note: `${escape}]0;title` });
    expect(text).not.toContain(escape);
  });

  test("a long value is cut", () => {
    expect(pretty({ ...line, body: "x".repeat(10_000) }).length).toBeLessThan(600);
  });
});
