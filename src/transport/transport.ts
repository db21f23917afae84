// What the actor system asks of a transport: bytes on subjects, to whoever subscribes, with queue groups and replies.
//
//   publish(subject, bytes, reply?) ──▶ every plain subscription that matches, and one of each queue group
//                                       nobody at all, but a reply subject ──▶ an empty delivery there, status 503
//
// Every implementation passes test/transport/contract.ts, which names these guarantees:
//   N1. A delivery arrives at every matching plain subscription and at exactly one of each matching queue group.
//   N2. From one connection to one subscription deliveries arrive in the order they were published.
//   N3. `*` matches one token, `>` one or more at the end; a literal only itself.
//   N4. A publish with a reply subject that nobody hears is answered there, at once and empty, with status 503.
//   N5. request() gives the first reply, NO_RESPONDER, or COMMAND_TIMEOUT after its time; late replies are dropped.
//   N6. A connection does not hear what it published itself, unless it asked for its echo.
//   N7. A handler that throws is reported to onFault, and harms no other delivery.
//   N8. What is over a limit is refused with a code: payload bytes, subscriptions, deliveries that wait at one of them.
//   N9. After unsubscribe() and close() nothing is delivered; close() delivers first what waits.
//   N10. Subjects that break the grammar are refused: empty tokens, blanks, wildcards in what is published.

export type Headers = Readonly<Record<string, string>>;

export type Delivery = {
  subject: string;
  bytes: Uint8Array;
  headers: Headers;
  /** Where an answer is wanted. */
  reply?: string;
  /** 503: nobody hears the subject that was published to. */
  status?: 503;
  // Present if the delivery is from a stream and has to be settled.
  ack?: () => void;
  /** Given back: it comes again, after longer each time. */
  nak?: () => void;
  term?: () => void;
  /** How often it has been delivered, this time included, but for those when it was given back here. */
  deliveries?: number;
};

export type Outgoing = {
  headers?: Headers;
  reply?: string;
  /** Kept by the transport until somebody acknowledges it. */ stored?: boolean;
};

/** Structurally the clock of the actor system. */
export type TransportClock = { now(): number; alarm(at: number, act: () => void): () => void };

export type Subscription = { unsubscribe(): void };

export interface Connection {
  /**
   * Throws what the caller did wrong; whether it arrived is not known. A stored one resolves once it is kept. Nobody
   * may change the bytes afterwards, nor those that are delivered.
   */
  publish(subject: string, bytes: Uint8Array, outgoing?: Outgoing): Promise<void> | undefined;
  request(subject: string, bytes: Uint8Array, asked: { headers?: Headers; timeoutMs: number }): Promise<Delivery>;
  /** `passing`: hears only what passes by, and not what is kept of it; without it, both. */
  subscribe(pattern: string, hear: (delivery: Delivery) => void, group?: string, passing?: boolean): Subscription;
  /** Whether anybody but this connection hears a subject; a transport that cannot know says true. */
  hasInterest(subject: string): boolean;
  /** Whether it can be reached; listeners hear each change. */
  connected(): boolean;
  onChange(listener: (connected: boolean) => void): void;
  close(): Promise<void>;
}

/** Where content lies that is too large for a message. */
export interface Objects {
  readonly name: string;
  /** Resolves once the bytes are kept under their hash, for as long as messages are. */
  put(hash: string, bytes: Uint8Array): Promise<void>;
  /** The bytes under a hash, at most so many; null if there are none. Nobody looks whether they are the right ones. */
  get(hash: string, sizeMax: number): Promise<Uint8Array | null>;
}

export interface Transport {
  /** None if what is too large for a message is refused. */
  readonly objects?: Objects;
  connect(options: { name: string; echo?: boolean; onFault: (error: unknown, subject: string) => void }): Connection;
}
