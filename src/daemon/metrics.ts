// What is measured, for Prometheus: counted from what is on disk and what the doors say, and read when it is asked for.
//
// Labels are names of states, routes, codes and kinds, of which there are few; never an id of anything that comes and
// goes. Whoever counts calls a plain function; the package that writes the page is loaded when the daemon is ready.
//
// Invariants:
//   MX1. No label is an id of an execution, a thread, a client or a definition.
//   MX2. What ends is counted once, by its kind and how it ended.

import type { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { GatewayMetrics } from "../gateway/gateway.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { version } from "../version.ts";

/** One row for each: the page and the documents are made of it. */
export const metricRows = {
  info: { kind: "gauge", labels: ["version"], help: "Always 1; which release this is" },
  ready: { kind: "gauge", labels: [], help: "1 while new work is taken, else 0" },
  started_total: { kind: "counter", labels: ["entity"], help: "Executions that began" },
  ended_total: { kind: "counter", labels: ["entity", "status"], help: "Executions that ended, by how they ended" },
  executions: { kind: "gauge", labels: ["status"], help: "Workflow executions that are known, by status" },
  runs: { kind: "gauge", labels: ["where"], help: "Open runs: awake in memory, asleep on disk, or parked" },
  retries_total: { kind: "counter", labels: [], help: "Attempts of tasks that are to be made again" },
  rejected_total: { kind: "counter", labels: ["reason"], help: "Messages and requests that were refused, by code" },
  messages_total: { kind: "counter", labels: ["direction"], help: "Messages over the transport" },
  transport_up: { kind: "gauge", labels: [], help: "1 while what is said can leave over the transport, else 0" },
  transport_behind: { kind: "gauge", labels: [], help: "Records that are on disk and have not left yet" },
  reconnects_total: { kind: "counter", labels: [], help: "How often the transport was lost and found again" },
  queue_depth: { kind: "gauge", labels: ["queue"], help: "What waits: for the disk, for a slot, for a turn" },
  at_work: { kind: "gauge", labels: ["kind"], help: "Handlers at work, and workflow executions that hold a slot" },
  commit_seconds: { kind: "histogram", labels: [], help: "From an input to its record on disk" },
  records_total: { kind: "counter", labels: [], help: "Records written to the log" },
  store_trouble: { kind: "gauge", labels: [], help: "1 while nothing can be written, else 0" },
  http_seconds: { kind: "histogram", labels: ["method", "route", "status"], help: "Requests answered, and how fast" },
  connections: { kind: "gauge", labels: ["kind"], help: "WebSockets and event streams that are open" },
  frames_total: { kind: "counter", labels: ["direction", "type"], help: "WebSocket frames" },
} as const satisfies Record<string, { kind: "gauge" | "counter" | "histogram"; labels: string[]; help: string }>;

type Name = keyof typeof metricRows;
type Kinds = { gauge: Gauge; counter: Counter; histogram: Histogram };
type Metric<N extends Name> = Kinds[(typeof metricRows)[N]["kind"]];
type Committed = Parameters<Parameters<Troupe["subscribe"]>[0]>[0];
type Word = Committed["said"][number]["word"];

const prefix = "troupe_";
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Metrics = ReturnType<typeof openMetrics>;

type Means = { isReady: () => boolean; now: () => number };
type All = { [N in Name]: Metric<N> };
type Loaded = { all: All; registry: Registry };

export function openMetrics({ isReady, now }: Means) {
  let troupe: Troupe | undefined;
  let loading: Promise<Loaded> | undefined;
  let loaded: Loaded | undefined;
  /** What was to be counted before there was anything to count with. */
  const early: ((all: All) => void)[] = [];
  const refused = new Map<string, number>();

  const note = (count: (all: All) => void): void => {
    if (loaded) count(loaded.all);
    else early.push(count);
  };
  // It takes longer to read than an empty store takes to open: the daemon does it when it is ready.
  function load(): Promise<Loaded> {
    loading ??= loadMetrics().then((made) => {
      loaded = made;
      for (const count of early.splice(0)) count(made.all);
      return made;
    });
    return loading;
  }

  function hear({ at, said }: Committed): void {
    const seconds = Math.max(0, now() - at) / 1_000;
    note((all) => {
      all.records_total.inc();
      all.commit_seconds.observe(seconds);
      for (const { word, foreign } of said) if (foreign !== true) countIn(all, word);
    });
  }

  async function gather(all: All, here: Troupe): Promise<void> {
    const { awake, asleep, parked, waiting, slots, lines, atWork, bridge } = here.stats();
    for (const [where, count] of Object.entries({ awake, asleep, parked })) all.runs.set({ where }, count);
    all.queue_depth.set({ queue: "commit" }, waiting);
    all.queue_depth.set({ queue: "slots" }, slots.waiting);
    all.queue_depth.set(
      { queue: "lines" },
      lines.reduce((sum, line) => sum + line.waiting, 0),
    );
    all.at_work.set({ kind: "workflow" }, slots.taken);
    all.at_work.set({ kind: "agent" }, atWork.agents);
    all.at_work.set({ kind: "tool" }, atWork.tools);
    all.store_trouble.set(here.trouble() ? 1 : 0);
    all.executions.reset();
    for (const [status, count] of Object.entries(await here.count({ entity: "workflow" }))) {
      all.executions.set({ status }, count);
    }
    all.transport_up.set(bridge === undefined || (bridge.connected && bridge.held === null) ? 1 : 0);
    all.transport_behind.set(bridge?.behind ?? 0);
    all.reconnects_total.reset();
    all.reconnects_total.inc(bridge?.reconnects ?? 0);
    all.messages_total.reset();
    all.messages_total.inc({ direction: "out" }, bridge?.published ?? 0);
    all.messages_total.inc({ direction: "in" }, bridge?.received ?? 0);
    for (const [reason, count] of Object.entries(bridge?.rejected ?? {})) all.rejected_total.inc({ reason }, count);
  }

  const doors: GatewayMetrics = {
    answered: (method, route, status, ms) =>
      note(({ http_seconds }) => http_seconds.observe({ method, route, status: String(status) }, ms / 1_000)),
    refused: (reason) => void refused.set(reason, (refused.get(reason) ?? 0) + 1),
    connected: (kind, by) => note(({ connections }) => connections.inc({ kind }, by)),
    frame: (direction, type) => note(({ frames_total }) => frames_total.inc({ direction, type })),
  };

  return {
    doors,
    /** Counts an event that another process has said. */
    count: (word: Pick<Word, "type"> & { payload?: unknown }): void => note((all) => countIn(all, word as Word)),
    /** Counts what this troupe says from now on. */
    watch(here: Troupe): () => void {
      troupe = here;
      const off = here.system.subscribe(hear);
      return () => {
        off();
        troupe = undefined;
      };
    },
    /** Reads what it takes to count. */
    load: async (): Promise<void> => void (await load()),
    async page(): Promise<{ contentType: string; text: string }> {
      const { all, registry } = await load();
      all.ready.set(isReady() ? 1 : 0);
      all.rejected_total.reset();
      for (const [reason, count] of refused) all.rejected_total.inc({ reason }, count);
      if (troupe) await gather(all, troupe);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

async function loadMetrics(): Promise<Loaded> {
  const { default: prometheus } = await import("prom-client");
  const registry: Registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  const metric = (name: Name) => {
    const { kind, labels, help } = metricRows[name];
    const options = { name: prefix + name, help, labelNames: [...labels], registers: [registry] };
    if (kind === "histogram") return new prometheus.Histogram({ ...options, buckets });
    return new prometheus[kind === "gauge" ? "Gauge" : "Counter"](options);
  };
  const all = Object.fromEntries(Object.keys(metricRows).map((name) => [name, metric(name as Name)])) as unknown as All;
  all.info.set({ version }, 1);
  return { all, registry };
}

function countIn(all: All, word: Word): void {
  if (word.type === "event:TaskRetryScheduled") return all.retries_total.inc();
  const [entity, how] = turns.get(word.type) ?? [];
  if (entity === undefined) return;
  if (how === "STARTED") all.started_total.inc({ entity });
  else all.ended_total.inc({ entity, status: how ?? statusIn(word) });
}

/** Which execution begins or ends by an event, and how; none if the event itself says it. */
const turns: ReadonlyMap<string, readonly [entity: string, how: string | undefined]> = new Map(
  ["workflow", "task", "agent", "tool"].flatMap((entity) => {
    const name = `event:${entity.charAt(0).toUpperCase()}${entity.slice(1)}`;
    return [
      [`${name}ExecutionStarted`, [entity, "STARTED"]],
      [`${name}ExecutionResult`, [entity, undefined]],
      [`${name}ExecutionSuccess`, [entity, "SUCCESS"]],
      [`${name}ExecutionFailed`, [entity, "FAILED"]],
      [`${name}DispatchFailed`, [entity, "FAILED"]],
      [`${name}ExecutionCanceled`, [entity, "CANCELED"]],
      [`${name}ExecutionTimedOut`, [entity, "TIMED_OUT"]],
    ] as [string, readonly [string, string | undefined]][];
  }),
);

function statusIn(word: Word): string {
  const { status } = (word["payload"] ?? {}) as { status?: string };
  return status ?? "FAILED";
}
