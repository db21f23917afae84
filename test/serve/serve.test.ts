// Goal: what people serve from a process of their own works as it would inside the engine.
//
// Method: a troupe and runtimes on a real NATS server, each with connections of its own; what comes out is compared.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { serveAgent, serveTool } from "../../src/serve/serve.ts";
import { startNatsServer } from "../../src/transport/nats-server.ts";
import { silent } from "../kit/nats.ts";
import { serveBed } from "./bed.ts";

const bed = serveBed();
const far = (id: string, more: object = {}) => ({ id, kind: "remote" as const, ...more });
const asking = (id: string, type: "agent" | "tool", name: string) => ({
  id,
  tasks: [{ id: "ask", type, [type]: name, with: "${{ input }}" } as never],
});

test("an agent in five lines is run by a workflow, and what it thinks is heard", async () => {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, { agents: [far("clerk")], workflows: [asking("w", "agent", "clerk")] });
  const serving = await serveAgent(
    "clerk",
    (input, { think, attempt, execId, correlationId, deadline }) => {
      think("looking");
      return { input, attempt, isTimed: deadline !== null, ids: [typeof execId, typeof correlationId] };
    },
    bed.signIn(prefix),
  );
  bed.later(() => serving.stop(0));
  await bed.known(prefix, serving);
  const said: string[] = [];
  t.subscribe(
    () => undefined,
    ({ word }) => void said.push(`${word.type} ${JSON.stringify((word["payload"] as { context: object }).context)}`),
  );
  const end = await t.run("w", { order: "A7" });
  const output = { input: { order: "A7" }, attempt: 1, isTimed: true, ids: ["string", "string"] };
  expect(end).toMatchObject({ status: "SUCCESS", output });
  expect(said.join("\n")).toContain('"text":"looking"');
});

test("a tool of another process is called by a task, and by an agent of a third", async () => {
  const prefix = bed.prefix();
  const input = { type: "object", required: ["order"] } as const;
  const t = await bed.troupe(prefix, {
    agents: [far("clerk")],
    tools: [far("look"), { id: "own", handler: () => ({ own: true }) }],
    workflows: [asking("direct", "tool", "look"), asking("by-agent", "agent", "clerk"), asking("own", "tool", "own")],
  });
  await bed.serve(prefix, { tools: [{ id: "look", input, handler: (given) => ({ found: given }) }] });
  await bed.serve(prefix, {
    agents: [{ id: "clerk", handler: async (given, { tool }) => [await tool("look", given), await tool("own", {})] }],
  });
  // Many times: were the orders shared with the tool executor of the troupe, half of them would fail.
  for (let round = 0; round < 10; round += 1) {
    expect(await t.run("direct", { order: round })).toMatchObject({ output: { found: { order: round } } });
    expect(await t.run("by-agent", { order: round })).toMatchObject({
      output: { value: [{ found: { order: round } }, { own: true }] },
    });
    expect(await t.run("own", {})).toMatchObject({ output: { own: true } });
  }
  const unfit = await t.run("direct", {});
  expect(unfit).toMatchObject({ status: "FAILED", error: { details: { cause_code: "TOOL_INPUT_INVALID" } } });
});

test("a remote tool that nobody serves fails at once, and not by its timeout", async () => {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, {
    tools: [far("look", { timeout: "1h" })],
    workflows: [asking("w", "tool", "look")],
  });
  const end = await t.run("w", {});
  expect(end.error).toMatchObject({ details: { cause_code: "TOOL_DISPATCH_FAILED" } });
});

test("a tool that becomes remote while the troupe runs is left to those who serve it from then on", async () => {
  const prefix = bed.prefix();
  const own = { id: "look", handler: () => ({ by: "engine" }) };
  const t = await bed.troupe(prefix, { agents: [far("clerk")], tools: [own] });
  const caller = {
    id: "clerk",
    handler: (_: unknown, { tool }: { tool: (id: string, input: unknown) => unknown }) => tool("look", {}),
  };
  await bed.serve(prefix, { agents: [caller] });
  await t.define({ workflows: [asking("w", "agent", "clerk")] });
  expect(await t.run("w", {})).toMatchObject({ output: { by: "engine" } });
  await t.define({ tools: [far("look")] });
  await bed.serve(prefix, { tools: [{ id: "look", handler: () => ({ by: "runtime" }) }] });
  for (let round = 0; round < 10; round += 1) {
    expect(await t.run("w", {})).toMatchObject({ output: { by: "runtime" } });
  }
});

test("a handler's own code, nothing at all, and what breaks its schema are failures of the agent", async () => {
  const prefix = bed.prefix();
  const agents = ["declines", "empty", "unfit"];
  const t = await bed.troupe(prefix, {
    agents: agents.map((id) => far(id)),
    workflows: agents.map((id) => asking(id, "agent", id)),
  });
  await bed.serve(prefix, {
    agents: [
      {
        id: "declines",
        handler: () => {
          throw Object.assign(new Error("no funds"), { code: "CARD_DECLINED", details: { limit: 5 } });
        },
      },
      { id: "empty", handler: () => undefined },
      { id: "unfit", output: { type: "object", required: ["sum"] }, handler: () => ({}) },
    ],
  });
  const codes = ["CARD_DECLINED", "EMPTY_RESULT", "OUTPUT_INVALID"];
  for (const [index, id] of agents.entries()) {
    const { error } = await t.run(id, {});
    expect(JSON.stringify(error)).toContain(codes[index]);
  }
});

test("an output that breaks the schema of the project is a failure of its agent or tool", async () => {
  const prefix = bed.prefix();
  const output = { type: "object", required: ["sum"] } as const;
  const t = await bed.troupe(prefix, {
    agents: [far("clerk", { output })],
    tools: [far("add", { output })],
    workflows: [asking("by-agent", "agent", "clerk"), asking("by-tool", "tool", "add")],
  });
  const handler = (input: unknown): unknown => input;
  await bed.serve(prefix, { agents: [{ id: "clerk", handler }], tools: [{ id: "add", handler }] });
  for (const id of ["by-agent", "by-tool"]) {
    expect(await t.run(id, { sum: 1 })).toMatchObject({ status: "SUCCESS", output: { sum: 1 } });
  }
  const byAgent = await t.run("by-agent", { total: 1 });
  expect(byAgent).toMatchObject({ status: "FAILED", error: { details: { cause_code: "AGENT_ERROR" } } });
  expect(JSON.stringify(byAgent.error)).toContain("OUTPUT_INVALID");
  const byTool = await t.run("by-tool", { total: 1 });
  expect(byTool).toMatchObject({ status: "FAILED", error: { details: { cause_code: "TOOL_OUTPUT_INVALID" } } });
});

test("whoever may not listen in the namespace that it was told is told so, and can still be stopped", async () => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-serve-"));
  bed.later(() => Promise.resolve(rmSync(directory, { recursive: true })));
  const users = [`{ user: low, password: word, permissions: { subscribe: "_INBOX_>", publish: "other.>" } }`];
  const server = await startNatsServer({ directory, clock: systemClock(), report: silent, users });
  bed.later(() => server.stop());
  const said: string[] = [];
  const serving = await serveTool("t", () => 1, {
    servers: server.url().replace("//", "//low:word@"),
    standalone: false,
    report: (_level, message, fields) => void said.push(`${message} ${JSON.stringify(fields)}`),
  });
  await expect.poll(() => said.join("\n")).toContain("Permissions Violation for Subscription");
  await serving.stop(0);
  await serving.ended;
});

test("a cancel reaches the signal of the handler, and of the tool that it waits for", async () => {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, {
    agents: [far("clerk")],
    tools: [far("look")],
    workflows: [asking("w", "agent", "clerk")],
  });
  const aborted: string[] = [];
  const begun = Promise.withResolvers<void>();
  const until = (signal: AbortSignal, who: string): Promise<never> =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        aborted.push(who);
        reject(signal.reason as Error);
      }),
    );
  await bed.serve(prefix, {
    agents: [
      {
        id: "clerk",
        handler: (_, { tool, signal }) => Promise.race([tool("look", {}), until(signal, "agent")]),
      },
    ],
    tools: [
      {
        id: "look",
        handler: (_, { signal }) => {
          begun.resolve();
          return until(signal, "tool");
        },
      },
    ],
  });
  const handle = t.start("w", {});
  await begun.promise;
  await t.cancel(handle.execId, "enough");
  expect(await handle.result()).toMatchObject({ status: "CANCELED" });
  expect(aborted.sort()).toEqual(["agent", "tool"]);
});

test("what an agent has used up is counted against the budget of its run", async () => {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, {
    agents: [far("costly")],
    workflows: [
      {
        id: "w",
        budget: { tokens: 10 },
        tasks: [
          { id: "one", type: "agent", agent: "costly", next: "two" },
          { id: "two", type: "agent", agent: "costly" },
        ],
      } as never,
    ],
  });
  await bed.serve(prefix, {
    agents: [
      {
        id: "costly",
        handler: (_, { usage }) => {
          usage({ tokens: 6 });
          usage({ tokens: 6 });
          return { done: true };
        },
      },
    ],
  });
  expect(await t.run("w", {})).toMatchObject({ status: "FAILED", error: { code: "BUDGET_EXCEEDED" } });
});

test("what was said wrong is refused with all that is wrong, before anything is opened", async () => {
  const wrong = bed.serve(
    bed.prefix(),
    { agents: [{ id: "a b", handler: () => 1 }] },
    {
      runtimeId: "x",
      limits: { agent: 1, tools: 0 } as object,
    },
  );
  await expect(wrong).rejects.toThrow(
    /agents\[0\]\.id must .*runtimeId must .*limits\.agent is unknown; did you mean 'agents'\?.*limits\.tools must/,
  );
  await expect(bed.serve(bed.prefix(), {})).rejects.toThrow(/nothing to serve/);
  const tool = { tools: [{ id: "t", handler: () => 1 }] };
  await expect(bed.serve("a.b", tool)).rejects.toThrow(/prefix/);
  const far = { servers: "nats://there.example:4222" };
  await expect(bed.serve(bed.prefix(), tool, far)).rejects.toThrow(/others, and that needs TLS .* inTheOpen/);
  const nobody = bed.serve(bed.prefix(), { tools: [{ id: "t", handler: () => 1 }] }, { servers: "nats://127.0.0.1:9" });
  await expect(nobody).rejects.toThrow(/the NATS server at nats:\/\/127.0.0.1:9 cannot be used/);
});
