// Where people hand in what is to run: workflows, or one agent, tool or task by itself; and wait for how it ends.
//
//   start ─▶ key known? ─▶ the execution of that key
//                 └─ no ─▶ command ─▶ system          key and command are one unit of the log

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import type { Limits } from "../actors/limits.ts";
import type { Definitions, World } from "../actors/world.ts";
import type { System } from "../actors/system.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isDefinitionId, isExecId } from "../protocol/ids.ts";
import { nearest } from "../protocol/nearest.ts";
import type { Key, Store } from "../store/store.ts";
import { checkedContent, checkedLabels, type Labels } from "./content.ts";
import type { End, Endings } from "./endings.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { checkNames } from "./options.ts";

export type { End } from "./endings.ts";

export type Start = {
  /** Starts once: for 24 hours the same key gives the same execution, and is refused for other content. */
  idempotencyKey?: string;
  /** What it is found by later. */
  labels?: Labels;
  /** What it belongs to, for whoever follows messages; minted if it is not given. */
  correlationId?: string;
};

export type Handle = {
  readonly execId: string;
  /** Whether an earlier start with the same key had begun it. */
  readonly duplicate: boolean;
  /**
   * Resolves once the start is on disk: `execId` is given before that. Who passes the id on to others awaits it, for
   * a crash takes back what is not on disk; nobody else has to, because results and messages wait for the disk anyway.
   */
  readonly accepted: () => Promise<void>;
  /** Settles when it has ended, however it did; rejects only if this troupe is stopped before. */
  readonly result: () => Promise<End>;
};

/** What is run by itself: an agent, a tool, or a task as `workflow.task` or by its id alone if that is unique. */
export type Target = { agent: string } | { tool: string } | { task: string };

/** Says that nothing can be taken at present, and why. */
export type Gate = () => void;

type Means = {
  system: System;
  store: Store;
  clock: Clock;
  definitions: Definitions;
  limits: Limits;
  endings: Endings;
  gate: Gate;
  /** Where an acknowledgment goes. */
  replySubject: World["replySubject"];
};

/** How long a key is remembered. */
const keyMs = 86_400_000;
const keyCharsMax = 256;
export const caller = "api.Service";

export function openDesk({ system, store, clock, definitions, limits, endings, gate, replySubject }: Means) {
  /** Keys of starts that are not on disk yet, by key and by run. */
  const fresh = new Map<string, Key>();
  const freshOf = new Map<string, string>();
  /** Runs of which nothing is on disk yet, and who waits for it. */
  const unsaved = new Map<string, (() => void)[]>();
  const off = system.subscribe(({ run }) => {
    const waiting = unsaved.get(run);
    if (!waiting) return;
    unsaved.delete(run);
    fresh.delete(freshOf.get(run) ?? "");
    freshOf.delete(run);
    for (const resolve of waiting) resolve();
  });
  const accepted = (run: string): Promise<void> =>
    new Promise((resolve) => {
      const waiting = unsaved.get(run);
      if (waiting) waiting.push(resolve);
      else resolve();
    });

  function begun(
    content: unknown,
    word: (execId: string, correlationId: string) => object,
    options: Start,
  ): { run: string; isNew: boolean } {
    gate();
    const { idempotencyKey, correlationId } = options;
    const now = clock.now();
    const kept = idempotencyKey === undefined ? undefined : store.key(idempotencyKey, now);
    // A key may be kept longer than what it began: then it stands for nothing any more.
    const known = fresh.get(idempotencyKey ?? "") ?? (kept && store.row(kept.execId) ? kept : undefined);
    if (known) {
      if (known.fingerprint === fingerprintOf(content)) return { run: known.execId, isNew: false };
      const message = `the key '${known.key}' was used for other content`;
      throw new TroupeError("IDEMPOTENCY_CONFLICT", message, { exec_id: known.execId });
    }
    const execId = system.id();
    const key =
      idempotencyKey === undefined
        ? undefined
        : {
            key: idempotencyKey,
            execId,
            fingerprint: fingerprintOf(content),
            expiresAt: now + keyMs,
          };
    if (key) {
      fresh.set(key.key, key);
      freshOf.set(execId, key.key);
    }
    unsaved.set(execId, []);
    const origin = { correlationId: correlationId ?? system.id(), isNew: true, ...(key && { key }) };
    system.tell(execId, "API", word(execId, origin.correlationId) as Word, origin);
    return { run: execId, isNew: true };
  }

  function beginWorkflow(workflow: string, input: unknown, options: Start) {
    const known = [...definitions.workflows.keys()];
    if (!definitions.workflows.has(workflow)) throw unknown("WORKFLOW_NOT_FOUND", "workflow", workflow, known);
    checkStart(options);
    const labels = checkedLabels(options.labels, limits.labelsMax);
    return order(workflow, input, { ...options, ...(labels && { labels }) });
  }

  /** The labels are as they may be. */
  function order(workflow: string, input: unknown, options: Start) {
    const given = checkedContent(input, limits.payloadBytes);
    const { labels } = options;
    const context = { input: given, trigger_type: "api", ...(labels && { labels }) };
    const word = (exec_id: string, corr: string): object => ({
      type: "command:WorkflowExecute",
      workflow: { id: workflow, exec_id },
      payload: { reply_to_subject: replySubject("workflow", exec_id, corr), context },
    });
    return begun(["workflow", workflow, given], word, options);
  }

  function beginOne(what: Target, input: unknown, options: Start) {
    checkStart(options);
    if (options.labels) throw new TroupeError("VALIDATION_FAILED", "only workflow executions have labels");
    const given = checkedContent(input, limits.payloadBytes);
    const { scope, id, type } = targetOf(definitions, what);
    const context = { attempt: 1, input: given, triggered_by: caller, ...(type && { task_type: type }) };
    const word = (exec_id: string, corr: string): object => ({
      type: "command:TaskTrigger",
      ...(scope !== undefined && { workflow: { id: scope } }),
      task: { id, exec_id },
      payload: { reply_to_subject: replySubject("task", exec_id, corr), context },
    });
    return begun([what, given], word, options);
  }

  const handle = ({ run, isNew }: { run: string; isNew: boolean }): Handle => ({
    execId: run,
    duplicate: !isNew,
    accepted: () => accepted(run),
    result: () => endings.of(run),
  });
  const endOf = ({ run, isNew }: { run: string; isNew: boolean }): Promise<End> =>
    isNew ? endings.expect(run) : endings.of(run);

  return {
    start: (workflow: string, input: unknown = {}, options: Start = {}): Handle =>
      handle(beginWorkflow(workflow, input, options)),
    startOne: (what: Target, input: unknown = {}, options: Start = {}): Handle =>
      handle(beginOne(what, input, options)),
    async run<O = Readonly<Record<string, unknown>>>(
      workflow: string,
      input: unknown = {},
      options: Start = {},
    ): Promise<End<O>> {
      return (await endOf(beginWorkflow(workflow, input, options))) as End<O>;
    },
    async execute<O = Readonly<Record<string, unknown>>>(
      what: Target,
      input: unknown = {},
      options: Start = {},
    ): Promise<End<O>> {
      return (await endOf(beginOne(what, input, options))) as End<O>;
    },
    /** For starts of the engine's own, whose labels may be one more. */
    again: (workflow: string, input: unknown, options: Start): string => {
      const known = [...definitions.workflows.keys()];
      if (!definitions.workflows.has(workflow)) throw unknown("WORKFLOW_NOT_FOUND", "workflow", workflow, known);
      return order(workflow, input, options).run;
    },
    close: off,
  };
}

function checkStart(options: Start): void {
  checkNames(options, ["idempotencyKey", "labels", "correlationId"], "the options of a start");
  const { idempotencyKey: key, correlationId } = options;
  if (key !== undefined && (typeof key !== "string" || key === "" || key.length > keyCharsMax)) {
    throw new TroupeError("VALIDATION_FAILED", `an idempotency key is a text of 1 to ${keyCharsMax} characters`);
  }
  if (correlationId !== undefined && !isExecId(correlationId)) {
    throw new TroupeError("VALIDATION_FAILED", "a correlation id must be a lower-case hyphenated UUID");
  }
}

function unknown(
  code: "WORKFLOW_NOT_FOUND" | "TASK_NOT_FOUND" | "TOOL_NOT_FOUND",
  what: string,
  id: string,
  known: readonly string[],
): TroupeError {
  const meant = nearest(String(id), known);
  const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
  return new TroupeError(code, `there is no ${what} '${id}'${hint}`, { [what]: id });
}

function targetOf(definitions: Definitions, what: Target): { scope?: string; id: string; type?: "agent" | "tool" } {
  const names = ["agent", "tool", "task"];
  checkNames(what, names, "what is to run");
  if (Object.keys(what).length !== 1) throw new TroupeError("VALIDATION_FAILED", `name one of ${names.join(", ")}`);
  if ("agent" in what) {
    if (isDefinitionId(what.agent)) return { id: what.agent, type: "agent" };
    throw new TroupeError("INVALID_ID", `'${String(what.agent)}' is no id of an agent`);
  }
  if ("tool" in what) {
    if (definitions.tools.has(what.tool)) return { id: what.tool, type: "tool" };
    throw unknown("TOOL_NOT_FOUND", "tool", what.tool, [...definitions.tools.keys()]);
  }
  const [scope, id = ""] = what.task.includes(".") ? what.task.split(".", 2) : [undefined, what.task];
  const workflows = [...definitions.workflows.values()].filter((one) => scope === undefined || one.id === scope);
  const homes = workflows.filter((one) => one.tasks.has(id));
  const [home, other] = homes;
  if (!home) {
    const known = workflows.flatMap((one) => [...one.tasks.keys()]);
    throw unknown(
      "TASK_NOT_FOUND",
      "task",
      what.task,
      scope === undefined ? known : known.map((one) => `${scope}.${one}`),
    );
  }
  if (!other) return { scope: home.id, id };
  const among = homes.map((one) => `${one.id}.${id}`);
  const message = `'${id}' stands in several workflows: name one of ${among.join(", ")}`;
  throw new TroupeError("TASK_AMBIGUOUS", message, { among });
}
