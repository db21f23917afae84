// One run as it is looked at: its chart and scrubber above, its views below, and beside them what is known of it.

import { useState } from "preact/hooks";
import { client, connection } from "../connection.ts";
import { Actions } from "../actions/actions.tsx";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Wrong } from "../parts/said.tsx";
import { Time, Took } from "../parts/time.tsx";
import { place, refine } from "../router.ts";
import { Details } from "./details.tsx";
import { EventView } from "./event-view.tsx";
import { statusOf } from "./glyphs.tsx";
import { ChartPanel } from "./lifecycles.tsx";
import { LogView } from "./log-view.tsx";
import type { Model } from "./model.ts";
import { Scrubber } from "./scrubber.tsx";
import { save } from "./save.ts";
import { SequenceView } from "./sequence-view.tsx";
import { isOver } from "./story.ts";
import { TimelineView } from "./timeline-view.tsx";

const tabs = { timeline: "Timeline", messages: "Messages", log: "Log" } as const;
type Tab = keyof typeof tabs;

type RunProps = {
  readonly model: Model;
  readonly wantRow: (execId: string) => void;
  readonly onDone: (() => void) | undefined;
};

export function RunView({ model, wantRow, onDone }: RunProps) {
  const wanted = place.value.query.get("view");
  const tab: Tab = wanted !== null && wanted in tabs ? (wanted as Tab) : "timeline";
  const side = place.value.query.get("side") === "event" ? "event" : "execution";
  return (
    <div class="execution">
      <Head model={model} onDone={onDone} />
      {model.error.value !== undefined && connection.value !== "lost" && <Wrong error={model.error.value} />}
      <div class="execution-grid">
        <div class="execution-main">
          <div class="execution-stage">
            <ChartPanel model={model} />
            <Scrubber model={model} />
          </div>
          <section class="panel execution-tabs" aria-label={tabs[tab]}>
            <div class="execution-tab-head" role="tablist">
              {Object.entries(tabs).map(([key, name]) => (
                <button
                  key={key}
                  type="button"
                  role="tab"
                  aria-selected={tab === key}
                  onClick={() => refine({ view: key === "timeline" ? "" : key })}
                >
                  {name}
                </button>
              ))}
            </div>
            {tab === "timeline" && <TimelineView model={model} />}
            {tab === "messages" && <SequenceView model={model} />}
            {tab === "log" && <LogView model={model} />}
          </section>
        </div>
        <aside class="panel execution-side" aria-label="Details">
          <div class="execution-tab-head" role="tablist">
            <button type="button" role="tab" aria-selected={side === "execution"} onClick={() => refine({ side: "" })}>
              Execution
            </button>
            <button type="button" role="tab" aria-selected={side === "event"} onClick={() => refine({ side: "event" })}>
              Message
            </button>
          </div>
          <div class="execution-side-in">
            {side === "event" ? (
              <EventView model={model} />
            ) : (
              <Details model={model} wantRow={wantRow} onDone={onDone} />
            )}
          </div>
        </aside>
      </div>
    </div>
  );
}

function Head({ model, onDone }: { model: Model; onDone: (() => void) | undefined }) {
  const row = model.root.value;
  const why = model.why.value;
  // The log is quicker than the row, which is asked for only now and then.
  const last = model.grown.value > 0 ? model.story.root?.moves.at(-1) : undefined;
  const isOpen = row !== undefined && row.ended_at === null && !(last && isOver(last.face));
  if (!row) return null;
  const status = last && isOver(last.face) ? statusOf(last.face) : row.status;
  return (
    <header class="execution-head">
      <div class="execution-title">
        <h1>
          {row.entity === "workflow" ? <a href={`/workflows/${encodeURIComponent(row.id)}`}>{row.id}</a> : row.id}
        </h1>
        <Badge status={status} />
        <span class="muted small">
          <Time at={row.created_at} /> ·{" "}
          <Took
            from={row.started_at ?? row.created_at}
            to={isOpen ? null : (row.ended_at ?? new Date(last?.time ?? 0).toISOString())}
          />
        </span>
        <span class="execution-id">
          <code class="muted">{row.exec_id}</code>
          <CopyButton text={row.exec_id} label="Copy the id" />
        </span>
      </div>
      <div class="execution-deeds">
        {onDone ? (
          <>
            <ExportButton execId={row.exec_id} name={row.id} />
            <Actions execution={row} onDone={onDone} />
          </>
        ) : (
          <span class="chip">from a file</span>
        )}
      </div>
      {isOpen && why !== "" && (
        <p class="execution-why" role="status" title={why}>
          {shortTimes(why)}
        </p>
      )}
    </header>
  );
}

/** Times as a clock shows them; the day stands in the title. */
const shortTimes = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    new Date(time).toLocaleTimeString(undefined, { timeStyle: "medium" }),
  );

function ExportButton({ execId, name }: { execId: string; name: string }) {
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const take = async (): Promise<void> => {
    try {
      const file = await client.exportExecution({ exec_id: execId });
      save(JSON.stringify(file), `${name}-${execId}.json`, "application/json");
      setWrong(undefined);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <button
      type="button"
      onClick={() => void take()}
      title={wrong ?? "The whole run as a file, to be opened elsewhere"}
      aria-invalid={wrong !== undefined}
    >
      Export
    </button>
  );
}
