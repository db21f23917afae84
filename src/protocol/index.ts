// The door of the protocol: what may be said, how it travels, and how it is read.

// The catalogue of messages.
export { catalogue } from "./catalogue.ts";
export { keys } from "./catalogue.ts";
export { isKey } from "./catalogue.ts";
export { entryOf } from "./catalogue.ts";
export { kindOf } from "./catalogue.ts";
export { nameOf } from "./catalogue.ts";
export type { Key } from "./catalogue.ts";
export type { Message } from "./catalogue.ts";
export type { Payload } from "./catalogue.ts";
export type { Section } from "./catalogue.ts";
export type { SectionsOf } from "./catalogue.ts";
export type { StatusOf } from "./catalogue.ts";
export { aliases } from "./aliases.ts";
export { components } from "./entry.ts";
export type { Component } from "./entry.ts";
export type { Entry } from "./entry.ts";
export type { Kind } from "./entry.ts";

// What they are made of.
export { entities } from "./statuses.ts";
export { statuses } from "./statuses.ts";
export { resultStatuses } from "./statuses.ts";
export { isTerminal } from "./statuses.ts";
export type { Entity } from "./statuses.ts";
export type { ResultStatus } from "./statuses.ts";
export type { Status } from "./statuses.ts";
export type { Cause } from "./fields.ts";
export type { Data } from "./fields.ts";
export type { RetryPolicy } from "./fields.ts";
export type { TaskType } from "./fields.ts";
export type { Wait } from "./fields.ts";
export type { Warning } from "./fields.ts";

// Ids.
export { idAfter } from "./ids.ts";
export { isDefinitionId } from "./ids.ts";
export { isExecId } from "./ids.ts";
export { minter } from "./ids.ts";
export { seedAt } from "./ids.ts";
export { timeOf } from "./ids.ts";
export type { Minter } from "./ids.ts";

// Errors.
export { TroupeError } from "./errors.ts";
export { errors } from "./errors.ts";
export { errorRow } from "./errors.ts";
export { exits } from "./errors.ts";
export { fromUnknown } from "./errors.ts";
export { isErrorCode } from "./errors.ts";
export { toWire } from "./errors.ts";
export type { Details } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export type { WireError } from "./errors.ts";
export { refusals } from "./refusal.ts";
export type { FieldError } from "./refusal.ts";
export type { Why } from "./refusal.ts";

// Envelopes and subjects.
export { encode } from "./envelope.ts";
export { headerNames } from "./envelope.ts";
export { unwrap } from "./envelope.ts";
export { wrap } from "./envelope.ts";
export type { Encoded } from "./envelope.ts";
export type { Envelope } from "./envelope.ts";
export type { Headers } from "./envelope.ts";
export type { Metadata } from "./envelope.ts";
export type { Origin } from "./envelope.ts";
export type { Sending } from "./envelope.ts";
export type { Trace } from "./envelope.ts";
export { matches } from "./subjects.ts";
export { subjectCodec } from "./subjects.ts";
export type { Heard } from "./subjects.ts";
export type { Selection } from "./subjects.ts";
export type { SubjectCodec } from "./subjects.ts";
export { layouts } from "./layouts.ts";
export type { Address } from "./layouts.ts";
export type { Layout } from "./layouts.ts";
export type { Params } from "./layouts.ts";

// The way in.
export { defaultBounds } from "./json.ts";
export type { Bounds } from "./json.ts";
export { parse } from "./parse.ts";
export { replySubject } from "./parse.ts";
export type { Parsed } from "./parse.ts";
export type { ParseOptions } from "./parse.ts";
export { rejectionOf } from "./rejection.ts";
export type { Received } from "./rejection.ts";
