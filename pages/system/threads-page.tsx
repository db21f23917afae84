// Conversations with agents, the one that was last at work first.

import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Empty, Wrong } from "../parts/said.tsx";
import { Time } from "../parts/time.tsx";

const lookEveryMs = 3_000;

export function ThreadsPage() {
  const asked = useAsked(() => client.listThreads({ limit: 200 }), ["threads"], lookEveryMs);
  const agents = useAsked(() => client.listDefinitions({ entities: "agents" }), ["agents"]);
  const items = asked.value?.items;
  const socket = `${location.origin.replace(/^http/, "ws")}/api/ws`;
  const agent_id = agents.value?.items[0]?.id ?? "clerk";
  const hello = JSON.stringify({ id: "1", type: "start_agent", agent_id, user_request: "Hello" });
  return (
    <>
      <div class="page-head">
        <h1>Threads</h1>
      </div>
      <Wrong error={asked.error} />
      <section class="panel wide">
        {items?.length === 0 && (
          <Empty title="No conversation yet" command={`npx wscat --wait 60 -c ${socket} -x '${hello}'`}>
            Programs talk to agents over the WebSocket; what belongs together is one thread, and is kept. By hand it is
          </Empty>
        )}
        {items && items.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Thread</th>
                <th>Agent</th>
                <th>State</th>
                <th class="right">Turns</th>
                <th class="right">Queued</th>
                <th>Last at work</th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ thread_id, agent_id, status, runs, queued, updated_at }) => (
                <tr key={thread_id}>
                  <td>
                    <a href={`/threads/${encodeURIComponent(thread_id)}`}>
                      <strong>{thread_id}</strong>
                    </a>
                  </td>
                  <td>{agent_id ?? "–"}</td>
                  <td>
                    <span class="badge" data-status={/run|work|busy/i.test(status) ? "RUNNING" : "CANCELED"}>
                      {status}
                    </span>
                  </td>
                  <td class="right">{runs}</td>
                  <td class="right">{queued}</td>
                  <td>
                    <Time at={updated_at} />
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
