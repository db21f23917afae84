// A gateway that listens on a port of its own before a real troupe, and clients that speak WebSocket to it.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import { openSockets, type Sockets } from "../../src/gateway/socket.ts";
import type { Options, Troupe } from "../../src/runtime/troupe.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";

export type Frame = Readonly<Record<string, unknown>> & { type: string };
type Connecting = { autoPong?: boolean; headers?: Record<string, string> };
type Report = { level: string; message: string; fields: Readonly<Record<string, unknown>> };

export type SocketBed = {
  t: Troupe;
  sockets: Sockets;
  server: Server;
  disk: Disk;
  reports: Report[];
  /** What was counted as refused. */
  refused: string[];
  url: string;
  client: (query?: Readonly<Record<string, string>>, options?: Connecting) => Promise<Client>;
  stop: () => Promise<void>;
};

type Given = Omit<Options, "store"> & {
  disk?: Disk;
  settings?: Parameters<typeof openSockets>[0]["settings"];
  admit?: Parameters<typeof openSockets>[0]["admit"];
};

const beds = new Set<SocketBed>();
export const stopAll = async (): Promise<void> => {
  for (const bed of beds) await bed.stop();
};

export async function openBed({ disk = makeDisk(), settings, admit, ...options }: Given = {}): Promise<SocketBed> {
  const reports: Report[] = [];
  const refused: string[] = [];
  const log: NonNullable<Options["log"]> = (level, message, fields) => void reports.push({ level, message, fields });
  const store = openMemory({ disk, commit: setImmediate });
  const t = await troupe({ log, ...options, store });
  const server = createServer();
  const metrics = {
    answered: () => undefined,
    refused: (reason: string) => void refused.push(reason),
    connected: () => undefined,
    frame: () => undefined,
  };
  const sockets = openSockets({
    troupe: t,
    server,
    log,
    metrics,
    ...(admit && { admit }),
    ...(settings && { settings }),
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/ws`;
  const bed: SocketBed = {
    t,
    sockets,
    server,
    disk,
    reports,
    refused,
    url,
    client: (query = {}, more = {}) => openClient(`${url}?${new URLSearchParams(query).toString()}`, more),
    async stop() {
      if (!beds.delete(bed)) return;
      await sockets.close(0);
      await t.stop({ graceMs: 0 });
      await new Promise((closed) => server.close(closed));
    },
  };
  beds.add(bed);
  return bed;
}

export type Client = Awaited<ReturnType<typeof openClient>>;

/** Only to notice that something hangs. */
const patienceMs = 15_000;

export async function openClient(url: string, options: Connecting = {}) {
  const socket = new WebSocket(url, { ...options, perMessageDeflate: false });
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  let closed: { code: number; reason: string } | undefined;
  const tellAll = (): void => {
    for (const wake of waiting) wake();
  };
  socket.on("message", (data: Buffer) => {
    frames.push(JSON.parse(data.toString()) as Frame);
    tellAll();
  });
  socket.on("close", (code, reason) => {
    closed = { code, reason: reason.toString() };
    tellAll();
  });
  const opened = new Promise<void>((open, fail) => {
    socket.on("open", () => open());
    socket.on("error", fail);
  });

  function until<T>(what: string, look: () => T | undefined): Promise<T> {
    return new Promise((found, fail) => {
      const limit = setTimeout(() => {
        waiting.delete(wake);
        fail(new Error(`${what} did not come; there came ${JSON.stringify(frames)} ${JSON.stringify(closed)}`));
      }, patienceMs);
      const wake = (): void => {
        const value = look();
        if (value === undefined) return;
        clearTimeout(limit);
        waiting.delete(wake);
        found(value);
      };
      waiting.add(wake);
      wake();
    });
  }

  await opened;
  return {
    socket,
    frames,
    send: (frame: object | string): void => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    /** The first frame, or the one after so many, of which this holds. */
    frame: (what: string, is: (frame: Frame) => boolean): Promise<Frame> => until(what, () => frames.find(is)),
    of: (type: string, requestId?: string): Promise<Frame> =>
      until(`${type} of ${requestId}`, () =>
        frames.find((one) => one.type === type && (requestId === undefined || one["request_id"] === requestId)),
      ),
    count: (number: number): Promise<Frame[]> =>
      until(`${number} frames`, () => (frames.length >= number ? frames : undefined)),
    closed: (): Promise<{ code: number; reason: string }> => until("a close", () => closed),
    leave: (): Promise<unknown> => {
      socket.close();
      return until("a close", () => closed);
    },
  };
}

/** What was told of one request, without what differs each time. */
export const typesOf = (frames: readonly Frame[], requestId: string): string[] =>
  frames.filter((frame) => frame["request_id"] === requestId).map(({ type }) => type);

// ── agents ──

type Context = Parameters<Extract<NonNullable<Options["agents"]>[number]["handler"], (...all: never[]) => unknown>>[1];

export const orders = { id: "orders", handler: ({ order }: { order: string }) => ({ state: "sent", order }) };
export const clerk = {
  id: "clerk",
  async handler({ user_request }: { user_request: string }, { think, tool }: Context) {
    think(`Looking up ${user_request}`);
    const { state } = (await tool("orders", { order: user_request })) as { state: string };
    return { text: `${user_request} was ${state}.` };
  },
};
export const echo = { id: "echo", handler: ({ user_request }: { user_request: string }) => ({ text: user_request }) };
/** At work until it is told to stop. */
export const slow = {
  id: "slow",
  handler: (_input: unknown, { signal }: Context) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
};

/** An agent that ends when it is let. */
export function held(id = "held") {
  const ends: ((output: unknown) => void)[] = [];
  const began: (() => void)[] = [];
  let count = 0;
  const handler = (input: { user_request: string }): Promise<unknown> =>
    new Promise((resolve) => {
      ends.push(() => resolve({ text: input.user_request }));
      count += 1;
      for (const wake of began.splice(0)) wake();
    });
  return {
    definition: { id, handler },
    /** Lets the next one end. */
    end: () => ends.shift()?.(undefined),
    begun: (): number => count,
  };
}
