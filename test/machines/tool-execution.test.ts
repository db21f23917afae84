// Goal: a tool execution reports exactly once, whatever its tool does or does not do.
// Method: random histories under the invariants of the chart, and broken variants that they must find.

import { expect, test } from "vitest";
import { toolExecution } from "../../src/machines/tool-execution.ts";
import { toolExecutionPart as part } from "../../src/testing/parts/tool-execution.ts";
import {
  begin,
  type Broken,
  finds,
  hear,
  type Invariants,
  must,
  saidBy,
  searches,
  snapshotOf,
  variant,
} from "../kit/chart-model.ts";

const ends = ["event:ToolExecutionSuccess", "event:ToolExecutionFailed", "event:ToolExecutionCanceled"];
const cancelGraceMs = 5_000;

const invariants: Invariants<typeof toolExecution> = {
  "X1: ToolExecute leaves once, first": (run) => {
    const words = saidBy(run).map(({ type }) => type);
    must(words[0] === "command:ToolExecute", "ToolExecute is not the first word");
    must(words.lastIndexOf("command:ToolExecute") === 0, "ToolExecute was said twice");
  },
  "X2: one terminal event and one CallEnded leave, whatever arrives": (run) => {
    const words = saidBy(run).map(({ type }) => type);
    const wanted = snapshotOf(run).status === "done" ? 1 : 0;
    must(words.filter((word) => ends.includes(word)).length === wanted, `not ${wanted} terminal events`);
    must(words.filter((word) => word === "cue:CallEnded").length === wanted, `not ${wanted} CallEnded`);
  },
  "X3: a reply counts while the call is open and not after": (run) => {
    for (const { event, from, heard, said } of run.moments) {
      if (heard === "inert") must(said.length === 0, "something was said after the end");
      if (event.type !== "result:ToolExecutionResult" || !from.startsWith("open.")) continue;
      const { status } = (event as unknown as { payload: { status: string } }).payload;
      const wanted = status === "SUCCESS" ? "event:ToolExecutionSuccess" : "event:ToolExecutionFailed";
      must(said[0]?.type === wanted, `a reply ${status} to an open call did not end it as ${wanted}`);
    }
  },
  "X4: a canceled call ends as CANCELED within the grace": (run) => {
    const canceled = run.moments.find(({ event, heard }) => event.type === "cue:EndCall" && heard !== "inert");
    if (!canceled) return;
    must(canceled.said[0]?.type === "command:ToolCancel", "the tool of a canceled call is not told to stop");
    const grace = run.life.timers.find(({ id }) => id.includes("cancelGrace"));
    must(snapshotOf(run).status === "done" || grace !== undefined, "a canceled call has no end in sight");
    must(!grace || grace.dueAt <= canceled.at + cancelGraceMs, "the grace is longer than it may be");
    const end = saidBy(run).find(({ type }) => ends.includes(type));
    must(!end || end.type === "event:ToolExecutionCanceled", "a canceled call ended otherwise");
  },
  "X5: a timeout is reported before the tool is told to stop": (run) => {
    const timedOut = run.moments.find(({ event }) => event.type.includes("invocationTimeout"));
    if (!timedOut || timedOut.heard !== "taken") return;
    const [first, second] = timedOut.said.map(({ type }) => type);
    must(first === "event:ToolExecutionFailed", "a timeout is not reported first");
    must(second === "command:ToolCancel", "the tool is not told to stop after its timeout");
  },
  "X6: its time runs from the order on": (run) => {
    const timeout = run.life.timers.find(({ id }) => id.includes("invocationTimeout"));
    must(!timeout || timeout.dueAt === 1_030_000, "the timeout moved");
    must(
      Boolean(timeout) === run.moments.at(-1)?.to.startsWith("open."),
      "an open call has no timeout, or a closed one",
    );
  },
};

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(toolExecution, damage);

finds(part, invariants, {
  "takes a late reply for a good one": broken((config) => {
    config.states["canceling"].on["result:ToolExecutionResult"] = { target: "completed", actions: "keepReply" };
  }),
  "takes an error for a success": broken((config) => {
    config.states["open"].on["result:ToolExecutionResult"] = { target: "completed", actions: "keepReply" };
  }),
  "forgets to listen for a cancel while the tool has not begun": broken((config) => {
    config.states["open"].states["ordered"].on["cue:EndCall"] = { description: "ignored" };
  }),
  "cancels without telling the tool": broken((config) => {
    config.states["canceling"].entry = [];
  }),
  "begins its time anew when the tool says that it started": broken((config) => {
    config.states["open"].on["event:ToolExecutionStarted"] = { target: ".running", reenter: true };
    config.states["open"].states["ordered"].on = {};
  }),
  "has no timeout": broken((config) => {
    config.states["open"].after = {};
    config.states["open"].tags = "waiting";
  }),
  "never answers its caller after a timeout": broken((config) => {
    config.states["timedOut"].entry = ["sayFailed", "tellToStopLate"];
  }),
  "tells the tool to stop before it reports": broken((config) => {
    config.states["timedOut"].entry = config.states["timedOut"].entry.toReversed();
  }),
  "lives on after it has failed, and fails again": broken((config) => {
    config.states["failed"] = {
      ...config.states["failed"],
      type: "atomic",
      tags: "waiting",
      on: {
        "result:ToolExecutionResult": "unreachable",
      },
    };
  }),
});

test("a tool execution hears nothing that the protocol does not know", () => {
  const run = begin(part, "of a task");
  expect(hear(run, { type: "event:ToolExecutionExploded" }).heard).toBe("unknown");
  expect(hear(run, { type: "event:ToolExecutionStarted" }).heard).toBe("taken");
});
