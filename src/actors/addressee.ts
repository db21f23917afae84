// For which run a message from elsewhere is, and what caused it: by what was asked, else by the ids in it.

import type { Delivery } from "../transport/transport.ts";
import { type Key, kindOf } from "../protocol/catalogue.ts";
import type { Metadata } from "../protocol/envelope.ts";
import type { Parsed } from "../protocol/parse.ts";
import type { Cause, Word } from "./component.ts";
import type { Requests } from "./requests.ts";
import type { System } from "./system.ts";

export type Addressed = {
  /** None if nothing in the message says it. */
  run: string | undefined;
  /** The message, with what its command was about if it does not say so itself. */
  word: Word;
  cause: Cause | null;
  /** The run that said it, if that is of this process and waits for what comes of it. */
  from: string;
};

export function newAddressee(system: Pick<System, "homeOf" | "peek" | "run">, requests: Requests) {
  /** The workflow execution that it names, else the direct run. */
  function runOf({ workflow, task, agent, tool, agent_runtime }: Word, key: Key): string | undefined {
    if (key.startsWith("event:AgentRuntime")) return agent_runtime?.exec_id;
    if (workflow?.exec_id !== undefined) return workflow.exec_id;
    const called = (tool ?? agent)?.exec_id;
    const asked = requests.asked(called);
    if (asked) return asked.run;
    if (task?.exec_id !== undefined) return system.homeOf(task.exec_id) ?? task.exec_id;
    return called === undefined ? undefined : (system.homeOf(called) ?? called);
  }

  return {
    runOf,
    isKnown: (run: string): boolean =>
      system.peek(run) !== undefined || system.homeOf(run) !== undefined || system.run(run) !== undefined,

    of({ subject }: Delivery, { key, address }: Parsed, word: Word, { causation_id }: Metadata): Addressed {
      const isAck = key === "result:CommandAck";
      const bySubject = (): ReturnType<Requests["asked"]> =>
        isAck || address === null ? (requests.asked(subject) ?? requests.asked(lastToken(subject))) : undefined;
      const asked = kindOf(key) === "result" ? (requests.asked(causation_id) ?? bySubject()) : undefined;
      // An acknowledgment need not say what it is about: it is about what was asked.
      const whole = isAck && asked ? ({ ...asked.about, ...word } as Word) : word;
      const { parent_exec_id } = ((word["payload"] ?? {}) as { context?: { parent_exec_id?: string } }).context ?? {};
      const isChild = key === "command:WorkflowExecute" && parent_exec_id !== undefined;
      const unasked = causation_id === undefined ? null : { run: "", from: "", id: causation_id };
      return {
        run: asked?.run ?? runOf(whole, key),
        word: whole,
        cause: asked ? { run: asked.run, from: asked.from, id: asked.id } : unasked,
        from: isChild ? (system.homeOf(parent_exec_id) ?? "") : "",
      };
    },
  };
}

export const lastToken = (subject: string): string => subject.slice(subject.lastIndexOf(".") + 1);
