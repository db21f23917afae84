// What narrows the list: kind, status with its count, definition, label, text and time.

import { useEffect, useRef, useState } from "preact/hooks";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { wordOf } from "../parts/badge.tsx";
import {
  type Filters,
  isNarrowed,
  kinds,
  labelPattern,
  noFilters,
  setFilter,
  spanWords,
  statusesOf,
} from "./filters.ts";

type Props = { readonly filters: Filters; readonly counts: Readonly<Record<string, number>> };

export function FilterBar({ filters, counts }: Props) {
  return (
    <section class="filters" aria-label="Filters">
      <div class="row">
        <div class="segments" role="group" aria-label="Kind">
          {kinds.map((kind) => (
            <button
              key={kind}
              type="button"
              aria-pressed={filters.kind === kind}
              onClick={() => setFilter({ kind: kind === "workflows" ? "" : kind, status: "", id: "" })}
            >
              {kind}
            </button>
          ))}
        </div>
        <Typed
          id="search"
          kind="search"
          label="Search in ids, labels and errors"
          placeholder="Search ids, labels, errors"
          hint="/"
          value={filters.text}
          set={(text) => setFilter({ text })}
        />
        <DefinitionFilter filters={filters} />
        <Typed
          id="label"
          kind="text"
          label="Label, as name:value"
          placeholder="label name:value"
          value={filters.label}
          isWrong={filters.label !== "" && !labelPattern.test(filters.label)}
          set={(label) => setFilter({ label })}
        />
        <TimeFilter filters={filters} />
      </div>
      <Statuses filters={filters} counts={counts} />
    </section>
  );
}

function DefinitionFilter({ filters }: { filters: Filters }) {
  const definitions = useAsked(() => client.listDefinitions({ entities: filters.kind }), [filters.kind]);
  const ids = (definitions.value?.items ?? []).map(({ id, workflow }) =>
    workflow === null ? id : id.split(".").at(-1),
  );
  return (
    <select
      aria-label="Definition"
      value={filters.id}
      onChange={(event) => setFilter({ id: event.currentTarget.value })}
    >
      <option value="">all {filters.kind}</option>
      {filters.id !== "" && !ids.includes(filters.id) && <option value={filters.id}>{filters.id}</option>}
      {[...new Set(ids)].map((id) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  );
}

function Statuses({ filters, counts }: Props) {
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const toggle = (status: string): void => {
    const rest = filters.status.filter((one) => one !== status);
    const next = rest.length < filters.status.length ? rest : [...rest, status];
    setFilter({ status: next.join(",") });
  };
  return (
    <div class="row statuses" role="group" aria-label="Status">
      <button
        type="button"
        class="tab"
        aria-pressed={filters.status.length === 0}
        onClick={() => setFilter({ status: "" })}
      >
        all <b>{total.toLocaleString()}</b>
      </button>
      {statusesOf[filters.kind].map((status) => (
        <button
          key={status}
          type="button"
          class="tab"
          data-status={status}
          aria-pressed={filters.status.includes(status)}
          onClick={() => toggle(status)}
        >
          <i />
          {wordOf(status)} <b>{(counts[status] ?? 0).toLocaleString()}</b>
        </button>
      ))}
      {isNarrowed(filters) && (
        <button type="button" class="quiet small" onClick={() => setFilter(noFilters)}>
          Clear filters
        </button>
      )}
    </div>
  );
}

function TimeFilter({ filters }: { filters: Filters }) {
  const isExact = filters.since === "" && (filters.from !== "" || filters.until !== "");
  const [isOpen, setOpen] = useState(isExact);
  const choose = (value: string): void => {
    setOpen(value === "exact");
    setFilter({ since: value === "exact" ? "" : value, from: "", until: "" });
  };
  return (
    <>
      <select
        aria-label="Begun"
        value={filters.since !== "" ? filters.since : isOpen ? "exact" : ""}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">any time</option>
        {Object.entries(spanWords).map(([span, words]) => (
          <option key={span} value={span}>
            {words}
          </option>
        ))}
        <option value="exact">from … until …</option>
      </select>
      {(isOpen || isExact) && (
        <>
          <input
            type="datetime-local"
            aria-label="Begun from"
            value={filters.from}
            onChange={(event) => setFilter({ from: event.currentTarget.value })}
          />
          <input
            type="datetime-local"
            aria-label="Begun until"
            value={filters.until}
            onChange={(event) => setFilter({ until: event.currentTarget.value })}
          />
        </>
      )}
    </>
  );
}

type TypedProps = {
  readonly id: string;
  readonly kind: "text" | "search";
  readonly label: string;
  readonly placeholder: string;
  readonly hint?: string;
  readonly value: string;
  readonly isWrong?: boolean;
  readonly set: (text: string) => void;
};

/** Each letter is no question: what was typed counts once the hand rests. */
const restMs = 180;

function Typed({ id, kind, label, placeholder, hint, value, isWrong, set }: TypedProps) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = (next: string): void => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => set(next), restMs);
  };
  const onInput = (event: { currentTarget: HTMLInputElement }): void => typed(event.currentTarget.value);
  const all = { id, placeholder, value: text, onInput, "aria-label": label, "aria-invalid": isWrong };
  return (
    <span class={kind === "search" ? "typed grow" : "typed"}>
      {kind === "search" ? <input {...all} type="search" /> : <input {...all} type="text" />}
      {hint !== undefined && text === "" && <kbd aria-hidden="true">{hint}</kbd>}
    </span>
  );
}
