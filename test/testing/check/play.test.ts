// What comes of trials: every kind of outcome and disturbance, on small workflows, by what people would see of it.

import { describe, expect, test } from "vitest";
import { play } from "../../../src/testing/check/play.ts";
import type { Disturbance, Outcome } from "../../../src/testing/check/trial.ts";
import { company, placesIn, toldOf, trialOf } from "./casts.ts";

const output = { n: 1, ok: true };
const causeOf = (error: { details: object } | null): unknown => Object(error?.details).cause_code;
const after = (workflow: string, calls: Record<string, Outcome>, disturbances: Disturbance[] = []) =>
  play(company, trialOf(workflow, { calls, disturbances }));

describe("a plain run", () => {
  test("calls everything once, and takes every way", async () => {
    const played = await after("five", {});
    expect(played.status).toBe("SUCCESS");
    expect(placesIn(played)).toEqual(["look", "think", "charge", "tell", "close"]);
    expect(played.transitions.map(({ to }) => to)).toEqual(["think", "charge", "tell", "close", "$SUCCESS"]);
    expect([played.open, played.unmet, played.troubles]).toEqual([[], [], []]);
    expect(played.journal().map(({ type }) => type)).toEqual(played.lines.map(({ word }) => word.type));
  });
  test("is given what it waits for, and what is in a child or an item has a name of its own", async () => {
    const played = await after("varied", {});
    expect(played.status).toBe("SUCCESS");
    expect(placesIn(played).toSorted()).toEqual(
      ["book", "wait", "ask", "all[0]/fetch", "all[1]/fetch", "left", "right/work", "end"].toSorted(),
    );
  });
  test("Y1: the same trial gives the same journal", async () => {
    const trial = trialOf("varied", { calls: { "all[*]/fetch": { do: "fails", code: "GONE" } }, seed: 5 });
    expect(toldOf(await play(company, trial))).toBe(toldOf(await play(company, trial)));
  });
});

describe("a fault", () => {
  const alone: [Outcome, string | undefined][] = [
    [{ do: "fails", code: "GONE" }, "TOOL_ERROR"],
    [{ do: "undispatched", reason: "all_busy" }, "TOOL_DISPATCH_FAILED"],
    [{ do: "hangs" }, "TOOL_INVOCATION_TIMEOUT"],
    [{ do: "late", output }, "TOOL_INVOCATION_TIMEOUT"],
    [{ do: "slow", output }, undefined],
    [{ do: "doubled", output }, undefined],
  ];
  test.each(alone)("of a tool, %j, ends the run with the cause %s", async (outcome, cause) => {
    const played = await after("five", { look: outcome });
    expect([played.status, causeOf(played.error)]).toEqual([cause === undefined ? "SUCCESS" : "FAILED", cause]);
    expect(played.unmet).toEqual([]);
  });
  test("of an agent whose runtime dies is told, and nobody hears of its answer", async () => {
    const played = await after("five", { think: { do: "dies", when: "after" } });
    expect(causeOf(played.error)).toBe("AGENT_RUNTIME_LOST");
    expect(played.calls.find(({ place }) => place === "think")?.doneAt).not.toBeNull();
  });
  test("of one attempt is tried again, of all attempts it is not got over", async () => {
    const fails: Outcome = { do: "fails", code: "GONE" };
    expect(placesIn(await after("five", { charge: fails }))).toContain("charge@2");
    expect((await after("five", { "charge@*": fails })).status).toBe("FAILED");
  });
  test("takes the way of on_error", async () => {
    const { transitions } = await after("five", { tell: { do: "undispatched", reason: "no_runtime" } });
    expect(transitions).toContainEqual({ workflow: "five", task: "tell", on: "FAILED", to: "close" });
  });
  test("of an undone workflow undoes what was done", async () => {
    const played = await after("varied", { end: { do: "fails", code: "GONE" } });
    expect(played.status).toBe("FAILED");
    expect(placesIn(played)).toContain("unbook");
  });
});

describe("a wait", () => {
  test("for a signal that never comes, or comes late, times out", async () => {
    for (const outcome of [{ do: "hangs" }, { do: "late", output: { order: "A-1" } }] satisfies Outcome[]) {
      expect(causeOf((await after("varied", { wait: outcome })).error)).toBe("WAIT_TIMEOUT");
    }
  });
  test("takes a signal that came early, and one of two", async () => {
    for (const what of ["early", "doubled"] as const) {
      expect((await after("varied", { wait: { do: what, output: { order: "A-1" } } })).status).toBe("SUCCESS");
    }
  });
  test("passes over a signal that is not its own", async () => {
    expect(causeOf((await after("varied", { wait: { do: "succeeds", output: { order: "B" } } })).error)).toBe(
      "WAIT_TIMEOUT",
    );
  });
  test("for an approval may be refused, and the route shows it", async () => {
    const played = await after("varied", { ask: { do: "succeeds", output: { approved: false } } });
    expect(placesIn(played)).not.toContain("left");
    expect(played.status).toBe("SUCCESS");
  });
});

describe("a disturbance", () => {
  test("that cancels ends the run, one that pauses delays it, and a jump of the clock passes", async () => {
    expect((await after("five", {}, [{ append: 3, do: "cancel" }])).status).toBe("CANCELED");
    const paused = await after("five", {}, [{ append: 3, do: "pause", forMs: 60_000 }]);
    expect([paused.status, Number(paused.endedAt) - paused.beganAt > 60_000]).toEqual(["SUCCESS", true]);
    expect((await after("five", {}, [{ append: 3, do: "jump", byMs: 3_600_000 }])).status).toBe("SUCCESS");
  });
  test("at every append: a crash loses nothing, and only what was not on disk is called again", async () => {
    const { appends } = await after("five", {});
    for (let append = 1; append <= appends; append++) {
      for (const kept of [true, false]) {
        const played = await after("five", {}, [{ append, do: "crash", kept, downMs: 100 }]);
        // An order that was never on disk was never given.
        const isNothing = append === 1 && !kept;
        expect([append, kept, played.status]).toEqual([append, kept, isNothing ? "PENDING" : "SUCCESS"]);
        expect(played.calls.filter(({ isAgain }) => isAgain).length).toBeLessThanOrEqual(1);
        expect(played.lines.map(({ line }) => line)).toEqual(played.lines.map((_, index) => index + 1));
      }
    }
  });
  test("that comes after the end is told as unmet, and so is a call that nobody makes", async () => {
    const late: Disturbance = { append: 900, do: "cancel" };
    const { unmet } = await after("five", { nowhere: { do: "hangs" } }, [late]);
    expect(unmet.map(({ what }) => what)).toEqual(["nowhere", late]);
  });
  test("Y2: a loop that nothing ends, and a wait that nothing satisfies, come to an end", async () => {
    const looping = { id: "a", type: "tool", tool: "saw", next: "a" } as const;
    const { prepareCast } = await import("../../../src/testing/check/cast.ts");
    const alone = prepareCast({ workflows: [{ id: "loop", tasks: [looping] }], tools: [{ id: "saw" }] });
    expect((await play(alone, { ...trialOf("loop"), workflow: "loop" })).error?.code).toBe("STEP_LIMIT");
    const never = { id: "w", type: "wait", wait: { signal: "x", match: "${{ false }}" }, timeout: "30d" } as const;
    const waiting = prepareCast({ workflows: [{ id: "wait", timeout: "60d", tasks: [never] }] });
    expect((await play(waiting, { ...trialOf("wait"), workflow: "wait" })).status).toBe("FAILED");
  });
});
