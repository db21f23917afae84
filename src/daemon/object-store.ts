// The object store of the daemon's settings, as the transport wants it.

import { objectStoreOf } from "../protocol/references.ts";
import type { NatsOptions } from "../transport/nats.ts";
import type { Config } from "./config.ts";

/** Nothing, where what is too large for a message is refused. */
export function objectsOf({ settings, prefix }: Config): Pick<NatsOptions, "objects"> {
  const { object_store: isOn, object_retention: retentionMs, object_store_bytes: storeBytes } = settings;
  return isOn ? { objects: { name: objectStoreOf(prefix), retentionMs, storeBytes } } : {};
}
