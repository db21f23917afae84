// NATS as a part of the daemon: the server it was told of, or one of its own beside its data; and the transport to it.

import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { envelopeBytes, withLimits } from "../actors/limits.ts";
import type { Part } from "../actors/supervisor.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { lockDirectory } from "../store/lock.ts";
import type { NatsServer } from "../transport/nats-server.ts";
import type { NatsOptions } from "../transport/nats.ts";
import type { Config } from "./config.ts";
import { held } from "./held.ts";
import type { Means } from "./parts.ts";
import { shown } from "./settings.ts";

/** What others on this machine connect with, if the server is the daemon's own. */
const keyFile = "runtime.nk";

export const natsPart = (means: Means): Part => ({
  name: "NATS",
  async start() {
    const { config, clock, log, state } = means;
    const { settings, prefix, subjects } = config;
    const { report } = log;
    // Most daemons have none: whoever wants it waits for its code.
    const { openNats } = await import("../transport/nats.ts");
    let server: OwnServer | undefined;
    try {
      if (settings.nats_url === null) server = await ownServer(means);
      const transport = await openNats({
        server: server ? { servers: server.url(), authenticator: server.authenticator } : await signIn(config),
        clock,
        prefix,
        layout: subjects,
        report,
        payloadBytes: withLimits(settings.limits).payloadBytes + envelopeBytes,
      });
      state.transport = transport;
      const said = String(shown("nats_url", settings.nats_url));
      state.nats = server ? { url: server.url(), key: keyPath(config) } : { url: said, key: null };
      return async () => {
        delete state.transport;
        await transport.close();
        await server?.stop();
      };
    } catch (error) {
      await server?.stop();
      throw unreachable(error, settings.nats_url);
    }
  },
});

const folderOf = ({ settings }: Config): string => join(resolve(settings.data_dir), "nats");
const keyPath = (config: Config): string => join(folderOf(config), keyFile);

type OwnServer = Pick<NatsServer, "url" | "authenticator" | "stop">;

/** Its streams and its key file belong to one daemon, which is not known before the store is open. */
async function ownServer({ config, around, clock, log }: Means): Promise<OwnServer> {
  const { startNatsServer } = await import("../transport/nats-server.ts");
  const { environment } = around;
  const directory = folderOf(config);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  try {
    const server = await startNatsServer({
      directory,
      clock,
      report: log.report,
      ...(environment && { environment }),
    });
    server.credentials(keyPath(config));
    return { ...server, stop: () => server.stop().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Who we are there: a file with credentials, or a key; or a name and a word in the address itself. */
async function signIn({ settings }: Config): Promise<NatsOptions["server"]> {
  const { credsAuthenticator, nkeyAuthenticator } = await import("../transport/nats-client.ts");
  const { nats_url: url, nats_creds: creds, nats_key: key } = settings;
  const servers = url ?? "";
  if (creds !== null) return { servers, authenticator: credsAuthenticator(readFileSync(creds)) };
  if (key === null) return { servers };
  return { servers, authenticator: nkeyAuthenticator(new TextEncoder().encode(readFileSync(key, "utf8").trim())) };
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
