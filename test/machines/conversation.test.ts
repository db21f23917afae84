// Goal: what people say in one thread is answered in order, one at a time, and nobody waits for ever.
// Method: random histories under the invariants of the chart, broken variants that they must find, examples,
// and the same histories with a live actor.

import { describe, expect, test } from "vitest";
import { conversation, turnsMax } from "../../src/machines/conversation.ts";
import { idOf } from "../../src/testing/part.ts";
import { conversationPart as part } from "../../src/testing/parts/conversation.ts";
import {
  begin,
  type Broken,
  crash,
  elapse,
  finds,
  hear,
  type Invariants,
  must,
  type Run,
  say,
  searches,
  snapshotOf,
  statusOf,
  variant,
} from "../kit/chart-model.ts";
import { livesAlike } from "../kit/lives-alike.ts";

type Talk = typeof conversation;
type Event = { type: string; turn: string };
type Story = { running: string | null; line: string[]; begun: string[]; isClosed: boolean };

const [wanted, ended, closing] = ["cue:TurnWanted", "cue:TurnEnded", "cue:ThreadClosed"];

/** What should have come of each moment, told by a list and nothing else. */
function* courseOf(run: Run<Talk>) {
  const story: Story = { running: run.input === "opens" ? null : idOf(1), line: [], begun: [], isClosed: false };
  for (const moment of run.moments) {
    const { type, turn } = moment.event as Event;
    const before = structuredClone(story);
    const said: { type: string; [field: string]: unknown }[] = [];
    const beginNext = (next: string | undefined): void => {
      story.running = next ?? null;
      if (next === undefined) return;
      story.begun.push(next);
      said.push({ type: "cue:TurnBegins", turn: next });
    };
    if (story.isClosed) {
      // Nothing comes of anything.
    } else if (type === wanted && story.running === null) beginNext(turn);
    else if (type === wanted && turn !== story.running && !story.line.includes(turn)) {
      if (story.line.length === 16) said.push({ type: "cue:TurnRefused", turn, why: "full" });
      else said.push({ type: "cue:TurnWaits", turn, before: story.line.push(turn) });
    } else if (type === ended && story.line.includes(turn)) story.line = story.line.filter((one) => one !== turn);
    else if (type === ended && turn === story.running) beginNext(story.line.shift());
    else if (type === closing || (type.startsWith("xstate.after.quiet") && moment.heard === "taken")) {
      story.isClosed = true;
      for (const one of story.line) said.push({ type: "cue:TurnRefused", turn: one, why: "closed" });
    }
    yield { moment, before, after: story, said };
  }
}

const invariants: Invariants<Talk> = {
  "CV1: one turn runs at a time": (run) => {
    for (const { moment, before } of courseOf(run)) {
      const begins = moment.said.filter(({ type }) => type === "cue:TurnBegins");
      const isFree = before.running === null || (moment.event as Event).turn === before.running;
      must(begins.length === 0 || (begins.length === 1 && isFree), "another began before that one had ended");
    }
  },
  "CV2: turns begin in the order in which they were wanted, each once at the most": (run) => {
    const begun = run.moments.flatMap(({ said }) => said.filter(({ type }) => type === "cue:TurnBegins"));
    let last: Story | undefined;
    for (const { after } of courseOf(run)) last = after;
    must(
      begun.map(({ turn }) => turn).join() === (last?.begun ?? []).join(),
      "they did not begin in the order in which they were wanted",
    );
  },
  "CV3: sixteen wait at the most; each that is wanted begins, waits, or is refused at once": (run) => {
    must(snapshotOf(run).context.line.length <= turnsMax, "more than sixteen wait");
    for (const { moment, said } of courseOf(run)) {
      if (moment.event.type !== wanted) continue;
      must(JSON.stringify(moment.said) === JSON.stringify(said), "whoever wanted a turn was told something else");
    }
  },
  "CV4: a turn that is over, or not wanted any more, does not begin": (run) => {
    for (const { moment, after } of courseOf(run)) {
      for (const { type, turn } of moment.said) {
        must(type !== "cue:TurnBegins" || turn === after.running, "a turn began that nobody wants");
      }
    }
  },
  "CV5: nothing begins once the thread is closed, and whoever waited is told": (run) => {
    for (const { moment, before, after, said } of courseOf(run)) {
      must(!before.isClosed || moment.said.length === 0, "it spoke after it was closed");
      if (after.isClosed && !before.isClosed) {
        must(JSON.stringify(moment.said) === JSON.stringify(said), "whoever waited was not told");
      }
      must((moment.to === "closed") === after.isClosed, "it is open although it was closed, or closed for no reason");
    }
  },
};

const third = Object.keys(invariants)[2];
searches(part, invariants);

const broken = (damage: (config: Broken) => void) => variant(conversation, damage);

finds(part, invariants, {
  "begins a turn beside another": broken((config) => {
    config.states["busy"].on[wanted as string] = { target: "busy", actions: "noteFirst" };
  }),
  "goes on with the one that has ended": broken((config) => {
    config.states["parting"].always = [config.states["parting"].always[0], { target: "busy" }];
  }),
  "forgets who waits": broken((config) => {
    config.states["parting"].always = [{ target: "idle", actions: "noteIdle" }];
  }),
  "takes the same turn twice": broken((config) => {
    config.states["busy"].on[wanted as string].shift();
  }),
  "begins what was withdrawn": broken((config) => {
    config.states["busy"].on[ended as string].shift();
  }),
  "takes any end for its own": broken((config) => {
    config.states["busy"].on[ended as string] = [{ target: "parting" }];
  }),
  "closes without a word": broken((config) => {
    config.states["closed"].entry = [];
  }),
  "does not tell whoever is to wait": broken((config) => {
    config.states["busy"].on[wanted as string][2] = { actions: "enqueue" };
  }),
});

livesAlike(part);

describe("a conversation", () => {
  test("begins the first turn at once, and the next when that one has ended", () => {
    const run = begin(part, "opens");
    expect(statusOf(run)).toBe("IDLE");
    expect(say(run, wanted as string).said).toEqual([{ type: "cue:TurnBegins", turn: idOf(1) }]);
    expect(statusOf(run)).toBe("BUSY");
    expect(say(run, wanted as string).said).toEqual([{ type: "cue:TurnWaits", turn: idOf(2), before: 1 }]);
    crash(run);
    expect(say(run, `${ended} (running)`).said).toEqual([{ type: "cue:TurnBegins", turn: idOf(2) }]);
    expect(say(run, `${ended} (running)`).said).toEqual([]);
    expect(statusOf(run)).toBe("IDLE");
  });

  test("that was under way before a restart waits for the end of what runs", () => {
    const run = begin(part, "opens, under way");
    expect(statusOf(run)).toBe("BUSY");
    expect(say(run, wanted as string).said).toMatchObject([{ type: "cue:TurnWaits", turn: idOf(2) }]);
  });

  test("has room for sixteen that wait, and refuses the seventeenth", () => {
    const run = begin(part, "opens, under way");
    for (let place = 1; place <= turnsMax; place += 1) {
      expect(say(run, wanted as string).said).toMatchObject([{ type: "cue:TurnWaits", before: place }]);
    }
    expect(say(run, wanted as string).said).toMatchObject([{ type: "cue:TurnRefused", why: "full" }]);
    const lax = begin(
      part,
      "opens, under way",
      broken((config) => void config.states["busy"].on[wanted as string].splice(1, 1)),
    );
    for (let place = 1; place <= turnsMax + 1; place += 1) say(lax, wanted as string);
    expect(() => invariants[third as keyof typeof invariants]?.(lax)).toThrow("more than sixteen wait");
  });

  test("is forgotten after ten quiet minutes", () => {
    const run = begin(part, "opens");
    expect(elapse(run, "quiet")).toMatchObject({ at: 1_600_000, to: "closed", said: [] });
    expect(statusOf(run)).toBe("CLOSED");
  });

  test("hears nothing that nobody knows", () => {
    expect(hear(begin(part, "opens"), { type: "cue:TurnExploded" }).heard).toBe("unknown");
  });
});
