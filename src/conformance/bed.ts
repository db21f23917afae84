// What a case is given: the stand, the runtime under test, and what of it is known.

import type { RuleId } from "./rules.ts";
import type { Stand, Target } from "./stand.ts";

/** The agent and the tool whose behaviour a test can choose by `do`. */
export const known = "conformance";

export type Bed = {
  stand: Stand;
  target: Target;
  /** The agent and the tool that are tried. */
  agent: string | undefined;
  tool: string | undefined;
  /** The process of the runtime, if the test may end it. */
  process: { stop(): void; ended: Promise<number | null> } | undefined;
};

export type Need = "agent" | "known agent" | "tool" | "known tool" | "process";

export type Case = {
  name: string;
  needs: readonly Need[];
  /** What it may try; those that it did not come to are told so. */
  rules: readonly RuleId[];
  play(bed: Bed): Promise<void>;
};

/** Why a case cannot be played; nothing if it can. */
export function lack({ agent, tool, process }: Bed, needs: readonly Need[]): string | undefined {
  const has: Readonly<Record<Need, boolean>> = {
    agent: agent !== undefined,
    "known agent": agent === known,
    tool: tool !== undefined,
    "known tool": tool === known,
    process: process !== undefined,
  };
  const missing = needs.find((need) => !has[need]);
  return missing === undefined ? undefined : lacks[missing];
}

const lacks: Readonly<Record<Need, string>> = {
  agent: "the runtime serves no agent",
  "known agent": `it takes an agent '${known}', as docs/runtimes.md describes it`,
  tool: "no tool was named: --tool",
  "known tool": `it takes a tool '${known}' (--tool ${known}), as docs/runtimes.md describes it`,
  process: "it takes a process that may be ended: --command, or --pid",
};
