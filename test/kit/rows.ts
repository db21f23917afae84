// What the tests of the language's rows share: handlers that do what their input says, and short words for tasks.

import type { AgentContext } from "../../src/agents/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { type Bed, openBed, second } from "../runtime/bed.ts";

type More = Omit<NonNullable<Parameters<typeof openBed>[0]>, "workflows">;
type Orders = { say?: unknown; fail?: string; times?: number };

/** What the handlers were given since the bed was made, in order. */
export const heard: unknown[] = [];

/** Says what it is told to, or fails with a code, so many times. */
function puppet(input: unknown): unknown {
  const { say = "ok", fail, times = Infinity } = input as Orders;
  const before = heard.filter((one) => JSON.stringify(one) === JSON.stringify(input)).length;
  heard.push(input);
  if (fail !== undefined && before < times) throw Object.assign(new Error(`${fail} it is`), { code: fail });
  return { say };
}

export const does = (id: string, orders: object | string = {}, more: object = {}): TaskSpec =>
  ({ id, type: "tool", tool: "puppet", with: orders, ...more }) as TaskSpec;
export const asks = (id: string, orders: object | string = {}, more: object = {}): TaskSpec =>
  ({ id, type: "agent", agent: "puppet", with: orders, ...more }) as TaskSpec;
export const waits = (id: string, wait: object, more: object = {}): TaskSpec =>
  ({ id, type: "wait", wait, ...more }) as TaskSpec;
export const flow = (tasks: TaskSpec[], more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({
  id: "w",
  tasks,
  ...more,
});

export function bedOf(workflows: WorkflowSpec[], more: More = {}): Promise<Bed> {
  heard.length = 0;
  const handler = (input: unknown, _context?: AgentContext): unknown => puppet(input);
  const { agents = [], tools = [], ...rest } = more;
  return openBed({
    agents: [{ id: "puppet", handler }, ...agents],
    tools: [{ id: "puppet", handler: puppet }, ...tools],
    workflows,
    ...rest,
  });
}

/** How a workflow of these tasks ends, within ten minutes of virtual time. */
export async function endOf(tasks: TaskSpec[], input: unknown = {}, more: Partial<WorkflowSpec> = {}) {
  const bed = await bedOf([flow(tasks, more)]);
  const end = bed.t.run("w", input);
  await bed.pass(600 * second);
  return end;
}

/** How a workflow fails whose task failed with this code. */
export const failedWith = (code: string, more: object = {}): object => ({
  status: "FAILED",
  error: { code: "TASK_FAILED", details: { cause_code: code, ...more } },
});
