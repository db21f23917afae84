// The place of the orchestrator in its namespace: taken before the store is opened, waited for while another has it.
//
//   this directory's lock, and the lease ─▶ the engine            another has either ─▶ stands by, alive and not ready
//   not renewed in time ─▶ nothing is said ─▶ renewed, or another's: then the daemon ends
//
// Invariants:
//   PL1. A daemon whose directory or namespace another one has is alive and not ready, and says behind whom it stands.
//   PL2. It goes on with the store when the other is gone: at once if that stopped, or was killed on this machine.
//   PL3. One whose place another has taken says nothing more, and ends with the reason.

import { randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { elapsedMs } from "../actors/clock.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { lockDirectory } from "../store/lock.ts";
import { gated } from "../transport/gated.ts";
import { type Held, type Holder, type Lease, takeLease } from "../transport/nats-lease.ts";
import type { NatsTransport } from "../transport/nats.ts";
import { held } from "./held.ts";
import type { Means } from "./parts.ts";
import { openProbe } from "./probe.ts";

const idFile = "store.id";
const parked = "another daemon may be the orchestrator by now";

/** Streams, keys and the wait for the store have their folder beside the store. */
export const natsFolderOf = (dataDir: string): string => join(resolve(dataDir), "nats");

/** The same for whoever has this directory, however often it is opened; a copy of the directory has it too. */
function storeIdOf(dataDir: string): string {
  mkdirSync(resolve(dataDir), { recursive: true, mode: 0o700 });
  const file = join(resolve(dataDir), idFile);
  const made = `${file}.${process.pid}`;
  writeFileSync(made, `${randomUUID()}\n`, { mode: 0o600 });
  try {
    linkSync(made, file);
  } catch (error) {
    // Somebody made it before.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(made);
  }
  return readFileSync(file, "utf8").trim();
}

function holderOf(dataDir: string, isOwnServer: boolean): Holder {
  const folder = natsFolderOf(dataDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { dev, ino } = statSync(folder);
  const host = hostname();
  // A machine that is another's copy has its name and its files, and was booted by itself.
  const boot = existsSync(bootFile) ? readFileSync(bootFile, "utf8").trim() : "";
  const store = storeIdOf(dataDir);
  // Who has the folder of a server of one's own has all that this server knows.
  const lock = isOwnServer ? store : [host, boot, dev, ino].join("/");
  return { instance: randomUUID(), host, pid: process.pid, store, lock };
}
const bootFile = "/proc/sys/kernel/random/boot_id";

export type Place = {
  /** The transport as only who has the place may use it. */
  transport: NatsTransport;
  leave(): Promise<void>;
};

/** Resolves once this daemon is the orchestrator; `hasStore` takes the directory, or says that another has it. */
export async function takePlace(
  means: Means,
  transport: NatsTransport,
  hasStore: () => boolean,
  lost: (error: unknown) => void,
): Promise<Place> {
  const { config, clock, log, state } = means;
  const { settings, prefix } = config;
  const { report } = log;
  const link = await transport.dial(`${prefix}-lease`);
  let probe: Promise<() => Promise<void>> | undefined;
  const standNoMore = async (): Promise<void> => {
    delete state.waiting;
    const end = await probe;
    await end?.();
  };
  const standing = (behind: Held | null): void => {
    state.waiting = waitingText(prefix, behind);
    probe ??= openProbe(means);
    report("info", "it stands by", { reason: state.waiting });
  };
  try {
    const lease = await takeLease({
      link,
      prefix,
      ttlMs: settings.lease,
      holder: holderOf(settings.data_dir, settings.nats_url === null),
      clock,
      elapsed: elapsedMs,
      report,
      hasStore,
      isNewStore: settings.new_store,
      standing,
    });
    await standNoMore();
    report("info", "it is the orchestrator of its namespace", { prefix, number: lease.number() });
    void lease.lost.then((error) => lost(held(error.message, error)));
    return placeOf(means, transport, lease, () => link.nc.close());
  } catch (error) {
    await standNoMore();
    await link.nc.close();
    throw error;
  }
}

function waitingText(prefix: string, behind: Held | null): string {
  if (behind === null || behind.is === "given back") return "another process has its data directory; it stands by";
  const { instance, host, pid, since } = behind;
  return `it stands by: process ${pid} on ${host} is the orchestrator of '${prefix}' since ${since} (${instance})`;
}

function placeOf({ state }: Means, transport: NatsTransport, lease: Lease, close: () => Promise<void>): Place {
  const { isHeld } = lease;
  state.parked = () => (isHeld() ? null : parked);
  const onChange = (listener: () => void): void => lease.onChange(listener);
  const { connect } = gated(transport, { isOpen: isHeld, onChange, reason: parked });
  return {
    transport: { ...transport, connect, connected: () => isHeld() && transport.connected() },
    async leave(): Promise<void> {
      delete state.parked;
      await lease.giveBack();
      await close();
    },
  };
}

/** Takes a folder as soon as nobody else has it; gives whether it is taken, and what lets go of it. */
export function folderInTurn(directory: string): { take: () => boolean; unlock: () => void } {
  let unlock: (() => void) | undefined;
  return {
    take(): boolean {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      try {
        unlock ??= lockDirectory(directory);
        return true;
      } catch (error) {
        if (fromUnknown(error).details["reason"] === "store_locked") return false;
        throw error;
      }
    },
    unlock: () => unlock?.(),
  };
}
