// Everything the page of one execution shows, as signals: what was told, where the scrubber stands, what is chosen.
//
// Lines come in batches, and each batch is one change: whatever is drawn is drawn once for it.

import { batch, computed, type ReadonlySignal, signal, type Signal } from "@preact/signals";
import { type ChartGraph, type Definition, graphOf } from "./graph.ts";
import type { Execution, Line, Step } from "./journal.ts";
import { type LitChart, litAt, openWalk, walk, type Walk } from "./lit.ts";
import { openScrub, type Scrub, turn, type Turn } from "./scrub.ts";
import { openSequence, saySequence, type Sequence } from "./sequence.ts";
import { type Life, openStory, type Story, tell } from "./story.ts";

export type Model = {
  story: Story;
  /** Changes whenever the story goes on. */
  grown: Signal<number>;
  scrub: Signal<Scrub>;
  move(turn: Turn): void;
  take(lines: readonly Line[]): void;
  /** All of the journal that there is has been read once. */
  isLoaded: Signal<boolean>;
  chart: Signal<ChartGraph | undefined>;
  takeChart(definition: Definition): void;
  lit: ReadonlySignal<LitChart | undefined>;
  /** After how many lines an arrow was taken last, seen from where the scrubber stands. */
  takenAt(arrow: string): number;
  sequence: Signal<Sequence>;
  steps: Signal<readonly Step[]>;
  /** Whether anybody looks at steps; they are only asked for then. */
  wantsSteps: Signal<boolean>;
  charts: Signal<ReadonlyMap<string, ChartGraph>>;
  takeCharts(definitions: readonly { id: string; definition: Definition }[]): void;
  /** The run, and whatever part of it was asked for. */
  rows: Signal<ReadonlyMap<string, Execution>>;
  root: ReadonlySignal<Execution | undefined>;
  why: Signal<string>;
  /** Key of the life that is looked at; the run itself if none is. */
  chosen: Signal<string | null>;
  chosenLife: ReadonlySignal<Life | undefined>;
  error: Signal<unknown>;
  /** What is shown comes from a file: it goes on no more, whatever it says. */
  isStill: boolean;
};

/** When it is now for what is shown. */
export function nowOf({ story, scrub, isStill }: Model): number {
  const { at, isFollowing } = scrub.value;
  return isFollowing && !isStill ? Date.now() : (story.times[at - 1] ?? story.times[0] ?? 0);
}

export function openModel(runId: string, isStill = false): Model {
  const story = openStory();
  const grown = signal(0);
  const scrub = signal(openScrub());
  const chart = signal<ChartGraph | undefined>(undefined);
  const sequence = signal(openSequence());
  const rows = signal<ReadonlyMap<string, Execution>>(new Map());
  const charts = signal<ReadonlyMap<string, ChartGraph>>(new Map());
  const chosen = signal<string | null>(null);
  const moved: ReturnType<typeof tell> = [];
  let way: Walk | undefined;

  const takeChart = (definition: Definition): void => {
    const graph = graphOf(definition);
    way = openWalk(graph);
    // The lines may have been quicker than the chart.
    walk(way, moved);
    chart.value = graph;
  };

  return {
    story,
    grown,
    scrub,
    move: (given) => void (scrub.value = turn(scrub.peek(), given)),
    take(lines) {
      if (lines.length === 0) return;
      const moves = tell(story, lines);
      // Nobody keeps more than there is: a spread of very many arguments is refused by the browser.
      for (const move of moves) moved.push(move);
      if (way) walk(way, moves);
      batch(() => {
        sequence.value = saySequence(sequence.peek(), lines);
        grown.value = story.lines.length;
        scrub.value = turn(scrub.peek(), { type: "grown", end: story.lines.length });
      });
    },
    isLoaded: signal(false),
    chart,
    takeChart,
    lit: computed(() => {
      const n = scrub.value.at;
      return chart.value && way && grown.value >= 0 ? litAt(story, way, n) : undefined;
    }),
    takenAt(arrow) {
      const { at } = scrub.peek();
      return (way?.crossings.get(arrow)?.findLast((position) => position < at) ?? at - 1) + 1;
    },
    sequence,
    steps: signal<readonly Step[]>([]),
    wantsSteps: signal(false),
    charts,
    takeCharts: (definitions) => {
      charts.value = new Map(definitions.map(({ id, definition }) => [id, graphOf({ id, ...definition })]));
    },
    rows,
    root: computed(() => rows.value.get(runId)),
    why: signal(""),
    chosen,
    chosenLife: computed(() => {
      const key = chosen.value;
      return grown.value >= 0 && key !== null ? story.lives.get(key) : story.root;
    }),
    error: signal<unknown>(undefined),
    isStill,
  };
}
