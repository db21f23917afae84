// An error as the answer to a request: a problem document as in RFC 9457, with its code, its cause and what to do next.

import { type ErrorCode, errorRow, fromUnknown, TroupeError } from "../protocol/errors.ts";
import { remedyFor } from "../protocol/remedies.ts";

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  details: Readonly<Record<string, unknown>>;
  correlation_id: string;
  cause?: string;
  fix?: string;
  execution?: unknown;
};

export const problemType = "application/problem+json; charset=utf-8";

/** What is thrown anywhere on the way from a request to its answer. */
export function problemOf(thrown: unknown, correlationId: string): Problem {
  const error = known(thrown);
  const { code, details } = error;
  const { execution, ...others } = details;
  const { summary, http } = errorRow(code);
  const cause = code === "INTERNAL_ERROR" ? undefined : causeOf(error);
  // What came from elsewhere is told in its detail what would let it in, and no token is.
  const isFromElsewhere = code === "FORBIDDEN" && ["host", "origin", "site"].includes(String(details["reason"]));
  const fix = isFromElsewhere ? undefined : remedyFor(code);
  return {
    type: `urn:troupe:problem:${code.toLowerCase().replaceAll("_", "-")}`,
    title: summary,
    status: statusOf(thrown) ?? http ?? 500,
    // What nobody expected may quote anything.
    detail: code === "INTERNAL_ERROR" && !isOurs(thrown) ? "something unexpected; the log says what" : error.message,
    code,
    details: others,
    correlation_id: correlationId,
    ...(cause !== undefined && { cause }),
    ...(fix !== undefined && { fix }),
    ...(execution !== undefined && { execution }),
  };
}

const isOurs = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === "TroupeError";

function causeOf({ cause }: TroupeError): string | undefined {
  return cause instanceof Error && cause.name === "TroupeError" ? cause.message : undefined;
}

/** Of what is no JSON at all HTTP has more to say than the code. */
const statusOf = (thrown: unknown): number | undefined => {
  const { statusCode } = Object(thrown) as { statusCode?: unknown };
  return !isOurs(thrown) && statusCode === unsupported ? unsupported : undefined;
};
const unsupported = 415;

/** The server's own refusals have codes of their own. */
function known(thrown: unknown): TroupeError {
  const { statusCode, message } = Object(thrown) as { statusCode?: unknown; message?: unknown };
  const isRefusal = !isOurs(thrown) && typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
  if (!isRefusal) return fromUnknown(thrown);
  const code = statusCode === 413 ? "PAYLOAD_TOO_LARGE" : statusCode === 404 ? "NOT_FOUND" : "INVALID_ENVELOPE";
  const says =
    statusCode === unsupported ? "a body must be JSON, with the header `content-type: application/json`" : "";
  return new TroupeError(code, says || String(message), {}, { cause: thrown });
}
