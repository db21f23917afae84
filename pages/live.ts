// What happens while one looks on: messages as they are recorded, a bundle per frame of the screen.
//
// A page that nobody sees hears nothing: it lets its connection go, for a browser has few of them, and goes on where it
// was once it is seen again.

import { effect } from "@preact/signals";
import { asOf, client, connection, lost } from "./connection.ts";

export type Heard = {
  readonly id: string | null;
  readonly type: string;
  readonly envelope: Readonly<Record<string, unknown>>;
};
type Kind = "workflow" | "task" | "agent" | "tool";
export type About = {
  /** Only of this execution and what it called; nothing else of `about` counts then. */
  readonly execId?: string;
  readonly entities?: "workflows" | "tasks" | "agents" | "tools";
  readonly entity?: Kind;
  readonly progress?: boolean;
  /** Go on after this one. */
  readonly after?: string;
};

const pauseMs = 500;

/**
 * Calls `hear` until what is given back is called. Of all executions nothing is missed from when `joined` is called:
 * whoever asks then how things stand knows all.
 */
export function onEvents(
  about: About,
  hear: (events: readonly Heard[]) => void,
  joined: () => void = () => undefined,
): () => void {
  let last = about.after;
  let waiting: Heard[] = [];
  let frame = 0;
  let stop = new AbortController();
  let isOver = false;

  const flush = (): void => {
    frame = 0;
    const events = waiting;
    waiting = [];
    if (!isOver && events.length > 0) hear(events);
  };

  const open = (signal: AbortSignal) => {
    const given = {
      ...(about.progress === true && { progress: true }),
      ...(last !== undefined && { last_event_id: last }),
    };
    if (about.execId === undefined)
      return client.streamEvents({ ...given, ...(about.entity && { entity: about.entity }) }, { signal });
    return client.streamExecution(
      { ...given, entities: about.entities ?? "workflows", exec_id: about.execId },
      { signal },
    );
  };

  async function follow({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      try {
        if (about.execId === undefined && last === undefined) {
          last = String((await client.getStats())["line"]);
          if (!signal.aborted) joined();
        }
        for await (const { id, event, data } of open(signal)) {
          asOf.value = Date.now();
          if (id !== null) last = id;
          waiting.push({ id, type: event, envelope: data });
          frame ||= requestAnimationFrame(flush);
        }
        // Of an execution that has ended there is no more.
        if (about.execId !== undefined) return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Error) || !isPassing(error)) return;
      }
      await untilLive(signal);
    }
  }

  const look = (): void => {
    stop.abort();
    if (document.visibilityState === "hidden" || isOver) return;
    stop = new AbortController();
    void follow(stop);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", look);
    cancelAnimationFrame(frame);
    stop.abort();
  };
}

const inVain = ["UNAUTHENTICATED", "FORBIDDEN", "VALIDATION_FAILED", "EXECUTION_NOT_FOUND", "NOT_FOUND"];

/** Whoever is refused asks in vain; whoever was cut off, or came while the daemon stops, asks again. */
function isPassing(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "DAEMON_UNREACHABLE";
  if (code === "DAEMON_UNREACHABLE") lost();
  return !inVain.includes(code);
}

function untilLive(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    setTimeout(() => {
      const dispose = effect(() => {
        if (connection.value !== "lost" || signal.aborted) queueMicrotask(() => finish());
      });
      const finish = (): void => {
        dispose();
        done();
      };
      signal.addEventListener("abort", finish, { once: true });
    }, pauseMs);
  });
}
