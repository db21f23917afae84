// A statechart, drawn: its states where the layout put them, lit as the log says, to be moved and zoomed.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Arrows } from "./chart-arrows.tsx";
import { Boxes } from "./chart-boxes.tsx";
import { type ChartGraph, type Definition, graphOf } from "./graph.ts";
import { glyphOf, wordOf } from "./glyphs.tsx";
import { betweenParts, type Box, type Direction, type Drawing, isLong } from "./layout.ts";
import { layoutOf } from "./layouts.ts";
import type { LitChart } from "./lit.ts";
import { StatesTable } from "./states-table.tsx";
import { type Face, isOver, type Life } from "./story.ts";
import { useCanvas } from "./canvas.ts";

type Props = {
  readonly graph: ChartGraph;
  readonly lit?: LitChart | undefined;
  readonly chosen?: string | null | undefined;
  readonly onChoose?: ((life: Life) => void) | undefined;
  /** An arrow that was taken is chosen. */
  readonly onArrow?: ((arrow: string) => void) | undefined;
  readonly label: string;
};

/** The chart of a definition, as it is written. */
export function Statechart({ definition, lit }: { definition: Definition; lit?: LitChart }) {
  const graph = useMemo(() => graphOf(definition), [definition]);
  return (
    <div class="execution-chart static">
      <Chart graph={graph} lit={lit} label={`Statechart of ${graph.title}`} />
    </div>
  );
}

const nodesBothWays = 30;
type Shape = { width: number; height: number };

/** Of both ways to lay it out, the one that can be shown larger. */
async function bestOf(graph: ChartGraph, shape: Shape): Promise<Drawing> {
  // What is large is not shown whole either way.
  if (isLong(graph) || graph.nodes.length > nodesBothWays) return layoutOf(graph, "RIGHT");
  const both = await Promise.all([layoutOf(graph, "RIGHT"), layoutOf(graph, "DOWN")]);
  const scale = ({ width, height }: Drawing): number => Math.min(shape.width / width, shape.height / height, 1);
  return both.reduce((best, drawing) => (scale(drawing) > scale(best) * 1.08 ? drawing : best));
}

function useDrawing(graph: ChartGraph, direction: Direction | "auto", shape: Shape | undefined) {
  const [state, setState] = useState<{ drawing?: Drawing; graph?: ChartGraph; wrong?: string }>({});
  // A panel of another size may want another direction, one that grows a little does not.
  const proportion = shape && Math.round((shape.width / shape.height) * 4);
  useEffect(() => {
    if (!shape) return undefined;
    let isWanted = true;
    const asked = direction === "auto" ? bestOf(graph, shape) : layoutOf(graph, direction);
    asked.then(
      (drawing) => isWanted && setState({ drawing, graph }),
      (error: unknown) => isWanted && setState({ wrong: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isWanted = false;
    };
  }, [graph, direction, proportion]);
  return state.graph === graph || state.wrong !== undefined ? state : {};
}

export function Chart({ graph, lit, chosen, onChoose, onArrow, label }: Props) {
  const [direction, setDirection] = useState<Direction | "auto">("auto");
  const [asTable, setTable] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useCanvas(frame);
  const { drawing, wrong } = useDrawing(graph, direction, canvas.shape);
  const hidden = useMemo(() => hiddenIn(graph, lit), [graph, lit]);
  const focus = drawing && focusOf(graph, drawing, lit);
  useEffect(() => {
    if (drawing) canvas.show(inSight(drawing, hidden), focus?.box, focus?.isActive ?? false);
  }, [drawing, canvas.shape, hidden.size, focus?.box, focus?.isActive]);
  const isSlow = useLate(drawing === undefined && wrong === undefined, slowMs);
  const turnTo = drawing && drawing.width > drawing.height ? "DOWN" : "RIGHT";

  return (
    <div class="execution-canvas" ref={frame}>
      {asTable || wrong !== undefined || isSlow ? (
        <div class="execution-canvas-table">
          {wrong !== undefined && <p class="wrong">The chart cannot be drawn ({wrong}); these are its states.</p>}
          {isSlow && (
            <div class="waiting-line" role="status" aria-label="The chart is being drawn; these are its states" />
          )}
          <StatesTable graph={graph} lit={lit} onChoose={onChoose} />
        </div>
      ) : drawing ? (
        <svg
          class={canvas.isDragged ? "dragged" : ""}
          width="100%"
          height="100%"
          role="group"
          aria-label={`${label}. The button Table shows the same as a table.`}
          {...canvas.handlers}
        >
          <g transform={canvas.transform}>
            <Boxes
              graph={graph}
              drawing={drawing}
              hidden={hidden}
              lit={lit}
              chosen={chosen}
              onChoose={onChoose}
              onlyBlocks
            />
            <Arrows graph={graph} drawing={drawing} hidden={hidden} lit={lit} onChoose={onArrow} />
            <Boxes graph={graph} drawing={drawing} hidden={hidden} lit={lit} chosen={chosen} onChoose={onChoose} />
          </g>
        </svg>
      ) : (
        <p class="execution-laying muted" role="status">
          drawing the chart …
        </p>
      )}
      <Tools
        isTable={asTable}
        turnTo={turnTo}
        zoom={canvas.zoom}
        fit={() => drawing && canvas.fit(inSight(drawing, hidden))}
        turn={() => setDirection(turnTo)}
        table={() => setTable(!asTable)}
      />
      {!asTable && !isSlow && <Foot graph={graph} lit={lit} />}
    </div>
  );
}

type ToolProps = {
  readonly isTable: boolean;
  readonly turnTo: Direction;
  readonly zoom: (factor: number) => void;
  readonly fit: () => void;
  readonly turn: () => void;
  readonly table: () => void;
};

function Tools({ isTable, turnTo, zoom, fit, turn, table }: ToolProps) {
  return (
    <div class="execution-tools" role="toolbar" aria-label="View of the chart">
      <button type="button" class="quiet small" aria-label="Zoom out" title="Zoom out" onClick={() => zoom(1 / 1.25)}>
        −
      </button>
      <button type="button" class="quiet small" aria-label="Zoom in" title="Zoom in" onClick={() => zoom(1.25)}>
        +
      </button>
      <button type="button" class="quiet small" title="Show all of it" onClick={fit}>
        Fit
      </button>
      <button
        type="button"
        class="quiet small"
        aria-label="Lay it out the other way"
        title="Lay it out the other way"
        onClick={turn}
      >
        {turnTo === "DOWN" ? "↓" : "→"}
      </button>
      <button type="button" class="quiet small" aria-pressed={isTable} onClick={table}>
        Table
      </button>
    </div>
  );
}

type Focus = { box: Box | undefined; isActive: boolean };

/** Where something is at work, or where it came to; where it begins, if nothing has. */
function focusOf(graph: ChartGraph, drawing: Drawing, lit: LitChart | undefined): Focus {
  const leaves = graph.nodes.flatMap(({ id, kind }) => {
    const [own, box] = [lit?.nodes.get(id), drawing.boxes[id]];
    return own && box && (kind === "state" || kind === "final") ? [{ own, box }] : [];
  });
  const active = leaves.find(({ own: { face } }) => !isOver(face));
  // Of an actor in the engine only that is lit where it is now.
  const only = leaves.every(({ own }) => own.life === undefined) ? leaves.at(-1) : undefined;
  const box = (active ?? only)?.box ?? Object.values(drawing.boxes)[0];
  return { box, isActive: active !== undefined };
}

/** What undoes a run is only drawn of one that undoes: of most it would be in the way. */
function hiddenIn(graph: ChartGraph, lit: LitChart | undefined): ReadonlySet<string> {
  const undo = undoIn(graph);
  if (!lit || undo === undefined || lit.nodes.has(undo)) return new Set();
  const inside = graph.nodes.filter(({ path }) => path[0] === "$UNDO");
  return new Set(inside.map(({ id }) => id));
}

/** As large as what is drawn of it. */
function inSight(drawing: Drawing, hidden: ReadonlySet<string>): Shape {
  if (hidden.size === 0) return drawing;
  const shown = Object.entries(drawing.boxes).flatMap(([id, box]) => (hidden.has(id) ? [] : [box]));
  const most = (end: (box: Box) => number): number => Math.max(1, ...shown.map(end)) + betweenParts / 2;
  return { width: most(({ x, width }) => x + width), height: most(({ y, height }) => y + height) };
}

const undoIn = (graph: ChartGraph): string | undefined => graph.nodes.find(({ path }) => path.join() === "$UNDO")?.id;

/** A layout that takes longer than this is not waited for: until it is there, a table says the same. */
const slowMs = 900;

function useLate(isWaiting: boolean, ms: number): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setTimeout(() => setLate(true), ms);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [isWaiting]);
  return isLate && isWaiting;
}

const order: readonly Face[] = [
  "success",
  "running",
  "waiting",
  "retrying",
  "pending",
  "paused",
  "failed",
  "timed_out",
  "canceled",
];

/** How many stand where, and what may happen from everywhere. */
function Foot({ graph, lit }: { graph: ChartGraph; lit: LitChart | undefined }) {
  const counts = new Map<Face, number>();
  for (const [id, { counts: own }] of lit?.nodes ?? []) {
    if (id === "n0") continue;
    for (const [face, count] of Object.entries(own)) counts.set(face as Face, (counts.get(face as Face) ?? 0) + count);
  }
  const ends = graph.nodes.filter(({ id }) => graph.ends.has(id));
  const undo = undoIn(graph);
  const others = graph.frame
    .filter(({ target }) => !graph.ends.has(target) && target !== undo)
    .map(({ label }) => label);
  return (
    <div class="execution-foot">
      <span class="execution-tally">
        {order.map((face) => {
          const count = counts.get(face);
          return count === undefined ? null : (
            <span key={face} class="execution-face" data-face={face}>
              <svg viewBox="-9 -9 18 18" width="15" height="15" aria-hidden="true">
                {glyphOf(face)}
              </svg>
              {count} {wordOf(face)}
            </span>
          );
        })}
      </span>
      {(ends.length > 0 || others.length > 0) && (
        <span class="execution-ends" title="May be reached from every state">
          {undo !== undefined && (
            <span class="execution-end" data-face={lit?.nodes.get(undo)?.face ?? "idle"}>
              undo
            </span>
          )}
          {ends.map((node) => (
            <span key={node.id} class="execution-end" data-face={lit?.nodes.get(node.id)?.face ?? "idle"}>
              {node.title}
            </span>
          ))}
          {others.length > 0 && (
            <span class="execution-anywhere">from everywhere: {[...new Set(others)].slice(0, 4).join(", ")}</span>
          )}
        </span>
      )}
    </div>
  );
}
