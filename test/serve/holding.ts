// Runtimes of handlers that wait until the test lets them go, and the stand of the conformance kit as their daemon.

import { randomUUID } from "node:crypto";
import { beforeEach, expect } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { openStand, type Stand, type Target } from "../../src/conformance/stand.ts";
import type { Served } from "../../src/serve/serve.ts";
import { serveBed } from "./bed.ts";

type Held = { end: (output: unknown) => void; signal: AbortSignal };

const clock = systemClock();
export const targetOf = (id: string, runtimeId: string): Target => ({
  runtime: { id, exec_id: runtimeId },
  agents: [id],
  max: 2,
  heartbeatMs: 200,
});
export const until = (isSo: () => boolean) => expect.poll(isSo).toBe(true);
export const missing = (): never => {
  throw new Error("it is there");
};

export function holdingBed() {
  const bed = serveBed();
  const now: { prefix: string; stand?: Stand } = { prefix: "" };
  beforeEach(async () => {
    now.prefix = `rt-${randomUUID().slice(0, 8)}`;
    const transport = await bed.nats.open(now.prefix);
    const connection = transport.connect({ name: "stand", onFault: () => undefined });
    now.stand = openStand({ connection, clock, prefix: now.prefix, layout: "flow", patienceMs: 10_000 });
    await transport.settled();
    bed.later(() => transport.close());
  });
  return {
    stand: (): Stand => now.stand ?? missing(),
    serve: (served: Served) => bed.serve(now.prefix, served),
    /** Another connection, as others have. */
    async stranger() {
      const transport = await bed.nats.open(now.prefix);
      bed.later(() => transport.close());
      return { prefix: now.prefix, connection: transport.connect({ name: "stranger", onFault: () => undefined }) };
    },
    /** An agent and a tool that wait until the test lets them go. */
    async holding() {
      const held: Held[] = [];
      const hold = (_: unknown, { signal }: { signal: AbortSignal }): Promise<unknown> =>
        new Promise((resolve, reject) => {
          held.push({ end: resolve, signal });
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      const serving = await bed.serve(
        now.prefix,
        { agents: [{ id: "held", handler: hold }], tools: [{ id: "held", handler: hold }] },
        { limits: { agents: 2, tools: 1, heartbeatMs: 200 } },
      );
      return { held, serving, target: targetOf("held", serving.runtimeId) };
    },
  };
}
