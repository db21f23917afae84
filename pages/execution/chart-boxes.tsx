// The states of a drawing: blocks with what is in them, states with their sign, their words and their tallies.

import type { ChartGraph, ChartNode } from "./graph.ts";
import { glyphOf, wordOf } from "./glyphs.tsx";
import { type Box, type Drawing, sizes, wordLines } from "./layout.ts";
import type { Lit, LitChart } from "./lit.ts";
import type { Life } from "./story.ts";

type Props = {
  readonly graph: ChartGraph;
  readonly drawing: Drawing;
  readonly hidden: ReadonlySet<string>;
  readonly lit: LitChart | undefined;
  readonly chosen: string | null | undefined;
  readonly onChoose: ((life: Life) => void) | undefined;
  /** Blocks stand behind the arrows, everything else before them. */
  readonly onlyBlocks?: boolean;
};

const isBlock = ({ kind }: ChartNode): boolean => kind === "block" || kind === "regions";

export function Boxes({ graph, drawing, hidden, lit, chosen, onChoose, onlyBlocks = false }: Props) {
  return (
    <>
      {graph.nodes.map((node) => {
        const box = drawing.boxes[node.id];
        if (
          !box ||
          node.parent === null ||
          hidden.has(node.id) ||
          graph.ends.has(node.id) ||
          isBlock(node) !== onlyBlocks
        )
          return null;
        const own = lit?.nodes.get(node.id);
        if (node.kind === "start")
          return <circle key={node.id} class="execution-start" cx={box.x + 5} cy={box.y + 5} r="5" />;
        if (node.kind === "final") return <Final key={node.id} node={node} box={box} lit={own} />;
        const isChosen = own?.life !== undefined && own.life.key === chosen;
        return <State key={node.id} node={node} box={box} lit={own} isChosen={isChosen} onChoose={onChoose} />;
      })}
    </>
  );
}

function Final({ node, box, lit }: { node: ChartNode; box: Box; lit: Lit | undefined }) {
  const middle = box.y + box.height / 2;
  return (
    <g class="execution-final" data-face={lit?.face ?? "idle"}>
      <circle class="outer" cx={box.x + 13} cy={middle} r="9" />
      <circle class="inner" cx={box.x + 13} cy={middle} r="5" />
      <text x={box.x + 28} y={middle + 4}>
        {node.title}
      </text>
    </g>
  );
}

type StateProps = {
  readonly node: ChartNode;
  readonly box: Box;
  readonly lit: Lit | undefined;
  readonly isChosen: boolean;
  readonly onChoose: Props["onChoose"];
};

function State({ node, box, lit, isChosen, onChoose }: StateProps) {
  const face = lit?.face ?? "idle";
  const life = lit?.life;
  const choose = life && onChoose ? () => onChoose(life) : undefined;
  const words = wordLines(node);
  const isPlain = !isBlock(node);
  const top = box.y + sizes.padding;
  const middle = top + sizes.titleHeight / 2;
  return (
    <g
      class={isPlain ? "execution-state" : "execution-block"}
      data-face={face}
      data-kind={node.kind}
      data-task={node.task}
      data-chosen={isChosen}
      {...(choose && {
        role: "button",
        tabindex: 0,
        onClick: choose,
        onKeyDown: (event: KeyboardEvent) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          choose();
        },
      })}
      aria-label={`${node.title}: ${wordOf(face)}${told(lit)}`}
    >
      {(face === "running" || face === "retrying") && (
        <rect class="halo" x={box.x - 3} y={box.y - 3} width={box.width + 6} height={box.height + 6} rx="13" />
      )}
      <rect class="body" x={box.x} y={box.y} width={box.width} height={box.height} rx={isPlain ? 10 : 12} />
      <g class="execution-sign" transform={`translate(${box.x + sizes.padding + 9} ${middle})`}>
        {glyphOf(face)}
      </g>
      <text class="name" x={box.x + sizes.mark + 4} y={middle + 4.5}>
        {node.title}
      </text>
      {words.map((line, index) => (
        <text
          key={line}
          class="words"
          x={box.x + sizes.mark + 4}
          y={top + sizes.titleHeight + 12 + index * sizes.wordsHeight}
        >
          {line}
        </text>
      ))}
      {lit && <Tally box={box} lit={lit} middle={middle} />}
      {lit?.isUndone && (
        <text class="undone" x={box.x + box.width - sizes.padding} y={box.y + box.height + 13}>
          ↩ undone
        </text>
      )}
    </g>
  );
}

const told = ({ total, attempt, attemptsMax, counts, code, isUndone }: Partial<Lit> = {}): string =>
  [
    attemptsMax !== undefined && (attemptsMax > 1 || (attempt ?? 1) > 1)
      ? `, attempt ${attempt} of ${attemptsMax}`
      : "",
    total !== undefined && total > 1
      ? `, ${Object.entries(counts ?? {})
          .map(([face, count]) => `${count} ${wordOf(face as Lit["face"])}`)
          .join(", ")}`
      : "",
    code === undefined ? "" : `, ${code}`,
    isUndone ? ", undone" : "",
  ].join("");

/** How many stand here, or which attempt it is: on the right of the title. */
function Tally({ box, lit, middle }: { box: Box; lit: Lit; middle: number }) {
  const text = tallyOf(lit);
  if (text === "") return null;
  const width = text.length * 6.6 + 12;
  return (
    <g class="execution-tag" transform={`translate(${box.x + box.width - width - 7} ${middle - 9})`}>
      <rect width={width} height="18" rx="9" />
      <text x={width / 2} y="12.8">
        {text}
      </text>
    </g>
  );
}

function tallyOf({ total, counts, attempt, attemptsMax, passes }: Lit): string {
  if (total > 1) return `${counts.success ?? 0}/${total}`;
  if (attempt > 1) return attemptsMax > 1 ? `${attempt}/${attemptsMax}` : `#${attempt}`;
  return passes > 1 ? `×${passes}` : "";
}
