// The log: every message as it was recorded, to be filtered, followed, copied and taken away.

import { useMemo, useState } from "preact/hooks";
import { CopyButton } from "../parts/copy.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { contextOf, kindOf, type Line, nameOf, subjectOf } from "./journal.ts";
import { chosenLines, type Filter, noFilter } from "./log-filter.ts";
import type { Model } from "./model.ts";
import { save } from "./save.ts";
import { durationText } from "./timeline.ts";

const kinds = ["command", "event", "result"] as const;

export function LogView({ model }: { model: Model }) {
  const { at } = model.scrub.value;
  const grown = model.grown.value;
  const [filter, setFilter] = useState<Filter>(noFilter);
  const only = filter.isOnlyChosen ? (model.chosenLife.value?.execId ?? null) : null;
  const positions = useMemo(() => chosenLines(model.story.lines, filter, only), [grown, filter, only]);
  return (
    <div class="execution-log">
      <FilterBar model={model} filter={filter} set={setFilter} positions={positions} />
      <VirtualList
        count={positions.length}
        rowHeight={26}
        selected={positions.findLastIndex((position) => position < at)}
        label="Log"
        row={(index) => {
          const position = positions[index] ?? 0;
          const state = position === at - 1 ? "now" : position < at ? "past" : "later";
          return <LogLine key={position} model={model} position={position} state={state} />;
        }}
      />
    </div>
  );
}

type FilterProps = {
  readonly model: Model;
  readonly filter: Filter;
  readonly set: (filter: Filter) => void;
  readonly positions: readonly number[];
};

function FilterBar({ model, filter, set, positions }: FilterProps) {
  const total = model.grown.value;
  const lines = (): Line[] => positions.flatMap((position) => model.story.lines[position] ?? []);
  // Only what is copied has to be made into text, and only when it changes.
  const text = useMemo(() => asText(lines().slice(0, copiedMax)), [positions]);
  const take = (): void => {
    save(`${asText(lines())}\n`, `${model.story.root?.execId ?? "execution"}.ndjson`, "application/x-ndjson");
  };
  return (
    <div class="execution-filter">
      <input
        type="search"
        placeholder="Filter by type, id or payload"
        aria-label="Filter the log by text"
        value={filter.text}
        onInput={({ currentTarget }) => set({ ...filter, text: currentTarget.value })}
      />
      {kinds.map((kind) => (
        <button
          key={kind}
          type="button"
          class="small"
          aria-pressed={filter.kinds.has(kind)}
          onClick={() => set({ ...filter, kinds: toggled(filter.kinds, kind) })}
        >
          {kind}s
        </button>
      ))}
      {model.chosen.value !== null && (
        <button
          type="button"
          class="small"
          aria-pressed={filter.isOnlyChosen}
          onClick={() => set({ ...filter, isOnlyChosen: !filter.isOnlyChosen })}
        >
          only {model.chosenLife.value?.id}
        </button>
      )}
      <span class="muted small grow right">
        {positions.length === total ? total : `${positions.length} of ${total}`} lines
      </span>
      <CopyButton text={text} label="Copy these lines" />
      <button type="button" class="small" onClick={take}>
        NDJSON
      </button>
    </div>
  );
}

type LineProps = { readonly model: Model; readonly position: number; readonly state: "now" | "past" | "later" };

function LogLine({ model, position, state }: LineProps) {
  const line = model.story.lines[position];
  if (!line) return null;
  const subject = subjectOf(line);
  const attempt = contextOf(line)["attempt"];
  const began = model.story.times[0] ?? 0;
  const when = durationText(Math.max(0, (model.story.times[position] ?? began) - began));
  const choose = (): void => model.move({ type: "to", at: position + 1 });
  return (
    <div
      class="execution-line"
      role="row"
      tabIndex={0}
      data-kind={kindOf(line)}
      data-state={state}
      onClick={choose}
      onKeyDown={(event) => event.key === "Enter" && choose()}
    >
      <span class="mono muted right">{line.line}</span>
      <span class="mono muted right">{when}</span>
      <span class="execution-kind" data-kind={kindOf(line)}>
        {kindOf(line)}
      </span>
      <b class="clip">{nameOf(line)}</b>
      <span class="clip">
        {subject && (
          <>
            <span class="muted">{subject.entity}</span> {subject.named.id}
            {typeof attempt === "number" && attempt > 1 && <span class="execution-attempt">{attempt}</span>}
          </>
        )}
      </span>
      <span class="clip muted mono">
        {line.disposition !== "applied" && <em>{line.disposition} </em>}
        {summaryOf(line.envelope.payload)}
      </span>
    </div>
  );
}

const copiedMax = 2_000;
const asText = (lines: readonly Line[]): string => lines.map((line) => JSON.stringify(line)).join("\n");

function toggled<T>(set: ReadonlySet<T>, item: T): Set<T> {
  const next = new Set(set);
  if (!next.delete(item)) next.add(item);
  return next;
}

/** What tells most of a payload, in one line. */
function summaryOf(payload: Line["envelope"]["payload"]): string {
  const { error, output } = payload?.result ?? {};
  if (error) return `${error.code ?? ""}: ${error.message ?? ""}`;
  const { input, reason } = payload?.context ?? {};
  const value = output ?? reason ?? input;
  return value === undefined ? "" : JSON.stringify(value).slice(0, 160);
}
