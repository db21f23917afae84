// The newest lines of the daemon's log.

import { useState } from "preact/hooks";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Wrong } from "../parts/said.tsx";

const lookEveryMs = 2_000;
const levels = ["debug", "info", "warn", "error"] as const;
const tones: Readonly<Record<string, string>> = { warn: "WAITING", error: "FAILED", fatal: "FAILED", info: "RUNNING" };

export function LogPanel() {
  const [level, setLevel] = useState<(typeof levels)[number]>("info");
  const asked = useAsked(() => client.getLogs({ level, limit: 100 }), [level], lookEveryMs);
  const items = asked.value?.items;
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Log</h2>
        <select
          aria-label="This level and worse"
          value={level}
          onChange={(event) => setLevel(levels.find((one) => one === event.currentTarget.value) ?? "info")}
        >
          {levels.map((one) => (
            <option key={one} value={one}>
              {one} and worse
            </option>
          ))}
        </select>
      </div>
      <Wrong error={asked.error} />
      {items?.length === 0 && <p class="muted padded">Nothing was written at this level.</p>}
      <div class="log" role="log" aria-live="off">
        {(items ?? []).map(({ timestamp, log_level: own, message, message_id, ...rest }) => (
          <details key={message_id}>
            <summary>
              <time class="muted">{new Date(timestamp).toLocaleTimeString()}</time>
              <span class="badge plain" data-status={tones[own]}>
                {own}
              </span>
              <span class="clip grow">{message}</span>
            </summary>
            {rest.exec_id !== null && (
              <a class="padded" href={`/executions/${rest.exec_id}`}>
                its execution
              </a>
            )}
            <pre class="source">{JSON.stringify(rest, null, 2)}</pre>
          </details>
        ))}
      </div>
    </section>
  );
}
