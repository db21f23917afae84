// The parts of the daemon as its supervisor starts and stops them: the engine, and the gateway that holds on to it.

import { resolve } from "node:path";
import type { Clock } from "../actors/clock.ts";
import type { Part } from "../actors/supervisor.ts";
import type { DaemonDoor } from "../gateway/door.ts";
import type { Guard } from "../gateway/guard.ts";
import { traceIdOf } from "../protocol/envelope.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Troupe, troupe } from "../runtime/troupe.ts";
import type { NatsTransport } from "../transport/nats.ts";
import type { Config } from "./config.ts";
import type { Surroundings } from "./daemon.ts";
import { tellEnds } from "./ends.ts";
import { heldPort, heldStore } from "./held.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { openProbe } from "./probe.ts";
import type { openRedaction } from "./redact.ts";
import type { Seat } from "./seat.ts";
import type { Tracing } from "./tracing.ts";

/** What the parts know of each other. */
export type State = {
  phase: "starting" | "open" | "draining";
  /** Until when what is under way may end. */
  deadline: number;
  /** The same after a part was opened anew: whoever was connected finds it again. */
  port: number;
  url?: string;
  troupe?: Troupe;
  transport?: NatsTransport;
  /** Where that is, and the files with which others on this machine may come: as a runtime, and to do anything. */
  nats?: { url: string; key: string | null; operator: string | null };
  /** Behind whom it stands, until it has its place. */
  waiting?: string;
  /** Why nothing may be said at present, by who had that place. */
  parked?: () => string | null;
};

export type Means = {
  config: Config;
  around: Surroundings;
  clock: Clock;
  log: Log;
  redaction: ReturnType<typeof openRedaction>;
  metrics: Metrics;
  tracing: Tracing | undefined;
  state: State;
  door: DaemonDoor;
  guard: Guard;
  seat: Seat;
  /** It cannot go on, and opening a part anew would not help. */
  end: (error: unknown) => void;
};

/** What broke is not waited for. */
const leftOf = ({ state, clock }: Means): number =>
  state.phase === "draining" ? Math.max(0, state.deadline - clock.now()) : 0;

export const enginePart = (means: Means): Part => ({
  name: "the engine",
  async start(failed) {
    const { log, redaction, metrics, tracing, state } = means;
    const opened = await openEngine(means);
    redaction.know(opened.redact);
    state.troupe = opened;
    log.knowTraces((run) => traceIdOf(opened.system.peek(run)?.facts.trace ?? {}));
    // Whatever else the disk refuses passes; a writer that is gone does not come back.
    opened.onTrouble((trouble) => trouble?.details["reason"] === "store_ended" && failed(trouble));
    const { live, busy, parked } = opened.recovered;
    if (live > 0) log.report("info", "what was under way goes on", { runs: live, at_work: busy, parked });
    const ends = [metrics.watch(opened), tracing?.watch(opened), tellEnds(opened, log)];
    return async () => {
      await opened.stop({ graceMs: leftOf(means) });
      for (const end of ends) end?.();
      delete state.troupe;
    };
  },
});

async function openEngine({ config, around, log, tracing, state, seat }: Means): Promise<Troupe> {
  const { settings, project } = config;
  const { environment } = around;
  try {
    return await troupe({
      ...(project !== null && { project, watch: settings.watch }),
      ...(seat.engine && { roles: seat.engine }),
      ...(tracing && { trace: tracing.newTrace }),
      ...(environment && { environment }),
      store: seat.hasOrchestrator
        ? { directory: resolve(settings.data_dir), ...(settings.key_file !== null && { keyFile: settings.key_file }) }
        : "memory",
      limits: settings.limits,
      ...(state.transport && { transport: state.transport }),
      log: log.report,
    });
  } catch (error) {
    throw heldStore(error);
  }
}

/** Where there is neither a gateway nor a door that passes on to one. */
export const probePart = (means: Means): Part => ({
  name: "health and readiness",
  start: () => openProbe(means, true),
});

export const loadGateway = () => import("../gateway/gateway.ts");

export const gatewayPart = (means: Means): Part => ({
  name: "the gateway",
  async start() {
    const { config, around, log, metrics, state, door, guard } = means;
    const { settings } = config;
    const { openGateway } = await loadGateway();
    if (!state.troupe) throw new TroupeError("INTERNAL_ERROR", "the gateway needs an engine, and there is none");
    const gateway = await openGateway({
      troupe: state.troupe,
      log: log.report,
      metrics: metrics.doors,
      daemon: door,
      ...(around.pages !== undefined && { pages: around.pages }),
      guard,
      sockets: socketsOf(config),
    });
    try {
      state.url = await gateway.listen({ host: settings.host, port: state.port });
    } catch (error) {
      await gateway.close(0);
      throw heldPort(error, settings);
    }
    state.port = Number(new URL(state.url).port);
    return () => gateway.close(leftOf(means));
  },
});

const socketsOf = ({ settings, defaultAgent }: Config) => ({
  ...settings.socketLimits,
  strict: settings.ws_strict,
  ...(defaultAgent !== null && { defaultAgent }),
});
