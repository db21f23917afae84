// All executions, live: filters, counts, rows, and what can be done to many of them at once.

import { useEffect, useState } from "preact/hooks";
import { waitText } from "../../src/protocol/waiting.ts";
import { client } from "../connection.ts";
import { isHelpOpen, useKeys } from "../keys.ts";
import type { PageProps } from "../pages.tsx";
import { useAsked } from "../parts/asked.ts";
import { PlayIcon } from "../parts/icons.tsx";
import { Empty, Wrong } from "../parts/said.tsx";
import { lengthOf } from "../parts/time.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { go } from "../router.ts";
import { Bulk } from "./bulk.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { type Filters, filtersIn, isNarrowed, noFilters, setFilter } from "./filters.ts";
import { Line } from "./line.tsx";
import { type Row, useRows } from "./rows.ts";

const rowHeight = 46;

export function ListPage({ query }: PageProps) {
  const filters = filtersIn(query);
  const { rows, counts, waits, error, isFirst, more, refresh } = useRows(filters);
  const list = rows.value;
  const { at, chosen, choose, letGo } = useHand(list, query.toString(), filters.kind === "workflows");
  const isEmpty = !isFirst.value && list.length === 0;
  return (
    <>
      <div class="page-head">
        <h1>Executions</h1>
        {filters.kind === "workflows" && (
          <Bulk filters={filters} counts={counts.value} chosen={chosen} done={() => (letGo(), refresh())} />
        )}
        <a class="button primary" href={filters.id === "" ? "/workflows" : `/workflows/${filters.id}/start`}>
          <PlayIcon />
          Start a workflow
        </a>
      </div>
      <FilterBar filters={filters} counts={counts.value} />
      <Wrong error={error.value} />
      <section class="panel executions" role="table" aria-label="Executions" aria-busy={isFirst.value}>
        {!isEmpty && <Heads filters={filters} />}
        {isFirst.value && error.value === undefined && (
          <div class="waiting-line" role="progressbar" aria-label="loading" />
        )}
        {isEmpty && <Nothing filters={filters} />}
        {list.length > 0 && (
          <VirtualList
            label="Rows"
            count={list.length}
            rowHeight={rowHeight}
            selected={at}
            onEnd={more}
            row={(index) => {
              const row = list[index];
              if (!row) return null;
              const isChosen = chosen.has(row.exec_id);
              return (
                <Line
                  key={row.exec_id}
                  row={row}
                  waits={waitText(row, lengthOf, waits.value.get(row.exec_id))}
                  isCurrent={index === at}
                  isChosen={isChosen}
                  choose={choose}
                />
              );
            }}
          />
        )}
      </section>
      <p class="muted small foot">
        <span>
          {list.length > 0 &&
            `${list.length.toLocaleString()} ${list.length === 1 ? "row" : "rows"} here, ${filters.order} first`}
        </span>
        <button type="button" class="link" onClick={() => (isHelpOpen.value = true)}>
          <kbd>/</kbd> search <kbd>j</kbd> <kbd>k</kbd> move <kbd>enter</kbd> open <kbd>?</kbd> all keys
        </button>
      </p>
    </>
  );
}

/** Which row the keyboard is on, wherever that moves, and which were chosen; other filters forget both. */
function useHand(list: readonly Row[], about: string, canChoose: boolean) {
  const [on, setOn] = useState<string | undefined>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    setOn(undefined);
    setChosen(new Set());
  }, [about]);
  const at = on === undefined ? -1 : list.findIndex(({ exec_id }) => exec_id === on);
  const move = (by: number) => () => setOn(list[Math.max(0, Math.min(list.length - 1, at + by))]?.exec_id);
  const choose = (execId: string): void =>
    setChosen((last) => {
      const next = new Set(last);
      if (!next.delete(execId)) next.add(execId);
      return next;
    });
  const isThere = at >= 0 && on !== undefined;
  useKeys([
    { key: "/", says: "search", does: () => document.getElementById("search")?.focus() },
    { key: "j", says: "next row", does: move(1) },
    { key: "k", says: "row before", does: move(-1) },
    { key: "Enter", says: "open the row", does: () => isThere && go(`/executions/${on}`) },
    { key: "x", says: "choose the row", does: () => isThere && canChoose && choose(on) },
  ]);
  return { at, chosen, choose: canChoose ? choose : undefined, letGo: () => setChosen(new Set()) };
}

function Heads({ filters }: { filters: Filters }) {
  const isNewest = filters.order === "newest";
  return (
    <div class="heads" role="row">
      <span role="columnheader" class="c-choose" aria-label="Chosen" />
      <span role="columnheader">Status</span>
      <span role="columnheader">{filters.kind === "workflows" ? "Workflow" : "Definition"}</span>
      <span role="columnheader" class="c-notes">
        Labels, waits and errors
      </span>
      <span role="columnheader" aria-sort={isNewest ? "descending" : "ascending"}>
        <button
          type="button"
          class="link"
          title="Turn the order round"
          onClick={() => setFilter({ order: isNewest ? "oldest" : "" })}
        >
          Begun {isNewest ? "↓" : "↑"}
        </button>
      </span>
      <span role="columnheader" class="c-took">
        Took
      </span>
    </div>
  );
}

function Nothing({ filters }: { filters: Filters }) {
  if (isNarrowed(filters)) {
    return (
      <Empty title="Nothing fits these filters">
        <button type="button" onClick={() => setFilter(noFilters)}>
          Clear filters
        </button>
      </Empty>
    );
  }
  return <Beginning />;
}

/** The workflows that a first visitor finds under the hand. */
const offeredMax = 5;

function Beginning() {
  const defined = useAsked(() => client.listDefinitions({ entities: "workflows" }), ["workflows"]);
  const ids = (defined.value?.items ?? []).map(({ id }) => id);
  const first = ids.find((id) => id === "hello") ?? ids[0];
  const offered = [...ids].sort((a, b) => Number(b === first) - Number(a === first)).slice(0, offeredMax);
  if (defined.isPending && !defined.value) return null;
  return (
    <Empty
      title="Nothing has run yet"
      command={first === undefined ? "npx troupe init my-project" : `npx troupe run ${first} --watch`}
    >
      {first === undefined
        ? "No workflow is defined either. This makes a project with one that runs:"
        : "What is begun appears here while it runs. Begin one on the command line, or from here:"}
      <span class="offers">
        {offered.map((id) => (
          <a class="button small" key={id} href={`/workflows/${id}/start`}>
            <PlayIcon />
            {id}
          </a>
        ))}
      </span>
    </Empty>
  );
}
