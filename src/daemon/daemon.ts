// The daemon: a troupe with its doors in one process, from settings to a clean end.
//
//   settings ─▶ log ─▶ engine: what was under way goes on ─▶ gateway ─▶ inspector ─▶ ready
//   close: the doors take nothing new ─▶ handlers may end, so long ─▶ the store is closed, for the next start
//
// Invariants:
//   DM1. It is ready once whoever asks is answered, and not while it recovers, cannot write, or stops.
//   DM2. What cannot be opened leaves nothing open: neither the data directory nor a port.
//   DM3. A part that breaks is opened anew with what holds on to it; if that does not help, the daemon ends, and says
//        so.

import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../actors/clock.ts";
import { failCall } from "../actors/stray.ts";
import { type Part, supervise } from "../actors/supervisor.ts";
import type { DaemonDoor } from "../gateway/door.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { Config, Setting } from "./config.ts";
import { openGuardOf } from "./guard-settings.ts";
import { natsPart } from "./nats.ts";
import { discoveryPart } from "./discovery.ts";
import { newInspectorSwitch } from "./inspector-switch.ts";
import { watchLag } from "./lag.ts";
import { openLog, type Log } from "./log.ts";
import { openMetrics } from "./metrics.ts";
import { monitoringPart } from "./monitoring.ts";
import { enginePart, gatewayPart, loadGateway, type Means, probePart, type State } from "./parts.ts";
import { openRedaction } from "./redact.ts";
import { relayPart } from "./relay.ts";
import { type Seat, seatOf } from "./seat.ts";
import { checkSignIn } from "./sign-in.ts";
import { limitNames, shown as shownAs } from "./settings.ts";
import { openTracing } from "./tracing.ts";

/** What is told once everybody can come. */
export type Ready = {
  event: "ready";
  /** Empty, if it answers nobody over HTTP. */
  http: string;
  ws: string;
  pid: number;
  durability: "fsync" | "memory";
  /** Which components are here, if it was said. */
  roles?: readonly string[];
  /** Where the others find it, and the keys that runtimes come with, and whoever may do anything. */
  nats?: { url: string; key: string | null; operator: string | null };
};

export type Daemon = {
  ready: Ready;
  /** Where the inspector is served, if it is. */
  inspector: () => string | null;
  /** Another one after the engine had to be opened anew. */
  troupe: () => Troupe;
  log: Log;
  /** Of an error that nobody caught: whether it came from the call of an agent or tool, which has failed by that. */
  isOfCall: (error: unknown) => boolean;
  /** Takes nothing new, lets what is under way end for so long, and leaves everything for the next start. */
  close: (graceMs?: number) => Promise<void>;
  /** Settles when it is no more: with the reason, if it gave up. */
  ended: Promise<TroupeError | null>;
};

export type Surroundings = {
  /** Where the log goes. */
  write: (text: string) => void;
  isPretty?: boolean;
  /** Instead of that of the process and of the project's `.env`. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** The folder of the built pages. */
  pages?: string;
};

const readyFile = "ready.json";
const progressMs = 1_000;
const metricsAfterMs = 2_000;

export async function openDaemon(config: Config, around: Surroundings): Promise<Daemon> {
  const { settings, shown } = config;
  const clock = systemClock();
  const redaction = openRedaction();
  const { log_level: level } = settings;
  const log = openLog({ level, isPretty: around.isPretty ?? false, write: around.write, scrub: redaction.line });
  const { report } = log;
  const { now } = clock;
  const state: State = { phase: "starting", deadline: 0, port: settings.port };
  const reasons = (): string[] => reasonsOf(state, seat.engine?.length !== 0);
  const metrics = openMetrics({ isReady: () => reasons().length === 0, now });
  // Before anything is open: what is not safe, or cannot be, is not begun.
  const seat = seatOf(config);
  if (settings.transport === "nats") checkSignIn(settings, report);
  const guard = await openGuardOf(settings, { now, report, refused: metrics.doors.refused });
  const lag = watchLag(clock);
  const inspector = newInspectorSwitch({ settings, report, state, guard });
  const startedAt = clock.now();
  const door: DaemonDoor = {
    ready: () => ({ ready: reasons().length === 0, reasons: reasons() }),
    health: () => ({ status: "ok", uptime_ms: clock.now() - startedAt, event_loop_lag_ms: lag.ms() }),
    metrics: metrics.page,
    config: () => shown.map((one) => asItIs(one, state)),
    logLevel: log.level,
    setLogLevel: log.setLevel,
    logs: log.lines,
    log: log.line,
    inspector,
  };
  const means: Means = {
    config,
    around,
    clock,
    log,
    redaction,
    metrics,
    tracing: await openTracing({ now }),
    state,
    door,
    guard,
    seat,
    end: (thrown) =>
      void running
        .then(({ stop }) => stop())
        .catch((late: unknown) => report("error", "a part did not stop", { reason: fromUnknown(late).message }))
        .then(() => onFatal(fromUnknown(thrown))),
  };
  let giveUp: (error: TroupeError | null) => void = () => undefined;
  const ended = new Promise<TroupeError | null>((settle) => (giveUp = settle));
  // Whoever only has a part of it keeps nothing.
  const file = seat.hasOrchestrator ? join(resolve(settings.data_dir), readyFile) : undefined;
  let cancelLoad = (): void => undefined;
  const leave = (error: TroupeError | null): void => {
    cancelLoad();
    lag.close();
    if (file !== undefined) rmSync(file, { force: true });
    giveUp(error);
  };
  const onFatal = (error: TroupeError): void => {
    report("fatal", "the daemon gives up", { reason: error.message });
    leave(error);
  };
  // Read while the store is opened.
  if (seat.door === "gateway") void loadGateway();
  const running = supervise(partsOf(means, inspector.part), { clock, report, onFatal });
  await running.catch((error: unknown) => {
    lag.close();
    throw error;
  });
  state.phase = "open";
  const ready = readyFrom(state, seat, settings.roles);
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(ready)}\n`, { mode: 0o600 });
  // The first who comes does not wait for what only counts.
  cancelLoad = clock.alarm(now() + metricsAfterMs, () => void metrics.load());

  let closing: Promise<void> | undefined;
  async function drain(graceMs: number): Promise<void> {
    state.phase = "draining";
    state.deadline = clock.now() + graceMs;
    const endProgress = every(clock, progressMs, () => report("info", "stopping", underWay(state, clock)));
    try {
      await (await running).stop();
      report("info", "stopped; what was under way goes on at the next start", {});
    } finally {
      endProgress();
      leave(null);
    }
  }
  return {
    ready,
    inspector: () => inspector.status().url,
    troupe: () => opened(state),
    log,
    isOfCall: failCall,
    ended,
    close: (graceMs = settings.grace) => (closing ??= drain(graceMs)),
  };
}

/** Why nothing new is taken at present. */
type Standing = Pick<State, "phase" | "waiting" | "parked"> & {
  troupe?: Pick<Troupe, "trouble"> & { stats?: () => { bridge?: { held: string | null } } };
  transport?: { connected: () => boolean };
};
export function reasonsOf(state: Standing, hasEngine = true): string[] {
  const { phase, troupe, transport, waiting = "what was under way is recovered", parked } = state;
  const told = { starting: [waiting], open: [], draining: ["it is stopping"] }[phase];
  // Between two lives of an engine there is none.
  const isAnew = phase === "open" && hasEngine;
  const trouble = troupe ? troupe.trouble()?.message : isAnew ? "the engine is opened anew" : undefined;
  const isCut = (troupe !== undefined || !hasEngine) && transport?.connected() === false;
  const cut = isCut ? [parked?.() ?? "the NATS server cannot be reached"] : [];
  const held = cut.length === 0 ? (troupe?.stats?.().bridge?.held ?? null) : null;
  const stuck = held === null ? [] : [`what is on disk cannot leave: ${held}`];
  return [...told, ...(trouble === undefined ? [] : [trouble]), ...cut, ...stuck];
}

function partsOf(means: Means, inspector: Part): Part[] {
  const { config, seat } = means;
  const hasEngine = seat.engine?.length !== 0;
  const onNats = config.settings.transport === "nats" && (hasEngine || seat.monitors);
  return [
    ...(onNats ? [natsPart(means)] : []),
    ...(hasEngine ? [enginePart(means)] : []),
    ...(onNats && seat.monitors ? [monitoringPart(means)] : []),
    ...(seat.door === "gateway" ? [gatewayPart(means)] : []),
    ...(seat.door === "relay" ? [relayPart(means)] : []),
    ...(seat.door === "probe" ? [probePart(means)] : []),
    ...(onNats ? [discoveryPart(means)] : []),
    ...(seat.hasOrchestrator ? [inspector] : []),
  ];
}

/** What nobody has set here, the project may have set for the engine. */
function asItIs(setting: Setting, { troupe }: State): Setting {
  const { key, value, origin } = setting;
  const name = limitNames.limits.get(key) as keyof Troupe["limits"] | undefined;
  const limit = troupe && name ? shownAs(key, troupe.limits[name]) : value;
  return origin !== "default" || limit === value
    ? setting
    : { ...setting, value: limit, origin: "limits of the project" };
}

function opened({ troupe }: State): Troupe {
  if (troupe) return troupe;
  throw new TroupeError("INVALID_STATE", "the engine is being opened; try again in a moment");
}

function readyFrom({ url, nats }: State, { hasOrchestrator, door }: Seat, named: readonly string[] | null): Ready {
  const http = (url ?? "").replace(/\/$/, "");
  const ws = http === "" || door === "probe" ? "" : `${http.replace(/^http/, "ws")}/api/ws`;
  const durability = hasOrchestrator ? "fsync" : "memory";
  const roles = named !== null && { roles: named };
  return { event: "ready", http, ws, pid: process.pid, durability, ...roles, ...(nats && { nats }) };
}

function underWay({ troupe, deadline }: State, clock: Clock): Record<string, unknown> {
  return { ...troupe?.stats().atWork, left_ms: Math.max(0, deadline - clock.now()) };
}

function every(clock: Clock, ms: number, act: () => void): () => void {
  let cancel = (): void => undefined;
  const next = (): void => {
    cancel = clock.alarm(clock.now() + ms, () => {
      act();
      next();
    });
  };
  next();
  return () => cancel();
}
