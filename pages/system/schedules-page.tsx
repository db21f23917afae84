// The schedules of all workflows: when each is due, what it last began, and how to hold it or begin it now.

import { useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Empty, Wrong } from "../parts/said.tsx";
import { Time } from "../parts/time.tsx";
import { go } from "../router.ts";

type Schedule = Answer<"listSchedules">["items"][number];
const lookEveryMs = 2_000;

export function SchedulesPage() {
  const asked = useAsked(() => client.listSchedules(), ["schedules"], lookEveryMs);
  const [error, setError] = useState<unknown>();
  const items = asked.value?.items;
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    setError(undefined);
    try {
      await work();
      asked.again();
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <>
      <div class="page-head">
        <h1>Schedules</h1>
      </div>
      <Wrong error={error ?? asked.error} />
      <section class="panel wide">
        {items?.length === 0 && (
          <Empty title="No workflow has a schedule" command="npx troupe up --config examples/cron/troupe.yaml">
            A workflow is begun by the clock with <code>triggers: [{"{ cron: '0 9 * * MON-FRI' }"}]</code> in its
            definition; there is one among the examples.
          </Empty>
        )}
        {items && items.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Workflow</th>
                <th>When</th>
                <th>Next</th>
                <th>Last</th>
                <th class="right">Missed, skipped</th>
                <th>State</th>
                <th aria-label="Actions" />
              </tr>
            </thead>
            <tbody>
              {items.map((schedule) => (
                <Line key={`${schedule.workflow}/${schedule.n}`} schedule={schedule} act={(work) => void act(work)} />
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  );
}

function Line({ schedule, act }: { schedule: Schedule; act: (work: () => Promise<unknown>) => void }) {
  const { workflow, n, cron, timezone, overlap, enabled, paused, next, last, skipped, missed, open } = schedule;
  const trigger = async (): Promise<void> => {
    const { exec_id } = await client.triggerSchedule({ workflow, n });
    go(`/executions/${exec_id}`);
  };
  // One that is paused is not enabled either.
  const state = paused ? "paused" : enabled ? "on" : "off";
  return (
    <tr>
      <td>
        <a href={`/workflows/${workflow}`}>
          <strong>{workflow}</strong>
        </a>
      </td>
      <td>
        <code>{cron}</code>
        <div class="muted small">
          {timezone}; if one is still open: {overlap}
        </div>
      </td>
      <td>{state !== "on" ? <span class="muted">–</span> : <Time at={next} />}</td>
      <td>
        <Time at={last} />
      </td>
      <td class="right">
        {missed}, {skipped}
      </td>
      <td>
        <span class="badge" data-status={state === "on" ? "SUCCESS" : state === "paused" ? "PAUSED" : "CANCELED"}>
          {state}
        </span>
        {open.length > 0 && (
          <div class="small">
            <a href={`/executions?id=${encodeURIComponent(workflow)}&status=RUNNING,PENDING,PAUSED`}>
              {open.length} open
            </a>
          </div>
        )}
      </td>
      <td>
        <span class="row end">
          <button type="button" class="small" onClick={() => act(trigger)} aria-label={`Begin ${workflow} now`}>
            Begin now
          </button>
          {state !== "off" && (
            <button
              type="button"
              class="small"
              onClick={() =>
                act(() => (paused ? client.resumeSchedule({ workflow, n }) : client.pauseSchedule({ workflow, n })))
              }
            >
              {paused ? "Resume" : "Pause"}
            </button>
          )}
        </span>
      </td>
    </tr>
  );
}
