// A stream of server-sent events as something to iterate over; what breaks off is taken up where it was.

import { TroupeError } from "../protocol/errors.ts";
import type { CallOptions, Send } from "./client.ts";
import type { Place } from "./contract-paths.ts";

export type StreamEvent = {
  /** Where to go on from: `last_event_id`. News that are not recorded have none. */
  id: string | null;
  /** What kind of message. */
  event: string;
  /** The message. */
  data: Record<string, unknown>;
};

const triesMax = 5;
const pauseMs = 500;

/** Ends when whoever asked breaks off: a stream has no end of its own. */
export async function* eventsIn(
  send: Send,
  place: Place,
  fields: Record<string, unknown> = {},
  options: CallOptions = {},
): AsyncGenerator<StreamEvent, void, undefined> {
  const { reconnects = true } = options;
  let last = fields["last_event_id"] as string | undefined;
  for (let failures = 0; ;) {
    const given = { ...fields, last_event_id: undefined };
    const more = { accept: "text/event-stream", ...(last !== undefined && { "last-event-id": last }) };
    try {
      const response = await send(place, given, options, more);
      for await (const event of readEvents(response, options.signal)) {
        failures = 0;
        if (event.id !== null) last = event.id;
        yield event;
      }
      if (options.signal?.aborted) return;
      failures += 1;
    } catch (error) {
      if (options.signal?.aborted) return;
      failures += 1;
      const isRefused = error instanceof TroupeError && error.code !== "DAEMON_UNREACHABLE";
      if (isRefused || last === undefined || !reconnects || failures > triesMax) throw error;
    }
    if (failures > triesMax || !reconnects) throw new TroupeError("DAEMON_UNREACHABLE", "the stream broke off");
    // oxlint-disable-next-line no-restricted-globals -- a client has no clock of the engine's
    await new Promise((resolve) => setTimeout(resolve, pauseMs * failures));
  }
}

async function* readEvents(response: Response, signal: AbortSignal | undefined): AsyncGenerator<StreamEvent> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (!signal?.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventIn(block);
        if (event) yield event;
      }
    }
  } finally {
    // What broke off has said so already, and what is left is thrown away.
    await reader.cancel().catch(() => undefined);
  }
}

/** One block of lines; a comment is nobody's event. */
function eventIn(block: string): StreamEvent | undefined {
  let id: string | null = null;
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name = "", value = ""] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
    if (name === "id") id = value;
    else if (name === "event") event = value;
    else if (name === "data") data.push(value);
  }
  if (data.length === 0) return undefined;
  return { id, event, data: JSON.parse(data.join("\n")) as Record<string, unknown> };
}
