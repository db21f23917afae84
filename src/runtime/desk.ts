// Where people hand in what is to run: workflows, or one agent, tool or task by itself; and wait for how it ends.
//
//   start ─▶ key known? ─▶ the execution of that key
//                 └─ no ─▶ command ─▶ system          key and command are one unit of the log

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import type { Lineage } from "../actors/lineage.ts";
import type { Limits } from "../actors/limits.ts";
import type { Definitions, World } from "../actors/world.ts";
import type { System } from "../actors/system.ts";
import type { OutputOf, TypedWorkflow } from "../language/define.ts";
import { type Trace, traceIdOf } from "../protocol/envelope.ts";
import { TroupeError, type WireError } from "../protocol/errors.ts";
import { isDefinitionId, isExecId } from "../protocol/ids.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import type { Key, Store } from "../store/store.ts";
import { checkArgument, checkFields, duration, object, oneOf, type Rule, text, texts } from "./arguments.ts";
import { checkedContent, checkedLabels, type Labels } from "./content.ts";
import type { End, Endings } from "./endings.ts";
import { fingerprintOf } from "./fingerprint.ts";

export type { End } from "./endings.ts";

export type Start = {
  /** Starts once: for 24 hours the same key gives the same execution, and is refused for other content. */
  idempotencyKey?: string;
  /** What it is found by later. */
  labels?: Labels;
  /** How long the key is remembered, if not for a day. */
  keyMs?: number;
  /** Names that stand for the newest run that bears them, as long as runs are kept. */
  marks?: readonly string[];
  /** The id that the run is to have, minted before by `system.id()`: for whoever has to know it before it begins. */
  execId?: string;
  /** Who asks, if it is the gateway of conversations and not the API. */
  by?: "GW";
  /** What it belongs to, for whoever follows messages; minted if it is not given. */
  correlationId?: string;
  /** The context of the distributed trace that it belongs to: whatever it leads to carries it on. */
  trace?: Trace;
};

export type Handle<O = Readonly<Record<string, unknown>>> = {
  readonly execId: string;
  /** Whether an earlier start with the same key had begun it. */
  readonly duplicate: boolean;
  /**
   * Resolves once the start is on disk: `execId` is given before that. Who passes the id on to others awaits it, for
   * a crash takes back what is not on disk; nobody else has to, because results and messages wait for the disk anyway.
   */
  readonly accepted: () => Promise<void>;
  /** Settles when it has ended, however it did; rejects if this troupe is stopped before, or has forgotten it. */
  readonly result: () => Promise<End<O>>;
};

/** A workflow is named by its id, or by its definition: then TypeScript knows what goes in and what comes out. */
export type Run = {
  <I, O>(workflow: TypedWorkflow<I, O>, ...given: Giving<I>): Promise<End<OutputOf<O>>>;
  <O = Readonly<Record<string, unknown>>>(workflow: string, input?: unknown, options?: Start): Promise<End<O>>;
};
export type Begin = {
  <I, O>(workflow: TypedWorkflow<I, O>, ...given: Giving<I>): Handle<OutputOf<O>>;
  (workflow: string, input?: unknown, options?: Start): Handle;
};
/** An input of which nothing has to be given may be left out. */
type Giving<I> = unknown extends I
  ? [input?: unknown, options?: Start]
  : Record<never, never> extends I
    ? [input?: I, options?: Start]
    : [input: I, options?: Start];

const idIn = (workflow: string | TypedWorkflow): string =>
  typeof workflow === "object" && workflow !== null ? workflow.id : workflow;

/** What is run by itself: an agent, a tool, or a task as `workflow.task` or by its id alone if that is unique. */
export type Target = { agent: string } | { tool: string } | { task: string };

/** Who begins a run, if it is not a caller, and how long its key is remembered. */
export type Origin = { trigger: "api" | "schedule" | "webhook"; keyMs?: number };

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
  /** Why a run of the workflow could not even stand in line. */
  refusal: (workflow: string, input: unknown) => WireError | undefined;
  /** Where an acknowledgment goes. */
  replySubject: World["replySubject"];
  /** The trace of a start that brings none. */
  newTrace?: (() => Trace | undefined) | undefined;
};

/** How long a key is remembered. */
const dayMs = 86_400_000;
const keyCharsMax = 256;
export const caller = "api.Service";
export const gatewayName = "api.Gateway";

export function openDesk({ system, store, clock, definitions, limits, endings, gate, refusal, ...means }: Means) {
  const { replySubject, newTrace } = means;
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

  function knownAs(key: string): Key | undefined {
    const kept = store.key(key, clock.now());
    // A key may be kept longer than what it began: then it stands for nothing any more.
    return fresh.get(key) ?? (kept && store.row(kept.execId) ? kept : undefined);
  }

  function begun(
    content: unknown,
    word: (execId: string, correlationId: string) => object,
    options: Start,
    { trigger, keyMs = dayMs }: Origin = { trigger: "api" },
    refuse: () => WireError | undefined = () => undefined,
  ): { run: string; isNew: boolean } {
    gate();
    const { idempotencyKey, correlationId, by = "API" } = options;
    const now = clock.now();
    const known = idempotencyKey === undefined ? undefined : knownAs(idempotencyKey);
    if (known) {
      if (known.fingerprint === fingerprintOf(content)) return { run: known.execId, isNew: false };
      const message = `the key '${known.key}' was used for other content`;
      throw new TroupeError("IDEMPOTENCY_CONFLICT", message, { exec_id: known.execId });
    }
    // Whoever calls can come again, with the same key: nothing is known of a start that is refused here.
    const refused = trigger === "api" ? refuse() : undefined;
    if (refused) throw new TroupeError(refused.code, refused.message, refused.details);
    const execId = options.execId ?? system.id();
    if (options.execId !== undefined && (unsaved.has(execId) || store.row(execId))) {
      throw new TroupeError("EXEC_ID_CONFLICT", `there is an execution '${execId}' already`, { exec_id: execId });
    }
    const key =
      idempotencyKey === undefined
        ? undefined
        : {
            key: idempotencyKey,
            execId,
            fingerprint: fingerprintOf(content),
            expiresAt: now + (options.keyMs ?? keyMs),
          };
    if (key) {
      fresh.set(key.key, key);
      freshOf.set(execId, key.key);
    }
    unsaved.set(execId, []);
    const trace = options.trace ?? newTrace?.();
    const belongs = { correlationId: correlationId ?? system.id(), ...(trace && { trace }) };
    const marks = (options.marks ?? []).map((mark) => markOf(mark, execId, now + limits.retentionMs));
    const origin = { ...belongs, isNew: true, keys: [...(key ? [key] : []), ...marks] };
    system.tell(execId, trigger === "schedule" ? "SC" : by, word(execId, origin.correlationId) as Word, origin);
    return { run: execId, isNew: true };
  }

  function beginWorkflow(workflow: string, input: unknown, options: Start) {
    checkArgument("workflow", workflow, text);
    const known = [...definitions.workflows.keys()];
    if (!definitions.workflows.has(workflow)) throw unknown("WORKFLOW_NOT_FOUND", "workflow", workflow, known);
    checkStart(options);
    const labels = checkedLabels(options.labels, limits.labelsMax);
    return order(workflow, input, { ...options, ...(labels && { labels }) });
  }

  /** The labels are as they may be. */
  function order(
    workflow: string,
    input: unknown,
    options: Start,
    origin: Origin = { trigger: "api" },
    lineage?: Lineage,
  ) {
    const given = checkedContent(input, limits.payloadBytes);
    const { labels } = options;
    if (lineage) checkedContent(lineage, limits.payloadBytes, "what the run is to begin with, all results together,");
    const context = {
      input: given,
      trigger_type: origin.trigger,
      ...(labels && { labels }),
      ...(lineage && { lineage }),
    };
    const word = (exec_id: string, corr: string): object => ({
      type: "command:WorkflowExecute",
      workflow: { id: workflow, exec_id },
      payload: { reply_to_subject: replySubject("workflow", exec_id, corr), context },
    });
    const from = lineage ? [lineage.from_exec_id, lineage.from_task, lineage.definition] : [];
    return begun(["workflow", workflow, given, ...from], word, options, origin, () => refusal(workflow, given));
  }

  function beginOne(what: Target, input: unknown, options: Start) {
    checkStart(options);
    const labels = checkedLabels(options.labels, limits.labelsMax);
    const given = checkedContent(input, limits.payloadBytes);
    const { scope, id, type } = targetOf(definitions, what);
    const triggered_by = options.by === "GW" ? gatewayName : caller;
    const more = { ...(type && { task_type: type }), ...(labels && { labels }) };
    const context = { attempt: 1, input: given, triggered_by, ...more };
    const word = (exec_id: string, corr: string): object => ({
      type: "command:TaskTrigger",
      ...(scope !== undefined && { workflow: { id: scope } }),
      task: { id, exec_id },
      payload: { reply_to_subject: replySubject("task", exec_id, corr), context },
    });
    return begun([what, given], word, options);
  }

  /** How a run ends; of one that was taken and is not on disk yet, too. */
  const ended = (run: string): Promise<End> => (unsaved.has(run) ? endings.expect(run) : endings.of(run));
  const handle = ({ run, isNew }: { run: string; isNew: boolean }): Handle => ({
    execId: run,
    duplicate: !isNew,
    accepted: () => accepted(run),
    result: () => ended(run),
  });
  const endOf = ({ run, isNew }: { run: string; isNew: boolean }): Promise<End> =>
    isNew ? endings.expect(run) : ended(run);

  return {
    start: ((workflow: string | TypedWorkflow, input: unknown = {}, options: Start = {}) =>
      handle(beginWorkflow(idIn(workflow), input, options))) as Begin,
    startOne: (what: Target, input: unknown = {}, options: Start = {}): Handle =>
      handle(beginOne(what, input, options)),
    run: (async (workflow: string | TypedWorkflow, input: unknown = {}, options: Start = {}) =>
      endOf(beginWorkflow(idIn(workflow), input, options))) as Run,
    async execute<O = Readonly<Record<string, unknown>>>(
      what: Target,
      input: unknown = {},
      options: Start = {},
    ): Promise<End<O>> {
      return (await endOf(beginOne(what, input, options))) as End<O>;
    },
    /** What a start with this key has begun, as long as the key is remembered. */
    startedBy(idempotencyKey: string): string | undefined {
      checkArgument("idempotencyKey", idempotencyKey, text);
      return knownAs(idempotencyKey)?.execId;
    },
    /** The newest run on disk that bears a mark. */
    newestOf(mark: string): string | undefined {
      checkArgument("mark", mark, text);
      const kept = store.key(markOf(mark).key, clock.now());
      return kept && store.row(kept.execId) ? kept.execId : undefined;
    },
    /** For starts by a schedule or a webhook, whose key is their own. */
    engage: (workflow: string, input: unknown, options: Start, origin: Origin): Handle =>
      handle(order(workflow, input, options, origin)),
    /** For starts of the engine's own, whose labels may be one more. */
    again: (workflow: string, input: unknown, options: Start, lineage?: Lineage): string => {
      const known = [...definitions.workflows.keys()];
      // What has a lineage names its definition, which need not be one of today's.
      const isKnown = lineage !== undefined || definitions.workflows.has(workflow);
      if (!isKnown) throw unknown("WORKFLOW_NOT_FOUND", "workflow", workflow, known);
      return order(workflow, input, options, undefined, lineage).run;
    },
    ended,
    accepted,
    close: off,
  };
}

const markOf = (mark: string, execId = "", expiresAt = 0): Key => ({
  key: `mark/${mark}`,
  execId,
  fingerprint: "",
  expiresAt,
});

function checkStart(options: Start): void {
  checkFields(options, startRules, "the options of a start cannot be");
}
const startRules: Readonly<Record<keyof Start, Rule>> = {
  idempotencyKey: {
    is: (key) => typeof key === "string" && key !== "" && key.length <= keyCharsMax,
    says: `must be a text of 1 to ${keyCharsMax} characters`,
  },
  labels: object,
  marks: texts,
  keyMs: duration,
  execId: { is: (id) => typeof id === "string" && isExecId(id), says: "must be a lower-case hyphenated UUID" },
  by: oneOf(["GW"]),
  correlationId: { is: (id) => typeof id === "string" && isExecId(id), says: "must be a lower-case hyphenated UUID" },
  trace: {
    is: (trace) => object.is(trace) && traceIdOf(trace as Trace) !== undefined,
    says: "must hold a `traceparent` as the W3C writes it",
  },
};

function unknown(
  code: "WORKFLOW_NOT_FOUND" | "TASK_NOT_FOUND" | "TOOL_NOT_FOUND",
  what: string,
  id: string,
  known: readonly string[],
): TroupeError {
  const meant = nearest(id, known);
  const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
  return new TroupeError(code, `there is no ${what} '${clip(id)}'${hint}`, { [what]: clip(id) });
}

function targetOf(definitions: Definitions, what: Target): { scope?: string; id: string; type?: "agent" | "tool" } {
  checkFields(what, { agent: text, tool: text, task: text }, "what is to run cannot be understood");
  const given = Object.values(what).filter((id) => id !== undefined);
  if (given.length !== 1) throw new TroupeError("VALIDATION_FAILED", "name one to run: an agent, a tool or a task");
  const { agent, tool, task = "" } = what as { agent?: string; tool?: string; task?: string };
  if (agent !== undefined) {
    if (isDefinitionId(agent)) return { id: agent, type: "agent" };
    throw new TroupeError("INVALID_ID", `'${clip(agent)}' is no id of an agent`);
  }
  if (tool !== undefined) {
    if (definitions.tools.has(tool)) return { id: tool, type: "tool" };
    throw unknown("TOOL_NOT_FOUND", "tool", tool, [...definitions.tools.keys()]);
  }
  const [scope, id = ""] = task.includes(".") ? task.split(".", 2) : [undefined, task];
  const workflows = [...definitions.workflows.values()].filter((one) => scope === undefined || one.id === scope);
  const homes = workflows.filter((one) => one.tasks.has(id));
  const [home, other] = homes;
  if (!home) {
    const known = workflows.flatMap((one) => [...one.tasks.keys()]);
    throw unknown("TASK_NOT_FOUND", "task", task, scope === undefined ? known : known.map((one) => `${scope}.${one}`));
  }
  if (!other) return { scope: home.id, id };
  const among = homes.map((one) => `${one.id}.${id}`);
  const message = `'${id}' stands in several workflows: name one of ${among.join(", ")}`;
  throw new TroupeError("TASK_AMBIGUOUS", message, { among });
}
