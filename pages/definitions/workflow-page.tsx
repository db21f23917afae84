// One workflow: its chart, its definition as it was written, and what can be done with it.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import type { PageProps } from "../pages.tsx";
import { useAsked } from "../parts/asked.ts";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { PlayIcon } from "../parts/icons.tsx";
import { Json } from "../parts/json.tsx";
import { Wrong } from "../parts/said.tsx";
import { Time } from "../parts/time.tsx";
import { place, refine } from "../router.ts";
import { triggerWords } from "./workflows-page.tsx";

type Definition = Answer<"getDefinition">;
const recentMax = 8;
const lookEveryMs = 3_000;
const tabs = ["chart", "definition", "json", "mermaid"] as const;
type Tab = (typeof tabs)[number];
const tabWords: Readonly<Record<Tab, string>> = {
  chart: "Chart",
  definition: "Definition",
  json: "JSON",
  mermaid: "Mermaid",
};

export function WorkflowPage({ params }: PageProps) {
  const id = params["id"] ?? "";
  const asked = useAsked(() => client.getDefinition({ entities: "workflows", id }), [id]);
  const definition = asked.value;
  return (
    <>
      <div class="page-head">
        <h1>{id}</h1>
        <a class="button" href={`/executions?id=${encodeURIComponent(id)}`}>
          Executions
        </a>
        <a class="button primary" href={`/workflows/${id}/start`}>
          <PlayIcon />
          Start
        </a>
        {definition?.description && <p class="sub">{definition.description}</p>}
      </div>
      <Wrong error={asked.error} />
      {definition && (
        <div class="definition">
          <Views definition={definition} />
          <aside class="stack">
            <section class="panel padded">
              <dl class="facts">
                <dt>From</dt>
                <dd>{definition.file ?? definition.origin}</dd>
                <dt>Tasks</dt>
                <dd>{definition.tasks ?? "–"}</dd>
                <dt>Begun by</dt>
                <dd>
                  {definition.triggers.length === 0 ? "whoever asks" : definition.triggers.map(triggerWords).join(", ")}
                </dd>
                <dt>Version</dt>
                <dd>
                  <code>{definition.hash?.slice(0, 12) ?? "–"}</code>
                </dd>
              </dl>
            </section>
            <Latest id={id} />
          </aside>
        </div>
      )}
    </>
  );
}

function Views({ definition }: { definition: Definition }) {
  const { id, source } = definition;
  const wanted = place.value.query.get("view");
  const tab = tabs.find((one) => one === wanted) ?? "chart";
  return (
    <section class="panel">
      <div class="panel-head" role="tablist" aria-label="Views">
        {tabs.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            class="tab"
            aria-selected={tab === one}
            onClick={() => refine({ view: one === "chart" ? "" : one })}
          >
            {tabWords[one]}
          </button>
        ))}
      </div>
      {tab === "chart" && <Drawn id={id} />}
      {tab === "mermaid" && <Mermaid id={id} />}
      {tab === "definition" && <Source text={source ?? JSON.stringify(definition.definition, null, 2)} />}
      {tab === "json" && (
        <div class="padded">
          <Json value={definition.definition} />
        </div>
      )}
    </section>
  );
}

function Latest({ id }: { id: string }) {
  const runs = useAsked(
    () => client.listExecutionsOf({ entities: "workflows", id, limit: recentMax }),
    [id, "runs"],
    lookEveryMs,
  );
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Latest executions</h2>
      </div>
      {runs.value?.items.length === 0 && <p class="muted padded">None yet.</p>}
      <ul class="plain">
        {(runs.value?.items ?? []).map(({ exec_id, status, created_at }) => (
          <li key={exec_id}>
            <Badge status={status} />
            <a class="clip grow" href={`/executions/${exec_id}`} title={exec_id}>
              <code>…{exec_id.slice(-12)}</code>
            </a>
            <span class="muted small">
              <Time at={created_at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

type Chart = ComponentType<{ definition: Record<string, unknown> }>;

function Drawn({ id }: { id: string }) {
  const chart = useAsked(() => client.getChart({ id }), [id, "chart"]);
  const [drawing, setDrawing] = useState<{ view: Chart } | undefined>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    import("../execution/chart.tsx").then(
      ({ Statechart }) => setDrawing({ view: Statechart as unknown as Chart }),
      setError,
    );
  }, []);
  const View = drawing?.view;
  return (
    <div class="drawn">
      <Wrong error={error ?? chart.error} />
      {(!View || !chart.value) && chart.error === undefined && (
        <div class="waiting-line" role="progressbar" aria-label="loading" />
      )}
      {View && chart.value && <View definition={chart.value.statechart} />}
    </div>
  );
}

function Mermaid({ id }: { id: string }) {
  const chart = useAsked(() => client.getChart({ id }), [id, "chart"]);
  return chart.value ? <Source text={chart.value.mermaid} /> : <Wrong error={chart.error} />;
}

function Source({ text }: { text: string }) {
  return (
    <div class="json-box">
      <CopyButton text={text} />
      <pre class="source" tabIndex={0}>
        {text}
      </pre>
    </div>
  );
}
