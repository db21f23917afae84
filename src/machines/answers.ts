// What is answered to a command that no running chart can answer: an order that came twice, an end, a void.
//
// A chart that has ended is inert, so whoever hosts it asks here with what it still knows of the execution.

import type { Message } from "../protocol/catalogue.ts";
import type { Data } from "../protocol/fields.ts";
import type { Status } from "../protocol/statuses.ts";
import { accept, decline, declineIn } from "./acknowledgment.ts";

export type Order = Message<"command:WorkflowExecute">;
export type Trigger = Message<"command:TaskTrigger">;

/** A command about an execution that is there, or was. A ToolCancel is none of them: nobody answers it. */
type Command = Message<
  | "command:WorkflowPause"
  | "command:WorkflowResume"
  | "command:WorkflowCancel"
  | "command:WorkflowSignal"
  | "command:TaskResume"
  | "command:TaskCancel"
  | "command:AgentCancel"
>;

/** Whether two JSON values are the same, whatever the order of their fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [a as Data, b as Data];
  const fields = Object.keys(left);
  return (
    fields.length === Object.keys(right).length &&
    fields.every((field) => Object.hasOwn(right, field) && sameJson(left[field], right[field]))
  );
}

/** What makes an order this one and no other; who triggered it, and when, does not. */
function contentOf(order: Order | Trigger): Data {
  const { input } = order.payload.context;
  if (order.type === "command:WorkflowExecute") return { workflow: order.workflow.id, input };
  return { workflow: order.workflow?.id, task: order.task.id, task_type: order.payload.context.task_type, input };
}

/** Whether an order is the same as an earlier one with its execution id. */
export const sameOrder = <O extends Order | Trigger>(one: O, other: O): boolean =>
  sameJson(contentOf(one), contentOf(other));

export const acceptAgain = (event: { type: string }) => accept(event, { duplicate: true });

export const declineOther = (event: { type: string }, known: Order | Trigger) =>
  decline(event, "EXEC_ID_CONFLICT", `execution '${execIdOf(known)}' has other content`);

const execIdOf = (known: Order | Trigger): string =>
  known.type === "command:WorkflowExecute" ? known.workflow.exec_id : known.task.exec_id;

/** The answer to an order whose execution id is taken, by this other one; whether it still runs does not matter. */
export const answerOrder = <O extends Order | Trigger>(known: O, command: O) =>
  sameOrder(known, command) ? acceptAgain(command) : declineOther(command, known);

/** The answer of an execution that has ended. A workflow or task that is canceled again changes nothing. */
export function answerEnded(status: Status<"workflow" | "task" | "agent">, command: Command) {
  const isCanceledAgain =
    status === "CANCELED" && (command.type === "command:WorkflowCancel" || command.type === "command:TaskCancel");
  return isCanceledAgain ? accept(command, { no_change: true }) : declineIn(command, status);
}

/** The answer where no execution has the id: a WorkflowExecute or TaskTrigger begins one instead. */
export function answerUnknown(command: Command) {
  const [entity, exec_id] = subjectOf(command);
  return decline(command, "EXECUTION_NOT_FOUND", `no ${entity} execution '${exec_id}' is known`);
}

function subjectOf(command: Command): [entity: string, exec_id: string] {
  if (command.type === "command:AgentCancel") return ["agent", command.agent.exec_id];
  const isTask = command.type === "command:TaskResume" || command.type === "command:TaskCancel";
  return isTask ? ["task", command.task.exec_id] : ["workflow", command.workflow.exec_id];
}
