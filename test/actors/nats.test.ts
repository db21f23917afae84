// Goal: runs whose agents and tools are in another process end well over a real NATS server, also when it is killed.
//
// Method: two troupes over one server, in real time. A plain client of NATS listens beside them, and what it hears is
// held against what the engine recorded. Whoever dies is killed in the midst of the work, which handlers tell.

import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { isTerminal } from "../../src/protocol/statuses.ts";
import type { Options } from "../../src/runtime/options.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type NatsTransport, openNats } from "../../src/transport/nats.ts";
import { natsForThisFile, silent } from "../kit/nats.ts";

const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
const execution = ["agent-runtime", "tool-executor"];
const { clock, server, signIn } = natsForThisFile();

// What passes by while nobody can be reached may be lost: a task that has to end well is tried again.
const again = { timeout: "5s", retry: { max_attempts: 5 } };
const workflows: NonNullable<Options["workflows"]> = [
  {
    id: "w",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", with: { n: "${{ input.n }}" }, ...again, next: "look" },
      { id: "look", type: "tool", tool: "look", with: { seen: "${{ tasks.ask.output.seen }}" }, ...again },
    ],
  },
];

/** Two processes and a listener; `began` is told of every handler that begins. */
async function house(prefix: string, began: () => void = silent) {
  const transports: NatsTransport[] = [];
  const open = async (options: Options): Promise<Troupe> => {
    const transport = await openNats({ server: signIn(), clock, prefix, report: silent });
    transports.push(transport);
    return troupe({ ...options, prefix, transport });
  };
  const outside: NatsConnection = await connect(signIn());
  const heard: { subject: string; id: string }[] = [];
  outside.subscribe(`${prefix}.>`, {
    callback: (_error, message) => {
      const { metadata } = message.json<{ metadata: { message_id: string } }>();
      heard.push({ subject: message.subject, id: metadata.message_id });
    },
  });
  const here = await open({ workflows, roles: orchestration });
  const there = await open({
    roles: execution,
    agents: [
      {
        id: "clerk",
        handler: async (input, { tool }) => {
          began();
          return { seen: await tool("look", input) };
        },
      },
    ],
    tools: [{ id: "look", handler: (input) => ({ looked: input }) }],
  });
  await vi.waitFor(() => expect(here.runtimes()).toHaveLength(1), { timeout: 20_000 });
  return {
    here,
    heard,
    async leave(): Promise<void> {
      await there.stop();
      await here.stop();
      await Promise.all(transports.map((transport) => transport.close()));
      await outside.close();
    },
  };
}

async function endsOf(here: Troupe, execId: string): Promise<string[]> {
  const lines = await here.history(execId);
  return lines.flatMap(({ type, disposition, envelope }) => {
    const { status } = envelope["payload"] as { status?: string };
    const isEnd = type.startsWith("event:Workflow") && disposition === "applied" && isTerminal(status ?? "");
    return isEnd ? [type] : [];
  });
}

test("a run ends with what its agent and tools in another process gave, and every event is heard outside", async () => {
  const { here, heard, leave } = await house("calm");
  const { execId, result } = here.start("w", { n: 7 });
  const output = { looked: { seen: { looked: { n: 7 } } } };
  expect(await result()).toMatchObject({ status: "SUCCESS", output });
  const said = (await here.history(execId)).filter(({ type }) => type.startsWith("event:"));
  await vi.waitFor(() => {
    const ids = heard.map(({ id }) => id);
    expect(said.filter(({ envelope }) => !ids.includes(envelope.metadata["message_id"] ?? ""))).toEqual([]);
  });
  await leave();
});

test("when the server is killed in the midst of runs, all of them end well and once", async () => {
  let count = 0;
  const { here, leave } = await house("killed", () => {
    count += 1;
    if (count === 5) server().kill();
  });
  const runs = Array.from({ length: 20 }, (_, n) => here.start("w", { n }));
  const ends = await Promise.all(runs.map(({ result }) => result()));
  expect(ends.map(({ status }) => status)).toEqual(runs.map(() => "SUCCESS"));
  for (const { execId } of runs) expect(await endsOf(here, execId)).toEqual(["event:WorkflowExecutionSuccess"]);
  await vi.waitFor(() => expect(here.stats().bridge?.behind).toBe(0), { timeout: 20_000 });
  await leave();
});
