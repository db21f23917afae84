// Goal: a row says in few words what its execution waits for, and nothing where it does not wait. Method: rows as they
// are listed, one for each kind of wait.

import { expect, test } from "vitest";
import { byRun, waitText } from "../../src/protocol/waiting.ts";

const lengthOf = (ms: number): string => `${ms / 60_000} m`;
const task = (wait: object, status = "WAITING") => ({ run: "r", status, about: { wait, reason: "whatever" } });
const of = (status: string, about: unknown = null) => ({ run: "r", status, about });

test("each kind of wait has its words, on the task and on the workflow that runs on meanwhile", () => {
  const words = [
    [{ approval: "Pay?" }, "waits for approval: Pay?"],
    [{ signal: "go" }, "waits for signal go"],
    [{ duration_ms: 600_000 }, "waits 10 m"],
    [{ until: 0 }, "waits until 1970-01-01T00:00:00.000Z"],
  ] as const;
  for (const [wait, says] of words) {
    expect(waitText(task(wait), lengthOf)).toBe(says);
    expect(waitText(of("RUNNING"), lengthOf, task(wait))).toBe(says);
  }
});

test("a pause gives its reason; who runs, has ended, or gave none says nothing", () => {
  expect(waitText(of("PAUSED", { reason: "lunch" }), lengthOf)).toBe("lunch");
  expect(waitText(of("PAUSED"), lengthOf)).toBeUndefined();
  expect(waitText(of("RUNNING"), lengthOf)).toBeUndefined();
  expect(waitText(task({ signal: "go" }, "CANCELED"), lengthOf)).toBeUndefined();
  expect(waitText(of("SUCCESS"), lengthOf, task({ signal: "go" }))).toBeUndefined();
});

test("of several that wait in one run the first that is given stays", () => {
  const [newest, older] = [task({ signal: "b" }), task({ signal: "a" })];
  expect([...byRun([newest, older])]).toEqual([["r", newest]]);
});
