// Every limit of the engine, once: its name, its default, and what happens when it is reached.

import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip, type FieldError } from "../protocol/refusal.ts";

/** What a message adds at the most to the content that it carries. */
export const envelopeBytes = 65_536;

type Row = { readonly default: number; readonly least?: number; readonly behaviour: string };

export const limits = {
  concurrency: {
    default: 10_000,
    behaviour: "workflow executions in flight, waiting ones included; one more waits in line, unless it is a child",
  },
  queueMax: {
    default: 100_000,
    behaviour: "workflow executions that wait in line to begin; one more is refused with RATE_LIMITED",
  },
  mailbox: {
    default: 10_000,
    behaviour: "inputs that wait to be taken in; one more is refused with RATE_LIMITED, or put off by the transport",
  },
  agents: {
    default: 1_000,
    behaviour: "agents at work at once; one more waits until one of them has ended, or until its own time is over",
  },
  tools: {
    default: 1_000,
    behaviour: "tools at work at once; one more fails with TOOL_DISPATCH_FAILED, reason all_busy",
  },
  // With what a message adds to it this is 1 MiB, which is what a NATS server takes unless it is told otherwise.
  payloadBytes: {
    default: 983_040,
    behaviour: "bytes of one input, output or signal; a larger one is refused with PAYLOAD_TOO_LARGE",
  },
  objectBytes: {
    default: 33_554_432,
    behaviour:
      "the same, where an object store takes what is too large for a message; a larger one is refused all the same",
  },
  objectsAtOnce: {
    default: 4,
    behaviour: "objects that are put, and that are fetched, at once; one more waits until one of them is done",
  },
  stepBytes: {
    default: 32_768,
    behaviour:
      "bytes of one step that a handler reports; reporting a larger one throws PAYLOAD_TOO_LARGE in the handler",
  },
  stepsMax: {
    default: 1_000,
    behaviour: "executions of one task within one run; one more fails the workflow with STEP_LIMIT",
  },
  tasksMax: {
    default: 1_000,
    behaviour: "tasks of one workflow definition; one with more is refused with DEFINITION_INVALID",
  },
  fanOutMax: {
    default: 1_000,
    behaviour: "branches of one task; a definition with more is refused with DEFINITION_INVALID",
  },
  itemsMax: {
    default: 100_000,
    behaviour: "items of one `each`; one with more fails with VALIDATION_FAILED",
  },
  widthMax: {
    default: 1_000,
    behaviour: "items of one `each` under way at once; one more waits until one of them has ended",
  },
  depthMax: {
    default: 16,
    behaviour: "how deep workflows call workflows; one deeper fails with VALIDATION_FAILED",
  },
  labelsMax: {
    default: 10,
    least: 0,
    behaviour: "labels of one execution; a start with more is refused with VALIDATION_FAILED",
  },
  historyPage: {
    default: 500,
    behaviour: "rows of one answer to a query; the rest is on the next page",
  },
  answersBytes: {
    default: 67_108_864,
    behaviour:
      "bytes of answers kept for commands that come again; the oldest is forgotten, and its command looked at anew",
  },
  resultsBytes: {
    default: 67_108_864,
    behaviour:
      "bytes of results that are said again while nobody hears them; the oldest is forgotten, and not said again",
  },
  subscriptionsMax: {
    default: 100_000,
    behaviour: "subscriptions of this process; one more is refused with RATE_LIMITED",
  },
  watchedMax: {
    default: 1_000,
    behaviour:
      "runs whose charts are watched at once; one more is refused with RATE_LIMITED, or let go where all are watched",
  },
  deliveriesMax: {
    default: 10_000,
    behaviour: "deliveries that wait at one subscription; the newest is dropped, counted and reported as RATE_LIMITED",
  },
  cascadeMax: {
    default: 10_000,
    behaviour: "words that one input may lead to within its run; a run that says more fails with INTERNAL_ERROR",
  },
  awakeMax: {
    default: 2_000,
    behaviour: "runs in memory; the one that has waited longest is put to sleep for the next, if any only waits",
  },
  idleBeforeSleepMs: {
    default: 60_000,
    least: 0,
    behaviour: "how long a run may wait in memory; after that it is put to sleep until it hears something",
  },
  bundleBytes: {
    default: 33_554_432,
    behaviour: "bytes of the records of one imported file; a larger one is refused with PAYLOAD_TOO_LARGE",
  },
  importsMax: {
    default: 100,
    behaviour: "imported runs that are kept; one more is refused with RATE_LIMITED until one of them is deleted",
  },
  retentionMs: {
    default: 7 * 24 * 60 * 60_000,
    least: 0,
    behaviour: "how long an ended run is kept; after that it is forgotten",
  },
} as const satisfies Record<string, Row>;

export type LimitName = keyof typeof limits;
export type Limits = { readonly [name in LimitName]: number };

const names = Object.keys(limits) as LimitName[];
const isName = (name: string): name is LimitName => Object.hasOwn(limits, name);

/** The defaults, with what is given in their place; refuses names that are none and values that cannot be. */
export function withLimits(given: Partial<Limits> = {}): Limits {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const wrong = set.flatMap(([name, value]) => defectsOf(name, value));
  if (wrong.length > 0) {
    const says = wrong.map(({ field, message }) => `${field} ${message}`).join("; ");
    throw new TroupeError("VALIDATION_FAILED", `these limits cannot be: ${says}`, { errors: wrong });
  }
  const defaults = Object.fromEntries(names.map((name) => [name, limits[name].default]));
  return Object.freeze({ ...defaults, ...Object.fromEntries(set) }) as Limits;
}

/** Where it can travel by reference, content may be larger than a message. */
export const withObjects = (all: Limits, areThere: boolean): Limits =>
  areThere ? Object.freeze({ ...all, payloadBytes: Math.max(all.payloadBytes, all.objectBytes) }) : all;

function defectsOf(name: string, value: unknown): FieldError[] {
  const field = `limits.${clip(name)}`;
  if (!isName(name)) {
    const meant = nearest(name, names);
    const hint = meant === undefined ? `there are ${names.join(", ")}` : `did you mean "${meant}"?`;
    return [{ field, message: `is no limit; ${hint}` }];
  }
  const { least = 1 }: Row = limits[name];
  const fits = Number.isSafeInteger(value) && Number(value) >= least;
  return fits ? [] : [{ field, message: `must be a whole number, ${least} or more` }];
}
