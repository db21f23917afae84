// What a project says for all tasks that do not say it themselves: timeout and retry of agent, tool and signal tasks.

import type { AgentSpec, ProjectSpec, TaskSpec, ToolSpec, WorkflowSpec } from "./spec.ts";

type Callees = { agents: readonly AgentSpec[]; tools: readonly ToolSpec[] };

/** A timeout of the agent or tool itself wins over that of the project. */
export function withDefaults(spec: WorkflowSpec, defaults: ProjectSpec["defaults"], callees: Callees): WorkflowSpec {
  if (!defaults) return spec;
  const { timeout, retry } = defaults;
  const timed = {
    agent: new Set(callees.agents.filter((one) => one.timeout !== undefined).map(({ id }) => id)),
    tool: new Set(callees.tools.filter((one) => one.timeout !== undefined).map(({ id }) => id)),
  };
  const hasOwnTimeout = (task: TaskSpec): boolean =>
    task.timeout !== undefined ||
    (task.type === "agent" && timed.agent.has(task.agent)) ||
    (task.type === "tool" && timed.tool.has(task.tool));
  const filled = (task: TaskSpec): TaskSpec => {
    const undo = task.undo && { undo: task.undo.map(filled) };
    if (task.type === "parallel") {
      const branches = Object.entries(task.branches).map(([name, block]) => [name, block.map(filled)]);
      return { ...task, branches: Object.fromEntries(branches) as typeof task.branches };
    }
    if (task.type === "each") return { ...task, do: task.do.map(filled) };
    if (task.type !== "agent" && task.type !== "tool" && task.type !== "signal") return { ...task, ...undo };
    return {
      ...task,
      ...undo,
      ...(timeout !== undefined && !hasOwnTimeout(task) && { timeout }),
      ...(retry !== undefined && task.retry === undefined && { retry }),
    };
  };
  return { ...spec, tasks: spec.tasks.map(filled) };
}
