// A troupe with tools that note what they are called with, for what is undone.

import type { Limits } from "../../src/actors/limits.ts";
import type { AgentDefinition } from "../../src/agents/agent.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import { type Bed, heldAgent, openBed } from "../runtime/bed.ts";

type Call = { tool: string; input: unknown };

/** Tools that note what they are called with: `do` gives its input back, `back` takes something back, `fail` fails. */
function toolsThatNote(calls: Call[]): ToolDefinition[] {
  const noting = (id: string, handler: (input: unknown) => unknown): ToolDefinition =>
    ({
      id,
      handler: (input: unknown) => {
        calls.push({ tool: id, input });
        return handler(input);
      },
    }) as ToolDefinition;
  const fail = (): never => {
    throw Object.assign(new Error("no more"), { code: "OUT_OF_STOCK" });
  };
  let counted = 0;
  const count = (): object => ({ n: (counted += 1) });
  return [
    noting("count", count),
    noting("do", (input) => input),
    noting("back", (input) => input),
    noting("fail", fail),
  ];
}

export async function bedWith(
  workflow: Partial<WorkflowSpec> & { tasks: TaskSpec[] },
  more: WorkflowSpec[] = [],
  agents: AgentDefinition[] = [],
  tools: ToolDefinition[] = [],
  limits: Partial<Limits> = {},
) {
  const calls: Call[] = [];
  const held = heldAgent("slow");
  const workflows = [{ id: "w", ...workflow }, ...more];
  const bed = await openBed({
    workflows,
    tools: [...toolsThatNote(calls), ...tools],
    agents: [held.definition, ...agents],
    limits,
  });
  const undone = (): unknown[] => calls.filter(({ tool }) => tool === "back").map(({ input }) => input);
  return { ...bed, calls, held, undone };
}

/** A task that does something, and how it is taken back. */
export const step = (id: string, more: object = {}): TaskSpec => ({
  id,
  type: "tool",
  tool: "do",
  with: { of: id },
  undo: [{ id: `${id}_back`, type: "tool", tool: "back", with: { of: `\${{ tasks.${id}.output.of }}` } }],
  ...more,
});
export const fails: TaskSpec = { id: "fails", type: "tool", tool: "fail" };

export const back = (of: string): TaskSpec => ({ id: `${of}_back`, type: "tool", tool: "back", with: { of } });
export const takesLong = (of: string): TaskSpec => ({ id: `${of}_back`, type: "agent", agent: "slow", timeout: "2h" });

/** The last thing that is said of a run. */
export async function lastOf({ t }: Bed, execId: string): Promise<Record<string, unknown>> {
  const lines = await t.history(execId);
  const last = lines.findLast(({ type }) => type.startsWith("event:WorkflowExecution"));
  if (!last) throw new Error(`nothing was said of '${execId}'`);
  const { status, context } = last.envelope["payload"] as { status: string; context: object };
  return { status, ...context };
}
