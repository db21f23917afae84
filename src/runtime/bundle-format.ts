// One run as a portable file: what stands in it, and what is held against that before anything of it is believed.
//
// A record's sum covers the record and all before it: what was changed, left out or put elsewhere is seen, and where.

import { createHash } from "node:crypto";
import { z } from "zod";
import { entryOf, isKey } from "../protocol/catalogue.ts";
import { components } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { fieldErrorsOf } from "../protocol/field-errors.ts";
import { count, definitionId, execId, timestamp } from "../protocol/fields.ts";
import { isObject } from "../protocol/json.ts";
import type { FieldError } from "../protocol/refusal.ts";
import { entities } from "../protocol/statuses.ts";

export const bundleFormat = "troupe-run";
export const bundleVersion = 1;

const code = z.enum(Object.keys(components) as (keyof typeof components)[]);
const word = z.looseObject({ type: z.string(), to: z.string().optional() });
const place = z.object({ run: z.string(), from: z.string(), id: z.string() });
const heard = { word, by: code, from: z.string(), run: z.string(), id: z.string(), cause: place.nullable() };
const timer = z.object({ id: z.string(), dueAt: z.number() }).loose();

const input = z.discriminatedUnion("on", [
  z.looseObject({ on: z.literal("message"), told: z.boolean(), ...heard }),
  z.looseObject({ on: z.literal("timer"), address: z.string(), timer }),
  z.looseObject({ on: z.literal("cue"), address: z.string(), cue: word }),
  z.looseObject({ on: z.literal("said"), address: z.string(), cue: word }),
  z.looseObject({ on: z.literal("collapse"), error: z.looseObject({ code: z.string(), message: z.string() }) }),
]);

const said = z.tuple([code, word, z.string().nullable()]).rest(z.string());

/** A record as src/actors/record.ts writes it; `x` marks what was imported, and never leaves with it. */
const body = z.looseObject({
  v: z.literal(1),
  s: execId,
  c: execId,
  i: input,
  d: z.string().optional(),
  a: z.array(z.unknown()).optional(),
  m: z.array(said),
  x: z.never().optional(),
});

const record = z.object({ at: count, sum: z.string(), body });
const run = z.object({ run: execId, records: z.array(record).min(1) });
const definition = z.object({
  id: definitionId,
  hash: z.string().min(1).max(256),
  spec: z.record(z.string(), z.unknown()).nullable(),
});
const execution = z.looseObject({
  exec_id: z.string(),
  entity: z.enum(entities),
  id: z.string(),
  run: execId,
  status: z.string(),
  attempt: count,
});

export const bundle = z.looseObject({
  format: z.literal(bundleFormat),
  version: z.literal(bundleVersion),
  troupe: z.string(),
  exported_at: timestamp,
  exec_id: execId,
  machines: z.record(z.string(), z.string()),
  definitions: z.array(definition),
  runs: z.array(run).min(1),
  executions: z.array(execution),
});

export type Bundle = z.infer<typeof bundle>;
export type BundledRun = Bundle["runs"][number];

/** The sum of a record that follows one with this sum. */
export const sumAfter = (sum: string, at: number, text: string): string =>
  createHash("sha256").update(`${sum} ${at} `).update(text).digest("hex").slice(0, 16);

/** Refuses what is none, with each place that is wrong and why. */
export function checkedBundle(given: unknown): Bundle {
  const { format, version } = (isObject(given) ? given : {}) as { format?: unknown; version?: unknown };
  if (format !== bundleFormat) {
    throw refused([{ field: "format", message: `must be "${bundleFormat}": this is no exported run` }]);
  }
  if (version !== bundleVersion) {
    const message = `must be ${bundleVersion}: another release wrote it, import it there`;
    throw refused([{ field: "version", message }]);
  }
  const checked = bundle.safeParse(given);
  if (!checked.success) throw refused(fieldErrorsOf("bundle", checked.error.issues, given));
  // As it was given: what is written is what was read.
  const whole = given as Bundle;
  for (const [index, one] of whole.runs.entries()) checkRun(`runs.${index}`, one);
  return whole;
}

function checkRun(field: string, { run: id, records }: BundledRun): void {
  let before = id;
  let atBefore = 0;
  for (const [index, { at, sum, body: given }] of records.entries()) {
    const here = `${field}.records.${index}`;
    before = sumAfter(before, at, JSON.stringify(given));
    if (before !== sum) {
      throw refused([
        { field: `${here}.sum`, message: "does not fit: the record was changed, or one before it is gone" },
      ]);
    }
    if (at < atBefore) throw refused([{ field: `${here}.at`, message: "is before the record before it" }]);
    atBefore = at;
    const came = given.i.on === "message" ? [given.i.word] : [];
    for (const one of came) checkWord(`${here}.body.i.word`, one);
    for (const [line, [, one]] of given.m.entries()) checkWord(`${here}.body.m.${line}.1`, one);
  }
}

/** A message of the protocol is as its catalogue says; a chart's own cues are checked when they are played again. */
function checkWord(field: string, given: { type: string; payload?: unknown; [section: string]: unknown }): void {
  if (!isKey(given.type)) {
    if (given.type.startsWith("cue:")) return;
    throw refused([{ field: `${field}.type`, message: "is no message of the protocol" }]);
  }
  const { sections, payload } = entryOf(given.type);
  for (const [name, schema] of [...Object.entries(sections), ["payload", payload] as const]) {
    const checked = schema.safeParse(given[name]);
    if (!checked.success) throw refused(fieldErrorsOf(`${field}.${name}`, checked.error.issues, given[name]));
  }
  for (const entity of entities) {
    const { exec_id = "", id = "" } = (given[entity] ?? {}) as { exec_id?: unknown; id?: unknown };
    if (typeof exec_id === "string" && typeof id === "string") continue;
    throw refused([{ field: `${field}.${entity}`, message: "must be named by texts" }]);
  }
}

export const refused = (errors: FieldError[]): TroupeError => {
  const [first] = errors;
  const more = errors.length > 1 ? `, and ${errors.length - 1} more` : "";
  const message = `this cannot be imported: ${first?.field} ${first?.message}${more}`;
  return new TroupeError("VALIDATION_FAILED", message, { errors });
};
