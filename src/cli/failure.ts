// How an error is told on the command line: what is wrong and its code, why, and what to do next.

import { type ErrorCode, errorRow, type TroupeError } from "../protocol/errors.ts";
import { remedyFor } from "../protocol/remedies.ts";

type FieldError = { field: string; message: string };

/** Lines for people, or one JSON object for scripts. */
export function failureText(error: TroupeError, isJson: boolean): string {
  const { code, message, details } = error;
  const cause = causeOf(error);
  const fix = fixOf(error);
  if (isJson) {
    const { fix: _fix, ...rest } = details;
    return JSON.stringify({
      error: { code, message, summary: summaryOf(code), ...(cause && { cause }), ...(fix && { fix }), details: rest },
    });
  }
  const fields = errorsIn(error)
    .slice(1)
    .map(({ field, message: what }) => `       ${field} ${what}`);
  const more = [...(cause === undefined ? [] : [`  cause: ${cause}`]), ...(fix === undefined ? [] : [`  fix: ${fix}`])];
  return [`troupe: ${message} (${code})`, ...fields, ...more].join("\n");
}

const summaryOf = (code: ErrorCode): string => errorRow(code).summary;

/** Those that the message does not tell already, after the first. */
const errorsIn = ({ details, message }: TroupeError): FieldError[] =>
  (!message.includes("\n") && Array.isArray(details["errors"]) ? (details["errors"] as FieldError[]) : []).filter(
    ({ field, message: what }, index) =>
      typeof field === "string" && (index === 0 || !message.includes(`${field} ${what}`)),
  );

/** What it came from; a defect's is printed whole beside it. */
function causeOf({ cause, code, message }: TroupeError): string | undefined {
  if (!(cause instanceof Error) || code === "INTERNAL_ERROR" || message.includes(cause.message)) return undefined;
  return cause.message;
}

/** The daemon knows best; what was typed wrong says itself how it is right. */
function fixOf({ code, details }: TroupeError): string | undefined {
  // What holds a daemon up says itself what to do about it.
  if (code === "VALIDATION_FAILED" || code === "DEFINITION_INVALID" || details["held"] === true) return undefined;
  return typeof details["fix"] === "string" ? details["fix"] : remedyFor(code);
}
