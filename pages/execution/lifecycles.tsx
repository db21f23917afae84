// Which charts there are to look at for what is chosen: the workflow's own, and those of each part's life in the engine.

import { useEffect, useMemo, useState } from "preact/hooks";
import { Chart } from "./chart.tsx";
import type { Step } from "./journal.ts";
import { lifeChart, stepsByAddress } from "./life-chart.ts";
import type { Model } from "./model.ts";
import { countBelow, type Life } from "./story.ts";

const names: Readonly<Record<string, string>> = {
  workflowExecution: "lifecycle",
  taskExecution: "lifecycle",
  taskDispatch: "dispatch",
  taskAttempt: "attempt",
  agentExecution: "agent",
  agentDispatch: "agent dispatch",
  toolExecution: "tool",
  handlerRun: "handler",
};

export function ChartPanel({ model }: { model: Model }) {
  const graph = model.chart.value;
  const life = model.chosenLife.value;
  const [address, setAddress] = useState<string | null>(null);
  const isDirect = model.story.root !== undefined && model.story.root.entity !== "workflow";
  const wants = life !== undefined && (model.chosen.value !== null || address !== null || isDirect);
  useEffect(() => {
    if (wants) model.wantsSteps.value = true;
  }, [wants]);
  const byAddress = useMemo(() => stepsByAddress(model.steps.value), [model.steps.value]);
  const actors = useMemo(() => (life ? actorsOf(model, life, byAddress) : []), [life, byAddress]);
  const shown = actors.find((one) => one.address === address) ?? (graph || address !== null ? undefined : actors[0]);
  const name = (machine: string): string => names[machine] ?? machine;

  return (
    <section class="panel execution-chart" aria-label="Statechart">
      <div class="execution-charts" role="toolbar" aria-label="Which chart">
        {graph && (
          <button type="button" class="small" aria-pressed={shown === undefined} onClick={() => setAddress(null)}>
            {graph.title}
          </button>
        )}
        {life && model.chosen.value !== null && <span class="muted small clip">{life.id}:</span>}
        {actors.map((one) => (
          <button
            key={one.address}
            type="button"
            class="quiet small"
            aria-pressed={shown?.address === one.address}
            title={`The chart of ${one.address}`}
            onClick={() => setAddress(one.address)}
          >
            {name(one.machine)}
            {one.place !== "" && <span class="muted">{one.place}</span>}
          </button>
        ))}
      </div>
      {shown ? (
        <LifeChart model={model} actor={shown} />
      ) : graph ? (
        <Chart
          graph={graph}
          lit={model.lit.value}
          chosen={model.chosen.value}
          onChoose={(one) => (model.chosen.value = one.key)}
          onArrow={(arrow) => model.move({ type: "to", at: model.takenAt(arrow) })}
          label={`Statechart of ${graph.title}`}
        />
      ) : (
        <p class="execution-laying muted">{isDirect ? "the steps are being read …" : "the chart is being read …"}</p>
      )}
    </section>
  );
}

type Actor = { address: string; machine: string; place: string; steps: readonly Step[] };

const actorsMax = 8;

/** Whoever lived for it: its own charts first, then those of what it called. */
function actorsOf(model: Model, life: Life, byAddress: ReadonlyMap<string, readonly Step[]>): Actor[] {
  const called = model.story.order.filter(({ parent, entity }) => parent === life.key && entity !== "task");
  const ids = new Map(
    [life, ...(life.entity === "workflow" ? [] : called)].map(({ execId }, index) => [execId, index]),
  );
  const found = [...byAddress].flatMap(([address, steps]) => {
    const [first] = steps;
    const rank = first && ids.get(first.exec_id);
    return first === undefined || rank === undefined ? [] : [{ address, machine: first.machine, steps, rank }];
  });
  const counts = Map.groupBy(found, ({ machine }) => machine);
  return found
    .toSorted((one, other) => one.rank - other.rank)
    .slice(0, actorsMax)
    .map(({ address, machine, steps }) => {
      const alike = counts.get(machine) ?? [];
      const place = alike.length > 1 ? ` ${alike.findIndex((one) => one.address === address) + 1}` : "";
      return { address, machine, steps, place };
    });
}

function LifeChart({ model, actor: { machine, steps, address } }: { model: Model; actor: Actor }) {
  const graph = model.charts.value.get(machine);
  const { at } = model.scrub.value;
  const line = model.story.lines[at - 1];
  const until = line === undefined ? 0 : countBelow(steps, line.line + 1, (step) => step.line);
  const lit = useMemo(() => graph && lifeChart(graph, steps.slice(0, until)), [graph, steps, until]);
  if (!graph) return <p class="execution-laying muted">there is no drawing of {machine}</p>;
  return <Chart key={address} graph={graph} lit={lit} label={`Statechart of ${address}`} />;
}
