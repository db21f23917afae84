// The guard of the doors as the settings want it: who may come in, under which names, and whether by TLS.

import { resolve } from "node:path";
import type { Guard } from "../gateway/guard.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { Settings } from "./settings.ts";

type Hears = { now: () => number; report: Report; refused: (reason: string) => void };

/** Throws if it would not be safe to be where the settings want it. */
export async function openGuardOf(settings: Settings, { now, report, refused }: Hears): Promise<Guard> {
  const { host, token_file, tls_cert, tls_key, tls_min_version, tls_ends_elsewhere } = settings;
  const { allowed_hosts, allowed_origins, guardLimits } = settings;
  if ((tls_cert === null) !== (tls_key === null)) {
    throw new TroupeError("VALIDATION_FAILED", "TLS needs both a certificate and its key: give tls_cert and tls_key");
  }
  const [{ openGuard }, { openTokens }] = await Promise.all([
    import("../gateway/guard.ts"),
    import("../gateway/tokens.ts"),
  ]);
  return openGuard({
    host,
    now,
    tokens: token_file === null ? undefined : openTokens({ file: resolve(token_file), now, report }),
    tls:
      tls_cert === null || tls_key === null
        ? undefined
        : { cert_file: resolve(tls_cert), key_file: resolve(tls_key), min_version: tls_min_version },
    tls_ends_elsewhere,
    allowed_hosts: allowed_hosts ?? [],
    allowed_origins: allowed_origins ?? [],
    limits: guardLimits,
    refused,
  });
}
