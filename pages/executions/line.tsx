// One row of the list.

import { Badge } from "../parts/badge.tsx";
import { Time, Took } from "../parts/time.tsx";
import { setFilter } from "./filters.ts";
import type { Row } from "./rows.ts";

type Props = {
  readonly row: Row;
  /** What it waits for, if it does. */
  readonly waits: string | undefined;
  readonly isCurrent: boolean;
  readonly isChosen: boolean;
  readonly choose: ((execId: string) => void) | undefined;
};

export function Line({ row, waits, isCurrent, isChosen, choose }: Props) {
  const { exec_id, run, id, status, labels, error_code, attempt, lineage } = row;
  const message = (row.error as { message?: unknown } | null)?.message;
  return (
    <div class="line" role="row" aria-current={isCurrent ? "true" : undefined} data-exec={exec_id}>
      <span role="cell" class="c-choose">
        {choose && (
          <input type="checkbox" aria-label={`Choose ${exec_id}`} checked={isChosen} onChange={() => choose(exec_id)} />
        )}
      </span>
      <span role="cell">
        <Badge status={status} />
      </span>
      <span role="cell" class="c-name">
        <a href={`/executions/${exec_id}`} class="clip">
          {id}
        </a>
        <code class="muted clip">{exec_id}</code>
      </span>
      <span role="cell" class="c-notes clip">
        {run !== exec_id && (
          <a class="chip" href={`/executions/${run}`} title={`A part of the run ${run}`}>
            run …{run.slice(-8)}
          </a>
        )}
        {attempt > 1 && <span class="chip">attempt {attempt}</span>}
        {lineage && <span class="chip">{lineage.kind}</span>}
        {row.imported === true && <span class="chip">imported</span>}
        {Object.entries(labels ?? {}).map(([name, value]) => (
          <button
            key={name}
            type="button"
            class="chip"
            title={`Only those with ${name}:${value}`}
            onClick={() => setFilter({ label: `${name}:${value}` })}
          >
            {name}:{value}
          </button>
        ))}
        {waits !== undefined && (
          <span class="waits clip" data-status={row.status === "PAUSED" ? "PAUSED" : "WAITING"} title={waits}>
            {waits}
          </span>
        )}
        {error_code !== null && (
          <span class="wrong clip" title={typeof message === "string" ? message : undefined}>
            {error_code}
            {typeof message === "string" && <span class="muted"> {message}</span>}
          </span>
        )}
      </span>
      <span role="cell" class="muted">
        <Time at={row.created_at} />
      </span>
      <span role="cell" class="c-took">
        <Took from={row.started_at} to={row.ended_at} />
      </span>
    </div>
  );
}
