// NATS as a part of the daemon: the server it was told of, or one of its own beside its data; and the transport to it.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { envelopeBytes, withLimits } from "../actors/limits.ts";
import type { Part } from "../actors/supervisor.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { permissionsOfRuntime } from "../runtime/permissions.ts";
import { fromProject } from "../runtime/project.ts";
import { lockDirectory } from "../store/lock.ts";
import type { NatsServer } from "../transport/nats-server.ts";
import type { NatsTransport } from "../transport/nats.ts";
import { held, isHeld } from "./held.ts";
import { objectsOf } from "./object-store.ts";
import type { Means } from "./parts.ts";
import { folderInTurn, natsFolderOf, type Place, takePlace } from "./place.ts";
import { shown } from "./settings.ts";
import { signIn } from "./sign-in.ts";

/** What others on this machine sign in with, if the server is the daemon's own: as a runtime, or to do anything. */
const keyFiles = { runtime: "runtime.nk", operator: "operator.nk" } as const;

export const natsPart = (means: Means): Part => ({
  name: "NATS",
  async start() {
    const { config, clock, log, metrics, state, seat, end } = means;
    const { settings, prefix, subjects } = config;
    // Whoever could not begin may not take the place of one that can.
    if (config.project !== null) await fromProject({ limits: settings.limits }, config.project);
    // Most daemons have none: whoever wants it waits for its code.
    const { openNats } = await import("../transport/nats.ts");
    const folder = folderInTurn(natsFolderOf(settings.data_dir));
    let server: OwnServer | undefined;
    let transport: NatsTransport | undefined;
    let place: Place | undefined;
    const close = async (): Promise<void> => {
      delete state.transport;
      await transport?.close();
      await place?.leave();
      await server?.stop();
      folder.unlock();
    };
    try {
      if (settings.nats_url === null) server = await ownServer(means);
      transport = await openNats({
        server: server ? { servers: server.url(), authenticator: server.authenticator } : await signIn(settings),
        clock,
        prefix,
        layout: subjects,
        report: log.report,
        payloadBytes: withLimits(settings.limits).payloadBytes + envelopeBytes,
        streamBytes: settings.nats_stream_bytes,
        ...objectsOf(config),
        keeps: seat.hasOrchestrator,
        forbidden: () => metrics.doors.refused("FORBIDDEN"),
      });
      // Of one's own server nobody else can be the orchestrator: its folder is taken.
      if (seat.hasOrchestrator)
        place = await takePlace(means, transport, () => server !== undefined || folder.take(), end);
    } catch (error) {
      await close();
      throw isHeld(error) || fromUnknown(error).details["status"] === "other_store"
        ? held(fromUnknown(error).message, error)
        : unreachable(error, settings.nats_url);
    }
    state.transport = place?.transport ?? transport;
    const said = String(shown("nats_url", settings.nats_url));
    state.nats = server
      ? { url: server.url(), key: keyPath(means, "runtime"), operator: keyPath(means, "operator") }
      : { url: said, key: null, operator: null };
    return close;
  },
});

const keyPath = ({ config: { settings } }: Means, whose: keyof typeof keyFiles): string =>
  join(natsFolderOf(settings.data_dir), keyFiles[whose]);

type OwnServer = Pick<NatsServer, "url" | "authenticator" | "stop">;

/** Its streams and its key files belong to one daemon, which is not known before the store is open. */
async function ownServer(means: Means): Promise<OwnServer> {
  const { startNatsServer } = await import("../transport/nats-server.ts");
  const { around, clock, log, config } = means;
  const { settings, prefix, subjects: layout } = config;
  const { environment } = around;
  const directory = natsFolderOf(settings.data_dir);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  try {
    const server = await startNatsServer({
      directory,
      clock,
      report: log.report,
      runtimes: permissionsOfRuntime(null, { prefix, layout }, true),
      ...(settings.nats_server !== null && { binary: settings.nats_server }),
      ...(environment && { environment }),
    });
    server.credentials(keyPath(means, "operator"));
    server.credentials(keyPath(means, "runtime"), "runtime");
    return { ...server, stop: () => server.stop().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
}

function unreachable(error: unknown, url: string | null): unknown {
  const { message: reason } = fromUnknown(error);
  if (url === null) return held(`the daemon's own NATS server cannot be used: ${reason}`, error);
  const where = String(shown("nats_url", url));
  return held(
    `the NATS server at ${where} cannot be used: ${reason}; look at --nats-url, nats_creds and nats_key`,
    error,
  );
}
