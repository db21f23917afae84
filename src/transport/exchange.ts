// Where connections of one process meet: who subscribes to what, and who gets a delivery.
//
//   publish ─▶ match ─▶ plain: all; each group: the member that waited longest ─▶ its line ─▶ deliver(hand out one)
//
// Invariants:
//   X1. Lines are handed out in their own order, whatever order the acts given to deliver() are run in.
//   X2. Members of a queue group get the same share of what all of them hear.
//   X3. A line at its limit takes nothing more: the newest is dropped and counted, the first of a row is reported.

import { TroupeError } from "../protocol/errors.ts";
import { checkBytes, checkGroup, checkSubjects } from "./outgoing.ts";
import { SubjectTrie } from "./subject-trie.ts";
import type { Delivery, Outgoing } from "./transport.ts";
import { WaitingLine } from "./waiting-line.ts";

export type ExchangeLimits = {
  readonly payloadBytes: number;
  readonly subscriptionsMax: number;
  /** Deliveries that wait at one subscription. */
  readonly deliveriesMax: number;
};

type Wish = {
  readonly connection: object;
  readonly pattern: string;
  readonly group: string | undefined;
  readonly echo: boolean;
  readonly hear: (delivery: Delivery) => void;
  readonly onFault: (error: unknown, subject: string) => void;
  /** Nothing waits here any more. */
  readonly onQuiet: () => void;
};

export type Subscriber = Wish & {
  readonly line: WaitingLine;
  /** When it was last chosen for its group, in deliveries of this exchange. */
  chosenAt: number;
  dropping: boolean;
};

const nothing = new Uint8Array(0);
const noHeaders = Object.freeze({});

export class Exchange {
  readonly #trie = new SubjectTrie<Subscriber>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #limits: ExchangeLimits;
  readonly #deliver: (act: () => void) => void;
  #chosen = 0;
  #dropped = 0;

  constructor(limits: ExchangeLimits, deliver: (act: () => void) => void) {
    this.#limits = limits;
    this.#deliver = deliver;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  get dropped(): number {
    return this.#dropped;
  }

  add(wish: Wish): Subscriber {
    const { subscriptionsMax } = this.#limits;
    if (this.#subscribers.size >= subscriptionsMax) {
      const message = `there are ${subscriptionsMax} subscriptions already`;
      throw new TroupeError("RATE_LIMITED", message, { limit: "subscriptionsMax", max: subscriptionsMax });
    }
    checkGroup(wish.group);
    const subscriber = { ...wish, line: new WaitingLine(), chosenAt: 0, dropping: false };
    this.#trie.add(wish.pattern, subscriber);
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  remove(subscriber: Subscriber): void {
    this.#trie.remove(subscriber.pattern, subscriber);
    this.#subscribers.delete(subscriber);
  }

  hasInterest(asking: object, subject: string): boolean {
    return this.#trie.match(subject).some(({ connection }) => connection !== asking);
  }

  publish(from: object, subject: string, bytes: Uint8Array, { headers, reply }: Outgoing): void {
    checkSubjects(subject, reply);
    checkBytes(subject, bytes.byteLength, this.#limits.payloadBytes);
    const delivery = Object.freeze({
      subject,
      bytes,
      headers: headers ?? noHeaders,
      ...(reply !== undefined && { reply }),
    });
    const hearers = this.#hearersOf(subject, from);
    for (const hearer of hearers) this.#enqueue(hearer, delivery);
    if (hearers.length > 0 || reply === undefined) return;
    // Only who published is told that nobody hears it.
    const answer = Object.freeze({ subject: reply, bytes: nothing, headers: noHeaders, status: 503 as const });
    for (const hearer of this.#trie.match(reply)) if (hearer.connection === from) this.#enqueue(hearer, answer);
  }

  #hearersOf(subject: string, from: object): Subscriber[] {
    const hearers: Subscriber[] = [];
    let chosen: Map<string, Subscriber> | undefined;
    for (const subscriber of this.#trie.match(subject)) {
      if (subscriber.connection === from && !subscriber.echo) continue;
      const { group } = subscriber;
      if (group === undefined) {
        hearers.push(subscriber);
        continue;
      }
      chosen ??= new Map();
      const other = chosen.get(group);
      if (other === undefined || subscriber.chosenAt < other.chosenAt) chosen.set(group, subscriber);
    }
    for (const member of chosen?.values() ?? []) {
      member.chosenAt = ++this.#chosen;
      hearers.push(member);
    }
    return hearers;
  }

  #enqueue(hearer: Subscriber, delivery: Delivery): void {
    const { deliveriesMax } = this.#limits;
    if (hearer.line.length < deliveriesMax) {
      hearer.dropping = false;
      hearer.line.push(delivery);
      this.#deliver(() => this.#handOut(hearer));
      return;
    }
    this.#dropped++;
    if (hearer.dropping) return;
    hearer.dropping = true;
    const message = `${deliveriesMax} deliveries wait at "${hearer.pattern}": what comes now is dropped`;
    const details = { limit: "deliveriesMax", max: deliveriesMax, pattern: hearer.pattern };
    // Later, as every delivery: whoever publishes is not called back from within.
    this.#deliver(() => hearer.onFault(new TroupeError("RATE_LIMITED", message, details), delivery.subject));
  }

  #handOut(hearer: Subscriber): void {
    const delivery = hearer.line.shift();
    // The line was cleared since.
    if (delivery === undefined) return;
    try {
      hearer.hear(delivery);
    } catch (thrown) {
      hearer.onFault(thrown, delivery.subject);
    } finally {
      if (hearer.line.length === 0) hearer.onQuiet();
    }
  }
}
