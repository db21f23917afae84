// What is said to executions that are under way: signal, pause, resume, cancel; each waits for the answer.

import type { Clock } from "../actors/clock.ts";
import type { Word } from "../actors/component.ts";
import { endsParked } from "../actors/parked.ts";
import type { Limits } from "../actors/limits.ts";
import type { System } from "../actors/system.ts";
import type { World } from "../actors/world.ts";
import { type ErrorCode, TroupeError } from "../protocol/errors.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";
import { checkArgument, checkExecId, type Rule } from "./arguments.ts";
import { type ChildReport, reportOf } from "./cancel-report.ts";
import { checkedContent } from "./content.ts";
import { caller, type Gate } from "./desk.ts";

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

type Place = { run: string; entity: Row["entity"]; id: string; parents: Partial<Word> };

const answerMs = 5_000;

export function openCommands({ system, store, clock, limits, gate, replySubject, inbox }: Means) {
  /** Who waits for the answer to a command, by its message id. */
  const replies = new Map<string, (word: Word) => void>();
  /** What tells each of them that no answer comes any more. */
  const waiting = new Set<() => void>();
  const off = system.subscribe(({ said }) => {
    for (const { word, cause } of said) {
      if (word.type !== "result:CommandAck") continue;
      // One that goes to an inbox comes once others have answered, and is caused by what they said.
      const [inboxOf = ""] = (word.to ?? "").split(".").slice(-1);
      const reply = replies.get(cause ?? "") ?? replies.get(inboxOf);
      reply?.(word);
    }
  });

  /** Says a command, and gives what it was answered. */
  function ask(run: string, type: string, sections: object, context: object): Promise<Word> {
    gate();
    // Whether it can be replayed is known once it has been.
    system.run(run);
    const parked = system.parked().get(run);
    if (parked !== undefined && !endsParked(run, { type, ...sections })) {
      throw new TroupeError("INVALID_STATE", `the run is parked: ${parked}`, { status: "parked", exec_id: run });
    }
    const id = system.id();
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
      system.tell(run, "API", { type, ...sections, payload } as Word, { id });
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

  function workflowOf(execId: string, what: string): { run: string; sections: object } {
    const { run, entity, id } = find(execId);
    if (entity !== "workflow") throw wrongKind(execId, entity, what);
    return { run, sections: { workflow: { id, exec_id: execId } } };
  }

  const cancelTypes = { workflow: "command:WorkflowCancel", task: "command:TaskCancel", agent: "command:AgentCancel" };

  /** Ends an execution and all below it, waits until that is so, and says what came of each. */
  async function cancel(execId: string, because = "canceled by a person"): Promise<CancelReport> {
    checkArgument("reason", because, reason);
    const { run, entity, id, parents } = find(execId);
    if (entity === "tool" || entity === "agent_runtime") {
      throw wrongKind(execId, entity, "it is canceled through its task");
    }
    const own = { ...parents, [entity]: { id, exec_id: execId } };
    const context = { reason: because, canceled_by: caller, ...(entity !== "workflow" && { cause: "requested" }) };
    // A parked run cannot take along what it called; that it is parked is known once it was to be replayed.
    system.run(run);
    const orphans = system.parked().has(run) && run === execId ? await calledBy(run) : [];
    const watch = reportOf({ system, clock, run, root: { entity, execId } });
    waiting.add(watch.stop);
    try {
      const answer = await ask(run, cancelTypes[entity], own, context);
      const { no_change } = (answer["payload"] as { context: { no_change?: boolean } }).context;
      const changed = no_change !== true;
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
    /** Kept for a wait that comes later, if none waits now. */
    async signal(execId: string, name: string, payload: unknown = {}): Promise<void> {
      const { run, sections } = workflowOf(execId, "signals go to workflow executions");
      checkArgument("name", name, signalName);
      const signal = { name, payload: checkedContent(payload, limits.payloadBytes) };
      await ask(run, "command:WorkflowSignal", sections, { signal });
    },
    /** What is under way goes on to its end; nothing new begins, and deadlines stand still. */
    async pause(execId: string, because = "paused by a person"): Promise<void> {
      checkArgument("reason", because, reason);
      const { run, sections } = workflowOf(execId, "only workflow executions are paused");
      await ask(run, "command:WorkflowPause", sections, { reason: because, paused_by: caller });
    },
    /** A paused workflow goes on; a waiting task is given what it waits for. */
    async resume(execId: string, data?: unknown): Promise<void> {
      const { run, entity, id, parents } = find(execId);
      const given = data === undefined ? undefined : checkedContent(data, limits.payloadBytes);
      const own = { ...parents, [entity]: { id, exec_id: execId } };
      if (entity === "workflow") {
        const context = { resumed_by: caller, ...(given !== undefined && { resume_data: given }) };
        await ask(run, "command:WorkflowResume", own, context);
      } else if (entity === "task") {
        await ask(run, "command:TaskResume", own, { resumed_by: caller, resume_data: given ?? {} });
      } else throw wrongKind(execId, entity, "only workflows and waiting tasks are resumed");
    },
    close(): void {
      off();
      for (const stop of waiting) stop();
    },
  };
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
