// The `monitoring` role in a process of its own: what others report and refuse becomes lines of its log and figures.
//
//   logs, rejected ─▶ shared among those who do the same ─▶ a line, a count
//   events         ─▶ heard by each, as they happen      ─▶ counts of what begins and ends
//
// Invariants:
//   MN1. Whatever any process reports or refuses is a line of the log, once, with who said it.
//   MN2. What begins, ends and is tried again anywhere is counted here as where it happens.

import type { Part } from "../actors/supervisor.ts";
import { kindOf } from "../protocol/catalogue.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { parse, type Parsed } from "../protocol/parse.ts";
import { subjectCodec } from "../protocol/subjects.ts";
import type { Delivery } from "../transport/transport.ts";
import type { Means } from "./parts.ts";

const group = "monitoring";
const levels = { debug: "debug", info: "info", warn: "warn", error: "error" } as const;

export const monitoringPart = (means: Means): Part => ({
  name: "monitoring",
  async start() {
    const { config, log, metrics, state, seat } = means;
    const { prefix, subjects: layout } = config;
    const subjects = subjectCodec({ prefix, layout });
    if (!state.transport) throw new TroupeError("INTERNAL_ERROR", "monitoring needs a transport, and there is none");
    const connection = state.transport.connect({
      name: `${prefix}-monitoring`,
      onFault: (error, subject) =>
        log.report("warn", "monitoring heard what it cannot use", { subject, reason: fromUnknown(error).message }),
    });
    const heard = (use: (parsed: Parsed) => void) => (delivery: Delivery) => {
      const { subject, headers, bytes } = delivery;
      try {
        use(parse(subject, headers, bytes, { subjects }));
      } finally {
        // What cannot be read is no better the next time; the owner of its subject refuses it.
        delivery.ack?.();
      }
    };
    const isTold = newTold();
    for (const whole of ["logs", "rejected"] as const) {
      connection.subscribe(
        subjects.patternOf({ whole }),
        heard((parsed) => write(means, parsed, isTold)),
        group,
      );
    }
    // Where the orchestrator is, all of them are counted already.
    if (!seat.hasOrchestrator) {
      const count = heard(({ key, envelope }) => {
        if (kindOf(key) === "event") metrics.count({ type: key, payload: envelope.payload });
      });
      connection.subscribe(subjects.patternOf({ whole: "events" }), count);
    }
    return () => connection.close();
  },
});

const refusalsMax = 1_000;

/** What is refused is said twice, as a line of the log and as a dead letter: whether this is the second of the two. */
function newTold(): (refusal: string) => boolean {
  const waiting = new Set<string>();
  return (refusal) => {
    if (waiting.delete(refusal)) return true;
    waiting.add(refusal);
    const [oldest] = waiting;
    if (waiting.size > refusalsMax && oldest !== undefined) waiting.delete(oldest);
    return false;
  };
}

function write({ log, metrics }: Means, { key, envelope }: Parsed, isTold: (refusal: string) => boolean): void {
  const { metadata, payload } = envelope as {
    metadata: { source_component: string; correlation_id: string };
    payload: { log_level: keyof typeof levels; message: string; context?: Record<string, unknown> };
  };
  const { source_component: from, correlation_id } = metadata;
  const { code, original_subject: subject } = payload.context ?? {};
  if (key === "log:MessageRejected" && typeof code === "string") metrics.doors.refused(code);
  const isRefusal = payload.log_level === "error" && typeof code === "string";
  if (isRefusal && isTold([correlation_id, code, payload.message].join(" "))) return;
  const fields = {
    from,
    correlation_id,
    ...(code !== undefined && { code }),
    ...(subject !== undefined && { subject }),
  };
  log.report(levels[payload.log_level], payload.message, fields);
}
