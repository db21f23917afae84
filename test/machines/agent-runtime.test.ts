// Goal: a runtime is given up when it has been silent for its lease, not before, and that is said once.
// Method: random histories under the invariants of the chart, broken variants that they must find, examples by row,
// and the same histories with a live actor.

import { describe, expect, test } from "vitest";
import { agentRuntime } from "../../src/machines/agent-runtime.ts";
import { idOf } from "../../src/testing/part.ts";
import { agentRuntimePart as part } from "../../src/testing/parts/agent-runtime.ts";
import {
  begin,
  type Broken,
  crash,
  elapse,
  finds,
  hear,
  type Invariants,
  type Moment,
  must,
  type Run,
  say,
  searches,
  snapshotOf,
  statusOf,
  variant,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

const registered = "event:AgentRuntimeRegistered";
const deregistered = "event:AgentRuntimeDeregistered";
const heartbeat = "progress:AgentRuntimeHeartbeat";
const isOpen = (place: string): boolean => ["registered", "suspect", "draining"].includes(place);

type Terms = { heartbeat_ms: number; lease_ms: number };
type Runtime = typeof agentRuntime;
const termsOf = (run: Run<Runtime>): Terms => snapshotOf(run).context.registration.payload.context;

/** What the runtime said itself: it registered, or beat while it was registered. */
const isWord = ({ event, from }: Moment): boolean =>
  event.type === "start" || event.type === registered || (event.type === heartbeat && isOpen(from));
const isGivenUp = ({ said }: Moment): boolean => said.some(({ type }) => type === deregistered);

const invariants: Invariants<Runtime> = {
  "R1: a runtime that beats in time is never given up": (run) => {
    let wordAt = 0;
    for (const moment of run.moments) {
      if (isWord(moment)) wordAt = moment.at;
      else if (isGivenUp(moment)) {
        must(moment.event.type.startsWith("xstate.after."), `given up by ${moment.event.type}`);
      }
    }
    const last = run.moments.at(-1);
    const { heartbeat_ms, lease_ms } = termsOf(run);
    must(!last || !isGivenUp(last) || last.at - wordAt >= lease_ms, "given up before its lease was over");
    if (!last || !isWord(last) || !isOpen(last.to)) return;
    const patienceMs = last.to === "draining" ? lease_ms : Math.min(1.5 * heartbeat_ms, lease_ms);
    must(run.life.timers.at(-1)?.dueAt === last.at + patienceMs, "its time did not begin anew with its word");
  },
  "R2: a silent one is given up once its lease is over, and that is said once": (run) => {
    const last = run.moments.at(-1);
    if (!last) return;
    const { lease_ms } = termsOf(run);
    const due = Math.max(0, ...run.life.timers.map(({ dueAt }) => dueAt));
    if (isWord(last) && isOpen(last.to)) must(due <= last.at + lease_ms, "it may be silent for longer than its lease");
    // A timer that came late has shown that nobody listened: then the rest of the lease counts from there.
    if (last.to === "suspect") must(due - last.at < lease_ms, "a suspect has a whole lease again");
    let wordsSince = 1;
    for (const moment of run.moments) {
      if (isWord(moment)) wordsSince += 1;
      if (!isGivenUp(moment)) continue;
      must(moment.said.length === 1 && wordsSince > 0, "given up twice in one silence");
      wordsSince = 0;
    }
  },
  "R3: a draining runtime does not become choosable again by a beat": (run) => {
    for (const { event, from, to } of run.moments) {
      must(from !== "draining" || to !== "registered" || event.type === registered, `chosen again by ${event.type}`);
      must(from !== "draining" || to !== "suspect", "a draining runtime became a suspect, which may be chosen");
    }
  },
  "R4: one that was given up comes back by registering, not by beating": (run) => {
    for (const { event, from, to } of run.moments) {
      must(from !== "deregistered" || !isOpen(to) || event.type === registered, `back by ${event.type}`);
      must(event.type !== registered || from === "gone" || to === "registered", "it registered in vain");
    }
  },
};

searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(agentRuntime, damage);

finds(part, invariants, {
  "does not count a beat": broken((config) => {
    config.states["registered"].on[heartbeat][1] = { actions: "noteBeat" };
  }),
  "is given up when one beat is missing": broken((config) => {
    config.states["registered"].after = { beatMissed: "givenUp" };
  }),
  "has a whole lease again as a suspect": broken((config) => {
    config.states["suspect"].after = { lease: "givenUp" };
  }),
  "says twice that it was given up": broken((config) => {
    config.states["givenUp"].entry = ["sayGivenUp", "sayGivenUp"];
  }),
  "is given up again after it was": broken((config) => {
    config.states["deregistered"].after = { forgotten: "givenUp" };
  }),
  "can be chosen again when it beats while it drains": broken((config) => {
    config.states["draining"].on[heartbeat] = config.states["suspect"].on[heartbeat];
  }),
  "is suspected while it drains": broken((config) => {
    config.states["draining"].after = { beatMissed: "suspect" };
  }),
  "comes back by a beat": broken((config) => {
    config.states["deregistered"].on[heartbeat] = { target: "registered", actions: "noteBeat" };
  }),
  "is given up by its own farewell": broken((config) => {
    config.states["registered"].on[deregistered] = "givenUp";
  }),
  "cannot come back": broken((config) => {
    config.states["deregistered"].on[registered] = { description: "late" };
  }),
});

const runtime = { id: "gpu", exec_id: idOf(9) };
const inFlight = (run: Run<Runtime>): unknown => snapshotOf(run).context.inFlight;

describe("a runtime", () => {
  test("R1: that registers is registered, with nothing in flight", () => {
    const run = begin(part, "registers");
    expect(run.moments[0]).toMatchObject({ to: "registered", said: [] });
    expect(statusOf(run)).toBe("REGISTERED");
    expect(inFlight(run)).toBe(0);
  });

  test("R1: that was given up and is still alive registers again", () => {
    const run = begin(part, "registers");
    elapse(run, "beatMissed");
    elapse(run, "restOfLease");
    expect(statusOf(run)).toBe("DEREGISTERED");
    expect(say(run, heartbeat)).toMatchObject({ heard: "ignored", to: "deregistered" });
    expect(say(run, registered)).toMatchObject({ to: "registered", said: [] });
    expect(elapse(run, "beatMissed")).toMatchObject({ at: 1_000_000 + 15_000 + 7_500, to: "suspect" });
  });

  test("R2: that shuts down beats once more, drains, leaves, and is forgotten after a minute", () => {
    const run = begin(part, "registers");
    expect(say(run, `${heartbeat} (draining)`)).toMatchObject({ to: "draining", said: [] });
    expect(statusOf(run)).toBe("REGISTERED");
    expect(say(run, `${deregistered} (shutdown)`)).toMatchObject({ to: "deregistered", said: [] });
    expect(statusOf(run)).toBe("DEREGISTERED");
    expect(elapse(run, "forgotten")).toMatchObject({ at: 1_060_000, to: "gone", said: [] });
    expect(statusOf(run)).toBe("DEREGISTERED");
  });

  test("R3: that falls silent is suspected after one missing beat, and given up when its lease is over", () => {
    const run = begin(part, "registers");
    run.at += 5_000;
    say(run, heartbeat);
    expect(elapse(run, "beatMissed")).toMatchObject({ at: 1_012_500, to: "suspect", said: [] });
    expect(statusOf(run)).toBe("REGISTERED");
    crash(run);
    expect(elapse(run, "restOfLease")).toMatchObject({
      at: 1_020_000,
      to: "deregistered",
      said: [
        {
          type: deregistered,
          agent_runtime: runtime,
          payload: { status: "DEREGISTERED", result: null, context: { reason: "lease_expired" } },
        },
      ],
    });
    expect(say(run, `${deregistered} (lease_expired)`)).toMatchObject({ heard: "ignored", said: [] });
  });

  test("R3: that drains has its lease as well, from its last beat on", () => {
    const run = begin(part, "registers");
    say(run, `${heartbeat} (draining)`);
    run.at += 10_000;
    say(run, `${heartbeat} (not draining)`);
    expect(elapse(run, "lease")).toMatchObject({ at: 1_025_000, to: "deregistered", said: [{ type: deregistered }] });
  });

  test("R3: whose lease is shorter than a beat and a half is given up when it is over", () => {
    const run = begin(part, "registers, short lease");
    expect(elapse(run, "beatMissed").at).toBe(1_006_000);
    expect(elapse(run, "restOfLease")).toMatchObject({ at: 1_006_000, to: "deregistered" });
  });

  test("R4: that beats is alive, and tells its load", () => {
    const run = begin(part, "registers");
    say(run, heartbeat);
    expect(inFlight(run)).toBe(2);
    elapse(run, "beatMissed");
    expect(say(run, heartbeat)).toMatchObject({ to: "registered", said: [] });
    elapse(run, "beatMissed");
    expect(say(run, `${heartbeat} (draining)`).to).toBe("draining");
    expect(inFlight(run)).toBe(1);
    say(run, heartbeat);
    expect(inFlight(run)).toBe(2);
  });

  test("R4: that registers once more begins anew, with what it says now", () => {
    const run = begin(part, "registers");
    say(run, `${heartbeat} (draining)`);
    const { event } = say(run, `${registered} (other terms)`);
    expect(snapshotOf(run).context).toEqual({ registration: event, inFlight: 0 });
    expect(elapse(run, "beatMissed")).toMatchObject({ at: 1_001_500, to: "suspect" });
  });

  test("hears nothing that the protocol does not know", () => {
    expect(hear(begin(part, "registers"), { type: "event:AgentRuntimeExploded" }).heard).toBe("unknown");
  });
});

livesAlike(part);
