// The chart as a table: every state, how it stands, and how often it was come to, for those who do not see drawings.

import type { ChartGraph } from "./graph.ts";
import { statusOf, wordOf } from "./glyphs.tsx";
import type { Lit, LitChart } from "./lit.ts";
import type { Life } from "./story.ts";

type Props = {
  readonly graph: ChartGraph;
  readonly lit: LitChart | undefined;
  readonly onChoose: ((life: Life) => void) | undefined;
};

export function StatesTable({ graph, lit, onChoose }: Props) {
  const comes = Map.groupBy(graph.arrows, ({ target }) => target);
  const leads = Map.groupBy(graph.arrows, ({ source }) => source);
  const titles = new Map(graph.nodes.map(({ id, title }) => [id, title]));
  return (
    <table aria-label={`The states of ${graph.title}`}>
      <thead>
        <tr>
          <th>State</th>
          {lit && (
            <>
              <th>Stands</th>
              <th>Attempt</th>
              <th>Come to</th>
            </>
          )}
          {!lit && <th>Does</th>}
          <th>Leads to</th>
        </tr>
      </thead>
      <tbody>
        {graph.nodes
          .filter(({ kind, parent }) => kind !== "start" && parent !== null)
          .map(({ id, title, path, words }) => {
            const own = lit?.nodes.get(id);
            const life = own?.life;
            const count = (comes.get(id) ?? []).reduce((sum, arrow) => sum + (lit?.arrows.get(arrow.id) ?? 0), 0);
            return (
              <tr key={id}>
                <td style={{ paddingLeft: `${14 + (path.length - 1) * 16}px` }}>
                  {life && onChoose ? (
                    <button type="button" class="quiet small" onClick={() => onChoose(life)}>
                      {title}
                    </button>
                  ) : (
                    title
                  )}
                </td>
                {lit && <Standing lit={own} count={count} />}
                {!lit && <td class="muted small">{words.join(", ")}</td>}
                <td class="muted small">
                  {(leads.get(id) ?? [])
                    .map(({ target, label }) => `${titles.get(target) ?? ""}${label === "" ? "" : ` (${label})`}`)
                    .join(", ")}
                </td>
              </tr>
            );
          })}
      </tbody>
    </table>
  );
}

function Standing({ lit, count }: { lit: Lit | undefined; count: number }) {
  const face = lit?.face ?? "idle";
  return (
    <>
      <td>
        <span class="badge" data-status={statusOf(face)}>
          {wordOf(face)}
          {lit && lit.total > 1 ? ` (${lit.total})` : ""}
        </span>
      </td>
      <td>{lit && lit.attempt > 1 ? `${lit.attempt} of ${lit.attemptsMax}` : ""}</td>
      <td>{count > 0 ? `${count}×` : ""}</td>
    </>
  );
}
