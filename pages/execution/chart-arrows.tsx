// The arrows of a drawing: what was taken stands out, with how often, and labels stand on a ground of their own.

import type { ChartGraph } from "./graph.ts";
import { type Drawing, pathOf, type Placed, sizes } from "./layout.ts";
import type { LitChart } from "./lit.ts";

type Props = {
  readonly graph: ChartGraph;
  readonly drawing: Drawing;
  readonly hidden: ReadonlySet<string>;
  readonly lit: LitChart | undefined;
  readonly onChoose: ((arrow: string) => void) | undefined;
};

export function Arrows({ graph, drawing, hidden, lit, onChoose }: Props) {
  const shown = graph.arrows.flatMap((arrow) => {
    const placed = drawing.arrows[arrow.id];
    return placed && placed.points.length > 0 && !hidden.has(arrow.source)
      ? [{ arrow, placed, count: lit?.arrows.get(arrow.id) ?? 0 }]
      : [];
  });
  // Those that were taken are drawn last, over the others.
  const ordered = shown.toSorted((one, other) => Math.sign(one.count) - Math.sign(other.count));
  return (
    <g>
      {ordered.map(({ arrow, placed, count }) => (
        <g
          key={arrow.id}
          class="execution-arrow"
          data-kind={arrow.kind}
          data-taken={count > 0}
          {...(count > 0 && onChoose && { onClick: () => onChoose(arrow.id) })}
        >
          {count > 0 && onChoose && <path class="grip" d={pathOf(placed.points)} />}
          <path d={pathOf(placed.points)} />
          <path class="tip" d="M0 0L-7.5 3.8L-6 0L-7.5 -3.8Z" transform={tipAt(placed.points)} />
          {placed.label && <Label label={placed.label} />}
          {count > 1 && arrow.kind !== "start" && (
            <Count points={placed.points} count={count} isLabelled={placed.label !== undefined} />
          )}
        </g>
      ))}
    </g>
  );
}

function Label({ label: { x, y, width, height, lines } }: { label: NonNullable<Placed["label"]> }) {
  return (
    <g class="execution-label">
      <rect x={x} y={y - 1} width={width} height={height + 2} rx="4" />
      {lines.map((line, index) => (
        <text key={line} x={x + width / 2} y={y + 11.5 + index * sizes.labelHeight}>
          {line}
        </text>
      ))}
    </g>
  );
}

function tipAt(points: Placed["points"]): string {
  const [end, before] = [points.at(-1), points.at(-2)];
  if (!end || !before) return "";
  const angle = (Math.atan2(end[1] - before[1], end[0] - before[0]) * 180) / Math.PI;
  return `translate(${end[0]} ${end[1]}) rotate(${angle})`;
}

function Count({ points, count, isLabelled }: { points: Placed["points"]; count: number; isLabelled: boolean }) {
  const [x, y] = along(points, isLabelled ? 0.85 : 0.5);
  const text = `×${count}`;
  const width = text.length * 5.6 + 7;
  return (
    <g class="execution-count" transform={`translate(${x - width / 2} ${y - 17})`}>
      <rect width={width} height="14" rx="7" />
      <text x={width / 2} y="10.4">
        {text}
      </text>
    </g>
  );
}

/** The point at a share of the way. */
function along(points: Placed["points"], share: number): readonly [number, number] {
  const lengths = points.slice(1).map(([x, y], index) => {
    const [fromX, fromY] = points[index] ?? [x, y];
    return Math.hypot(x - fromX, y - fromY);
  });
  let rest = lengths.reduce((sum, length) => sum + length, 0) * share;
  for (const [index, length] of lengths.entries()) {
    const [from, to] = [points[index], points[index + 1]];
    if (!from || !to) break;
    if (rest <= length) {
      const part = length === 0 ? 0 : rest / length;
      return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
    }
    rest -= length;
  }
  return points.at(-1) ?? [0, 0];
}
