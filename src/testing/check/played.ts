// What came of a play, made of its log when it is asked for: most judges look at little of it.

import type { Execution } from "../../actors/state-manager.ts";
import type { Run } from "../../actors/run.ts";
import { type JournalLine, journalOf } from "../../actors/record.ts";
import type { Committed } from "../../actors/system.ts";
import { waitText } from "../../protocol/waiting.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import type { Disk } from "../../store/memory.ts";
import type { Company } from "./cast.ts";
import type { Called, Line, Played, Transition, Trial, Unmet } from "./trial.ts";
import { wayTaken } from "./ways.ts";

export type PlayedParts = {
  company: Company;
  trial: Trial;
  run: string;
  beganAt: number;
  runs: ReadonlyMap<string, Run>;
  committed: readonly Committed[];
  calls: readonly Called[];
  unmet: readonly Unmet[];
  troubles: readonly string[];
  appends: number;
  lives: number;
  disk: () => Disk;
};
type Result = { output?: unknown; error?: { code: string; message: string; details?: Record<string, unknown> } };

export class PlayedRun implements Played {
  readonly trial: Trial;
  readonly definition: WorkflowSpec;
  readonly workflows: Played["workflows"];
  readonly run: string;
  readonly status: string;
  readonly output: unknown;
  readonly error: Played["error"];
  readonly beganAt: number;
  readonly endedAt: number | null;
  readonly calls: readonly Called[];
  readonly unmet: readonly Unmet[];
  readonly troubles: readonly string[];
  readonly appends: number;
  readonly lives: number;
  readonly #parts: PlayedParts;
  #lines: Line[] | undefined;
  #executions: Execution[] | undefined;
  #transitions: Transition[] | undefined;

  constructor(parts: PlayedParts) {
    const { company, trial, run, runs } = parts;
    const own = runs.get(run)?.executions.get(run);
    const result = own?.result as Result | null | undefined;
    this.#parts = parts;
    this.trial = trial;
    this.definition = company.workflows.get(trial.workflow) as WorkflowSpec;
    this.workflows = company.workflows;
    this.run = run;
    this.status = own?.status ?? "PENDING";
    this.output = result?.output;
    this.error = result?.error ? { ...result.error, details: result.error.details ?? {} } : null;
    this.beganAt = parts.beganAt;
    this.endedAt = own?.endedAt ?? null;
    this.calls = parts.calls;
    this.unmet = parts.unmet;
    this.troubles = parts.troubles;
    this.appends = parts.appends;
    this.lives = parts.lives;
  }

  get lines(): readonly Line[] {
    return (this.#lines ??= this.#parts.committed.flatMap(linesIn));
  }
  get executions(): readonly Execution[] {
    const { runs } = this.#parts;
    return (this.#executions ??= [...runs.values()].flatMap(({ executions }) => [...executions.values()]));
  }
  get transitions(): readonly Transition[] {
    return (this.#transitions ??= transitionsIn(this.lines, this.#parts.company));
  }
  get open(): Played["open"] {
    return [...this.#parts.runs.values()].flatMap(openIn);
  }

  journal(): JournalLine[] {
    return this.#parts.disk().log.flatMap(journalOf);
  }
  disk(): Disk {
    return this.#parts.disk();
  }
}

function linesIn({ run, at, line: first, said }: Committed): Line[] {
  const lines: Line[] = [];
  for (const { id, by, word, cause, disposition = "applied", fleeting } of said) {
    if (fleeting) continue;
    lines.push({ line: first + lines.length, at, run, by, word, disposition, cause, id });
  }
  return lines;
}

const endings: Readonly<Record<string, string>> = {
  "event:TaskExecutionSuccess": "SUCCESS",
  "event:TaskExecutionFailed": "FAILED",
  "event:TaskExecutionTimedOut": "TIMED_OUT",
};

/** The ways that tasks took when they ended. A failure that is tried again has taken none. */
function transitionsIn(lines: readonly Line[], company: Company): Transition[] {
  const last = new Map<string, { line: Line; status: string }>();
  for (const line of lines) {
    const { type, task } = line.word;
    const status = endings[type];
    if (status !== undefined && task && line.disposition === "applied") last.set(task.exec_id, { line, status });
    else if (type === "event:TaskRetryScheduled" && task) last.delete(task.exec_id);
  }
  return [...last.values()].flatMap(({ line, status }) => wayOf(line, status, company) ?? []);
}

function wayOf({ word }: Line, status: string, company: Company): Transition | undefined {
  const { workflow = { id: "" }, task } = word;
  const spec = task && company.taskOf(String(workflow.id), task.id);
  const { result } = word["payload"] as { result: Result | null };
  const { output, error } = result ?? {};
  const cause = error?.details?.["cause_code"];
  const about = { output, code: error?.code, cause: typeof cause === "string" ? cause : undefined };
  return spec && wayTaken(String(workflow.id), spec, status, about);
}

function openIn({ id, facts, actors, executions }: Run): Played["open"][number][] {
  if (actors.size === 0) return [];
  const waiting = [...executions.values()].filter(({ isOpen, status }) => isOpen && status === "WAITING");
  const own = executions.get(id);
  const row = { run: id, status: own?.status ?? "PENDING", about: own?.about };
  const [task] = waiting.map(({ status, about }) => ({ run: id, status, about }));
  const why = waitText(row, (ms) => `${ms} ms`, task) ?? `is ${row.status}`;
  return [{ run: id, workflow: facts.definition?.id ?? "", why }];
}
