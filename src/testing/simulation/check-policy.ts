// I7: attempts and delays stay inside the policy of their task.

import { prepare, type Task } from "../../actors/definition.ts";
import { withLimits } from "../../actors/limits.ts";
import type { Evidence, Told } from "./evidence.ts";

export function* delaysAndAttempts(
  { scenario }: Evidence,
  byExecution: ReadonlyMap<string, readonly Told[]>,
): Generator<string> {
  const limits = withLimits(scenario.limits);
  const tasks = new Map<string, Task>(scenario.workflows.flatMap((spec) => [...prepare(spec, limits).tasks]));
  for (const [execId, told] of byExecution) {
    const [first] = told;
    const task = first?.entity === "task" ? tasks.get((first.envelope["task"] as { id: string }).id) : undefined;
    if (task) yield* ofTask(execId, told, task);
  }
}

function* ofTask(execId: string, told: readonly Told[], { retry }: Task): Generator<string> {
  const { initial_ms, factor, max_ms, jitter } = retry.backoff;
  for (const { type, attempt, at, line, envelope } of told) {
    if (attempt > retry.max_attempts) yield `${execId}: attempt ${attempt} of at most ${retry.max_attempts}`;
    if (type !== "event:TaskRetryScheduled") continue;
    const { delay_ms } = (envelope["payload"] as { context: { delay_ms: number } }).context;
    const base = Math.min(initial_ms * factor ** (attempt - 2), max_ms);
    if (delay_ms < base * (1 - jitter) - 1 || delay_ms > base * (1 + jitter) + 1) {
      yield `${execId}: attempt ${attempt} is put off by ${delay_ms} ms, the policy says ${base} ms, jitter ${jitter}`;
    }
    const next = told.find(
      (one) => one.line > line && one.type === "event:TaskExecutionStarted" && one.attempt === attempt,
    );
    if (next && next.at < at + delay_ms)
      yield `${execId}: attempt ${attempt} began ${at + delay_ms - next.at} ms too early`;
  }
}
