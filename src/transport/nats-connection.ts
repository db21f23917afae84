// One connection to a NATS server: plain subjects as they come and go, stored ones from and to their streams.
//
//   dialing ─▶ open ⇄ cut (nothing is said; stored publishes fail at once) ─▶ closing: drains ─▶ closed
//      └─ nobody there ─▶ cut, and dialed again until somebody is
//
// While it dials, what is said and subscribed waits in its order. A cut connection keeps nothing: a message that was
// published and not kept fails, and whoever said it has it on his own disk and says it again.
//
// Invariants:
//   NC1. A stored message resolves once its stream has it, and otherwise rejects.
//   NC2. What a stream holds is heard from the stream alone, not also as it passes by.
//   NC3. While the server cannot be reached, whatever is published fails: nothing is lost without a word.

import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection, Subscription as Core } from "@nats-io/transport-node";
import { TroupeError } from "../protocol/errors.ts";
import { clip, refusal } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import { consume, type Consuming } from "./nats-consumer.ts";
import { deliveryOf, headersOf, isLate, isUnheard, matcherOf, noHeaders, notKept } from "./nats-message.ts";
import { heldFor } from "./nats-patterns.ts";
import { checkBytes, checkGroup, checkSubjects } from "./outgoing.ts";
import type { StreamPlan } from "./nats-streams.ts";
import type { Connection, Delivery, Headers, Outgoing, Subscription, TransportClock } from "./transport.ts";

export type Link = { nc: NatsConnection; js: JetStreamClient; jsm: JetStreamManager };

export type LinkParts = {
  clock: TransportClock;
  dial: () => Promise<Link>;
  streams: readonly StreamPlan[];
  name: string;
  payloadBytes: number;
  ackTimeoutMs: number;
  ackWaitMs: number;
  closeTimeoutMs: number;
  /** Makes sure that the streams are there: a server may have come back without them. */
  mend: (link: Link) => Promise<void>;
  /** It is closed for good. */
  left?: () => void;
  /** Takes a place among the subscriptions there may be; gives what frees it. */
  occupy: () => () => void;
  onFault: (error: unknown, subject: string) => void;
  report: Report;
};

/** A subscription that can end without a loss: the server sends nothing more, and what it sent before is delivered. */
type Draining = Subscription & { drain(): Promise<void> };

type Entry = {
  pattern: string;
  group: string | undefined;
  isPassing: boolean;
  hear: (delivery: Delivery) => void;
  isOver: boolean;
  free: () => void;
  core?: Core;
  consuming: Consuming[];
};

const dialAgainMs = 1_000;
const patternForm = /^(?:[^\s.*>\p{Cc}]+|\*)(?:\.(?:[^\s.*>\p{Cc}]+|\*))*(?:\.>)?$|^>$/u;

export class NatsLink implements Connection {
  readonly #parts: LinkParts;
  readonly #entries = new Set<Entry>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #keeping = new Set<Promise<void>>();
  readonly #asking = new Set<(error: TroupeError) => void>();
  readonly #dialed: Promise<Link>;
  #link: Link | undefined;
  #waiting: (() => void)[] = [];
  #hurry = (): void => undefined;
  #state: "dialing" | "open" | "cut" | "closing" | "closed" = "dialing";
  #closed: Promise<void> | undefined;
  /** Rejects when the connection is cut: whatever was under way then is not known to have arrived. */
  #cut = newCut();

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#dialed = this.#dial();
    // Whoever says something hears of it; so does the report.
    this.#dialed.catch((error: unknown) => parts.onFault(error, ""));
  }

  async #dial(): Promise<Link> {
    const link = await this.#reached();
    if (this.#isEnding()) {
      await link.nc.close();
      throw this.#over("be opened");
    }
    this.#link = link;
    this.#state = "open";
    void this.#follow(link.nc);
    for (const act of this.#waiting.splice(0)) act();
    for (const listener of this.#listeners) listener(true);
    return link;
  }

  async #reached(): Promise<Link> {
    const { clock, dial, onFault } = this.#parts;
    for (;;) {
      try {
        return await dial();
      } catch (error) {
        if (this.#isEnding()) throw error;
        onFault(error, "");
        // The server was there a moment ago, and will be again.
        this.#state = "cut";
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#hurry = resolve;
        const cancel = clock.alarm(clock.now() + dialAgainMs, resolve);
        await promise;
        cancel();
        if (this.#isEnding()) throw error;
      }
    }
  }
  #isEnding(): boolean {
    return this.#state === "closing" || this.#state === "closed";
  }

  /** Hears how the connection fares, for as long as there is one. */
  async #follow(nc: NatsConnection): Promise<void> {
    for await (const { type, ...more } of nc.status()) {
      if (type === "disconnect") this.#move("open", "cut");
      else if (type === "reconnect") await this.#reopen();
      else if (type === "error") this.#parts.onFault((more as { error?: unknown }).error, "");
    }
  }
  async #reopen(): Promise<void> {
    if (this.#link) await this.#mend(this.#link, "");
    this.#move("cut", "open");
  }
  async #mend(link: Link, subject: string): Promise<void> {
    try {
      await this.#parts.mend(link);
    } catch (error) {
      this.#parts.onFault(error, subject);
    }
  }
  #move(from: "open" | "cut", to: "open" | "cut"): void {
    if (this.#state !== from) return;
    this.#state = to;
    if (to === "cut") this.#cut.reject(this.#away("what was under way"));
    else this.#cut = newCut();
    for (const listener of this.#listeners) listener(to === "open");
  }

  /** Resolves once it has been reached, and everything that was said before has arrived at the server. */
  async settled(): Promise<void> {
    if (this.#isEnding()) return;
    const { nc } = await this.#dialed;
    await Promise.all([...this.#entries].flatMap(({ consuming }) => consuming.map(({ ready }) => ready)));
    await Promise.allSettled(this.#keeping);
    await nc.flush();
  }

  publish(subject: string, bytes: Uint8Array, outgoing: Outgoing = {}): Promise<void> | undefined {
    if (this.#state === "closed") throw this.#over(`publish to "${subject}"`);
    this.#check(subject, bytes, outgoing.reply);
    if (outgoing.stored === true) return this.#keep(subject, bytes, outgoing);
    if (this.#state === "cut") throw this.#away(subject);
    this.#whenOpen(() => this.#say(subject, bytes, outgoing));
    return undefined;
  }

  #say(subject: string, bytes: Uint8Array, { headers, reply }: Outgoing): void {
    const more = { ...(reply !== undefined && { reply }), ...(headers && { headers: headersOf(headers) }) };
    try {
      this.#link?.nc.publish(subject, bytes, more);
    } catch (error) {
      this.#parts.onFault(error, subject);
    }
  }

  #keep(subject: string, bytes: Uint8Array, { headers = noHeaders }: Outgoing): Promise<void> {
    if (this.#state === "cut") return Promise.reject(this.#away(subject));
    const kept = (async () => {
      const { js } = this.#link ?? (await this.#dialed);
      const { ["Nats-Msg-Id"]: msgID, ...rest } = headers;
      const options = {
        ...(msgID !== undefined && { msgID }),
        headers: headersOf(rest),
        timeout: this.#parts.ackTimeoutMs,
      };
      try {
        const published = js.publish(subject, bytes, options);
        // It may fail long after the cut: that is known by then.
        published.catch(() => undefined);
        await Promise.race([published, this.#cut.promise]);
      } catch (error) {
        if (error instanceof TroupeError) throw error;
        const failed = notKept(subject, error);
        if (failed.details["reason"] === "no_stream" && this.#link) await this.#mend(this.#link, subject);
        throw failed;
      }
    })();
    this.#keeping.add(kept);
    const forget = (): void => void this.#keeping.delete(kept);
    kept.then(forget, forget);
    return kept;
  }

  async request(
    subject: string,
    bytes: Uint8Array,
    { headers, timeoutMs }: { headers?: Headers; timeoutMs: number },
  ): Promise<Delivery> {
    if (this.#isEnding()) throw this.#over(`request "${subject}"`);
    this.#check(subject, bytes, undefined);
    if (this.#state === "cut") throw this.#away(subject);
    const { nc } = this.#link ?? (await this.#dialed);
    const { promise: ended, reject } = Promise.withResolvers<never>();
    this.#asking.add(reject);
    try {
      const asked = nc.request(subject, bytes, { timeout: timeoutMs, ...(headers && { headers: headersOf(headers) }) });
      // Whichever ends first: the other is of no account.
      asked.catch(() => undefined);
      return deliveryOf(await Promise.race([asked, ended]));
    } catch (error) {
      if (error instanceof TroupeError) throw error;
      if (isUnheard(error)) throw new TroupeError("NO_RESPONDER", `nobody hears "${subject}"`, { subject });
      if (!isLate(error)) throw error;
      const message = `nobody answered "${subject}" within ${timeoutMs} ms`;
      throw new TroupeError("COMMAND_TIMEOUT", message, { subject, timeoutMs });
    } finally {
      this.#asking.delete(reject);
    }
  }

  subscribe(pattern: string, hear: (delivery: Delivery) => void, group?: string, isPassing = false): Draining {
    if (this.#isEnding()) throw this.#over(`subscribe to "${pattern}"`);
    if (!patternForm.test(pattern)) {
      throw refusal(
        "malformed_subject",
        `"${clip(pattern)}" is no pattern: an empty token, a blank or a stray wildcard`,
      );
    }
    checkGroup(group);
    const entry: Entry = { pattern, group, isPassing, hear, isOver: false, free: this.#parts.occupy(), consuming: [] };
    this.#entries.add(entry);
    this.#whenOpen(() => this.#attach(entry));
    return { unsubscribe: () => this.#detach(entry), drain: () => this.#drain(entry) };
  }

  #attach(entry: Entry): void {
    if (!this.#link || entry.isOver) return;
    const { pattern, group, isPassing } = entry;
    const stored = heldFor(this.#parts.streams, pattern, group, isPassing);
    const filters = stored.flatMap((one) => one.filters);
    const isKept = filters.length === 0 ? () => false : matcherOf(filters);
    const callback = (error: Error | null, message: Msg): void => {
      if (error) this.#parts.onFault(error, pattern);
      else if (!isKept(message.subject)) this.#hand(entry, deliveryOf(message));
    };
    entry.core = this.#link.nc.subscribe(pattern, { callback, ...(group !== undefined && { queue: group }) });
    for (const { name, filters: heard } of stored) {
      const hear = (delivery: Delivery): void => this.#hand(entry, delivery);
      const { clock, ackWaitMs, onFault, report } = this.#parts;
      const link = this.#link;
      const mend = (): Promise<void> => this.#mend(link, name);
      const own = { stream: name, filters: heard, group, hear, mend };
      entry.consuming.push(consume(link, { ...own, clock, ackWaitMs, onFault, report }));
    }
  }

  #hand(entry: Entry, delivery: Delivery): void {
    if (entry.isOver) return;
    try {
      entry.hear(delivery);
    } catch (thrown) {
      this.#parts.onFault(thrown, delivery.subject);
    }
  }

  async #drain(entry: Entry): Promise<void> {
    // One that the server has ended has nothing more to give.
    if (this.#state === "open" && entry.core?.isClosed() === false) await entry.core.drain();
    this.#detach(entry);
  }

  #detach(entry: Entry): void {
    if (entry.isOver) return;
    entry.isOver = true;
    entry.free();
    this.#entries.delete(entry);
    entry.core?.unsubscribe();
    for (const { stop } of entry.consuming) stop();
  }

  /** Nobody knows who listens elsewhere. */
  hasInterest(): boolean {
    return true;
  }

  connected(): boolean {
    return this.#state === "open";
  }

  onChange(listener: (connected: boolean) => void): void {
    this.#listeners.add(listener);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const wasUp = this.#state === "open";
    this.#state = "closing";
    this.#hurry();
    if (wasUp) for (const listener of this.#listeners) listener(false);
    this.#listeners.clear();
    for (const fail of this.#asking) fail(this.#over("wait for an answer"));
    for (const entry of this.#entries) for (const { stop } of entry.consuming) stop();
    await within(this.#parts.clock, this.#parts.closeTimeoutMs, Promise.allSettled(this.#keeping));
    if (this.#link) {
      const { nc } = this.#link;
      const isDrained = wasUp && (await within(this.#parts.clock, this.#parts.closeTimeoutMs, nc.drain()));
      if (!isDrained) await nc.close();
    }
    this.#state = "closed";
    for (const entry of this.#entries) {
      entry.isOver = true;
      entry.free();
    }
    this.#entries.clear();
    this.#parts.left?.();
  }

  #whenOpen(act: () => void): void {
    if (this.#link) act();
    else this.#waiting.push(act);
  }

  #check(subject: string, bytes: Uint8Array, reply: string | undefined): void {
    checkSubjects(subject, reply);
    const { payloadBytes } = this.#parts;
    const server = this.#link?.nc.info?.max_payload ?? Infinity;
    checkBytes(subject, bytes.byteLength, payloadBytes);
    checkBytes(subject, bytes.byteLength, server, "max_payload of the NATS server");
  }

  #over(what: string): TroupeError {
    const { name } = this.#parts;
    const message = `the connection "${name}" is ${this.#state}: it cannot ${what}`;
    return new TroupeError("INVALID_STATE", message, { status: this.#state });
  }

  #away(subject: string): TroupeError {
    const message = `the NATS server cannot be reached: "${subject}" was not published`;
    return new TroupeError("NO_RESPONDER", message, { subject, reason: "disconnected" });
  }
}

function newCut(): PromiseWithResolvers<never> {
  const cut = Promise.withResolvers<never>();
  // A connection that nobody waits at is cut without an outcry.
  cut.promise.catch(() => undefined);
  return cut;
}

/** Whether it came about in time. */
async function within(clock: TransportClock, ms: number, act: Promise<unknown>): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const cancel = clock.alarm(clock.now() + ms, () => resolve(false));
  try {
    return await Promise.race([act.then(() => true), late]);
  } finally {
    cancel();
  }
}
