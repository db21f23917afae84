// Who does the work: agents and tools that are defined, and the runtimes that serve agents, here and elsewhere.

import { useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Json } from "../parts/json.tsx";
import { JsonField } from "../parts/json-field.tsx";
import { Empty, Wrong } from "../parts/said.tsx";
import { Time } from "../parts/time.tsx";

const lookEveryMs = 2_000;
type Definition = Answer<"listDefinitions">["items"][number];
type Kind = "agents" | "tools";

export function AgentsPage() {
  const agents = useAsked(() => client.listDefinitions({ entities: "agents" }), ["agents"], lookEveryMs * 5);
  const tools = useAsked(() => client.listDefinitions({ entities: "tools" }), ["tools"], lookEveryMs * 5);
  const runtimes = useAsked(() => client.listRuntimes(), ["runtimes"], lookEveryMs);
  return (
    <>
      <div class="page-head">
        <h1>Agents, tools and runtimes</h1>
      </div>
      <Wrong error={agents.error ?? tools.error ?? runtimes.error} />
      <Runtimes items={runtimes.value?.items} />
      <div class="columns">
        <Callees kind="agents" items={agents.value?.items} runtimes={runtimes.value?.items ?? []} />
        <Callees kind="tools" items={tools.value?.items} runtimes={[]} />
      </div>
    </>
  );
}

type Runtime = Answer<"listRuntimes">["items"][number];

function Runtimes({ items }: { items: readonly Runtime[] | undefined }) {
  return (
    <section class="panel wide">
      <div class="panel-head">
        <h2>Runtimes</h2>
        <span class="muted small">who runs agents; each says every few seconds that it is there</span>
      </div>
      {items?.length === 0 && (
        <Empty title="No runtime is there" command="npx troupe up">
          Agents run in the daemon itself, unless its roles leave them out. Then another process must serve them.
        </Empty>
      )}
      {items && items.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Runtime</th>
              <th>State</th>
              <th>Written in</th>
              <th>In flight</th>
              <th>Last heard</th>
              <th class="spare">Serves</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ exec_id, id, state, language, version, agents, held, max, heard_at, last_error }) => (
              <tr key={exec_id}>
                <td>
                  <strong>{id}</strong>
                  <div>
                    <code class="muted spare nowrap">{exec_id}</code>
                  </div>
                </td>
                <td>
                  <span class="badge" data-status={stateTone(state)}>
                    {state}
                  </span>
                </td>
                <td class="nowrap">{[language ?? "-", version].filter(Boolean).join(" ")}</td>
                <td class="nowrap">
                  <meter min={0} max={max} value={held} aria-label={`${held} of ${max} in flight`} /> {held} of {max}
                </td>
                <td>
                  <Time at={heard_at} />
                  {last_error && (
                    <div class="small" title={last_error.message}>
                      {last_error.code} <Time at={last_error.at} />
                    </div>
                  )}
                </td>
                <td class="spare">
                  <span class="row">
                    {agents.map((agent) => (
                      <span class="chip" key={agent}>
                        {agent}
                      </span>
                    ))}
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** As the chart of a runtime names its states. */
const stateTone = (state: string): string =>
  state === "registered" ? "SUCCESS" : ["suspect", "draining"].includes(state) ? "WAITING" : "CANCELED";

type CalleesProps = {
  readonly kind: Kind;
  readonly items: readonly Definition[] | undefined;
  readonly runtimes: readonly Runtime[];
};

function Callees({ kind, items, runtimes }: CalleesProps) {
  const [tried, setTried] = useState<string | undefined>();
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>{kind === "agents" ? "Agents" : "Tools"}</h2>
        <a class="small" href={`/executions?kind=${kind}`}>
          their executions
        </a>
      </div>
      {items?.length === 0 && (
        <Empty title={`No ${kind} are defined`} command="npx troupe init my-project">
          They stand in <code>troupe.yaml</code> of a project, or are handed in by a program.
        </Empty>
      )}
      <ul class="plain">
        {(items ?? []).map(({ id, description, file, origin }) => {
          const serving = runtimes.filter(({ agents }) => agents.includes(id) || agents.includes("*")).length;
          return (
            <li key={id}>
              <div class="grow">
                <a href={`/executions?kind=${kind}&id=${encodeURIComponent(id)}`}>
                  <strong>{id}</strong>
                </a>{" "}
                {kind === "agents" && serving === 0 && <span class="wrong">no runtime serves it</span>}
                <div class="muted small clip">{description ?? file ?? origin}</div>
              </div>
              <button type="button" class="small" onClick={() => setTried(id)} aria-label={`Try ${id}`}>
                Try
              </button>
            </li>
          );
        })}
      </ul>
      {tried !== undefined && <Try kind={kind} id={tried} close={() => setTried(undefined)} />}
    </section>
  );
}

/** As long as one waits before a screen. */
const waitMs = 20_000;

function Try({ kind, id, close }: { kind: Kind; id: string; close: () => void }) {
  const [input, setInput] = useState<{ value: unknown } | undefined>({ value: {} });
  const [isBusy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<{ answer?: Answer<"executeTool">; error?: unknown }>({});
  const begin = async (): Promise<void> => {
    setBusy(true);
    setOutcome({});
    const given = { id, input: input?.value, wait_ms: waitMs };
    try {
      setOutcome({ answer: await (kind === "agents" ? client.executeAgent(given) : client.executeTool(given)) });
    } catch (error) {
      setOutcome({ error });
    }
    setBusy(false);
  };
  const { answer, error } = outcome;
  return (
    <Dialog title={`Try ${id}`} onClose={close}>
      <form
        class="bare stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (input) void begin();
        }}
      >
        <JsonField id="try-input" label="Input" text="{}" onChange={setInput} />
        <Wrong error={error} />
        {answer && (
          <div class="stack">
            <a href={`/executions/${answer.exec_id}`} onClick={close}>
              {answer.status === "SUCCESS" ? "It succeeded" : `It is ${answer.status.toLowerCase()}`}; see its execution
            </a>
            {"result" in answer && answer.result !== null && <Json value={answer.result} />}
          </div>
        )}
        <div class="row end">
          <button type="button" onClick={close}>
            Close
          </button>
          <button class="primary" disabled={isBusy || !input}>
            {isBusy ? "Running …" : "Run"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
