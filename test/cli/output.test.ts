// Goal: what is printed fits where it is printed: times, tables, the tree of a run, and its redrawing on a terminal.
// Method: the functions themselves, and a terminal that remembers what it would show.

import { stripVTControlCharacters, styleText } from "node:util";
import { describe, expect, test } from "vitest";
import type { Execution } from "../../src/cli/pick.ts";
import { failureText } from "../../src/cli/failure.ts";
import { type Heard, lineOf, newProgress } from "../../src/cli/progress.ts";
import { clipped, openScreen } from "../../src/cli/screen.ts";
import { openTelling } from "../../src/cli/watch.ts";
import { harmless, lengthOf, table, whenOf, widthOf } from "../../src/cli/words.ts";
import { errors, type ErrorCode, TroupeError } from "../../src/protocol/errors.ts";

const escape = String.fromCodePoint(27);

/** What a terminal shows: it knows how to go up and to erase below, which is all that is asked of it. */
function fakeTerminal(columns: number, rows: number) {
  let lines: string[] = [];
  return {
    isTTY: true,
    columns,
    rows,
    write(text: string): void {
      const [, up = "0", rest = text] = new RegExp(`^${escape}\\[(\\d+)A${escape}\\[0J([^]*)$`).exec(text) ?? [];
      expect(Number(up)).toBeLessThanOrEqual(lines.length);
      lines = [...lines.slice(0, lines.length - Number(up)), ...rest.split("\n").slice(0, -1)];
    },
    shown: () => lines.map((line) => stripVTControlCharacters(line)),
  };
}

const event = (type: string, at: number, content: Record<string, unknown>): Heard => ({
  type: `event:${type}`,
  at,
  content,
});
const flow = { id: "f", exec_id: "F" };
const begun = event("WorkflowExecutionStarted", 0, { workflow: flow, payload: { status: "RUNNING", context: {} } });
const task = (id: string, type: string, status: string, at: number, more: object = {}): Heard =>
  event(type, at, {
    workflow: flow,
    task: { id, exec_id: id.toUpperCase() },
    payload: { status, context: { attempt: 1 }, ...more },
  });

describe("times and tables", () => {
  test.each([
    [0, "0 ms"],
    [999.6, "1.0 s"],
    [1_250, "1.2 s"],
    [59_999, "59.9 s"],
    [60_000, "1 m"],
    [200_000, "3 m 20 s"],
    [3_600_000, "1 h"],
    [7_260_000, "2 h 1 m"],
    [90_000_000, "1 d 1 h"],
  ])("%i ms is %s", (ms, says) => expect(lengthOf(ms)).toBe(says));

  test("when something was is said as it is felt", () => {
    const now = Date.parse("2026-01-01T12:00:00Z");
    expect(whenOf("2026-01-01T11:59:59.500Z", now)).toBe("now");
    expect(whenOf("2026-01-01T11:59:17.700Z", now)).toBe("42 s ago");
    expect(whenOf("2026-01-01T09:00:00Z", now)).toBe("3 h ago");
    expect(whenOf("2026-01-01T12:05:00Z", now)).toBe("in 5 m");
    expect(whenOf(null, now)).toBe("-");
  });

  test("columns stand under each other, whatever their colours", () => {
    const red = styleText("red", "FAILED", { validateStream: false });
    const lines = table(
      ["id", "status", "x"],
      [
        ["a", red, "1"],
        ["long-id", "OK", "2"],
      ],
    ).split("\n");
    expect(lines.map((line) => stripVTControlCharacters(line))).toEqual([
      "ID       STATUS  X",
      "a        FAILED  1",
      "long-id  OK      2",
    ]);
    expect(widthOf(red)).toBe(6);
  });
});

describe("the tree of a run", () => {
  test("nests what was called in what called it, and says how each stands", () => {
    const progress = newProgress();
    const call = { workflow: flow, task: { id: "a", exec_id: "A" } };
    for (const heard of [
      begun,
      task("a", "TaskScheduled", "PENDING", 0),
      task("a", "TaskExecutionStarted", "RUNNING", 100),
      event("AgentExecutionStarted", 100, {
        ...call,
        agent: { id: "x", exec_id: "X" },
        payload: { status: "RUNNING", context: {} },
      }),
      event("ToolExecutionStarted", 200, {
        ...call,
        agent: { id: "x", exec_id: "X" },
        tool: { id: "t", exec_id: "T" },
        payload: { status: "RUNNING", context: {} },
      }),
      event("ToolExecutionSuccess", 300, {
        ...call,
        agent: { id: "x", exec_id: "X" },
        tool: { id: "t", exec_id: "T" },
        payload: { status: "SUCCESS", context: {} },
      }),
      task("b", "TaskWaitingStarted", "WAITING", 300, { context: { wait: { approval: "Go?" } } }),
      task("c", "TaskExecutionFailed", "FAILED", 400, {
        context: { attempt: 2 },
        result: { error: { code: "X", message: "broke" } },
      }),
    ]) {
      progress.hear(heard);
    }
    expect(progress.lines(1_000).map((line) => stripVTControlCharacters(line))).toEqual([
      "● f RUNNING 1.0 s",
      "├─ ● a RUNNING 1.0 s",
      "│  └─ ● x agent RUNNING 900 ms",
      "│     └─ ✔ t tool 100 ms",
      "├─ ◆ b WAITING 700 ms approval: Go?",
      "└─ ✖ c attempt 2 FAILED 0 ms X: broke",
    ]);
  });

  test("of a run that was there already begins with its rows", () => {
    const progress = newProgress();
    const row = {
      exec_id: "F",
      entity: "workflow",
      id: "f",
      parent: null,
      status: "RUNNING",
      attempt: 0,
      created_at: "1970-01-01T00:00:00Z",
      started_at: null,
      ended_at: null,
    };
    progress.take(row as unknown as Execution);
    progress.take({
      ...row,
      exec_id: "A",
      entity: "task",
      id: "a",
      parent: "F",
      status: "FAILED",
      error: { code: "X", message: "y" },
      ended_at: "1970-01-01T00:00:01Z",
    } as unknown as Execution);
    expect(progress.lines(2_000).map((line) => stripVTControlCharacters(line))).toEqual([
      "● f RUNNING 2.0 s",
      "└─ ✖ a FAILED 1.0 s X: y",
    ]);
  });

  test("that is too long for the screen leaves out what went well first", () => {
    const progress = newProgress();
    progress.hear(begun);
    for (let n = 0; n < 50; n++) progress.hear(task(`t${n}`, "TaskExecutionSuccess", "SUCCESS", n));
    progress.hear(task("late", "TaskExecutionStarted", "RUNNING", 60));
    const lines = progress.lines(100, 10).map((line) => stripVTControlCharacters(line));
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe("● f RUNNING 100 ms");
    expect(lines[1]).toMatch(/… \d+ more/);
    expect(lines.at(-1)).toContain("late RUNNING");
  });

  test("is one line for each thing where there is no screen, and nothing for what moves no row", () => {
    expect(stripVTControlCharacters(lineOf(task("a", "TaskExecutionSuccess", "SUCCESS", 1_234), 1_000) ?? "")).toBe(
      "   +0.234 s  task      SUCCESS a",
    );
    expect(lineOf({ type: "command:TaskExecute", at: 0, content: {} }, 0)).toBeUndefined();
    expect(lineOf({ type: "event:AgentRuntimeRegistered", at: 0, content: { agent_runtime: {} } }, 0)).toBeUndefined();
    expect(lineOf({ type: "event:AgentDispatchFailed", at: 0, content: {} }, 0)).toBeUndefined();
  });
});

test("what an agent says moves nothing on the terminal, and breaks no line of the tree", () => {
  const bell = String.fromCodePoint(7);
  const evil = `broke\n${escape}[2J${escape}]0;owned${bell}${escape}[31mred`;
  expect(harmless(evil)).toBe(`broke\n␛[2J␛]0;owned·${escape}[31mred`);
  const progress = newProgress();
  progress.hear(begun);
  progress.hear(task("a", "TaskExecutionFailed", "FAILED", 1, { result: { error: { code: "X", message: evil } } }));
  const terminal = fakeTerminal(80, 10);
  openScreen(terminal).draw(progress.lines(1));
  expect(terminal.shown()).toEqual(["● f RUNNING 1 ms", "└─ ✖ a FAILED 0 ms X: broke ␛[2J␛]0;owned·red"]);
});

describe("redrawing", () => {
  test("no line is wider than the terminal, and colours end with it", () => {
    const line = styleText("green", "x".repeat(50), { validateStream: false });
    const short = clipped(line, 20);
    expect(widthOf(short)).toBe(20);
    expect(short.endsWith(`…${escape}[0m`)).toBe(true);
    expect(clipped("short", 20)).toBe("short");
    expect(clipped("ünïcödé😀".repeat(5), 10)).toBe("ünïcödé😀…");
  });

  test("puts the new lines where the old ones were, also when they become fewer", () => {
    const terminal = fakeTerminal(20, 10);
    terminal.write("before\n");
    const screen = openScreen(terminal);
    screen.draw(["one", "two", "three"]);
    screen.draw(["one", `a line that is far too long for ${"it".repeat(20)}`]);
    expect(terminal.shown()).toEqual(["before", "one", "a line that is far …"]);
    screen.clear();
    expect(terminal.shown()).toEqual(["before"]);
  });

  test("a run is drawn in the width and height that there is, and what was drawn last stays", () => {
    const terminal = fakeTerminal(24, 6);
    const telling = openTelling({}, terminal);
    telling.hear(begun);
    for (let n = 0; n < 20; n++) telling.hear(task(`task-with-a-long-name-${n}`, "TaskExecutionStarted", "RUNNING", n));
    telling.end();
    expect(terminal.shown()).toHaveLength(5);
    for (const line of terminal.shown()) expect(widthOf(line)).toBeLessThanOrEqual(24);
    expect(terminal.shown()[0]).toMatch(/^● f RUNNING /);
  });
});

describe("an error", () => {
  test.each(Object.keys(errors) as ErrorCode[])("%s is told with its code, for people and as JSON", (code) => {
    const error = new TroupeError(code, "it went wrong", {}, { cause: new Error("the wire was cut") });
    expect(failureText(error, false)).toMatch(new RegExp(`^troupe: it went wrong \\(${code}\\)`));
    expect(JSON.parse(failureText(error, true))).toMatchObject({
      error: { code, message: "it went wrong", summary: errors[code].summary },
    });
  });

  test("tells the cause, what to do, and the fields that it has not named", () => {
    const cause = new Error("the wire was cut");
    const many = [
      { field: "a", message: "is missing" },
      { field: "b", message: "must be text" },
    ];
    expect(failureText(new TroupeError("DAEMON_UNREACHABLE", "nobody answers", {}, { cause }), false)).toBe(
      [
        "troupe: nobody answers (DAEMON_UNREACHABLE)",
        "  cause: the wire was cut",
        "  fix: start it with `troupe up`, or say where it is with --url",
      ].join("\n"),
    );
    expect(
      failureText(
        new TroupeError("VALIDATION_FAILED", "this cannot be: a is missing, and 1 more", { errors: many }),
        false,
      ),
    ).toBe("troupe: this cannot be: a is missing, and 1 more (VALIDATION_FAILED)\n       b must be text");
    expect(failureText(new TroupeError("INVALID_STATE", "not now", { fix: "wait" }), false)).toContain("\n  fix: wait");
  });
});
