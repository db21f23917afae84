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
import { supervise } from "../actors/supervisor.ts";
import type { DaemonDoor } from "../gateway/door.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Troupe } from "../runtime/troupe.ts";
import type { Config, Setting } from "./config.ts";
import { openGuardOf } from "./guard-settings.ts";
import { natsPart } from "./nats.ts";
import { newInspectorSwitch } from "./inspector-switch.ts";
import { watchLag } from "./lag.ts";
import { openLog, type Log } from "./log.ts";
import { openMetrics } from "./metrics.ts";
import { enginePart, gatewayPart, loadGateway, type Means, type State } from "./parts.ts";
import { openRedaction } from "./redact.ts";
import { limitNames, shown as shownAs } from "./settings.ts";
import { openTracing } from "./tracing.ts";

/** What is told once everybody can come. */
export type Ready = {
  event: "ready";
  http: string;
  ws: string;
  pid: number;
  durability: "fsync";
  /** Where runtimes elsewhere find it, and the key that they come with. */
  nats?: { url: string; key: string | null };
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
  const reasons = (): string[] => reasonsOf(state);
  const metrics = openMetrics({ isReady: () => reasons().length === 0, now });
  // Before anything is open: what is not safe is not begun.
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
  };
  let giveUp: (error: TroupeError | null) => void = () => undefined;
  const ended = new Promise<TroupeError | null>((settle) => (giveUp = settle));
  const file = join(resolve(settings.data_dir), readyFile);
  let cancelLoad = (): void => undefined;
  const leave = (error: TroupeError | null): void => {
    cancelLoad();
    lag.close();
    rmSync(file, { force: true });
    giveUp(error);
  };
  const onFatal = (error: TroupeError): void => {
    report("fatal", "the daemon gives up", { reason: error.message });
    leave(error);
  };
  // Read while the store is opened.
  void loadGateway();
  const nats = settings.transport === "nats" ? [natsPart(means)] : [];
  const running = await supervise([...nats, enginePart(means), gatewayPart(means), inspector.part], {
    clock,
    report,
    onFatal,
  }).catch((error: unknown) => {
    lag.close();
    throw error;
  });
  state.phase = "open";
  const ready = readyFrom(state);
  writeFileSync(file, `${JSON.stringify(ready)}\n`, { mode: 0o600 });
  // The first who comes does not wait for what only counts.
  cancelLoad = clock.alarm(now() + metricsAfterMs, () => void metrics.load());

  let closing: Promise<void> | undefined;
  async function drain(graceMs: number): Promise<void> {
    state.phase = "draining";
    state.deadline = clock.now() + graceMs;
    const endProgress = every(clock, progressMs, () => report("info", "stopping", underWay(state, clock)));
    try {
      await running.stop();
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
type Standing = Pick<State, "phase"> & {
  troupe?: Pick<Troupe, "trouble">;
  transport?: { connected: () => boolean };
};
export function reasonsOf({ phase, troupe, transport }: Standing): string[] {
  const told = { starting: ["what was under way is recovered"], open: [], draining: ["it is stopping"] }[phase];
  // Between two lives of an engine there is none.
  const trouble = troupe ? troupe.trouble()?.message : phase === "open" ? "the engine is opened anew" : undefined;
  const cut = troupe && transport?.connected() === false ? ["the NATS server cannot be reached"] : [];
  return [...told, ...(trouble === undefined ? [] : [trouble]), ...cut];
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

function readyFrom({ url = "", nats }: State): Ready {
  const http = url.replace(/\/$/, "");
  const ws = `${http.replace(/^http/, "ws")}/api/ws`;
  return { event: "ready", http, ws, pid: process.pid, durability: "fsync", ...(nats && { nats }) };
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
