// Goal: the page of an execution shows at every line of the log what was so at that line, and nothing of later.
//
// Method: real journals of many kinds of runs; the whole story, asked for line n, is held against one that was told the
// first n lines alone, in pieces of any size and in any order of asking.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { graphOf } from "../../pages/execution/graph.ts";
import type { Line } from "../../pages/execution/journal.ts";
import { litAt, openWalk, type Lit, walk } from "../../pages/execution/lit.ts";
import { openScrub, turn, type Turn } from "../../pages/execution/scrub.ts";
import { openStory, standing, tell } from "../../pages/execution/story.ts";
import { livesAt, rowOf } from "../../pages/execution/timeline.ts";
import { kinds, type Told, toldOf } from "./execution-runs.ts";

const all = Object.keys(kinds);

/** Told in pieces that end at these lines. */
function toldTo({ definition }: Told, lines: readonly Line[], ends: readonly number[] = []) {
  const story = openStory();
  const way = openWalk(graphOf(definition));
  let from = 0;
  for (const end of [...ends, lines.length]) {
    if (end <= from) continue;
    walk(way, tell(story, lines.slice(from, end)));
    from = end;
  }
  return { story, way };
}

const bare = ({ life, ...lit }: Lit) => ({ ...lit, life: life?.key });

/** What is lit, as plain values. */
function shownAt({ story, way }: ReturnType<typeof toldTo>, n: number) {
  const { nodes, arrows } = litAt(story, way, n);
  return {
    nodes: Object.fromEntries([...nodes].map(([id, lit]) => [id, bare(lit)])),
    arrows: Object.fromEntries(arrows),
    rows: livesAt(story, n).map((life) => rowOf(life, n, 0).face),
  };
}

describe("after any number of lines", () => {
  test.each(all)("EL1: %s is lit as if no later line had been told", async (kind) => {
    const told = await toldOf(kind);
    const whole = toldTo(told, told.lines);
    for (let n = 0; n <= told.lines.length; n += 1) {
      expect(shownAt(whole, n), `line ${n}`).toEqual(shownAt(toldTo(told, told.lines.slice(0, n)), n));
    }
  });

  test.each(all)("ES1: nobody of %s stands otherwise because of what comes later", async (kind) => {
    const told = await toldOf(kind);
    const { story } = toldTo(told, told.lines);
    for (let n = 0; n <= told.lines.length; n += 1) {
      const early = toldTo(told, told.lines.slice(0, n)).story;
      for (const [key, life] of early.lives) {
        const later = story.lives.get(key);
        expect(later && standing(later, n)).toEqual(standing(life, n));
      }
    }
  });

  test("ES2: lines told in any pieces make the same story", async () => {
    const runs = await Promise.all(all.map(toldOf));
    fc.assert(
      fc.property(fc.constantFrom(...runs), fc.array(fc.nat(80)), (told, cuts) => {
        const ends = cuts.filter((cut) => cut < told.lines.length).toSorted((one, other) => one - other);
        const [pieces, whole] = [toldTo(told, told.lines, ends), toldTo(told, told.lines)];
        expect(shownAt(pieces, told.lines.length)).toEqual(shownAt(whole, told.lines.length));
        expect(pieces.story.order.map(({ key }) => key)).toEqual(whole.story.order.map(({ key }) => key));
      }),
      { numRuns: 60 },
    );
  });

  test("scrubbing back and forth shows the same as jumping there", async () => {
    const runs = await Promise.all(all.map(toldOf));
    const turns = fc.array(
      fc.oneof(
        fc.record({ type: fc.constant("by" as const), lines: fc.integer({ min: -40, max: 40 }) }),
        fc.record({ type: fc.constant("to" as const), at: fc.integer({ min: -5, max: 200 }) }),
      ),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...runs), turns, (told, moves) => {
        const one = toldTo(told, told.lines);
        let scrub = turn(openScrub(), { type: "grown", end: told.lines.length });
        for (const move of moves) {
          scrub = turn(scrub, move);
          shownAt(one, scrub.at);
        }
        expect(shownAt(one, scrub.at)).toEqual(shownAt(toldTo(told, told.lines), scrub.at));
      }),
      { numRuns: 40 },
    );
  });
});

describe("what is lit in the end", () => {
  const litIn = async (kind: string) => {
    const told = await toldOf(kind);
    const { story, way } = toldTo(told, told.lines);
    const chart = litAt(story, way, told.lines.length);
    const nodeOf = (path: string) => way.graph.nodes.find((node) => node.path.join("/") === path);
    return {
      face: (path: string) => chart.nodes.get(nodeOf(path)?.id ?? "")?.face ?? "idle",
      lit: (path: string) => chart.nodes.get(nodeOf(path)?.id ?? ""),
      taken: (from: string, to: string) =>
        way.graph.arrows
          .filter(({ source, target }) => source === nodeOf(from)?.id && target === nodeOf(to)?.id)
          .reduce((sum, { id }) => sum + (chart.arrows.get(id) ?? 0), 0),
      way,
      story,
    };
  };

  test("a chain is lit from its start to its end", async () => {
    const { face, taken } = await litIn("chain");
    expect(["a", "b", "c", "$SUCCESS"].map(face)).toEqual(["success", "success", "success", "success"]);
    expect([taken("$start", "a"), taken("a", "b"), taken("b", "c"), taken("c", "$SUCCESS")]).toEqual([1, 1, 1, 1]);
  });

  test("of a route only the way that was gone is taken", async () => {
    const { face, taken } = await litIn("route");
    expect([face("left"), face("right")]).toEqual(["success", "idle"]);
    expect([taken("pick", "left"), taken("pick", "right")]).toEqual([1, 0]);
  });

  test("a loop counts how often it was gone round", async () => {
    const { taken } = await litIn("loop");
    expect([taken("step", "again"), taken("again", "step"), taken("again", "done")]).toEqual([3, 2, 1]);
  });

  test("a task that was tried again says which attempt it is, and failures that were mended light no end", async () => {
    const { lit, face } = await litIn("retries");
    expect(lit("shaky")).toMatchObject({ face: "success", attempt: 3, attemptsMax: 3 });
    expect(face("$FAILED")).toBe("idle");
  });

  test("a failure that somebody takes leads along its arrow", async () => {
    const { face, taken } = await litIn("fallback");
    expect([face("broken"), face("mend"), taken("broken", "mend")]).toEqual(["failed", "success", 1]);
  });

  test("what was undone says so, and the run failed", async () => {
    const { lit, face, taken } = await litIn("saga");
    expect([lit("book")?.isUndone, lit("rent")?.isUndone, lit("broken")?.isUndone]).toEqual([true, true, false]);
    expect([face("$UNDO"), face("$FAILED"), face("$SUCCESS")]).toEqual(["success", "failed", "idle"]);
    expect(taken("$UNDO/$undo rent", "$UNDO/$undo book")).toBe(1);
  });

  test("in an each it is counted who stands where", async () => {
    const { lit, taken } = await litIn("nested");
    expect(lit("both/many/all/shrink")).toMatchObject({ total: 4, counts: { success: 4 } });
    expect(taken("both/many/all/shrink", "both/many/all/store")).toBe(4);
    expect(lit("both/single")?.face).toBe("success");
  });

  test("who waits is lit as waiting, and what comes after is not reached", async () => {
    const { story, way } = await litIn("approval");
    const ask = way.nodeOf.get("ask")?.id ?? "";
    const faces = story.lines.map((_line, n) => litAt(story, way, n + 1).nodes.get(ask)?.face);
    expect(faces).toContain("waiting");
  });

  test.each(all)("EL2: in %s every task that began was come to by one arrow", async (kind) => {
    const { story, way } = await litIn(kind);
    const begun = story.order.filter(({ entity }) => entity === "task");
    for (const node of way.graph.nodes) {
      if (node.task === undefined) continue;
      const arrows = way.graph.arrows.filter(({ target }) => target === node.id);
      const come = arrows.reduce((sum, { id }) => sum + (way.crossings.get(id)?.length ?? 0), 0);
      expect(come, node.task).toBe(begun.filter(({ id }) => id === node.task).length);
    }
  });
});

describe("the scrubber", () => {
  const anyTurn: fc.Arbitrary<Turn> = fc.oneof(
    fc.record({ type: fc.constant("to" as const), at: fc.integer({ min: -50, max: 500 }) }),
    fc.record({ type: fc.constant("by" as const), lines: fc.integer({ min: -50, max: 50 }) }),
    fc.record({ type: fc.constant("grown" as const), end: fc.nat(300) }),
    fc.constantFrom<Turn>({ type: "follow" }, { type: "play" }, { type: "pause" }, { type: "tick" }),
  );

  test("ER1: it is never before the first line nor behind the last", () => {
    fc.assert(
      fc.property(fc.array(anyTurn), (turns) => {
        const { at, end } = turns.reduce(turn, openScrub());
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at).toBeLessThanOrEqual(end);
      }),
    );
  });

  test("ER2: following it stays at the end, standing it stays where it is", () => {
    const following = turn(turn(openScrub(), { type: "grown", end: 10 }), { type: "grown", end: 15 });
    expect(following).toMatchObject({ at: 15, isFollowing: true });
    const standing = turn(turn(following, { type: "by", lines: -4 }), { type: "grown", end: 30 });
    expect(standing).toMatchObject({ at: 11, isFollowing: false });
    expect(turn(standing, { type: "to", at: 30 })).toMatchObject({ at: 30, isFollowing: true });
  });

  test("it plays from where it is to the end, from the beginning if it was there, and stops", () => {
    let scrub = turn(turn(openScrub(), { type: "grown", end: 3 }), { type: "play" });
    const seen = [scrub.at];
    while (scrub.isPlaying) {
      scrub = turn(scrub, { type: "tick" });
      seen.push(scrub.at);
    }
    expect(seen).toEqual([0, 1, 2, 3]);
    expect(scrub.isFollowing).toBe(true);
  });
});
