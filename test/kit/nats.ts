// A NATS server of the test's own, and transports over it; all of it is gone when the file has been run.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { type NatsOptions, type NatsTransport, openNats } from "../../src/transport/nats.ts";
import type { Connection, Delivery } from "../../src/transport/transport.ts";

export const silent = (): void => undefined;
const clock = systemClock();

/** Begins it before the tests of a file, and ends it after them. */
export function natsForThisFile() {
  const held: { server?: NatsServer; directory: string } = { directory: "" };
  const server = (): NatsServer => {
    if (!held.server) throw new Error("the server is there while tests run");
    return held.server;
  };
  beforeAll(async () => {
    held.directory = mkdtempSync(join(tmpdir(), "troupe-nats-"));
    held.server = await startNatsServer({ directory: held.directory, clock, report: silent });
  });
  afterAll(async () => {
    await held.server?.stop();
    rmSync(held.directory, { recursive: true, force: true });
  });
  return {
    clock,
    server,
    directory: () => held.directory,
    signIn: () => ({ servers: server().url(), authenticator: server().authenticator }),
    open: (prefix: string, more: Partial<NatsOptions> = {}): Promise<NatsTransport> =>
      openNats({
        server: { servers: server().url(), authenticator: server().authenticator },
        prefix,
        clock,
        report: silent,
        ...more,
      }),
  };
}

export const connectTo = (transport: NatsTransport, name: string, onFault: (error: unknown) => void): Connection =>
  transport.connect({ name, onFault });

const execution = (n: number): string => `019900aa-0000-7000-8000-${String(n).padStart(12, "0")}`;
/** A subject that a stream keeps. */
export const eventOf = (prefix: string, n: number, word: string): string =>
  `${prefix}.events.workflow.instance.${execution(n)}.${word}`;
export const commandOf = (prefix: string, n: number): string => `${prefix}.commands.workflow.signal.${execution(n)}`;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (delivery: Delivery): string => new TextDecoder().decode(delivery.bytes);
export const fault = (error: unknown): never => {
  throw error;
};
