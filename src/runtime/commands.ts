// What is said to executions that are under way: signal, pause, resume, cancel; each waits for the answer.

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import { isImportedRow } from "../actors/imported.ts";
import { endsParked } from "../actors/parked.ts";
import type { Limits } from "../actors/limits.ts";
import type { System } from "../actors/system.ts";
import type { World } from "../actors/world.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";
import { type Rule, checkArgument, checkExecId, checkFields, oneOf } from "./arguments.ts";
import { type ChildReport, reportOf } from "./cancel-report.ts";
import { checkedContent } from "./content.ts";
import { caller, type Gate, gatewayName } from "./desk.ts";
import { keyRule, type Once, openRepeats } from "./repeats.ts";

export type CancelReport = {
  execId: string;
  /** False: it had ended before, or was being canceled already. */
  changed: boolean;
  /** What was open below it, and what came of that. */
  children: ChildReport[];
  /** Until all of it had ended. */
  tookMs: number;
};

type Means = {
  system: System;
  store: Store;
  clock: Clock;
  limits: Limits;
  gate: Gate;
  replySubject: World["replySubject"];
  /** Where the answer to a message goes that has no subject of its own. */
  inbox: (messageId: string) => string;
};
const reasonCharsMax = 4_096;
const reason: Rule = {
  is: (value) => typeof value === "string" && value.length <= reasonCharsMax,
  says: `must be a text of at most ${reasonCharsMax} characters`,
};
const signalName: Rule = {
  is: (value) => typeof value === "string" && value !== "" && value.length <= 256,
  says: "must be a text of 1 to 256 characters",
};

/** Who says a command, under which id, and the key by which it is known when it comes again. */
type Saying = { by?: Code; id?: string; key?: string | undefined };

type Place = { run: string; entity: Row["entity"]; id: string; parents: Partial<Word> };

const answerMs = 5_000;

export function openCommands({ system, store, clock, limits, gate, replySubject, inbox }: Means) {
  const repeats = openRepeats(store);
  /** Who waits for the answer to a command, by its message id. */
  const replies = new Map<string, (word: Word) => void>();
  /** What tells each of them that no answer comes any more. */
  const waiting = new Set<() => void>();
  const off = system.subscribe(({ said }) => {
    if (replies.size === 0) return;
    for (const { word, cause } of said) {
      if (word.type !== "result:CommandAck") continue;
      // One that goes to an inbox comes once others have answered, and is caused by what they said.
      const [inboxOf = ""] = (word.to ?? "").split(".").slice(-1);
      const reply = replies.get(cause ?? "") ?? replies.get(inboxOf);
      reply?.(word);
    }
  });

  /** Says a command, and gives what it was answered. */
  function ask(run: string, type: string, sections: object, context: object, more: Saying = {}): Promise<Word> {
    const { key } = more;
    if (key === undefined) return say(run, type, sections, context, more);
    return repeats
      .once({ key, run, type, context }, (id) => say(run, type, sections, context, { ...more, id }))
      .then(taken);
  }

  function say(
    run: string,
    type: string,
    sections: object,
    context: object,
    { by = "API", id = system.id() }: Saying,
  ): Promise<Word> {
    gate();
    // Whether it can be replayed is known once it has been.
    system.run(run);
    const parked = system.parked().get(run);
    if (parked !== undefined && !endsParked(run, { type, ...sections })) {
      throw new TroupeError("INVALID_STATE", `the run is parked: ${parked}`, { status: "parked", exec_id: run });
    }
    const payload = { context, reply_to_subject: subjectOf(run, type, sections) ?? inbox(id) };
    return new Promise((resolve, reject) => {
      const cancel = clock.alarm(clock.now() + answerMs, () => {
        leave();
        reject(new TroupeError("COMMAND_TIMEOUT", `'${type}' was not answered in ${answerMs} ms`));
      });
      const leave = (): void => {
        replies.delete(id);
        waiting.delete(stop);
        cancel();
      };
      const stop = (): void => {
        leave();
        const message = `the troupe was stopped before '${type}' was answered`;
        reject(new TroupeError("INVALID_STATE", message, { status: "stopped" }));
      };
      waiting.add(stop);
      replies.set(id, (answer) => {
        leave();
        const error = errorIn(answer);
        if (error) reject(error);
        else resolve(answer);
      });
      system.tell(run, by, { type, ...sections, payload } as Word, { id });
    });
  }

  /** The result subject of the execution; an agent's is for its result, so an inbox is minted for it. */
  function subjectOf(run: string, type: string, { workflow, task }: Partial<Word>): string | undefined {
    if (type === "command:AgentCancel") return undefined;
    const correlationId = system.run(run)?.correlationId ?? store.row(run)?.correlationId ?? run;
    if (type.startsWith("command:Task")) return task && replySubject("task", task.exec_id, correlationId);
    return workflow && replySubject("workflow", workflow.exec_id, correlationId);
  }

  /** Which run an execution belongs to, and what it is. */
  function find(execId: string): Place {
    checkExecId(execId);
    const run = system.homeOf(execId);
    const execution = run === undefined ? undefined : system.peek(run)?.executions.get(execId);
    if (run !== undefined && execution) {
      const { entity, id, parents } = execution;
      return { run, entity, id, parents: parents as Partial<Word> };
    }
    const row = store.row(execId);
    if (!row) throw new TroupeError("EXECUTION_NOT_FOUND", `no execution '${execId}' is known`, { exec_id: execId });
    const { parents } = JSON.parse(row.body) as { parents: Partial<Word> };
    return { run: row.run, entity: row.entity, id: row.id, parents };
  }

  /** Where a command goes: what was imported takes none. */
  function takerOf(execId: string): Place {
    const place = find(execId);
    const row = store.row(execId);
    if (!row || !isImportedRow(row)) return place;
    const message = `'${execId}' was imported: it is read-only; retry or fork it, and that runs here`;
    throw new TroupeError("INVALID_STATE", message, { status: row.status, imported: true });
  }

  function workflowOf(execId: string, what: string): { run: string; sections: object } {
    const { run, entity, id } = takerOf(execId);
    if (entity !== "workflow") throw wrongKind(execId, entity, what);
    return { run, sections: { workflow: { id, exec_id: execId } } };
  }

  const cancelTypes = { workflow: "command:WorkflowCancel", task: "command:TaskCancel", agent: "command:AgentCancel" };

  /** What says that an execution is to end. */
  function cancelOf(execId: string, because: string, canceled_by: string) {
    checkArgument("reason", because, reason);
    const { run, entity, id, parents } = takerOf(execId);
    if (entity === "tool" || entity === "agent_runtime") {
      throw wrongKind(execId, entity, "it is canceled through its task");
    }
    const own = { ...parents, [entity]: { id, exec_id: execId } };
    const context = { reason: because, canceled_by, ...(entity !== "workflow" && { cause: "requested" }) };
    return { run, entity, own, context };
  }
  const isChange = (answer: Word): boolean =>
    (answer["payload"] as { context: { no_change?: boolean } }).context.no_change !== true;

  /** Ends an execution and all below it, waits until that is so, and says what came of each. */
  async function cancel(execId: string, because = "canceled by a person"): Promise<CancelReport> {
    const { run, entity, own, context } = cancelOf(execId, because, caller);
    // A parked run cannot take along what it called; that it is parked is known once it was to be replayed.
    system.run(run);
    const orphans = system.parked().has(run) && run === execId ? await calledBy(run) : [];
    const watch = reportOf({ system, clock, run, root: { entity, execId } });
    waiting.add(watch.stop);
    try {
      const answer = await ask(run, cancelTypes[entity], own, context);
      const changed = isChange(answer);
      const { children, tookMs } = changed ? await watch.done() : watch.now();
      const reports = await Promise.all(orphans.map((orphan) => cancel(orphan, because)));
      return { execId, changed, children: [...children, ...reports.flatMap((report) => report.children)], tookMs };
    } catch (error) {
      watch.now();
      throw error;
    } finally {
      waiting.delete(watch.stop);
    }
  }

  /** The workflow executions that a run has called and that have not ended. */
  async function calledBy(run: string): Promise<string[]> {
    const called: string[] = [];
    for (const { execId, entity, status } of store.rowsOf(run)) {
      if (entity !== "task" || isTerminal(status)) continue;
      const { rows } = await store.find({ parent: execId, entity: "workflow", limit: 100 });
      called.push(...rows.filter((row) => row.run !== run && !isTerminal(row.status)).map((row) => row.execId));
    }
    return called;
  }

  return {
    find,
    cancel,
    /** Has an execution end, and waits only until that is taken; false if it was being canceled already. */
    async requestCancel(execId: string, because = "canceled by a person", by: "API" | "GW" = "API"): Promise<boolean> {
      checkArgument("by", by, oneOf(["API", "GW"]));
      const { run, entity, own, context } = cancelOf(execId, because, by === "GW" ? gatewayName : caller);
      return isChange(await ask(run, cancelTypes[entity], own, context, { by }));
    },
    /** Kept for a wait that comes later, if none waits now. */
    async signal(execId: string, name: string, payload: unknown = {}, once: Once = {}): Promise<void> {
      checkFields(once, onceRules, "the options of a signal cannot be");
      const { run, sections } = workflowOf(execId, "signals go to workflow executions");
      checkArgument("name", name, signalName);
      const signal = { name, payload: checkedContent(payload, limits.payloadBytes) };
      await ask(run, "command:WorkflowSignal", sections, { signal }, { key: once.idempotencyKey });
    },
    /** What is under way goes on to its end; nothing new begins, and deadlines stand still. */
    async pause(execId: string, because = "paused by a person", once: Once = {}): Promise<void> {
      checkFields(once, onceRules, "the options of a pause cannot be");
      checkArgument("reason", because, reason);
      const { run, sections } = workflowOf(execId, "only workflow executions are paused");
      const context = { reason: because, paused_by: caller };
      await ask(run, "command:WorkflowPause", sections, context, { key: once.idempotencyKey });
    },
    /** A paused workflow goes on; a waiting task is given what it waits for. */
    async resume(execId: string, data?: unknown, once: Once = {}): Promise<void> {
      checkFields(once, onceRules, "the options of a resume cannot be");
      const more = { key: once.idempotencyKey };
      const { run, entity, id, parents } = takerOf(execId);
      const given = data === undefined ? undefined : checkedContent(data, limits.payloadBytes);
      const own = { ...parents, [entity]: { id, exec_id: execId } };
      if (entity === "workflow") {
        const context = { resumed_by: caller, ...(given !== undefined && { resume_data: given }) };
        await ask(run, "command:WorkflowResume", own, context, more);
      } else if (entity === "task") {
        await ask(run, "command:TaskResume", own, { resumed_by: caller, resume_data: given ?? {} }, more);
      } else throw wrongKind(execId, entity, "only workflows and waiting tasks are resumed");
    },
    close(): void {
      off();
      for (const stop of waiting) stop();
    },
  };
}

const onceRules: Readonly<Record<keyof Once, Rule>> = { idempotencyKey: keyRule };

/** An answer of before may be a refusal. */
function taken(answer: Word): Word {
  const error = errorIn(answer);
  if (error) throw error;
  return answer;
}

function errorIn(answer: Word): TroupeError | undefined {
  const { status, result } = answer["payload"] as {
    status: string;
    result: { error: { code: ErrorCode; message: string; details?: Record<string, unknown> } } | null;
  };
  if (status === "ACKNOWLEDGED" || !result) return undefined;
  const { code, message, details } = result.error;
  return new TroupeError(code, message, details ?? {});
}

function wrongKind(execId: string, entity: string, what: string): TroupeError {
  const kind = entity.startsWith("agent") ? "an" : "a";
  const message = `'${execId}' is ${kind} ${entity.replace("_", " ")} execution: ${what}`;
  return new TroupeError("INVALID_STATE", message, { entity });
}
