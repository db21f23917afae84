// One connection to the exchange: its subscriptions, its requests, and its end.
//
//   open ──close()──▶ closing: hands out what waits, handlers may still publish ──▶ closed

import { TroupeError } from "../protocol/errors.ts";
import type { Exchange, Subscriber } from "./exchange.ts";
import type { Connection, Delivery, Outgoing, Subscription, TransportClock } from "./transport.ts";

type Options = { name: string; echo?: boolean; onFault: (error: unknown, subject: string) => void };

/** What a connection needs of the world besides the exchange. */
export type World = {
  readonly clock: TransportClock;
  readonly inbox: () => string;
};

type Asked = { settle(delivery: Delivery): void; fail(error: TroupeError): void };

export class MemoryConnection implements Connection {
  readonly #exchange: Exchange;
  readonly #world: World;
  readonly #options: Options;
  readonly #subscribers = new Set<Subscriber>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  /** Requests under way, by the subject of their answer; all are heard by one subscription. */
  readonly #asked = new Map<string, Asked>();
  #inbox: string | undefined;
  #requests = 0;
  #state: "open" | "closing" | "closed" = "open";
  #closed: Promise<void> | undefined;
  #whenQuiet: (() => void) | undefined;

  constructor(exchange: Exchange, world: World, options: Options) {
    this.#exchange = exchange;
    this.#world = world;
    this.#options = options;
  }

  publish(subject: string, bytes: Uint8Array, outgoing: Outgoing = {}): Promise<void> | undefined {
    // While it closes, what is handed out may still be answered.
    if (this.#state === "closed") throw this.#over(`publish to "${subject}"`);
    this.#exchange.publish(this, subject, bytes, outgoing);
    return outgoing.stored === true ? Promise.resolve() : undefined;
  }

  async request(
    subject: string,
    bytes: Uint8Array,
    { headers, timeoutMs }: { headers?: Outgoing["headers"]; timeoutMs: number },
  ): Promise<Delivery> {
    if (this.#state !== "open") throw this.#over(`request "${subject}"`);
    const reply = `${this.#inboxPrefix()}.${(this.#requests++).toString(36)}`;
    const { promise, resolve, reject } = Promise.withResolvers<Delivery>();
    const { clock } = this.#world;
    const cancel = clock.alarm(clock.now() + timeoutMs, () => {
      const message = `nobody answered "${subject}" within ${timeoutMs} ms`;
      end(() => reject(new TroupeError("COMMAND_TIMEOUT", message, { subject, timeoutMs })));
    });
    const end = (settle: () => void): void => {
      cancel();
      this.#asked.delete(reply);
      settle();
    };
    this.#asked.set(reply, {
      fail: (error) => end(() => reject(error)),
      settle: (delivery) =>
        end(() => {
          if (delivery.status === undefined) resolve(delivery);
          else reject(new TroupeError("NO_RESPONDER", `nobody hears "${subject}"`, { subject }));
        }),
    });
    try {
      this.#exchange.publish(this, subject, bytes, { reply, ...(headers !== undefined && { headers }) });
    } catch (thrown) {
      end(() => reject(thrown));
    }
    return promise;
  }

  subscribe(pattern: string, hear: (delivery: Delivery) => void, group?: string): Subscription {
    if (this.#state !== "open") throw this.#over(`subscribe to "${pattern}"`);
    const subscriber = this.#subscribe(pattern, hear, group);
    return {
      unsubscribe: () => {
        this.#exchange.remove(subscriber);
        subscriber.line.clear();
        this.#subscribers.delete(subscriber);
        this.#checkQuiet();
      },
    };
  }

  hasInterest(subject: string): boolean {
    return this.#exchange.hasInterest(this, subject);
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
    this.#state = "closing";
    for (const listener of this.#listeners) listener(false);
    for (const subscriber of this.#subscribers) this.#exchange.remove(subscriber);
    await new Promise<void>((quiet) => {
      this.#whenQuiet = quiet;
      this.#checkQuiet();
    });
    this.#subscribers.clear();
    this.#listeners.clear();
    this.#state = "closed";
    for (const asked of this.#asked.values()) asked.fail(this.#over("wait for an answer"));
  }

  #subscribe(pattern: string, hear: (delivery: Delivery) => void, group?: string): Subscriber {
    const subscriber = this.#exchange.add({
      connection: this,
      pattern,
      group,
      echo: this.#options.echo === true,
      hear,
      onFault: this.#options.onFault,
      onQuiet: () => this.#checkQuiet(),
    });
    this.#subscribers.add(subscriber);
    return subscriber;
  }

  #inboxPrefix(): string {
    if (this.#inbox !== undefined) return this.#inbox;
    const inbox = this.#world.inbox();
    this.#subscribe(`${inbox}.*`, (delivery) => this.#asked.get(delivery.subject)?.settle(delivery));
    this.#inbox = inbox;
    return inbox;
  }

  #checkQuiet(): void {
    if (this.#whenQuiet === undefined) return;
    if ([...this.#subscribers].every(({ line }) => line.length === 0)) this.#whenQuiet();
  }

  #over(what: string): TroupeError {
    const { name } = this.#options;
    const message = `the connection "${name}" is ${this.#state}: it cannot ${what}`;
    return new TroupeError("INVALID_STATE", message, { status: this.#state });
  }
}
