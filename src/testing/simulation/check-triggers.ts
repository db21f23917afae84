// I17: what is due begins once and in its turn, and a delivery that was answered has begun one run, and no other.

import { nextAfter } from "../../language/cron.ts";
import { durationOf } from "../../language/duration.ts";
import type { Duration, ScheduleSpec, WebhookSpec } from "../../language/spec.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import type { Receipt } from "../../runtime/webhooks.ts";
import type { Evidence, Line, Told } from "./evidence.ts";

/** A run that nobody asked for: when it was ordered, and what stands in its input. */
type Ordered = Line & { execId: string; id: string; input: { due?: string; delivery?: number } };

/** As in actors/schedule.ts: a process that was gone for a moment has missed nothing. */
const lateMs = 60_000;

export function* triggers(evidence: Evidence, byExecution: ReadonlyMap<string, readonly Told[]>): Generator<string> {
  for (const { id, triggers: specs = [] } of evidence.scenario.workflows) {
    const schedules = specs.filter((one) => one.type === "schedule");
    // Which of several began a run does not stand in it.
    const [only] = schedules;
    if (only && schedules.length === 1) yield* due(id, only, evidence, byExecution);
    for (const hook of specs) if (hook.type === "webhook") yield* delivered(id, hook, evidence);
  }
}

function orderedBy(trigger: "schedule" | "webhook", workflow: string, { lines }: Evidence): Ordered[] {
  const known = new Set<string>();
  return lines.flatMap((line): Ordered[] => {
    if (line.type !== "command:WorkflowExecute") return [];
    const { id, exec_id: execId } = line.envelope["workflow"] as { id: string; exec_id: string };
    // An order may come again, and begins nothing then.
    if (known.has(execId)) return [];
    known.add(execId);
    const { context } = line.envelope["payload"] as { context: { trigger_type: string; input: Ordered["input"] } };
    return id === workflow && context.trigger_type === trigger ? [{ ...line, id, execId, input: context.input }] : [];
  });
}

function* due(
  workflow: string,
  spec: ScheduleSpec,
  evidence: Evidence,
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  const { jumpedMs } = evidence;
  const runs = orderedBy("schedule", workflow, evidence);
  const times = new Map<number, string>();
  for (const { execId, at, input } of runs) {
    const time = Date.parse(input.due ?? "");
    const what = `${execId} of '${workflow}'`;
    if (nextAfter(spec.cron, "UTC", time - 1) !== time)
      yield `${what} was begun for ${input.due}, which is no due time`;
    const other = times.get(time);
    if (other !== undefined) yield `${what} was begun for ${input.due}, and so was ${other}`;
    times.set(time, execId);
    if (jumpedMs > 0) continue;
    if (at < time) yield `${what} was begun ${time - at} ms before it was due`;
    const late = at - time - msOf(spec.jitter) - Math.max(msOf(spec.catch_up), lateMs);
    const mayWait = spec.overlap === "buffer_one" || spec.overlap === "cancel_other" || evidence.hadTrouble;
    if (late > 0 && !mayWait) yield `${what} was begun ${late} ms after its window`;
  }
  if (spec.overlap !== "allow") yield* together(workflow, runs, byExecution);
  yield* counts(workflow, spec, times, evidence);
}
const msOf = (duration: Duration | undefined): number => durationOf(duration ?? 0, "", () => undefined);

/** Whoever is to wait for the run before begins after its end. */
function* together(
  workflow: string,
  runs: readonly Ordered[],
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  for (const [index, { execId, line }] of runs.entries()) {
    const before = runs[index - 1];
    if (!before) continue;
    const end = (byExecution.get(before.execId) ?? []).find(
      ({ status, disposition }) => isTerminal(status) && disposition === "applied",
    );
    if (!end || end.line > line) yield `${execId} of '${workflow}' was begun while ${before.execId} was open`;
  }
}

/** Every due time was begun, skipped or missed; and where nothing was in its way, none is forgotten. */
function* counts(
  workflow: string,
  { cron, jitter }: ScheduleSpec,
  begun: ReadonlyMap<number, string>,
  { schedules, began, jumpedMs, scenario }: Evidence,
): Generator<string> {
  const shown = schedules.find((one) => one.workflow === workflow);
  if (!shown || jumpedMs > 0) return;
  const dueBy = (until: number): number => {
    let count = 0;
    for (let at = nextAfter(cron, "UTC", began); at !== null && at <= until; at = nextAfter(cron, "UTC", at))
      count += 1;
    return count;
  };
  const settled = begun.size + shown.skipped + shown.missed;
  if (settled > dueBy(shown.at)) yield `of ${dueBy(shown.at)} due times of '${workflow}' ${settled} were settled`;
  const least = dueBy(shown.at - msOf(jitter) - 1);
  // Of a run that cannot even begin its order is not in the log.
  const inTheWay = ["mailbox", "queueMax", "cascadeMax"].some((limit) => limit in scenario.limits);
  const isFree = scenario.faults.length === 0 && !inTheWay;
  if (isFree && settled < least) yield `of ${least} due times of '${workflow}' only ${settled} were settled`;
}

function* delivered(workflow: string, { dedupe, verify = "none" }: WebhookSpec, evidence: Evidence): Generator<string> {
  const runs = orderedBy("webhook", workflow, evidence);
  const { rows } = evidence.disk;
  const asked = evidence.asked.filter(({ delivery }) => delivery?.path === workflow);
  for (const { answer, delivery } of asked) {
    if (!answer || !delivery) continue;
    if (verify !== "none" && !delivery.isSigned && "told" in answer) yield `'${workflow}' took a forged delivery`;
    const { execId } = "told" in answer ? (answer.told as Receipt) : {};
    if (execId !== undefined && !rows.has(execId))
      yield `a delivery to '${workflow}' was answered with ${execId}: lost`;
  }
  if (dedupe === undefined) return;
  for (const [delivery, own] of Map.groupBy(runs, ({ input }) => input.delivery)) {
    if (own.length > 1) yield `delivery ${delivery} to '${workflow}' began ${own.length} runs`;
  }
}
