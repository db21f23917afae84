// What a client may rely on in the frames of one run, as it is told them or as they are made.

import { expect } from "vitest";

type Told = { readonly type: string };
type Known = Told & { status?: string; tool_exec_id?: string; result?: unknown; error?: unknown };

export function keepsRules(told: readonly Told[]): void {
  const frames = told as readonly Known[];
  const types = frames.map(({ type }) => type);
  expect(types.filter((type) => type === "agent_completed")).toHaveLength(1);
  expect(types.at(-1)).toBe("agent_completed");
  const begins = types.indexOf("agent_started");
  expect(types.lastIndexOf("agent_started")).toBe(begins);
  const isSuccess = frames.at(-1)?.status === "SUCCESS";
  if (types.length > 1 || isSuccess) expect(begins).toBe(0);
  const thinks = types.indexOf("agent_thinking");
  const acts = types.indexOf("tool_executing");
  if (acts !== -1 || isSuccess) expect(thinks).toBeGreaterThan(begins);
  if (acts !== -1) expect(thinks).toBeLessThan(acts);
  const openTools = new Set<string>();
  const all = new Set<string>();
  for (const { type, tool_exec_id = "", result, error } of frames) {
    if (type === "tool_executing") {
      expect(all.has(tool_exec_id)).toBe(false);
      openTools.add(tool_exec_id);
      all.add(tool_exec_id);
    }
    if (type === "tool_completed") expect(openTools.delete(tool_exec_id)).toBe(true);
    if (type === "agent_completed") expect((result === null) !== (error === null)).toBe(true);
  }
  expect(openTools.size).toBe(0);
}
