// Goal: charts, rows, lanes and differences say what the journal and the definitions say, all of it and once.
//
// Method: definitions of many kinds of runs and the engine's own charts, laid out by ELK; journals of real runs.

import ELK from "elkjs/lib/elk.bundled.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AnyStateNode } from "xstate";
import { quoted } from "../../pages/execution/as-command.ts";
import { bundleIn } from "../../pages/execution/bundle.ts";
import { differences } from "../../pages/execution/difference.ts";
import { type Definition, graphOf } from "../../pages/execution/graph.ts";
import { drawingOf, elksOf, layoutKey, pathOf, wrapped } from "../../pages/execution/layout.ts";
import { lifeChart, pathsOf, stepsByAddress } from "../../pages/execution/life-chart.ts";
import { beforeOf, chosenLines, noFilter } from "../../pages/execution/log-filter.ts";
import { openSequence, saySequence } from "../../pages/execution/sequence.ts";
import { openStory, tell } from "../../pages/execution/story.ts";
import { durationText, rowOf, spanOf, ticksOf } from "../../pages/execution/timeline.ts";
import * as machines from "../../src/machines/index.ts";
import { kinds, toldOf } from "./execution-runs.ts";

const all = Object.keys(kinds);
const elk = new ELK.default();
const measure = (text: string): number => text.length * 7;

const engineCharts = Object.entries(machines).flatMap(([name, machine]): [string, Definition][] =>
  typeof machine === "object" && "config" in machine
    ? [[name, JSON.parse(JSON.stringify(machine.config)) as Definition]]
    : [],
);

const definitions = async (): Promise<[string, Definition][]> => [
  ...(await Promise.all(
    all.map(async (kind): Promise<[string, Definition]> => [kind, (await toldOf(kind)).definition]),
  )),
  ...engineCharts,
];

const within = (node: AnyStateNode): AnyStateNode[] =>
  (Object.values(node.states) as AnyStateNode[]).flatMap((inner) => [inner, ...within(inner)]);

const statesIn = ({ states = {} }: Definition): number =>
  Object.values(states).reduce((sum, inner) => sum + 1 + statesIn(inner), 0);

describe("the graph of a chart", () => {
  test("EG1: has one node for each state, with a clean id of its own", async () => {
    for (const [name, definition] of await definitions()) {
      const { nodes } = graphOf(definition);
      const states = nodes.filter(({ kind, parent }) => kind !== "start" && parent !== null);
      expect(states.length, name).toBe(statesIn(definition));
      expect(new Set(nodes.map(({ id }) => id)).size).toBe(nodes.length);
      expect(nodes.every(({ id }) => /^s?n\d+$/.test(id))).toBe(true);
    }
  });

  test("EG2: finds the target of every transition, as XState does", () => {
    for (const [name, definition] of engineCharts) {
      const machine = Object.entries(machines).find(([key]) => key === name)?.[1];
      if (typeof machine !== "object" || !("root" in machine)) throw new Error(`${name} is no machine`);
      const graph = graphOf(definition);
      const pathOfNode = new Map(graph.nodes.map(({ id, path }) => [id, path.join(".")]));
      const drawn = new Set(
        graph.arrows.map(({ source, target }) => `${pathOfNode.get(source)} > ${pathOfNode.get(target)}`),
      );
      for (const node of within(machine.root)) {
        const transitions = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
        for (const target of transitions.flatMap(({ target: targets }) => targets ?? [])) {
          expect(drawn, name).toContain(`${node.path.join(".")} > ${target.path.join(".")}`);
        }
      }
    }
  });

  test("says of the conditions of a route what they are, and of the rest that it is the rest", async () => {
    const { definition } = await toldOf("route");
    const { arrows } = graphOf(definition);
    expect(arrows.map(({ label }) => label).filter((label) => label !== "")).toEqual([
      "tasks.look.output.name == 'look'",
      "else",
    ]);
  });
});

describe("a drawing", () => {
  test("EY1: has everything of the chart, and EY2: what is in a block within it", async () => {
    for (const [name, definition] of await definitions()) {
      const graph = graphOf(definition);
      const answers = await Promise.all(
        elksOf(graph, "RIGHT", measure).map((one) => elk.layout(one as Parameters<typeof elk.layout>[0])),
      );
      const { boxes, arrows } = drawingOf(graph, "RIGHT", answers as never);
      for (const { id, parent } of graph.nodes) {
        if (parent === null || graph.ends.has(id)) continue;
        const [box, around] = [boxes[id], boxes[parent]];
        if (!box) throw new Error(`${name}: ${id} is not drawn`);
        if (!around) continue;
        expect(box.x).toBeGreaterThanOrEqual(around.x);
        expect(box.y).toBeGreaterThanOrEqual(around.y);
        expect(box.x + box.width).toBeLessThanOrEqual(around.x + around.width + 0.5);
        expect(box.y + box.height).toBeLessThanOrEqual(around.y + around.height + 0.5);
      }
      for (const { id } of graph.arrows) expect(arrows[id]?.points.length, `${name} ${id}`).toBeGreaterThan(1);
    }
  });

  test("is named by what is drawn and which way, and by nothing else", async () => {
    const [one, other] = [await toldOf("chain"), await toldOf("route")];
    expect(layoutKey(graphOf(one.definition), "RIGHT")).toBe(
      layoutKey(graphOf(structuredClone(one.definition)), "RIGHT"),
    );
    expect(layoutKey(graphOf(one.definition), "RIGHT")).not.toBe(layoutKey(graphOf(one.definition), "DOWN"));
    expect(layoutKey(graphOf(one.definition), "RIGHT")).not.toBe(layoutKey(graphOf(other.definition), "RIGHT"));
  });

  test("wraps texts without losing a word, and cuts what is too long", () => {
    expect(wrapped("one two three", 8, 3)).toEqual(["one two", "three"]);
    expect(wrapped("one two three four", 8, 1)).toEqual(["one two…"]);
    expect(wrapped("", 8, 2)).toEqual([]);
    expect(
      pathOf(
        [
          [0, 0],
          [10, 0],
          [10, 10],
        ],
        4,
      ),
    ).toBe("M0 0L6 0Q10 0 10 4L10 10");
  });
});

describe("the chart of one life in the engine", () => {
  test.each(all)("EV1: in %s exactly the states of the last step are lit", async (kind) => {
    const { steps } = await toldOf(kind);
    const graphs = new Map(engineCharts.map(([, definition]) => [definition.id ?? "", graphOf(definition)]));
    expect(steps.length).toBeGreaterThan(0);
    for (const [, own] of stepsByAddress(steps)) {
      const graph = graphs.get(own[0]?.machine ?? "");
      if (!graph) throw new Error(`there is no chart of ${own[0]?.machine}`);
      for (let count = 1; count <= own.length; count += 1) {
        const { nodes } = lifeChart(graph, own.slice(0, count));
        const lit = graph.nodes
          .filter(({ id, parent }) => parent !== null && nodes.has(id))
          .map(({ path }) => path.join("."));
        expect(lit.toSorted()).toEqual(pathsOf(own[count - 1]?.value).toSorted());
      }
    }
  });

  test("an attempt that went well is come to by arrows from its start on", async () => {
    const { steps } = await toldOf("one");
    const graph = graphOf(engineCharts.find(([name]) => name === "agentExecution")?.[1] ?? {});
    const own = steps.filter(({ machine }) => machine === "agentExecution");
    const { arrows, nodes } = lifeChart(graph, own);
    const titleOf = (id: string): string => graph.nodes.find((node) => node.id === id)?.title ?? "";
    const taken = graph.arrows.filter(({ id }) => arrows.has(id)).map(({ target }) => titleOf(target));
    expect(taken).toEqual(expect.arrayContaining(["open", "triggered", "running", "completed"]));
    expect([...nodes.keys()].map(titleOf)).toContain("completed");
  });
});

describe("the timeline", () => {
  test.each(all)("ET1: the pieces of each row of %s follow each other, and ET2: none is of later", async (kind) => {
    const { lines } = await toldOf(kind);
    const story = openStory();
    tell(story, lines);
    const end = story.times.at(-1) ?? 0;
    for (const life of story.order) {
      for (let n = 0; n <= lines.length; n += 1) {
        const now = story.times[n - 1] ?? story.times[0] ?? 0;
        const { pieces, until } = rowOf(life, n, now);
        let last = 0;
        for (const piece of pieces) {
          expect(piece.from).toBeGreaterThanOrEqual(last);
          expect(piece.until).toBeGreaterThanOrEqual(piece.from);
          last = piece.until;
        }
        if (pieces.length > 0) expect(last).toBeLessThanOrEqual(Math.max(now, until));
        expect(until).toBeLessThanOrEqual(Math.max(end, now));
      }
    }
  });

  test("shows attempts with the rest between them, and a wait as one", async () => {
    const rowsOf = async (kind: string, id: string) => {
      const story = openStory();
      tell(story, (await toldOf(kind)).lines);
      const life = story.order.find((one) => one.entity === "task" && one.id === id);
      if (!life) throw new Error(`${id} did not live`);
      return rowOf(life, story.lines.length, story.times.at(-1) ?? 0).pieces;
    };
    const shaky = await rowsOf("retries", "shaky");
    expect(shaky.filter(({ kind }) => kind === "run").map(({ attempt, face }) => [attempt, face])).toEqual([
      [1, "failed"],
      [2, "failed"],
      [3, "success"],
    ]);
    expect(shaky.filter(({ kind }) => kind === "rest").map(({ from, until }) => until - from)).toEqual([1_000, 2_000]);
    expect((await rowsOf("approval", "ask")).map(({ kind }) => kind)).toContain("wait");
  });

  test("has round times on its axis, and says lengths as people do", async () => {
    expect(ticksOf(0, 950, 5)).toEqual([0, 200, 400, 600, 800]);
    expect(ticksOf(0, 7_200_000, 4)).toEqual([0, 1_800_000, 3_600_000, 5_400_000, 7_200_000]);
    expect([3, 950, 1_240, 59_000, 200_000, 7_500_000, 360_000_000].map(durationText)).toEqual([
      "3 ms",
      "950 ms",
      "1.24 s",
      "59 s",
      "3m 20s",
      "2h 5m",
      "4d 4h",
    ]);
    const story = openStory();
    tell(story, (await toldOf("retries")).lines);
    const { from, until } = spanOf(story, story.lines.length, Number.MAX_SAFE_INTEGER);
    expect(until - from).toBe(3_000);
  });
});

describe("the messages", () => {
  test.each(all)("EQ1: every line of %s is one message between lanes that are there, in order", async (kind) => {
    const { lines } = await toldOf(kind);
    const { said, lanes } = saySequence(saySequence(openSequence(), lines.slice(0, 5)), lines.slice(5));
    expect(said.map(({ position }) => position)).toEqual(lines.map((_line, position) => position));
    for (const { from, to } of said) expect(lanes).toEqual(expect.arrayContaining([from, to]));
  });

  test("an acknowledgment goes back to whoever gave the command", async () => {
    const { lines } = await toldOf("one");
    const { said } = saySequence(openSequence(), lines);
    const ways = said.filter(({ name }) => name === "CommandAck").map(({ from, to }) => `${from} > ${to}`);
    expect(ways).toEqual([
      "workflow.Orchestrator > api.Service",
      "task.Executor > task.Dispatcher",
      "agent.Runtime > agent.Dispatcher",
    ]);
  });
});

describe("the log", () => {
  test("is filtered by kind, by words, and by whom it is about", async () => {
    const { lines, execId } = await toldOf("chain");
    const kindsOf = (positions: number[]): Set<string> =>
      new Set(positions.map((at) => lines[at]?.type.split(":")[0] ?? ""));
    expect(kindsOf(chosenLines(lines, { ...noFilter, kinds: new Set(["event"]) }, null))).toEqual(new Set(["event"]));
    expect(chosenLines(lines, noFilter, null)).toHaveLength(lines.length);
    expect(chosenLines(lines, { ...noFilter, text: "TASKscheduled" }, null)).toHaveLength(3);
    expect(chosenLines(lines, { ...noFilter, text: "no such word" }, null)).toEqual([]);
    expect(chosenLines(lines, noFilter, execId).length).toBeGreaterThan(0);
    expect(beforeOf(lines, 0, ({ type }) => type)).toBeUndefined();
  });

  test("ED1: equal values differ in nothing, and what is told turns one into the other", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(differences(one, structuredClone(one))).toEqual([]);
        expect(differences(one, other).length > 0).toBe(
          JSON.stringify(one) !== JSON.stringify(other) && !isSame(one, other),
        );
      }),
    );
    expect(differences({ a: 1, b: [1, 2], c: 3 }, { a: 2, b: [1, 2, 3], d: 4 })).toEqual([
      { path: "a", before: 1, after: 2, kind: "changed" },
      { path: "b[2]", after: 3, kind: "added" },
      { path: "c", before: 3, kind: "removed" },
      { path: "d", after: 4, kind: "added" },
    ]);
  });
});

/** As vitest sees it: the order of keys does not matter. */
function isSame(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}

describe("an exported file", () => {
  test("is refused with a plain word when it is none", () => {
    expect(() => bundleIn("{")).toThrow(/not JSON/);
    expect(() => bundleIn("[]")).toThrow(/no exported run/);
    expect(() => bundleIn("7")).toThrow(/no object/);
    expect(() => bundleIn('{"format":"troupe-run","exec_id":"x","journal":[]}')).toThrow(/no journal/);
  });

  test("a command for a shell holds whatever is in it", () => {
    expect(quoted("it's")).toBe(String.raw`'it'\''s'`);
  });
});
