// Goal: a call that is heard of late is lost only if nobody says how it ended, and that is said once.
// Method: random histories under the invariants of the chart, broken variants that they must find, examples by row,
// and the same histories with a live actor.

import { describe, expect, test } from "vitest";
import { lateCall } from "../../src/machines/late-call.ts";
import { lateCallPart as part } from "../../src/testing/parts/late-call.ts";
import {
  begin,
  type Broken,
  elapse,
  finds,
  type Invariants,
  type Moment,
  must,
  say,
  searches,
  variant,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

const isEnd = ({ event }: Moment): boolean =>
  event.type.startsWith("event:") && !event.type.endsWith("ExecutionStarted");

const invariants: Invariants<typeof lateCall> = {
  "LC1: a call that ends in time is not said to be lost": (run) => {
    const end = run.moments.findIndex((moment) => moment.from === "open" && isEnd(moment));
    must(end < 0 || run.moments.every(({ said }) => said.length === 0), "lost, though it had ended");
  },
  "LC2: one that does not is told to stop and has failed, once, 5 s after it was heard of": (run) => {
    const [first] = run.moments;
    const said = run.moments.filter((moment) => moment.said.length > 0);
    must(said.length <= 1, "lost twice");
    for (const moment of said) {
      const [stop, failed] = moment.said.map(({ type }) => type);
      const areBoth = stop?.endsWith("Cancel") === true && failed?.endsWith("Failed") === true;
      must(areBoth && moment.said.length === 2, "not both are said");
      must(first === undefined || moment.at >= first.at + 5_000, "lost before its time");
    }
    const last = run.moments.at(-1);
    must(last?.to !== "open" || run.life.timers.length === 1, "nobody waits for its end");
  },
};

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(lateCall, damage);

finds(part, invariants, {
  "is lost though it ended": broken((config) => {
    config.states["open"].on["event:ToolExecutionSuccess"] = "lost";
  }),
  "is lost at once": broken((config) => {
    config.states["open"].always = "lost";
  }),
  "is lost in silence": broken((config) => {
    config.states["open"].after = {};
  }),
  "is lost twice": broken((config) => {
    config.states["lost"].entry = ["sayLost", "sayLost"];
  }),
});

describe("a call", () => {
  test("LC1: that ends is over, and nothing is said", () => {
    const run = begin(part, "a tool");
    expect(say(run, "event:ToolExecutionStarted")).toMatchObject({ heard: "ignored", to: "open" });
    expect(say(run, "event:ToolExecutionSuccess")).toMatchObject({ to: "over", said: [] });
  });

  test("C12: that nobody ends is told to stop, and has failed by the loss of its caller", () => {
    for (const [input, cancel, failed] of [
      ["a tool", "command:ToolCancel", "event:ToolExecutionFailed"],
      ["an agent", "command:AgentCancel", "event:AgentExecutionFailed"],
    ] as const) {
      const { to, said } = elapse(begin(part, input), "callerLost");
      expect(to).toBe("lost");
      expect(said).toMatchObject([
        { type: cancel, payload: { context: { cause: "caller_lost" } } },
        { type: failed, payload: { status: "FAILED", result: { error: { code: "CALLER_LOST" } } } },
      ]);
    }
  });
});

livesAlike(part);
