// The task dispatcher: hands scheduled, retried and resumed worker tasks to an executor.

import { taskDispatch } from "../machines/task-dispatch.ts";
import { taskExecution } from "../machines/task-execution.ts";
import type { Message } from "../protocol/catalogue.ts";
import { workerTypes } from "../protocol/fields.ts";
import { as, type Component, type Ear } from "./component.ts";

type Scheduled = Message<"event:TaskScheduled" | "event:TaskRetryScheduled" | "event:TaskWaitingEnded">;

const ordersOf = (execId: string): string => `order/${execId}#`;
const startTimeoutMs = 60_000;

const dispatch: Ear = (host, { word }) => {
  const { context } = word["payload"] as { context: { attempt: number; task_type: string } };
  const execId = word.task?.exec_id ?? "";
  if (!(workerTypes as readonly string[]).includes(context.task_type)) return;
  // The task's own start timeout, where the task lives here.
  const task = host.actor(`task/${execId}`);
  const known =
    task?.machine === taskExecution ? (task.life.snapshot.context as { startTimeoutMs: number }) : undefined;
  const resumed = word.type === "event:TaskWaitingEnded" ? "r" : "";
  host.enter(`${ordersOf(execId)}${context.attempt}${resumed}`, taskDispatch, "TD", {
    scheduled: as<Scheduled>(word),
    startTimeoutMs: known?.startTimeoutMs ?? startTimeoutMs,
  });
};

const toOrders: Ear = (host, { word }) => {
  const orders = ordersOf(word.task?.exec_id ?? "");
  const { attempt } = (word["payload"] as { context: { attempt?: number } }).context;
  if (attempt !== undefined) {
    // Of an earlier attempt none is left, and a run may have very many others.
    host.tell(`${orders}${attempt}`, word);
    host.tell(`${orders}${attempt}r`, word);
    return;
  }
  for (const address of Array.from(host.run.actors.keys())) if (address.startsWith(orders)) host.tell(address, word);
};

export const taskDispatcher: Component = {
  role: "task-dispatcher",
  code: "TD",
  group: "task-dispatcher",
  hears: {
    "event:TaskScheduled": dispatch,
    "event:TaskRetryScheduled": dispatch,
    "event:TaskWaitingEnded": dispatch,
    "result:CommandAck": (host, heard) => {
      if (heard.word.task) toOrders(host, heard);
    },
    "event:TaskExecutionStarted": toOrders,
    "event:TaskExecutionSuccess": toOrders,
    "event:TaskExecutionFailed": toOrders,
    "event:TaskExecutionCanceled": toOrders,
    "event:TaskExecutionTimedOut": toOrders,
  },
};
