// A transport between processes on which things go wrong: deliveries are dropped, doubled, late and out of order.
//
//   process ──publish──▶ lost? twice? later? cut off? ──▶ memory transport ──▶ another process
//
// Invariants:
//   O1. What is stored is never lost: it comes late or twice, but comes.
//   O2. Once it is calm everything arrives, once and in order.
//   O3. What is not stored does not overtake what was sent before it over the same connection.
//   O4. A process that has died hears nothing any more, and is nobody who could hear.

import type { Connection, Delivery, Transport } from "../../transport/transport.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Weather } from "./scenario.ts";

type Means = { clock: VirtualClock; random: () => number; weather: Weather; beganAt: number; isCalm: () => boolean };

/** What is kept by a transport has to be settled by who takes it. */
const storedMark = "Simulated-Stored";

/** When somebody is looked for again who hears what is stored; how long it is kept, and how often it is given out. */
const retryMs = 1_000;
const keptForMs = 300_000;
const keptTimes = 3;
/** What somebody has on disk, whichever process it was. */
const settled = new WeakSet<Uint8Array>();

/** When a delivery arrives, perhaps more than once, perhaps never. */
function arrivals({ clock, random, weather, beganAt, isCalm }: Means, isStored: boolean): number[] {
  const now = clock.now();
  if (isCalm()) return [now];
  const cut = weather.cuts.find(({ at, forMs }) => now >= beganAt + at && now < beganAt + at + forMs);
  if (cut) return isStored ? [beganAt + cut.at + cut.forMs] : [];
  if (!isStored && random() < weather.drop) return [];
  const late = (): number => (random() < weather.delay ? now + Math.floor(random() * weather.delayMs) : now);
  return random() < weather.double ? [late(), late()] : [late()];
}

/** The transport as one process has it. */
export function weatherOver(inner: Transport, means: Means): { transport: Transport; die: () => void } {
  const ends = new Set<() => void>();
  let isDead = false;
  let keeper: Connection | undefined;
  /** Stored, and in the hands of somebody who has not said yet that its effect is on disk. */
  const unsettled = new Set<Delivery>();
  /** Stored, and perhaps in nobody's hands yet. */
  const sent: { at: number; delivery: Delivery }[] = [];
  const kept = (): Connection => (keeper ??= inner.connect({ name: "kept", onFault: () => undefined }));

  /** What is stored was taken: whoever sent or heard it may be dead when it comes. */
  function keep(delivery: Delivery, until = means.clock.now() + keptForMs, times = 0): void {
    const { subject, bytes, headers } = delivery;
    if (settled.has(bytes) || times === keptTimes || means.clock.now() >= until) return;
    const isHeard = kept().hasInterest(subject);
    if (isHeard) void kept().publish(subject, bytes, { headers, stored: true });
    means.clock.alarm(means.clock.now() + retryMs, () => keep(delivery, until, times + Number(isHeard)));
  }

  function connect(options: Parameters<Transport["connect"]>[0]): Connection {
    const connection = inner.connect(options);
    let lastAt = 0;
    let isClosed = false;
    return {
      ...facadeOf(connection),
      async close() {
        isClosed = true;
        await connection.close();
        for (const delivery of unsettled) keep(delivery);
      },
      publish(subject, bytes, outgoing = {}) {
        if (isDead) return undefined;
        const isStored = outgoing.stored === true;
        const times = arrivals(means, isStored);
        const headers = isStored ? { ...outgoing.headers, [storedMark]: "yes" } : outgoing.headers;
        const given = { ...outgoing, ...(headers && { headers }) };
        const send = (): void => {
          const delivery = { subject, bytes, headers: given.headers ?? {} };
          if (!isDead && !isClosed) {
            if (isStored) sent.push({ at: means.clock.now(), delivery });
            void connection.publish(subject, bytes, given);
          } else if (isStored) keep(delivery);
        };
        for (const time of times) {
          const at = isStored ? time : Math.max(time, lastAt);
          if (!isStored) lastAt = at;
          means.clock.alarm(at, send);
        }
        return isStored ? Promise.resolve() : undefined;
      },
      subscribe(pattern, hear, group) {
        const receive = (delivery: Delivery): void => {
          if (isDead) return;
          if (delivery.headers[storedMark] === undefined) return hear(delivery);
          const { [storedMark]: _mark, ...headers } = delivery.headers;
          // Whoever cannot take it now is given it again.
          const nak = (): void => void means.clock.alarm(means.clock.now() + retryMs, () => receive(delivery));
          unsettled.add(delivery);
          const settle = (): void => {
            unsettled.delete(delivery);
            settled.add(delivery.bytes);
          };
          hear({ ...delivery, headers, ack: settle, term: settle, nak });
        };
        const subscription = connection.subscribe(pattern, receive, group);
        const end = (): void => {
          ends.delete(end);
          subscription.unsubscribe();
        };
        ends.add(end);
        return { unsubscribe: end };
      },
    };
  }
  return {
    transport: { connect },
    die() {
      isDead = true;
      for (const end of ends) end();
      for (const delivery of unsettled) keep(delivery);
      for (const { at, delivery } of sent) if (at === means.clock.now()) keep(delivery);
    },
  };
}

/** A connection whose verbs one may replace. */
export const facadeOf = (connection: Connection): Connection => ({
  publish: (...given) => connection.publish(...given),
  request: (...given) => connection.request(...given),
  subscribe: (...given) => connection.subscribe(...given),
  hasInterest: (subject) => connection.hasInterest(subject),
  connected: () => connection.connected(),
  onChange: (listener) => connection.onChange(listener),
  close: () => connection.close(),
});
