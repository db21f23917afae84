// Who the daemon is at a NATS server that is there already, by its settings.
//
// Invariants:
//   SI1. A server that others can reach is refused without TLS or without a sign-in, unless a setting allows it.

import type { Report } from "../protocol/report.ts";
import { type Names, refused, serverOf, unsafeIn, type Way } from "../transport/nats-sign-in.ts";
import type { NatsOptions } from "../transport/nats.ts";
import type { Settings } from "./settings.ts";

type Told = Pick<
  Settings,
  "nats_url" | "nats_creds" | "nats_key" | "nats_ca" | "nats_cert" | "nats_cert_key" | "nats_in_the_open"
>;

const names = {
  url: "nats_url",
  creds: "nats_creds",
  key: "nats_key",
  ca: "nats_ca",
  cert: "nats_cert",
  certKey: "nats_cert_key",
  inTheOpen: "nats_in_the_open",
} as const satisfies Names;

const ofItsOwn = "nats://127.0.0.1";

const wayOf = (told: Told): Way => ({
  url: told.nats_url ?? ofItsOwn,
  creds: told.nats_creds,
  key: told.nats_key,
  ca: told.nats_ca,
  cert: told.nats_cert,
  certKey: told.nats_cert_key,
});

/** Throws, before anything is opened, if others could listen in or come in. */
export function checkSignIn(told: Told, report: Report): void {
  const unsafe = unsafeIn(wayOf(told), names);
  if (!unsafe) return;
  if (!told.nats_in_the_open) throw refused(unsafe, names);
  report("warn", "what goes over NATS is not safe there: nats_in_the_open allows it", unsafe);
}

export const signIn = (told: Told): Promise<NatsOptions["server"]> => serverOf(wayOf(told), names);
