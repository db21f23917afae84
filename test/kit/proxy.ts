// A TCP proxy between clients and a server, which does to connections what networks do to them.
//
//   client ──▶ proxy ──▶ server       each direction by itself flows, is slow, or is held back until it flows again
//
// Of a connection that lives no byte is lost or out of order, as TCP has it: what is held back comes later. One that is
// stranded lives only for the client: its server has forgotten it, and whatever it says goes nowhere.

import { connect, createServer, type Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";

export type Direction = "up" | "down";
type Pair = { client: Socket; upstream: Socket; isStranded: boolean };

export type Proxy = Awaited<ReturnType<typeof openProxy>>;

const both: readonly Direction[] = ["up", "down"];

/** Listens on a port of its own, and passes on to wherever the server is when somebody comes. */
export async function openProxy(target: () => { host: string; port: number }) {
  const pairs = new Set<Pair>();
  const held = new Set<Direction>();
  const lateMs = { up: 0, down: 0 };
  /** Whoever holds bytes back waits here for a change. */
  let changed = Promise.withResolvers<void>();
  let isRefusing = false;
  let count = 0;

  const change = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  async function passOn(pair: Pair, way: Direction): Promise<void> {
    const [from, to] = way === "up" ? [pair.client, pair.upstream] : [pair.upstream, pair.client];
    for await (const piece of from as AsyncIterable<Buffer>) {
      if (lateMs[way] > 0) await after(lateMs[way]);
      while (held.has(way) && !to.destroyed) await changed.promise;
      if (pair.isStranded) continue;
      if (to.destroyed) return;
      if (!to.write(piece)) await new Promise((done) => void to.once("drain", done).once("close", done));
    }
  }

  const server = createServer((client) => {
    if (isRefusing) return void client.resetAndDestroy();
    count += 1;
    const pair: Pair = { client, upstream: connect(target()), isStranded: false };
    pairs.add(pair);
    const end = (): void => {
      if (pair.isStranded && !client.destroyed) return;
      pairs.delete(pair);
      for (const socket of [pair.client, pair.upstream]) if (!socket.destroyed) socket.resetAndDestroy();
      change();
    };
    for (const socket of [client, pair.upstream]) {
      socket.setNoDelay(true);
      // Its end follows, and is heard there.
      socket.on("error", () => undefined);
      socket.on("close", end);
    }
    for (const way of both) passOn(pair, way).catch(end);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const cut = (): void => {
    for (const { client } of pairs) client.resetAndDestroy();
  };

  return {
    url: `nats://127.0.0.1:${port}`,
    /** How many connections there were, and how many there are. */
    count: () => count,
    open: () => pairs.size,
    /** Resets every connection; new ones may come. */
    cut,
    /** Whoever comes is reset at once, or is not any more. */
    refuse(is = true): void {
      isRefusing = is;
    },
    /** Nothing gets through, and nobody is told, until it flows again. */
    hold(ways: readonly Direction[] = both): void {
      for (const way of ways) held.add(way);
    },
    /** The server forgets every connection, and no client is told; new ones may come. */
    strand(): void {
      for (const pair of pairs) {
        pair.isStranded = true;
        pair.upstream.resetAndDestroy();
      }
    },
    /** Each piece comes so much later. */
    slow(ms: number, ways: readonly Direction[] = both): void {
      for (const way of ways) lateMs[way] = ms;
    },
    flow(): void {
      held.clear();
      Object.assign(lateMs, { up: 0, down: 0 });
      change();
    },
    async close(): Promise<void> {
      isRefusing = true;
      cut();
      await new Promise<void>((done) => void server.close(() => done()));
    },
  };
}
