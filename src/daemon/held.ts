// Why a daemon could not be opened, in a sentence with what to do next: something else holds what it needs.

import { fromUnknown, TroupeError } from "../protocol/errors.ts";

/** What another process has, or the machine refuses. It can pass: whoever starts daemons may try again. */
export const held = (message: string, cause: unknown): TroupeError =>
  new TroupeError("INVALID_STATE", message, { ...fromUnknown(cause).details, held: true }, { cause });

export const isHeld = (error: unknown): boolean => fromUnknown(error).details["held"] === true;

/** The data directory belongs to one process. */
export function heldStore(error: unknown): unknown {
  const { message, details } = fromUnknown(error);
  const reasons: readonly unknown[] = [
    "store_locked",
    "store_failed",
    "store_full",
    "store_newer",
    "store_damaged",
    "store_sealed",
  ];
  if (!reasons.includes(details["reason"])) return error;
  return held(message, error);
}

export function heldPort(error: unknown, { host, port }: { host: string; port: number }): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const why = whyNot[String(code)]?.(host, port);
  return why === undefined ? error : held(why, error);
}

const whyNot: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) =>
    `port ${port} of ${host} is in use; stop what listens there, or choose another with --port (0 takes any)`,
  EACCES: (_host, port) => `port ${port} is not for this user; choose one from 1024 on with --port`,
  EADDRNOTAVAIL: (host) => `${host} is no address of this machine; choose one with --host`,
  ENOTFOUND: (host) => `${host} is no address that is known here; choose one with --host`,
};
