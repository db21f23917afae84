// Goal: the transition tables say what the protocol says, and recording makes the protocol's distinction of each event.
// Method: the tables written out once more as people read them, the cases of a recording one by one, and properties
// over random sequences of events of one execution.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { catalogue, type Key, keys } from "../../src/protocol/catalogue.ts";
import { type Entity, isTerminal, statuses, unborn } from "../../src/protocol/statuses.ts";
import {
  type Disposition,
  type EventKey,
  nothingRecorded,
  record,
  type Recorded,
} from "../../src/protocol/transitions.ts";
import { type Recording, transitions } from "../../src/protocol/transitions.ts";

const numRuns = Number(process.env["TROUPE_RUNS"] ?? 1_000);

/** `from status → to status: event`, with the rows of the protocol's tables that say so. */
const tables = `
  W2        -          FAILED      WorkflowExecutionFailed
  W3        -          RUNNING     WorkflowExecutionStarted
  W3        PENDING    RUNNING     WorkflowExecutionStarted
  W4        RUNNING    PAUSED      WorkflowExecutionPaused
  W5        PAUSED     RUNNING     WorkflowExecutionResumed
  W6        RUNNING    SUCCESS     WorkflowExecutionSuccess
  W7 W8     RUNNING    FAILED      WorkflowExecutionFailed
  W9        RUNNING    TIMED_OUT   WorkflowExecutionTimedOut
  W10       -          CANCELED    WorkflowExecutionCanceled
  W10       PENDING    CANCELED    WorkflowExecutionCanceled
  W10       RUNNING    CANCELED    WorkflowExecutionCanceled
  W10       PAUSED     CANCELED    WorkflowExecutionCanceled
  T1        -          PENDING     TaskScheduled
  T2 T3     -          FAILED      TaskExecutionFailed
  T4        PENDING    RUNNING     TaskExecutionStarted
  T5        PENDING    TIMED_OUT   TaskExecutionTimedOut
  T6        RUNNING    SUCCESS     TaskExecutionSuccess
  T7        RUNNING    FAILED      TaskExecutionFailed
  T8        RUNNING    TIMED_OUT   TaskExecutionTimedOut
  T9        RUNNING    WAITING     TaskWaitingStarted
  T10       WAITING    RUNNING     TaskWaitingEnded
  T11 T12   RUNNING    CANCELED    TaskExecutionCanceled
  T12       PENDING    CANCELED    TaskExecutionCanceled
  T12       WAITING    CANCELED    TaskExecutionCanceled
  T13       WAITING    TIMED_OUT   TaskWaitingTimedOut
  T14       FAILED     PENDING     TaskRetryScheduled
  T14       TIMED_OUT  PENDING     TaskRetryScheduled
  C1        -          RUNNING     AgentExecutionStarted
  C2        -          SUCCESS     AgentExecutionResult
  C2        RUNNING    SUCCESS     AgentExecutionResult
  C3        -          FAILED      AgentExecutionResult
  C3        RUNNING    FAILED      AgentExecutionResult
  C4 C6 C7  -          FAILED      AgentExecutionFailed
  C4 C7 C12 RUNNING    FAILED      AgentExecutionFailed
  C5        -          -           AgentDispatchFailed
  C9        -          CANCELED    AgentExecutionCanceled
  C9 C10    RUNNING    CANCELED    AgentExecutionCanceled
  C1        -          RUNNING     ToolExecutionStarted
  C2        -          SUCCESS     ToolExecutionSuccess
  C2        RUNNING    SUCCESS     ToolExecutionSuccess
  C3 C4 C6 C7  -       FAILED      ToolExecutionFailed
  C3 C4 C7 C12 RUNNING FAILED      ToolExecutionFailed
  C9        -          CANCELED    ToolExecutionCanceled
  C9        RUNNING    CANCELED    ToolExecutionCanceled
  R1        -            REGISTERED   AgentRuntimeRegistered
  R1        DEREGISTERED REGISTERED   AgentRuntimeRegistered
  R4        REGISTERED   REGISTERED   AgentRuntimeRegistered
  R2 R3     REGISTERED   DEREGISTERED AgentRuntimeDeregistered
`;
const lines = tables
  .trim()
  .split("\n")
  .map((line) => {
    const words = line.trim().split(/ +/);
    const [from, to, name] = words.splice(-3) as [string, string, string];
    return { rows: words, from, to, event: `event:${name}` as EventKey };
  });

const eventKeys = keys.filter((key: Key): key is EventKey => key.startsWith("event:"));
const entityOf = (key: EventKey): Entity => catalogue[key].entity;
/** The status that an event carries, where it leads to that status; a fact carries one that it does not lead to. */
const carried = (key: EventKey, to: string): string => (key === "event:AgentDispatchFailed" ? "FAILED" : to);

let count = 0;
const event = (name: string, attempt?: number, status?: string, messageId = `message ${(count += 1)}`): Recorded => {
  const type = `event:${name}` as EventKey;
  const to = transitions.find((row) => row.event === type)?.to ?? unborn;
  return { type, messageId, attempt, status: status ?? carried(type, to) };
};
const at = (status: string, attempt = 0): Recording => ({ ...nothingRecorded, status, attempt });

/** Records one event after another; the last one's disposition, and the status after it. */
function after(...events: Recorded[]): [Disposition | undefined, string, number] {
  let view: Recording = nothingRecorded;
  let last: Disposition | undefined;
  for (const one of events) ({ disposition: last, view } = record(view, one));
  return [last, view.status, view.attempt];
}

describe("the tables", () => {
  test("have the rows of the protocol and no others", () => {
    const ours = transitions.flatMap(({ event: type, from, to }) => from.map((one) => `${one} ${to} ${type}`));
    const theirs = lines.map(({ from, to, event: type }) => `${from} ${to} ${type}`);
    expect(ours.toSorted()).toEqual(theirs.toSorted());
  });

  test("name the protocol's rows", () => {
    for (const { rows, event: type, to } of transitions) {
      const named = lines.filter((line) => line.event === type && line.to === to).flatMap((line) => line.rows);
      expect(new Set(rows.split(" "))).toEqual(new Set(named));
    }
  });

  test("have every state event, and know only statuses of its entity", () => {
    expect(new Set(transitions.map(({ event: type }) => type))).toEqual(new Set(eventKeys));
    for (const { event: type, from, to } of transitions) {
      const known: readonly string[] = [...statuses[entityOf(type)], unborn];
      for (const status of [...from, to]) expect(known).toContain(status);
    }
  });

  test.each(lines)("N1: $event is applied in $from and leads to $to", ({ event: type, from, to }) => {
    const isTask = entityOf(type) === "task";
    const attempt = from === unborn ? 0 : 1;
    const given = type === "event:TaskRetryScheduled" ? 2 : 1;
    const one: Recorded = { type, messageId: "m", attempt: isTask ? given : undefined, status: carried(type, to) };
    const { disposition, view } = record(at(from, isTask ? attempt : 0), one);
    expect([disposition, view.status]).toEqual(["applied", to === unborn ? from : to]);
    expect(view.attempt).toBe(isTask ? given : 0);
  });

  test("N1: an event with a status that is not its own is illegal", () => {
    expect(record(at("RUNNING"), event("WorkflowExecutionSuccess", undefined, "FAILED")).disposition).toBe("illegal");
    expect(record(nothingRecorded, event("AgentExecutionResult", 1, "RUNNING")).disposition).toBe("illegal");
  });
});

const [scheduled, started, success] = ["TaskScheduled", "TaskExecutionStarted", "TaskExecutionSuccess"] as const;
const [failed, retried, timedOut] = ["TaskExecutionFailed", "TaskRetryScheduled", "TaskExecutionTimedOut"] as const;

describe("a recording is a duplicate", () => {
  test("N2: when its message id is known, also of an event that was not applied", () => {
    const pause = event("WorkflowExecutionPaused");
    const run = event("WorkflowExecutionStarted");
    expect(after(run, pause, event("WorkflowExecutionResumed"), pause)).toEqual(["duplicate", "RUNNING", 0]);
    const illegal = event("WorkflowExecutionResumed");
    expect(after(run, illegal, pause, illegal)).toEqual(["duplicate", "PAUSED", 0]);
    const late = event(scheduled, 1);
    expect(after(event(scheduled, 1), event(started, 1), late)[0]).toBe("duplicate");
  });

  test("N2: when a task, agent or tool has said the same about the same attempt, under any message id", () => {
    expect(after(event(scheduled, 1), event(started, 1), event(started, 1))).toEqual(["duplicate", "RUNNING", 1]);
    expect(after(event("AgentExecutionStarted", 1), event("AgentExecutionStarted", 1))[0]).toBe("duplicate");
    expect(after(event("ToolExecutionFailed", 1), event("ToolExecutionFailed", 1))[0]).toBe("duplicate");
    expect(after(event(failed, 1), event(retried, 2), event(failed, 2))).toEqual(["applied", "FAILED", 2]);
  });

  test("N2: but not when a workflow or runtime says it again, which may well happen", () => {
    const [pause, resume] = ["WorkflowExecutionPaused", "WorkflowExecutionResumed"];
    const run = [event("WorkflowExecutionStarted"), event(pause), event(resume), event(pause), event(resume)];
    expect(after(...run)).toEqual(["applied", "RUNNING", 0]);
    const [on, off] = ["AgentRuntimeRegistered", "AgentRuntimeDeregistered"];
    expect(after(event(on), event(on), event(off), event(on))).toEqual(["applied", "REGISTERED", 0]);
  });

  test("N2: and then the view is the very same", () => {
    const { view } = record(nothingRecorded, event(scheduled, 1, undefined, "m"));
    expect(view.seen).toEqual(["m", "event:TaskScheduled#1"]);
    expect(record(view, event(scheduled, 1)).view).toBe(view);
    expect(record(view, event(started, 1, undefined, "m")).view).toBe(view);
  });
});

describe("a recording is late", () => {
  test("N2: when its attempt is over", () => {
    const again = [event(failed, 1), event(retried, 2)];
    for (const old of [success, started, timedOut, "TaskWaitingStarted"]) {
      expect(after(...again, event(old, 1))).toEqual(["late", "PENDING", 2]);
    }
    expect(after(...again, event(scheduled, 1))).toEqual(["late", "PENDING", 2]);
  });

  test("when its execution has ended", () => {
    expect(after(event(success, 1), event(timedOut, 1))).toEqual(["late", "SUCCESS", 1]);
    expect(after(event("AgentExecutionFailed", 1), event("AgentExecutionResult", 1))[0]).toBe("late");
    expect(after(event("WorkflowExecutionCanceled"), event("WorkflowExecutionSuccess"))[0]).toBe("late");
    expect(after(event("AgentExecutionCanceled", 1), event("AgentDispatchFailed", 1))[0]).toBe("late");
    expect(after(event("AgentRuntimeDeregistered"), event("AgentRuntimeDeregistered"))[0]).toBe("late");
  });

  test("when it is a step that was skipped", () => {
    expect(after(event(started, 1), event(scheduled, 1))).toEqual(["late", "RUNNING", 1]);
    expect(after(event("TaskWaitingStarted", 1), event(started, 1))).toEqual(["late", "WAITING", 1]);
    expect(after(event("TaskWaitingEnded", 1), event(started, 1))).toEqual(["late", "RUNNING", 1]);
    expect(after(event(failed, 1), event(started, 2), event(retried, 2))).toEqual(["late", "RUNNING", 2]);
    expect(after(event("WorkflowExecutionPaused"), event("WorkflowExecutionStarted"))[0]).toBe("late");
    expect(after(event("WorkflowExecutionResumed"), event("WorkflowExecutionStarted"))[0]).toBe("late");
    expect(after(event("AgentExecutionStarted", 1), event("AgentDispatchFailed", 1))).toEqual(["late", "RUNNING", 1]);
  });
});

describe("a recording is applied", () => {
  test.each([
    ["WorkflowExecutionTimedOut", undefined],
    ["WorkflowExecutionSuccess", undefined],
    ["WorkflowExecutionPaused", undefined],
    [success, 1],
    [timedOut, 1],
    ["TaskWaitingTimedOut", 1],
    ["TaskExecutionCanceled", 3],
    [retried, 2],
    ["AgentRuntimeDeregistered", undefined],
  ])("also when %s is the first that is heard", (name, attempt) => {
    const one = event(name, attempt);
    expect(after(one)).toEqual(["applied", one.status, attempt ?? 0]);
  });

  test("also when a scheduled task ends without having started", () => {
    expect(after(event(scheduled, 1), event(success, 1))).toEqual(["applied", "SUCCESS", 1]);
    expect(after(event(scheduled, 1), event("TaskWaitingStarted", 1))).toEqual(["applied", "WAITING", 1]);
  });

  test("also when a higher attempt skips the retry that led to it", () => {
    expect(after(event(failed, 1), event(started, 2))).toEqual(["applied", "RUNNING", 2]);
    expect(after(event(timedOut, 1), event(success, 3))).toEqual(["applied", "SUCCESS", 3]);
    expect(after(event(started, 1), event(started, 2))).toEqual(["applied", "RUNNING", 2]);
    expect(after(event("TaskWaitingStarted", 1), event(failed, 2))).toEqual(["applied", "FAILED", 2]);
    expect(after(event(scheduled, 1), event(retried, 2))).toEqual(["applied", "PENDING", 2]);
    expect(after(event("TaskWaitingStarted", 1), event("TaskWaitingEnded", 2))).toEqual(["applied", "RUNNING", 2]);
  });

  test("also when the end of a wait is overtaken by what comes after it, and the wait's end is late then", () => {
    expect(after(event("TaskWaitingStarted", 1), event(success, 1))).toEqual(["applied", "SUCCESS", 1]);
    expect(after(event("TaskWaitingStarted", 1), event(failed, 1))).toEqual(["applied", "FAILED", 1]);
    expect(after(event("TaskWaitingStarted", 1), event(success, 1), event("TaskWaitingEnded", 1))).toEqual([
      "late",
      "SUCCESS",
      1,
    ]);
  });

  test("N3: but no retry leaves what succeeded or was canceled", () => {
    for (const end of [success, "TaskExecutionCanceled"]) {
      expect(after(event(end, 1), event(retried, 2))).toEqual(["late", event(end).status, 1]);
      expect(after(event(end, 1), event(started, 2))).toEqual(["late", event(end).status, 1]);
    }
  });

  test("N3: nor a retry without a higher attempt, nor one of an agent or tool", () => {
    expect(after(event(failed, 1), event(retried, 1))).toEqual(["late", "FAILED", 1]);
    expect(after(event("AgentExecutionFailed", 1), event("AgentExecutionStarted", 2))).toEqual(["late", "FAILED", 1]);
    expect(after(event("ToolExecutionFailed", 1), event("ToolExecutionSuccess", 2))).toEqual(["late", "FAILED", 1]);
  });
});

describe("a recording is illegal", () => {
  test.each([
    ["a second start of a workflow", event("WorkflowExecutionStarted"), event("WorkflowExecutionStarted")],
    ["a resume of what runs", event("WorkflowExecutionStarted"), event("WorkflowExecutionResumed")],
    ["a success in a pause", event("WorkflowExecutionPaused"), event("WorkflowExecutionSuccess")],
    ["the end of a wait that nobody began", event(started, 1), event("TaskWaitingEnded", 1)],
    ["a task that is scheduled for its second attempt", event(started, 1), event(scheduled, 2)],
    [
      "an agent that starts again in a higher attempt",
      event("AgentExecutionStarted", 1),
      event("AgentExecutionStarted", 2),
    ],
  ])("%s", (_what, first, second) => {
    const { view } = record(nothingRecorded, first);
    const { disposition, view: later } = record(view, second);
    expect(disposition).toBe("illegal");
    expect([later.status, later.attempt]).toEqual([view.status, view.attempt]);
  });

  test("a second start of a workflow, also in its pause", () => {
    const run = [event("WorkflowExecutionStarted"), event("WorkflowExecutionPaused")];
    expect(after(...run, event("WorkflowExecutionStarted"))).toEqual(["illegal", "PAUSED", 0]);
  });
});

// ── random sequences ─────────────────────────────────────────────────────────────────────────────

const sequences: fc.Arbitrary<Recorded[]> = fc.constantFrom(...(Object.keys(statuses) as Entity[])).chain((entity) => {
  const rows = transitions.filter(({ event: type }) => entityOf(type) === entity);
  const hasAttempt = ["task", "agent", "tool"].includes(entity);
  const one = fc.record({
    row: fc.constantFrom(...rows),
    attempt: hasAttempt ? fc.integer({ min: 1, max: 3 }) : fc.constant(undefined),
    message: fc.nat({ max: 30 }),
  });
  const toEvent = ({
    row,
    attempt,
    message,
  }: {
    row: (typeof rows)[number];
    attempt: number | undefined;
    message: number;
  }) => ({
    type: row.event,
    messageId: `m${message}`,
    attempt,
    status: carried(row.event, row.to),
  });
  return fc.array(one.map(toEvent), { maxLength: 25, size: "max" });
});

const recorded = (events: readonly Recorded[]): Recording[] => {
  const views: Recording[] = [nothingRecorded];
  for (const one of events) views.push(record(views.at(-1) as Recording, one).view);
  return views;
};

describe("in every sequence of events", () => {
  const holds = (sentence: string, property: (events: Recorded[]) => void): void =>
    test(sentence, () => {
      fc.assert(fc.property(sequences, property), { numRuns });
    });

  holds("N2: a replay of all, or of any part, changes nothing", (events) => {
    const view = recorded(events).at(-1) as Recording;
    for (const again of events) expect(record(view, again)).toEqual({ disposition: "duplicate", view });
  });

  holds("N2: doubles in between change nothing", (events) => {
    const doubled = events.flatMap((one, index) => [one, ...events.slice(0, index + 1)]);
    expect(recorded(doubled).at(-1)).toEqual(recorded(events).at(-1));
  });

  holds("N2: only what is applied moves the view", (events) => {
    const views = recorded(events);
    events.forEach((one, index) => {
      const before = views[index] as Recording;
      const { disposition, view } = record(before, one);
      if (disposition !== "applied") expect({ ...view, seen: [] }).toEqual({ ...before, seen: [] });
    });
  });

  holds("N3: a terminal status is left by the retry of a task alone, or by a runtime that is back", (events) => {
    const views = recorded(events);
    events.forEach((one, index) => {
      const [before, view] = [views[index], views[index + 1]] as [Recording, Recording];
      if (!isTerminal(before.status) || view.status === before.status) return;
      const isRetry = entityOf(one.type) === "task" && view.attempt > before.attempt;
      expect(isRetry || one.type === "event:AgentRuntimeRegistered").toBe(true);
      expect(["SUCCESS", "CANCELED"]).not.toContain(before.status);
    });
  });

  holds("N4: the attempt never goes down, and only what is applied raises it", (events) => {
    const attempts = recorded(events).map(({ attempt }) => attempt);
    expect(attempts).toEqual(attempts.toSorted((one, other) => one - other));
  });

  holds("N1: whatever is applied ends in a status that its event leads to", (events) => {
    let view: Recording = nothingRecorded;
    for (const one of events) {
      const { disposition, view: next } = record(view, one);
      const fits = transitions.some(
        ({ event: type, to }) => type === one.type && (to === next.status || to === unborn),
      );
      if (disposition === "applied") expect(fits).toBe(true);
      view = next;
    }
  });
});
