// What an execution waits for, said in one line for a person.

import type { Calls } from "../actors/flow-calls.ts";
import type { Registry } from "../actors/registry.ts";
import type { Run } from "../actors/run.ts";
import type { Slots } from "../actors/slots.ts";
import type { Usage, WorkflowContext } from "../machines/workflow-memory.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Row, Store } from "../store/store.ts";

type Means = { registry: Registry; slots: Slots; calls: Calls; store: Store };
type Context = Record<string, unknown>;

const time = (at: number): string => new Date(at).toISOString();

export function reasonOf(
  { execId, entity, id, status, endedAt, body }: Row,
  run: Run | undefined,
  means: Means,
): string {
  if (isTerminal(status)) {
    const { error } = JSON.parse(body) as { error: { code: string; message: string } | null };
    const when = endedAt === null ? "" : ` at ${time(endedAt)}`;
    return `it has ended: ${status}${when}${error ? `, ${error.code}: ${error.message}` : ""}`;
  }
  if (!run) return `${status}: nothing of it is in memory`;
  if (entity === "workflow") return ofWorkflow(execId, run, means);
  if (entity === "task") return ofTask(execId, run, means);
  if (entity === "agent") return ofAgent(id, execId, run, means);
  return `${entity} '${id}' is at work since ${since(run, execId)}`;
}

const since = ({ executions, heardAt }: Run, execId: string): string => {
  const execution = executions.get(execId);
  return time(execution?.startedAt ?? execution?.createdAt ?? heardAt);
};

function ofWorkflow(execId: string, run: Run, means: Means): string {
  const actor = run.actors.get(`workflow/${execId}`);
  if (!actor) return `it has ended, and waits for ${run.actors.size} of its parts to end`;
  const { value, context } = actor.life.snapshot as { value: unknown; context: Context };
  if (value === "pending") {
    const limits = means.slots.why(execId);
    if (limits !== undefined) return limits;
    const place = means.slots.place(execId);
    const line = `${means.slots.taken()} executions are in flight, it is number ${place} in line`;
    return `waits for a slot since ${since(run, execId)}: ${line}`;
  }
  const spent = spentIn(context);
  if (value === "paused") return `${pauseOf(context)}; resume it to go on${spent}`;
  const open = [...run.executions.values()].filter((one) => one.entity === "task" && one.isOpen);
  const reasons = open.map((one) => `task '${one.id}' ${ofTask(one.execId, run, means)}`);
  const doing = reasons.length > 0 ? reasons.join("; ") : "is between two tasks";
  if (value === "unwinding") return `waits for its tasks to end, before what they did is undone: ${doing}${spent}`;
  return `${value === "undoing" ? undoingIn(context) : ""}${doing}${spent}`;
}

function pauseOf(context: Context): string {
  const pause = context["pause"] as { reason: string; by: string } | null;
  const { by = "somebody", reason = "" } = pause ?? {};
  return `paused by ${by} since ${time(Number(context["pausedAt"]))}: ${reason}`;
}

/** What the agents of an open workflow have used up so far. */
export function usedBy(run: Run | undefined): { usage?: Usage } {
  const context = run?.actors.get(`workflow/${run.id}`)?.life.snapshot.context as WorkflowContext | undefined;
  return context?.usage ? { usage: context.usage } : {};
}

/** What it has used, and of how much. */
function spentIn({ usage, budget }: Partial<WorkflowContext>): string {
  if (!usage && !budget) return "";
  const { tokens, cost } = usage ?? { tokens: 0, cost: 0 };
  const of = (max: number | undefined): string => (max === undefined ? "" : ` of ${max}`);
  return `; it has used ${tokens}${of(budget?.tokens)} tokens, ${cost}${of(budget?.cost)} in cost`;
}

function undoingIn({ undo }: Partial<WorkflowContext>): string {
  const lanes = undo?.plan.lanes ?? [];
  const done = lanes.filter(({ is }) => is === "ok" || is === "failed").length;
  return `undoes what it has done, ${done} of ${lanes.length}: `;
}

function ofTask(execId: string, run: Run, means: Means): string {
  const execution = run.executions.get(execId);
  const actor = run.actors.get(`task/${execId}`);
  if (!actor || !execution) return "has ended";
  const { context } = actor.life.snapshot as { context: Context };
  const due = actor.life.timers.map(({ dueAt }) => dueAt).sort((a, b) => a - b)[0];
  if (execution.status === "WAITING") return ofWait(context, due, run, execId);
  if (execution.status === "PENDING") {
    const delay = Number(context["delayMs"] ?? 0);
    const attempt = Number(context["attempt"] ?? 1);
    if (attempt > 1 && delay > 0) {
      const order = [...run.actors].find(([address]) => address.startsWith(`order/${execId}#`))?.[1];
      const at = order?.life.timers[0]?.dueAt ?? due;
      return `is tried again${at === undefined ? "" : ` at ${time(at)}`}, attempt ${attempt}`;
    }
    return `waits for an executor since ${since(run, execId)}`;
  }
  const inLine = [...run.actors.keys()].flatMap((address) =>
    belongs(run, address, execId) ? (means.calls.why(address.slice(address.indexOf("/") + 1)) ?? []) : [],
  );
  if (inLine[0] !== undefined) return inLine[0];
  const calls = [...run.executions.values()].filter((one) => one.parent === execId && one.isOpen);
  const call = calls[0];
  if (call?.entity === "agent") return ofAgent(call.id, call.execId, run, means);
  if (call) return `waits for ${call.entity} '${call.id}' since ${since(run, call.execId)}`;
  const dispatch = [...run.actors].find(
    ([address, { by }]) => by === "AD" && address.startsWith("dispatch/") && belongs(run, address, execId),
  );
  if (dispatch)
    return ofAgent(
      String((dispatch[1].life.snapshot.context as { order: { agent: { id: string } } }).order.agent.id),
      dispatch[0].slice("dispatch/".length),
      run,
      means,
    );
  const child = context["childId"];
  if (typeof child === "string") return `waits for workflow execution '${child}' since ${since(run, execId)}`;
  return `runs since ${since(run, execId)}`;
}

const belongs = (run: Run, address: string, taskId: string): boolean => {
  const context = run.actors.get(address)?.life.snapshot.context as
    | { order?: { task?: { exec_id: string } } }
    | undefined;
  return context?.order?.task?.exec_id === taskId;
};

function ofWait(context: Context, due: number | undefined, run: Run, execId: string): string {
  const wait = context["wait"] as { signal?: string; approval?: string; duration_ms?: number };
  const until = due === undefined ? "" : `, until ${time(due)}`;
  const from = ` since ${time(Number(context["waitingAt"] ?? 0) || (run.executions.get(execId)?.startedAt ?? 0))}`;
  if (context["paused"] === true) {
    const workflow = run.actors.get(`workflow/${run.id}`)?.life.snapshot.context as Context | undefined;
    return `waits${from}; its clock stands, for the workflow is ${workflow ? pauseOf(workflow) : "paused"}`;
  }
  if (wait.signal !== undefined) return `waits for signal '${wait.signal}'${from}${until}`;
  if (wait.approval !== undefined) return `waits for an approval (${wait.approval})${from}${until}`;
  return `waits${from}${until}`;
}

function ofAgent(id: string, execId: string, run: Run, { registry }: Means): string {
  const dispatch = run.actors.get(`dispatch/${execId}`);
  const { value, context } = (dispatch?.life.snapshot ?? { value: "", context: {} }) as Record<string, unknown>;
  if (value === "queued") {
    const { busySince } = context as { busySince: number | null };
    const from = busySince === null ? "" : ` since ${time(busySince)}`;
    return `waits for a free runtime for agent '${id}'${from}; all that serve it are busy`;
  }
  if (!registry.knows(id)) return `waits for a runtime for agent '${id}': none is registered`;
  return `waits for agent '${id}' since ${since(run, execId)}`;
}
