// What is said over NATS, for whoever listens: a plain subscription, which takes nothing from anybody.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock } from "../actors/clock.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Delivery } from "../transport/transport.ts";
import type { Config } from "./config.ts";
import type { Ready } from "./daemon.ts";
import { shown, type Settings } from "./settings.ts";
import { checkSignIn, signIn } from "./sign-in.ts";

export type Heard = Pick<Delivery, "subject" | "headers" | "bytes">;

export type Tap = {
  /** Where it listens. */
  url: string;
  close: () => Promise<void>;
};

type Hears = {
  hear: (heard: Heard) => void;
  /** It hears nothing, or not all: the server does not let it, or is gone. */
  failed: (reason: string) => void;
  changed: (isConnected: boolean) => void;
};

/** Listens at the server of the settings, or at that of the daemon whose data directory they name. */
export async function openWiretap(
  config: Config,
  patterns: readonly string[],
  { hear, failed, changed }: Hears,
): Promise<Tap> {
  const settings = config.settings.nats_url === null ? ofOwnServer(config.settings) : config.settings;
  const url = String(shown("nats_url", settings.nats_url));
  checkSignIn(settings, (_level, message) => failed(message));
  const [{ linkSingle }, server] = await Promise.all([import("../transport/nats-single.ts"), signIn(settings)]);
  const link = await linkSingle({
    server,
    clock: systemClock(),
    name: "troupe-wiretap",
    onFault: (error) => failed(fromUnknown(error).message),
  });
  let isOver = false;
  link.onChange((isConnected) => void (isOver || changed(isConnected)));
  for (const pattern of patterns) link.subscribe(pattern, hear);
  return {
    url,
    close() {
      isOver = true;
      return link.close();
    },
  };
}

/** The daemon that runs beside this data directory says where its server is, and with which key one comes. */
function ofOwnServer(settings: Settings): Settings {
  const folder = resolve(settings.data_dir);
  const { nats } = readyIn(folder);
  if (nats) return { ...settings, nats_url: nats.url, nats_key: settings.nats_key ?? nats.operator };
  const message =
    `the daemon of ${folder} speaks over no NATS server: there is nothing to listen to; ` +
    "`troupe events` prints what is said in it, `troupe up --transport nats` speaks over one";
  throw new TroupeError("INVALID_STATE", message, { status: "no_nats" });
}

function readyIn(folder: string): Partial<Ready> {
  try {
    return JSON.parse(readFileSync(join(folder, "ready.json"), "utf8")) as Partial<Ready>;
  } catch (error) {
    const message =
      `no daemon runs beside ${folder}: start one with \`troupe up --transport nats\`, ` +
      "or say where the NATS server is, with --nats-url";
    throw new TroupeError("DAEMON_UNREACHABLE", message, { folder }, { cause: error });
  }
}
