// The workflows that are defined, how their runs stand, and where to begin one.

import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { PlayIcon } from "../parts/icons.tsx";
import { Empty, Wrong } from "../parts/said.tsx";

const lookEveryMs = 5_000;

export function WorkflowsPage() {
  const workflows = useAsked(() => client.listDefinitions({ entities: "workflows" }), ["workflows"], lookEveryMs);
  const counts = useAsked(() => client.countExecutions({ entities: "workflows", by: "id" }), ["counts"], lookEveryMs);
  const items = workflows.value?.items;
  return (
    <>
      <div class="page-head">
        <h1>Workflows</h1>
      </div>
      <Wrong error={workflows.error} />
      <section class="panel wide" aria-busy={workflows.isPending && !items}>
        {items?.length === 0 && (
          <Empty title="No workflow is defined" command="npx troupe init my-project">
            The daemon loads those of the project it was started in, and takes new ones as their files change. This
            makes a project with one that runs:
          </Empty>
        )}
        {items && items.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Workflow</th>
                <th class="spare">Begun by</th>
                <th class="right">Tasks</th>
                <th class="right">Executions</th>
                <th class="spare">From</th>
                <th aria-label="Start" />
              </tr>
            </thead>
            <tbody>
              {items.map(({ id, description, triggers, tasks, file, origin }) => (
                <tr key={id}>
                  <td>
                    <a href={`/workflows/${id}`}>
                      <strong>{id}</strong>
                    </a>
                    {description !== null && <div class="muted small">{description}</div>}
                  </td>
                  <td class="spare">
                    <span class="row">
                      {triggers.map((trigger, index) => (
                        <span class="chip" key={index}>
                          {triggerWords(trigger)}
                        </span>
                      ))}
                      {triggers.length === 0 && <span class="muted">whoever asks</span>}
                    </span>
                  </td>
                  <td class="right">{tasks ?? "–"}</td>
                  <td class="right">
                    <a href={`/executions?id=${encodeURIComponent(id)}`}>
                      {(counts.value?.counts[id] ?? 0).toLocaleString()}
                    </a>
                  </td>
                  <td class="muted small spare">{file ?? origin}</td>
                  <td class="right">
                    <a class="button small" href={`/workflows/${id}/start`} aria-label={`Start ${id}`}>
                      <PlayIcon />
                      Start
                    </a>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  );
}

export function triggerWords(trigger: Readonly<Record<string, unknown>>): string {
  const { cron, webhook, path, type } = trigger;
  if (typeof cron === "string") return `cron ${cron}`;
  const hook = path ?? webhook;
  if (typeof hook === "string") return `webhook /${hook.replace(/^\//, "")}`;
  return typeof type === "string" ? type : Object.keys(trigger).join(", ");
}
