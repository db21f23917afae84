// A run followed to its end: a tree that is redrawn on a terminal, else one line for each thing that happens, or JSON.

import { setInterval } from "node:timers";
import type { Client } from "../gateway/client.ts";
import { isTerminal } from "../protocol/statuses.ts";
import { messageKeys } from "./message-names.ts";
import type { Execution } from "./pick.ts";
import { type Heard, isStateOf, lineOf, newProgress } from "./progress.ts";
import { openScreen, type Terminal } from "./screen.ts";
import { jsonText, lengthOf, inStatus, next, print, printJson } from "./words.ts";
import { remedyFor } from "../protocol/remedies.ts";
import { isErrorCode } from "../protocol/errors.ts";

export type Form = { json?: true };
type Root = Pick<Execution, "exec_id" | "entity">;

const redrawMs = 100;

/** What is told of a run while it goes on; `show` ends it and leaves what was drawn last. */
export function openTelling({ json }: Form, terminal: Terminal = process.stdout) {
  const progress = newProgress();
  const isDrawn = json === undefined && terminal.isTTY === true;
  const screen = isDrawn ? openScreen(terminal) : undefined;
  let beganAt: number | undefined;
  const draw = (): void => screen?.draw(progress.lines(new Date().getTime(), screen.linesMax()));
  // What is under way gets older while nothing is said.
  const timer = screen && setInterval(draw, redrawMs).unref();
  return {
    hear(heard: Heard): void {
      progress.hear(heard);
      beganAt ??= heard.at;
      if (json) return printJson({ type: heard.type, envelope: heard.content });
      if (screen) return;
      const line = lineOf(heard, beganAt);
      if (line !== undefined) print(line);
    },
    end(): void {
      clearInterval(timer);
      draw();
    },
  };
}

/** Follows it until it has ended, and gives how; nothing, if it was told to stop. Without a form nothing is told. */
export async function follow(
  client: Client,
  root: Root,
  form: Form | null,
  signal: AbortSignal,
): Promise<Execution | undefined> {
  const { exec_id } = root;
  const telling = form && openTelling(form);
  try {
    const keyOf = await messageKeys();
    // From the beginning: what was said before anybody looked is told first.
    const events = client.streamExecution({ exec_id, last_event_id: "0" }, { signal });
    for await (const { event, data } of events) {
      const heard = heardIn(keyOf(event, data), data);
      telling?.hear(heard);
      if (!isStateOf(heard, root.entity, exec_id)) continue;
      // A task that failed may be tried again.
      const stands = await client.getExecution({ exec_id });
      if (isTerminal(stands.status)) return stands;
    }
    return undefined;
  } finally {
    telling?.end();
  }
}

export function heardIn(type: string, envelope: Record<string, unknown>): Heard {
  const { metadata, ...content } = envelope;
  const { event_timestamp = "" } = (metadata ?? {}) as { event_timestamp?: string };
  return { type, at: Date.parse(event_timestamp), content: { metadata, ...content } };
}

/** How it ended: what came of it, or what went wrong and what can be done. The exit code says the same. */
export function tellEnd(execution: Execution, { json }: Form, isKept: boolean): void {
  const { status, started_at, created_at, ended_at, result, error, exec_id } = execution;
  if (status !== "SUCCESS") process.exitCode = 1;
  if (json) return printJson(execution);
  const took = ended_at === null ? "" : ` in ${lengthOf(Date.parse(ended_at) - Date.parse(started_at ?? created_at))}`;
  if (status === "SUCCESS") {
    print(`${inStatus(status)}${took}`);
    return print(jsonText((result as { output?: unknown } | null)?.output ?? null));
  }
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  print(`${inStatus(status)}${took}${code === undefined ? "" : `: ${message} (${code})`}`);
  const fix = code !== undefined && isErrorCode(code) ? remedyFor(code) : undefined;
  if (fix !== undefined) print(`  fix: ${fix}`);
  if (!isKept) return;
  print(next([`show ${exec_id}`, "what it did"], [`retry ${exec_id}`, "once more"]));
}

/** Runs this until it is done or the person at the keyboard wants no more of it. */
export async function untilInterrupted<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const wish = new AbortController();
  const stop = (): void => wish.abort();
  process.once("SIGINT", stop);
  try {
    return await act(wish.signal);
  } finally {
    process.off("SIGINT", stop);
  }
}

export const interrupted = 130;
