// Discovery, as the micro protocol of NATS has it: whoever asks $SRV.PING, INFO or STATS is told who is here.
//
//   $SRV.<verb>   $SRV.<verb>.<name>   $SRV.<verb>.<name>.<id>  ──▶  an answer of each service that is meant
//
// Invariants:
//   SD1. A service answers what is asked of all, of its name or of itself, once, and nothing that others are asked.
//   SD2. The figures are those of the moment, and times in them are whole nanoseconds.

import { TroupeError } from "../protocol/errors.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";

/** What a service hears, and how that went so far. */
export type Endpoint = {
  name: string;
  subject: string;
  /** None if each of several services hears it. */
  group?: string | undefined;
  metadata?: Readonly<Record<string, string>>;
  requests: number;
  errors: number;
  lastError?: string | undefined;
  processingMs: number;
};

export type Service = {
  /** The same for all that do the same; with the id, it is this one. */
  name: string;
  id: string;
  /** Of three numbers, as semver has it. */
  version: string;
  description: string;
  /** Epoch milliseconds. */
  startedAt: number;
  metadata: () => Readonly<Record<string, string>>;
  endpoints: () => readonly Endpoint[];
};

/** A connection of ours, as far as discovery needs one. */
export type Line = {
  subscribe(pattern: string, hear: (asked: { reply?: string }) => void): { unsubscribe(): void };
  publish(subject: string, bytes: Uint8Array): unknown;
};

const versionForm = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/;
const nanosPerMs = 1_000_000;
const nanos = (ms: number): number => Math.round(ms * nanosPerMs);

/** Answers for the service until what it gives is called. */
export function answerDiscovery(line: Line, service: Service): () => void {
  check(service);
  const subscriptions = Object.entries(answers).flatMap(([verb, answerOf]) => {
    const answer = ({ reply }: { reply?: string }): void => {
      // Who names nowhere to answer to wants no answer.
      if (reply === undefined) return;
      const { name, id, version, metadata } = service;
      const whole = { name, id, version, metadata: metadata(), ...answerOf(service) };
      line.publish(reply, new TextEncoder().encode(JSON.stringify(whole)));
    };
    const all = `$SRV.${verb}`;
    return [all, `${all}.${service.name}`, `${all}.${service.name}.${service.id}`].map((subject) =>
      line.subscribe(subject, answer),
    );
  });
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}

const answers: Readonly<Record<string, (service: Service) => object>> = {
  PING: () => ({ type: "io.nats.micro.v1.ping_response" }),
  INFO: ({ description, endpoints }) => ({
    type: "io.nats.micro.v1.info_response",
    description,
    endpoints: endpoints().map(({ name, subject, group = "", metadata = {} }) => ({
      name,
      subject,
      queue_group: group,
      metadata,
    })),
  }),
  STATS: ({ startedAt, endpoints }) => ({
    type: "io.nats.micro.v1.stats_response",
    started: new Date(startedAt).toISOString(),
    endpoints: endpoints().map(({ name, subject, group = "", requests, errors, lastError = "", processingMs }) => ({
      name,
      subject,
      queue_group: group,
      num_requests: requests,
      num_errors: errors,
      last_error: lastError,
      processing_time: nanos(processingMs),
      average_processing_time: requests === 0 ? 0 : nanos(processingMs / requests),
    })),
  }),
};

/** Names are tokens of subjects here. */
function check({ name, id, version }: Service): void {
  const wrong = Object.entries({ name, id }).find(([, value]) => !isDefinitionId(value));
  if (wrong) {
    const [field, value] = wrong;
    const message = `the ${field} of a service is of letters, digits, _ and -, at most 64: not '${clip(value)}'`;
    throw new TroupeError("VALIDATION_FAILED", message, { errors: [{ field, message }] });
  }
  if (versionForm.test(version)) return;
  const message = `the version of a service is of three numbers, such as 1.0.0: not '${clip(version)}'`;
  throw new TroupeError("VALIDATION_FAILED", message, { errors: [{ field: "version", message }] });
}
