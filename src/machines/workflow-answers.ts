// What is answered to a workflow command that no running chart can answer: an order that came twice, an end, a void.
//
// A chart that has ended is inert, so whoever hosts it asks here with what it still knows of the execution.

import type { Message } from "../protocol/catalogue.ts";
import type { Data } from "../protocol/fields.ts";
import type { Status } from "../protocol/statuses.ts";
import { accept, decline, declineIn } from "./acknowledgment.ts";

export type Order = Message<"command:WorkflowExecute">;
type Command = Extract<Message, { type: `command:Workflow${string}` }>;

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

/** Whether an order is the same as an earlier one with its execution id. */
export const sameOrder = (one: Order, other: Order): boolean =>
  one.workflow.id === other.workflow.id && sameJson(one.payload.context.input, other.payload.context.input);

export const acceptAgain = (event: { type: string }) => accept(event, { duplicate: true });

export const declineOther = (event: { type: string }, { workflow }: Order) =>
  decline(event, "EXEC_ID_CONFLICT", `execution '${workflow.exec_id}' has other content`);

/** The answer of an execution that has ended. */
export function answerEnded({ order, status }: { order: Order; status: Status<"workflow"> }, command: Command) {
  if (command.type === "command:WorkflowExecute") {
    return sameOrder(order, command) ? acceptAgain(command) : declineOther(command, order);
  }
  const isCanceledAgain = command.type === "command:WorkflowCancel" && status === "CANCELED";
  return isCanceledAgain ? accept(command, { no_change: true }) : declineIn(command, status);
}

/** The answer where no execution has the id: a WorkflowExecute begins one instead. */
export const answerUnknown = (command: Exclude<Command, Order>) =>
  decline(command, "EXECUTION_NOT_FOUND", `no workflow execution '${command.workflow.exec_id}' is known`);
