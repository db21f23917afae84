// A troupe to be tried at its door: virtual time, a disk that outlives it, and handlers that end when they are told to.

import type { AgentContext } from "../../src/agents/agent.ts";
import type { Options, Troupe } from "../../src/runtime/troupe.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, type MemoryStore, openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";
import { pass } from "../kit/passing.ts";

export { settled } from "../kit/passing.ts";

export const second = 1_000;
export const hour = 3_600 * second;

export type Bed = {
  t: Troupe;
  clock: VirtualClock;
  disk: Disk;
  store: MemoryStore;
  reports: { level: string; message: string; fields: Readonly<Record<string, unknown>> }[];
  /** Lets so much time pass, and everything in it happen. */
  pass: (ms: number) => Promise<void>;
};

type Given = Omit<Options, "store" | "clock" | "random"> & { disk?: Disk; clock?: VirtualClock };

export async function openBed({ disk = makeDisk(), clock = newClock(), ...options }: Given = {}): Promise<Bed> {
  const store = openMemory({ disk });
  const reports: Bed["reports"] = [];
  const log: Options["log"] = (level, message, fields) => void reports.push({ level, message, fields });
  const t = await troupe({ log, ...options, store, clock, random: randomFrom(7) });
  return { t, clock, disk, store, reports, pass: (ms) => pass(clock, ms) };
}

export const newClock = (): VirtualClock => virtualClock(Date.UTC(2026, 0, 1));

/** An agent that is at work until it is let go, or told to stop. */
export function heldAgent(id: string, { ignores = false }: { ignores?: boolean } = {}) {
  const runs: { input: unknown; context: AgentContext; end: (output: unknown) => void; fail: (e: unknown) => void }[] =
    [];
  const handler = (input: unknown, context: AgentContext): Promise<unknown> =>
    new Promise((resolve, reject) => {
      runs.push({ input, context, end: resolve, fail: reject });
      if (!ignores) context.signal.addEventListener("abort", () => reject(context.signal.reason as Error));
    });
  return { definition: { id, handler }, runs };
}

/** What was thrown, at once or in time, as its code and message. */
export async function refusal(act: () => unknown): Promise<{ code: string; message: string; details: unknown }> {
  try {
    await act();
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: unknown };
    return { code, message, details };
  }
  throw new Error("nothing was refused");
}
