// A troupe with an inspector beside it, and viewers that keep every frame they get.

import { EventEmitter, once } from "node:events";
import { createMachine } from "xstate";
import { expect } from "vitest";
import { WebSocket } from "ws";
import { openGuard } from "../../src/gateway/guard.ts";
import { type Inspector, type InspectorSettings, openInspector } from "../../src/gateway/inspector.ts";
import type { TaskSpec } from "../../src/language/spec.ts";
import type { Options, Troupe } from "../../src/runtime/troupe.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { newClock } from "../kit/virtual-troupe.ts";

export type Frame = {
  type: string;
  _version?: string;
  createdAt?: string;
  id?: null;
  rootId: string;
  sessionId: string;
  parentId?: string;
  name?: string;
  definition: string;
  event?: { type: string };
  sourceId?: string;
  snapshot: { status: string; value: unknown; context: Record<string, unknown> };
  text?: string;
};

const wait: TaskSpec = { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "1h" };
const ask: TaskSpec = { id: "ask", type: "agent", agent: "clerk" };

const workflows: NonNullable<Options["workflows"]> = [
  { id: "short", tasks: [ask] },
  { id: "patient", tasks: [{ ...wait, next: "ask" } as TaskSpec, ask] },
  { id: "parent", tasks: [{ id: "child", type: "workflow", workflow: "short", next: "ask" }, ask] },
  {
    id: "wide",
    tasks: [
      {
        id: "both",
        type: "parallel",
        branches: { left: [{ ...wait, id: "left" } as TaskSpec], right: [{ id: "look", type: "tool", tool: "look" }] },
        next: "ask",
      },
      ask,
    ],
  },
  { id: "many", tasks: [{ id: "each", type: "each", items: () => Array.from({ length: 60 }), do: [ask] }] },
];

export type Bed = { here: Troupe; inspector: Inspector; close(): Promise<void> };

export async function openBed(
  settings: Partial<InspectorSettings> = {},
  options: Partial<Options> = {},
): Promise<Bed & { logged: string[] }> {
  const logged: string[] = [];
  const here = await troupe({
    workflows,
    agents: [{ id: "clerk", handler: (input: unknown) => ({ heard: input }) }],
    tools: [{ id: "look", handler: () => ({ seen: true }) }],
    ...options,
  });
  const guard = openGuard({ host: "127.0.0.1", now: Date.now });
  const log: InspectorSettings["log"] = (level, message, fields) =>
    void logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const inspector = await openInspector({ troupe: here, guard, log, port: 0, ...settings });
  const close = async (): Promise<void> => {
    await inspector.close();
    await here.stop({ graceMs: 0 });
  };
  return { here, inspector, logged, close };
}

export type Listener = {
  frames: Frame[];
  socket: WebSocket;
  /** Waits for a frame that fits, also one that has come. */
  until(what: string, fits: (frame: Frame) => boolean): Promise<Frame>;
};

const hangMs = 20_000;

export async function listen(url: string, headers: Record<string, string> = {}): Promise<Listener> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
  const frames: Frame[] = [];
  const news = new EventEmitter();
  socket.on("message", (data: Buffer) => {
    frames.push(JSON.parse(data.toString("utf8")) as Frame);
    news.emit("frame");
  });
  await once(socket, "open");
  return {
    frames,
    socket,
    async until(what, fits) {
      const signal = AbortSignal.timeout(hangMs);
      for (;;) {
        const found = frames.find(fits);
        if (found) return found;
        await once(news, "frame", { signal }).catch(() => {
          throw new Error(`${what} was not heard among ${frames.length} frames`);
        });
      }
    },
  };
}

/** Waits until something is so that nothing tells of. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const limit = Date.now() + hangMs;
  while (!isSo()) {
    if (Date.now() > limit) throw new Error(`it never came to this: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What the last frame of an actor says of it. */
export const lastOf = (frames: readonly Frame[], sessionId: string): Frame["snapshot"] | undefined =>
  frames.findLast((frame) => frame.sessionId === sessionId && frame.type !== "@xstate.event")?.snapshot;

/** Holds frames to what an inspector may rely on. */
export function checkFrames(frames: readonly Frame[]): void {
  const machines = new Map<string, ReturnType<typeof createMachine>>();
  const known = new Set<string>();
  for (const frame of frames.filter(({ type }) => type.startsWith("@xstate."))) {
    const { type, sessionId, rootId, snapshot } = frame;
    expect(frame).toMatchObject({ _version: "0.7.2", createdAt: expect.stringMatching(/^\d{13}$/), id: null });
    if (type === "@xstate.actor") {
      const machine = createMachine(JSON.parse(frame.definition) as never);
      machines.set(sessionId, machine);
      if (sessionId === rootId) expect(frame.parentId).toBeUndefined();
      else expect(known.has(frame.parentId ?? ""), `${sessionId} is under ${frame.parentId}`).toBe(true);
      expect(sessionId === rootId || known.has(rootId), `${sessionId} is of ${rootId}`).toBe(true);
      known.add(sessionId);
    }
    expect(known.has(sessionId), `${type} of ${sessionId}, which was not announced`).toBe(true);
    if (type === "@xstate.event") expect(frame.event?.type).toEqual(expect.any(String));
    // It throws for a state that the machine does not have.
    else machines.get(sessionId)?.resolveState({ value: snapshot.value as never, context: {} });
  }
}

/** A troupe with these workflows in virtual time, and no inspector yet. */
export async function openHere() {
  const clock = newClock();
  const here = await troupe({
    store: openMemory(),
    clock,
    random: randomFrom(1),
    workflows,
    agents: [{ id: "clerk", handler: (input: unknown) => ({ heard: input }) }],
    tools: [{ id: "look", handler: () => ({ seen: true }) }],
  });
  return { here, clock };
}
