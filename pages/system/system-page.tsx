// The daemon itself: how it is, what it is at, what it writes down, and where else one can look.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { TroupeError } from "../../src/protocol/errors.ts";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Json } from "../parts/json.tsx";
import { Command, Wrong } from "../parts/said.tsx";
import { lengthOf } from "../parts/time.tsx";
import { LogPanel } from "./log-panel.tsx";

const lookEveryMs = 2_000;
const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

export function SystemPage() {
  const version = useAsked(() => client.version(), ["version"]);
  const stats = useAsked(() => client.getStats(), ["stats"], lookEveryMs);
  return (
    <>
      <div class="page-head">
        <h1>System</h1>
        <a class="button" href="/swagger.ui" target="_blank" rel="noreferrer">
          API
        </a>
        <a class="button" href="/openapi.json" target="_blank" rel="noreferrer">
          OpenAPI
        </a>
        <a class="button" href="/open">
          Open an exported execution
        </a>
      </div>
      <Wrong error={stats.error} />
      <div class="columns">
        <Health />
        <section class="panel">
          <div class="panel-head">
            <h2>What it is at</h2>
          </div>
          <div class="padded">{stats.value && <Numbers value={stats.value} />}</div>
        </section>
        <div class="stack">
          <Inspector />
          <LogLevel />
          <section class="panel padded">
            <dl class="facts">
              {Object.entries(version.value ?? {}).map(([name, value]) => (
                <Fact key={name} name={name}>
                  {String(value)}
                </Fact>
              ))}
              <Fact name="licences">
                <a href="/LICENSES.txt" target="_blank" rel="noreferrer">
                  of what these pages are made of
                </a>
              </Fact>
            </dl>
          </section>
        </div>
      </div>
      <LogPanel />
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** Not being ready is an answer here, not an error. */
async function healthNow() {
  const [health, ready] = await Promise.all([
    client.health(),
    client.ready().catch((error: unknown) => {
      if (!(error instanceof TroupeError)) throw error;
      return { status: "not_ready" as const, reasons: [error.message] };
    }),
  ]);
  return { health, ready };
}

function Health() {
  const asked = useAsked(healthNow, ["health"], lookEveryMs);
  const { health, ready } = asked.value ?? {};
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Health</h2>
        {health && (
          <span class="badge" data-status={health.status === "ok" ? "SUCCESS" : "FAILED"}>
            {health.status}
          </span>
        )}
        {ready && (
          <span class="badge" data-status={ready.status === "ready" ? "SUCCESS" : "WAITING"}>
            {ready.status.replace("_", " ")}
          </span>
        )}
      </div>
      <div class="padded stack">
        <Wrong error={asked.error} />
        {health && (
          <dl class="facts">
            <Fact name="up for">{lengthOf(health.uptime_ms)}</Fact>
            <Fact name="event loop lag">{health.event_loop_lag_ms.toFixed(1)} ms</Fact>
          </dl>
        )}
        {ready?.reasons.map((reason) => (
          <p class="wrong" key={reason}>
            {reason}
          </p>
        ))}
      </div>
    </section>
  );
}

const isNumbers = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const meanings: Readonly<Record<string, string>> = {
  awake: "runs in memory",
  asleep: "runs asleep",
  parked: "runs parked",
  seq: "records written",
  line: "lines of the journal",
  committed: "records on disk",
  reactions: "reactions",
  waiting: "waiting",
  unheard: "messages that changed nothing",
  collapsed: "runs that broke",
};
const wordsOf = (name: string): string =>
  meanings[name] ??
  name
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();

function Numbers({ value }: { value: Readonly<Record<string, unknown>> }) {
  const entries = Object.entries(value);
  const plain = entries.filter(([, one]) => typeof one !== "object" || one === null);
  const nested = entries.filter(([, one]) => typeof one === "object" && one !== null && Object.keys(one).length > 0);
  return (
    <div class="stack">
      <dl class="facts numbers">
        {plain.map(([name, one]) => (
          <Fact key={name} name={wordsOf(name)}>
            {typeof one === "number" ? one.toLocaleString() : String(one)}
          </Fact>
        ))}
      </dl>
      {nested.map(([name, one]) => (
        <div key={name}>
          <h3>{wordsOf(name)}</h3>
          {isNumbers(one) && Object.values(one).every((inner) => typeof inner !== "object") ? (
            <Numbers value={one} />
          ) : (
            <Json value={one} />
          )}
        </div>
      ))}
    </div>
  );
}

function Inspector() {
  const asked = useAsked(() => client.getInspector(), ["inspector"], lookEveryMs * 2);
  const [error, setError] = useState<unknown>();
  const inspector = asked.value;
  const turn = async (enabled: boolean): Promise<void> => {
    setError(undefined);
    try {
      await client.putInspector({ enabled });
      asked.again();
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <section class="panel">
      <div class="panel-head">
        <h2>Stately Inspector</h2>
        {inspector && (
          <button
            type="button"
            role="switch"
            class="small"
            aria-checked={inspector.enabled}
            onClick={() => void turn(!inspector.enabled)}
          >
            {inspector.enabled ? "Turn off" : "Turn on"}
          </button>
        )}
      </div>
      <div class="padded stack">
        <Wrong error={error ?? asked.error} />
        {inspector?.enabled === true && inspector.url !== null ? (
          <p>
            <a href={inspector.url} target="_blank" rel="noreferrer">
              {inspector.url}
            </a>
            <span class="muted small">. Its page comes from stately.ai and needs the internet.</span>
          </p>
        ) : (
          <p class="muted small">
            Shows every chart of a run in the inspector of Stately, live. From the start:{" "}
            <code>troupe up --inspect</code>
          </p>
        )}
      </div>
    </section>
  );
}

function LogLevel() {
  const asked = useAsked(() => client.getLogLevel(), ["log-level"]);
  const [error, setError] = useState<unknown>();
  const set = async (level: (typeof levels)[number]): Promise<void> => {
    setError(undefined);
    try {
      await client.putLogLevel({ level });
    } catch (caught) {
      setError(caught);
    }
    asked.again();
  };
  return (
    <section class="panel padded stack">
      <div class="row">
        <label class="label grow" for="log-level">
          Log level
        </label>
        <select
          id="log-level"
          value={asked.value?.level ?? "info"}
          onChange={(event) => {
            const level = levels.find((one) => one === event.currentTarget.value);
            if (level) void set(level);
          }}
        >
          {levels.map((level) => (
            <option key={level}>{level}</option>
          ))}
        </select>
      </div>
      <Wrong error={error ?? asked.error} />
      <p class="muted small">Until the next start. A whole copy of the store, while it is in use:</p>
      <Command text="npx troupe backup backup.db" />
    </section>
  );
}
