// Why a message is refused: one closed set of reasons, each with the error code it means.

import { TroupeError, type Details, type ErrorCode } from "./errors.ts";

export const refusals = {
  too_large: "PAYLOAD_TOO_LARGE",
  not_utf8: "INVALID_ENVELOPE",
  byte_order_mark: "INVALID_ENVELOPE",
  not_json: "INVALID_ENVELOPE",
  not_an_object: "INVALID_ENVELOPE",
  too_deep: "INVALID_ENVELOPE",
  forbidden_key: "INVALID_ENVELOPE",
  lone_surrogate: "INVALID_ENVELOPE",
  number_out_of_range: "INVALID_ENVELOPE",
  bent_number: "VALIDATION_FAILED",
  malformed_subject: "INVALID_SUBJECT",
  foreign_prefix: "INVALID_SUBJECT",
  unknown_root: "INVALID_SUBJECT",
  misshapen_subject: "INVALID_SUBJECT",
  bad_token: "INVALID_SUBJECT",
  bad_id: "INVALID_ID",
  unknown_subject: "UNKNOWN_MESSAGE_TYPE",
  unknown_name: "UNKNOWN_MESSAGE_TYPE",
  missing_name: "INVALID_ENVELOPE",
  contradicting_name: "MESSAGE_TYPE_MISMATCH",
  bad_metadata: "INVALID_ENVELOPE",
  bad_section: "INVALID_ENVELOPE",
  contradicts_subject: "INVALID_ENVELOPE",
  contradicts_header: "INVALID_ENVELOPE",
  bad_payload: "VALIDATION_FAILED",
  contradicts_itself: "VALIDATION_FAILED",
} as const satisfies Record<string, ErrorCode>;

/** As it stands in `details.why`. */
export type Why = keyof typeof refusals;

/** A field at fault, by its path in the envelope. */
export type FieldError = { field: string; message: string };

export const refusal = (why: Why, message: string, details: Details = {}): TroupeError =>
  new TroupeError(refusals[why], message, { why, ...details });

const quotedCharsMax = 80;

/** Foreign text, short and well formed enough to be quoted. */
export const clip = (text: string): string =>
  text.length <= quotedCharsMax ? text.toWellFormed() : `${text.slice(0, quotedCharsMax).toWellFormed()}…`;
