// A message of the client of NATS and one of ours, and what an error of that client means.

import { JetStreamApiError } from "@nats-io/jetstream";
import {
  headers as newHeaders,
  type Msg,
  NoRespondersError,
  RequestError,
  TimeoutError,
} from "@nats-io/transport-node";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Delivery, Headers } from "./transport.ts";

export const noHeaders: Headers = Object.freeze({});
const noResponders = 503;
/** What the server says of a message that its stream never takes. */
const tooLarge = 10_054;

export function headersOf(given: Headers) {
  const made = newHeaders();
  for (const [name, value] of Object.entries(given)) made.set(name, value);
  return made;
}

/** As it is heard: of headers with several values the first. */
export function deliveryOf({ subject, data, headers, reply }: Msg): Delivery {
  const names = headers?.keys() ?? [];
  const read =
    names.length === 0 ? noHeaders : Object.fromEntries(names.map((name) => [name, headers?.get(name) ?? ""]));
  const isUnheardOf = headers?.code === noResponders && data.length === 0;
  return {
    subject,
    bytes: data,
    headers: read,
    ...(reply !== undefined && reply !== "" && { reply }),
    ...(isUnheardOf && { status: 503 as const }),
  };
}

export function matcherOf(filters: readonly string[]): (subject: string) => boolean {
  const exact = new RegExp(
    `^(?:${filters
      .map((filter) =>
        filter
          .split(".")
          .map((token) => (token === "*" ? "[^.]+" : token === ">" ? ".+" : token.replace(/[^\w-]/g, "\\$&")))
          .join("\\."),
      )
      .join("|")})$`,
  );
  return (subject) => exact.test(subject);
}

export const isUnheard = (error: unknown): boolean =>
  error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders());
export const isLate = (error: unknown): boolean =>
  error instanceof TimeoutError || (error instanceof Error && error.cause instanceof TimeoutError);

export function notKept(subject: string, error: unknown): TroupeError {
  // The client says "jetstream is not enabled" for any subject that no stream has.
  if (isUnheard(error) || (error instanceof Error && error.name === "JetStreamNotEnabled")) {
    const message = `no stream keeps "${subject}": JetStream is off, or its stream was deleted`;
    return new TroupeError("NO_RESPONDER", message, { subject, reason: "no_stream" }, { cause: error });
  }
  const { message } = fromUnknown(error);
  if (error instanceof JetStreamApiError && error.code === tooLarge) {
    return new TroupeError("PAYLOAD_TOO_LARGE", `"${subject}" is larger than its stream takes: ${message}`, {
      subject,
    });
  }
  const details = { subject, reason: isLate(error) ? "unknown" : "refused" };
  return new TroupeError("COMMAND_TIMEOUT", `"${subject}" may not have been kept: ${message}`, details, {
    cause: error,
  });
}
