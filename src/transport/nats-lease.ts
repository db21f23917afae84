// Who alone speaks for a namespace: a lease in a bucket of the server, with a number that only grows.
//
//   nobody's, given back, or silent for its whole time ─▶ taken ─▶ renewed, three times in its time ─▶ given back
//        no renewal in its time, less a margin ─▶ parked: nothing is said ─┬─ nobody took it ─▶ held again
//                                                                          └─ somebody did ─▶ lost
//
// Whoever waits measures by its own clock how long it was not renewed: no two machines have to agree on the time.
// What it says stays when its holder dies, so that it is known later which store the namespace has.
//
// Invariants:
//   NL1. Of all who ask one has it, and another only after it was given back, was silent for its whole time, or its
//        holder is known to be gone.
//   NL2. Whoever holds it knows that it may be another's before it can be, also when it was frozen meanwhile.
//   NL3. Its number grows with each holder.
//   NL4. While the server cannot be reached nobody's silence counts.
//   NL5. Who has another store than the namespace is refused, unless its last holder gave it back.

import { JetStreamApiError } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Report } from "../protocol/report.ts";
import type { Link } from "./nats-connection.ts";
import type { TransportClock } from "./transport.ts";

/** Who has it, or wants it. */
export type Holder = {
  /** Another at each start. */
  instance: string;
  host: string;
  pid: number;
  /** Where its runs are kept. */
  store: string;
  /** What it alone can hold as long as it lives, on this machine and since it was booted. */
  lock: string;
};

/** What stands in the bucket. */
export type Held = Holder & { since: string; ttl_ms: number; is: "held" | "given back" };

export type LeaseOptions = {
  link: Link;
  prefix: string;
  ttlMs: number;
  holder: Holder;
  clock: TransportClock;
  /** Milliseconds of a clock that nobody sets. */
  elapsed: () => number;
  report: Report;
  /** Whether this process has its lock, and with that its store for itself: without it, it may not have the lease. */
  hasStore: () => boolean;
  /** Whether the namespace may get another store than it has. */
  isNewStore?: boolean;
  /** Hears behind whom it stands, while it does. */
  standing: (behind: Held | null) => void;
};

export type Lease = {
  /** Whether it is certain that nobody else has it, at this moment. */
  isHeld(): boolean;
  number(): number;
  onChange(listener: (isHeld: boolean) => void): void;
  /** Settles once it is another's. */
  lost: Promise<TroupeError>;
  giveBack(): Promise<void>;
};

const key = "orchestrator";
const wrongLastSequences = [10_071, 10_164];
/** So many looks and renewals fit into the time of a lease. */
const looksPerTtl = 5;
const lookMsMax = 500;
/** Who stops does not wait longer for a server that is away. */
const giveBackMs = 1_000;
const renewalsPerTtl = 3;
/** Clocks of two machines do not run alike, and what was allowed just before may still be on its way. */
const marginShare = 1 / 5;

type Found = { held: Held; revision: number };
type Bucket = {
  read(): Promise<Found | null>;
  /** Nothing, if it is not as it was at that revision. */
  write(held: Held, revision: number, withinMs?: number): Promise<number | null>;
};

/** Waits until it has it; refuses who has no access to what the namespace is kept in. */
export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { ttlMs, holder, clock, elapsed, report } = options;
  const lookMs = Math.min(Math.ceil(ttlMs / looksPerTtl), lookMsMax);
  const bucket = bucketOf(options);
  const own: Held = { ...holder, since: new Date(clock.now()).toISOString(), ttl_ms: ttlMs, is: "held" };
  /** Since when it has been silent, and when that was looked at last. */
  let silent: Silence | null = null;
  let told: string | undefined;
  let isUnread = false;

  for (;;) {
    const at = instant(options);
    let found: Found | null;
    try {
      found = await bucket.read();
      isUnread = false;
    } catch (error) {
      silent = null;
      const { message: reason } = fromUnknown(error);
      if (!isUnread) report("warn", "the lease of the namespace cannot be read; it is tried again", { reason });
      isUnread = true;
      await wait(clock, lookMs);
      continue;
    }
    const now = elapsed();
    silent = found && silenceOf(found, silent, now, lookMs);
    if (found) checkStore(options, found.held);
    const isSilent = silent !== null && now - silent.from >= (found?.held.ttl_ms ?? 0);
    if (options.hasStore() && (found === null || isSilent || isOver(found.held, holder))) {
      const revision = await bucket.write(own, found?.revision ?? 0);
      if (revision !== null) return keep(options, bucket, own, revision, at);
      // Another was quicker.
      continue;
    }
    const behind = `${found?.held.instance} ${found?.held.is}`;
    if (behind !== told) options.standing(found?.held ?? null);
    told = behind;
    await wait(clock, lookMs);
  }
}

type Silence = { revision: number; from: number; lookedAt: number };

/** Whoever did not look for a while does not know of that while. */
function silenceOf({ revision }: Found, before: Silence | null, now: number, lookMs: number): Silence {
  const isSame = before?.revision === revision && now - before.lookedAt <= 2 * lookMs;
  return { revision, from: isSame ? before.from : now, lookedAt: now };
}

/** Given back; or its holder is gone, for this process has what that held. */
const isOver = ({ is, lock }: Held, own: Holder): boolean => is === "given back" || lock === own.lock;

/** The namespace belongs to the store that its runs are in. */
function checkStore({ prefix, holder, report, isNewStore = false }: LeaseOptions, held: Held): void {
  if (held.store === holder.store) return;
  const { instance, host, pid, since, store } = held;
  if (isNewStore || held.is === "given back") {
    report("warn", "the namespace gets another store: what the one before holds stays there", { prefix, store });
    return;
  }
  const message =
    `the namespace '${prefix}' is kept in another store (${store}) that this daemon, with ${holder.store}, has no ` +
    `access to; process ${pid} on ${host} has had it since ${since}: bring this one up with the data directory of ` +
    "that one, or with another prefix; if that store is lost, --new-store gives the namespace to this one";
  throw new TroupeError("INVALID_STATE", message, { status: "other_store", instance, host, pid, since, store });
}

/** The sender's time of what is asked now: by a clock that nobody sets, and by one that a sleeping machine moves on. */
type Instant = { elapsed: number; wall: number };
const instant = ({ elapsed, clock }: LeaseOptions): Instant => ({ elapsed: elapsed(), wall: clock.now() });

function keep(options: LeaseOptions, bucket: Bucket, own: Held, first: number, from: Instant): Lease {
  const { ttlMs, clock, report } = options;
  const listeners = new Set<(isHeld: boolean) => void>();
  const lost = Promise.withResolvers<TroupeError>();
  const validMs = ttlMs * (1 - marginShare);
  let revision = first;
  let at = from;
  let isOver = false;
  let wasHeld = true;
  let cancelRenewal = (): void => undefined;
  let cancelLapse = (): void => undefined;

  function isHeld(): boolean {
    const now = instant(options);
    return !isOver && now.elapsed - at.elapsed < validMs && now.wall - at.wall < validMs;
  }
  function look(): void {
    const is = isHeld();
    if (is === wasHeld) return;
    wasHeld = is;
    if (!is && !isOver) report("warn", "the lease of the namespace was not renewed in time: nothing is said", {});
    if (is) report("info", "the lease of the namespace is held again", { number: revision });
    for (const listener of listeners) listener(is);
  }
  function extended(to: number, since: Instant): void {
    revision = to;
    at = since;
    look();
    cancelLapse();
    cancelLapse = clock.alarm(at.wall + validMs, look);
  }
  const later = (ms: number): void => {
    cancelRenewal();
    if (!isOver) cancelRenewal = clock.alarm(clock.now() + ms, () => void renew());
  };

  async function renew(): Promise<void> {
    const since = instant(options);
    try {
      const renewed = await bucket.write(own, revision);
      if (isOver) return;
      if (renewed !== null) extended(renewed, since);
      else await settle();
      later(ttlMs / renewalsPerTtl);
    } catch (error) {
      if (isOver) return;
      look();
      report("warn", "the lease of the namespace could not be renewed", { reason: fromUnknown(error).message });
      later(ttlMs / renewalsPerTtl / 2);
    }
  }
  /** It is otherwise than it was left: by a renewal whose answer was lost, by a server without it, or by another. */
  async function settle(): Promise<void> {
    const since = instant(options);
    const found = await bucket.read();
    const isOurs = found === null || found.held.instance === own.instance;
    const to = isOurs ? await bucket.write(own, found?.revision ?? 0) : null;
    if (isOver || (isOurs && to === null)) return;
    if (to !== null) return extended(to, since);
    end();
    lost.resolve(taken(options, found?.held));
  }
  function end(): void {
    isOver = true;
    cancelRenewal();
    cancelLapse();
    look();
  }

  extended(first, from);
  later(ttlMs / renewalsPerTtl);
  return {
    isHeld,
    number: () => revision,
    onChange: (listener) => void listeners.add(listener),
    lost: lost.promise,
    async giveBack(): Promise<void> {
      if (isOver) return;
      end();
      try {
        await bucket.write({ ...own, is: "given back" }, revision, giveBackMs);
      } catch (error) {
        const { message: reason } = fromUnknown(error);
        report("info", "the lease of the namespace could not be given back: it runs out", { reason });
      }
    },
  };
}

function taken({ prefix }: LeaseOptions, held: Held | undefined): TroupeError {
  const { instance, host, pid, since } = held ?? {};
  const message =
    `the namespace '${prefix}' was taken over by process ${pid} on ${host} at ${since}, for this daemon was silent ` +
    "for too long: it ends; start it again to stand by";
  return new TroupeError("INVALID_STATE", message, { status: "taken_over", instance, host, pid, since });
}

/** The one key of the bucket; the bucket is made where there is none, also after a server has lost it. */
function bucketOf({ link, prefix, ttlMs }: LeaseOptions): Bucket {
  const timeout = Math.ceil(ttlMs / renewalsPerTtl);
  // Of several servers each might give what it has: who reads has to read what was written last.
  const kept = { history: 1, allow_direct: false, timeout };
  let opened: Promise<KV> | undefined;
  async function using<T>(act: (kv: KV) => Promise<T>): Promise<T> {
    opened ??= new Kvm(link.js).create(leaseBucketOf(prefix), kept);
    try {
      return await act(await opened);
    } catch (error) {
      if (!isConflict(error)) opened = undefined;
      throw error;
    }
  }
  return {
    async read() {
      const entry = await using((kv) => kv.get(key));
      return entry && { held: entry.json<Held>(), revision: entry.revision };
    },
    async write(held, revision, withinMs = timeout) {
      try {
        return await using((kv) => kv.put(key, JSON.stringify(held), { previousSeq: revision, timeout: withinMs }));
      } catch (error) {
        if (isConflict(error)) return null;
        throw error;
      }
    },
  };
}
const isConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError && wrongLastSequences.includes(error.code);

export const leaseBucketOf = (prefix: string): string => `${prefix}_LEASES`;

const wait = (clock: TransportClock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.alarm(clock.now() + ms, () => resolve()));
