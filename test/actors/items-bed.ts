// A tool that says what it is told, or fails with the code it is told, and short words for workflows over lists.

import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { type Bed, openBed, second } from "../runtime/bed.ts";

/** What the tool was told to say since the bed was made, in order. */
export const seen: unknown[] = [];

export const echo = {
  id: "echo",
  handler: (input: unknown): unknown => {
    const { say: told, fail } = input as { say?: unknown; fail?: string | false };
    seen.push(told);
    if (typeof fail === "string") throw Object.assign(new Error(fail), { code: fail });
    return { say: told };
  },
};

export const say = (id: string, value: unknown, more: object = {}): TaskSpec =>
  ({ id, type: "tool", tool: "echo", with: { say: value }, ...more }) as TaskSpec;
export const each = (items: unknown, body: TaskSpec[], more: object = {}): TaskSpec =>
  ({ id: "each", type: "each", items, do: body, ...more }) as TaskSpec;
export const one = (tasks: TaskSpec[], more: Partial<WorkflowSpec> = {}): WorkflowSpec => ({ id: "w", tasks, ...more });

export async function bedOf(spec: WorkflowSpec, more: object = {}): Promise<Bed> {
  seen.length = 0;
  return openBed({ tools: [echo], workflows: [spec], ...more });
}

/** How it ends, within a minute of virtual time. */
export async function endOf(spec: WorkflowSpec, input: unknown = {}): Promise<unknown> {
  const bed = await bedOf(spec);
  const end = bed.t.run("w", input);
  await bed.pass(60 * second);
  return end;
}

export const factsOf = ({ t }: Bed, execId: string) => t.system.run(execId)?.facts;
