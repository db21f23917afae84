// Executions, reports and schedules as they go over HTTP: in snake case, with times in ISO 8601.

import type { z } from "zod";
import type { CancelReport } from "../runtime/commands.ts";
import type { Shown } from "../runtime/questions.ts";
import type { ShownSchedule } from "../runtime/schedules.ts";
import type { Steps } from "../runtime/steps.ts";
import type { cancelReport, execution, schedule, steps } from "./shapes.ts";

const iso = (at: number): string => new Date(at).toISOString();
const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at));

export function executionOf(shown: Shown): z.input<typeof execution> {
  const { execId, entity, id, run, parent, status, attempt, labels, result, error, about } = shown;
  const { lineage, usage, undo, imported } = shown;
  return {
    exec_id: execId,
    entity,
    id,
    run,
    parent,
    status,
    attempt,
    correlation_id: shown.correlationId,
    created_at: iso(shown.createdAt),
    started_at: isoOrNull(shown.startedAt),
    ended_at: isoOrNull(shown.endedAt),
    error_code: shown.errorCode,
    labels: labels === null ? null : { ...labels },
    result: result ?? null,
    error: error ?? null,
    about: about ?? null,
    ...(lineage && { lineage }),
    ...(usage && { usage }),
    ...(undo && { undo }),
    ...(imported && { imported }),
  };
}

export function reportOf({ execId, changed, children, tookMs }: CancelReport): z.input<typeof cancelReport> {
  return {
    exec_id: execId,
    changed,
    is_done: children.every(({ outcome }) => outcome !== "open"),
    children: children.map((child) => ({
      exec_id: child.execId.split("/")[0] ?? child.execId,
      entity: child.entity,
      id: child.id,
      outcome: child.outcome,
      took_ms: child.tookMs,
    })),
    took_ms: tookMs,
  };
}

export const scheduleOf = ({ next, last, ...rest }: ShownSchedule): z.input<typeof schedule> => ({
  ...rest,
  next: isoOrNull(next),
  last: isoOrNull(last),
});

export const stepsOf = (page: Steps): z.input<typeof steps> => ({
  steps: page.steps.map(({ whole: _whole, at, ...step }) => ({ ...step, at: iso(at) })),
  seq: page.seq,
  has_more: page.hasMore,
  is_whole: page.isWhole,
  reason: page.reason,
});
