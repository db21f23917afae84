// Goal: agents and tools in Python and C do for a workflow what those of this process do, whatever happens to them.
//
// Method: the engine, a real NATS server, and the example programs as processes. What is killed or told to end is so
// once the engine has heard that it began.

import { describe, expect } from "vitest";
import { isTerminal } from "../../src/protocol/statuses.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";
import { type Language, languages, natsWithRuntimes, until, withRuntimes } from "./bed.ts";

const { house, server } = natsWithRuntimes();

type Call = { type: "agent" | "tool"; timeout?: string; attempts?: number };

/** One task that does what the input says. */
const does = ({ type, timeout = "30s", attempts = 1 }: Call) => ({
  id: "w",
  tasks: [
    {
      id: "t",
      type,
      [type]: "conformance",
      with: "${{ input }}",
      timeout,
      retry: { max_attempts: attempts, backoff: { initial: "100ms" } },
    } as never,
  ],
});

/** A runtime whose death is noticed soon. */
const shortLease = { TROUPE_HEARTBEAT_MS: "300", TROUPE_LEASE_MS: "1000" };

async function endsOf(t: Troupe, execId: string): Promise<number> {
  const lines = await t.history(execId);
  return lines.filter(({ type, disposition, envelope }) => {
    const { status } = envelope["payload"] as { status?: string };
    return type.startsWith("event:Workflow") && disposition === "applied" && isTerminal(status ?? "");
  }).length;
}

describe.each<[Language, Language]>([
  ["python", "c"],
  ["c", "python"],
])("an agent in %s and a tool in %s", (agents, tools) => {
  withRuntimes("do what a workflow asks, in both layouts of subjects", languages, async () => {
    for (const subjects of ["flow", "correlated"] as const) {
      const { t, begin, registered, heard } = await house({ subjects, workflows: [does({ type: "agent" })] });
      begin(agents, { CONFORMANCE_SERVES: "agent" });
      begin(tools, { CONFORMANCE_SERVES: "tool" });
      await registered(2);
      const value = { text: 'a"\\é漢🎈', list: [0, -1.5, 9_007_199_254_740_991], nothing: null };
      const input = { do: "tool", tool: "conformance", input: { do: "echo", value } };
      const runs = Array.from({ length: 8 }, () => t.start("w", input));
      for (const { result } of runs) {
        expect(await result()).toMatchObject({ status: "SUCCESS", output: { tool: { echo: value } } });
      }
      for (const { execId } of runs) expect(await endsOf(t, execId)).toBe(1);
      const count = (name: string): number => heard.filter((one) => one.name === name).length;
      await until(() => expect(count("ToolExecutionSuccess")).toBe(8));
      expect([count("AgentExecutionStarted"), count("ToolExecutionStarted"), count("AgentThinking")]).toEqual([
        8, 8, 8,
      ]);
    }
  });
});

describe.each(languages)("in %s", (language) => {
  withRuntimes("a task calls a tool by itself, and what it answers is the task's output", [language], async () => {
    const { t, begin, registered } = await house({ workflows: [does({ type: "tool" })] });
    begin(language);
    await registered();
    expect(await t.start("w", { do: "echo", value: [1] }).result()).toMatchObject({ output: { echo: [1] } });
    const failed = await t.start("w", { do: "fail", code: "CARD_DECLINED", message: "no" }).result();
    expect(failed).toMatchObject({ status: "FAILED", error: { details: { cause_code: "TOOL_ERROR" } } });
    expect(JSON.stringify(failed)).toContain("CARD_DECLINED");
  });

  withRuntimes("an agent that fails fails its task with a code of its own", [language], async () => {
    const { t, begin, registered } = await house({ workflows: [does({ type: "agent" })] });
    begin(language);
    await registered();
    const failed = await t.start("w", { do: "fail", code: "CARD_DECLINED", message: "no" }).result();
    expect(failed).toMatchObject({ status: "FAILED", error: { details: { cause_code: "AGENT_ERROR" } } });
    expect(JSON.stringify(failed)).toContain("CARD_DECLINED");
    const nobody = { do: "tool", tool: "nobody", input: {} };
    expect(JSON.stringify(await t.start("w", nobody).result())).toContain("TOOL_DISPATCH_FAILED");
  });

  withRuntimes("a canceled run stops its agent, which has room again", [language], async () => {
    const { t, begin, registered, times } = await house({ workflows: [does({ type: "agent" })] });
    begin(language);
    await registered();
    const { execId, result } = t.start("w", { do: "hang" });
    await until(() => expect(times("AgentExecutionStarted")).toBe(1));
    await t.cancel(execId, "enough");
    expect(await result()).toMatchObject({ status: "CANCELED" });
    await until(() => expect(times("AgentExecutionCanceled")).toBe(1));
    await until(() => expect(t.runtimes().map(({ held }) => held)).toEqual([0]));
    // It has told its handler, and not merely said so: all its places are free.
    const runs = Array.from({ length: 4 }, () => t.start("w", { do: "hang", ms: 50 }));
    for (const run of runs) expect(await run.result()).toMatchObject({ output: { waited: 50 } });
  });

  withRuntimes("more than it can take waits, and all of it is done", [language], async () => {
    const { t, begin, registered } = await house({ workflows: [does({ type: "agent" })] });
    begin(language);
    await registered();
    const runs = Array.from({ length: 12 }, () => t.start("w", { do: "hang", ms: 100 }));
    for (const { result } of runs) expect(await result()).toMatchObject({ status: "SUCCESS" });
  });

  withRuntimes("killed before it begins, its work is done by another", [language], async () => {
    const { t, begin, registered, times } = await house({ workflows: [does({ type: "agent", attempts: 8 })] });
    const first = begin(language, shortLease);
    await registered();
    // Whoever does not run does not acknowledge.
    first.child.kill("SIGSTOP");
    const { execId, result } = t.start("w", { do: "echo", value: 1 });
    first.child.kill("SIGKILL");
    begin(language, shortLease);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { echo: 1 } });
    expect(await endsOf(t, execId)).toBe(1);
    expect(times("AgentExecutionStarted")).toBe(1);
  });

  withRuntimes("killed after it has begun, its lease runs out and another one does it again", [language], async () => {
    const { t, begin, registered, times } = await house({ workflows: [does({ type: "agent", attempts: 8 })] });
    const first = begin(language, shortLease);
    await registered();
    const { execId, result } = t.start("w", { do: "hang", ms: 400 });
    await until(() => expect(times("AgentExecutionStarted")).toBe(1));
    first.child.kill("SIGKILL");
    begin(language, shortLease);
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { waited: 400 } });
    expect(await endsOf(t, execId)).toBe(1);
    const codes = JSON.stringify(await t.history(execId));
    expect(codes).toContain("AGENT_RUNTIME_LOST");
  });

  withRuntimes("told to end, it finishes what runs, takes nothing more, and says farewell", [language], async () => {
    const { t, begin, registered, times } = await house({ workflows: [does({ type: "agent" })] });
    const first = begin(language);
    await registered();
    const { result } = t.start("w", { do: "hang", ms: 1_000 });
    await until(() => expect(times("AgentExecutionStarted")).toBe(1));
    first.child.kill("SIGTERM");
    await until(() => expect(t.runtimes().map(({ state }) => state)).toEqual(["draining"]));
    begin(language);
    // The one that drains is not given it, and the other is.
    expect(await t.start("w", { do: "echo", value: 2 }).result()).toMatchObject({ output: { echo: 2 } });
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { waited: 1_000 } });
    expect(await first.ended, first.said()).toBe(0);
    expect(times("AgentRuntimeDeregistered")).toBe(1);
  });

  withRuntimes("when the server is killed, it comes back and what it did is not lost", [language], async () => {
    const { t, begin, registered, times } = await house({ workflows: [does({ type: "agent", attempts: 5 })] });
    const { said } = begin(language, shortLease);
    await registered();
    const { execId, result } = t.start("w", { do: "hang", ms: 1_500 });
    await until(() => expect(times("AgentExecutionStarted")).toBe(1));
    server().kill();
    expect(await result(), said()).toMatchObject({ status: "SUCCESS", output: { waited: 1_500 } });
    expect(await endsOf(t, execId)).toBe(1);
    expect(await t.start("w", { do: "echo", value: 3 }).result()).toMatchObject({ output: { echo: 3 } });
  });
});
