// Goal: any component may live in another process, and what a run is and does stays the same.
//
// Method: troupes with some of the roles on one transport in memory; a process dies when its connection closes.

import { describe, expect, it } from "vitest";
import type { Options } from "../../src/runtime/options.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { at, rest, type Stage, stage } from "../kit/bridged.ts";

const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
const execution = ["agent-runtime", "tool-executor"];

const workflows = [
  {
    id: "w",
    tasks: [
      {
        id: "ask",
        type: "agent" as const,
        agent: "clerk",
        with: { q: "${{ input.q }}" },
        timeout: "60s",
        next: "look",
      },
      { id: "look", type: "tool" as const, tool: "look", with: { seen: "${{ tasks.ask.output.seen }}" } },
    ],
  },
];
const tools = [{ id: "look", handler: (input: unknown): unknown => ({ looked: input }) }];
const agents: Options["agents"] = [
  {
    id: "clerk",
    handler: async (input, { tool, thinking }) => {
      thinking("let me see");
      return { asked: input, seen: await tool("look", { at: 7 }) };
    },
  },
];

async function ranOn(set: Stage, parts: readonly Options[]) {
  const troupes = [];
  for (const part of parts) troupes.push(await set.open(part));
  const [first] = troupes;
  if (!first) throw new Error("nobody is there");
  const handle = first.start("w", { q: 1 });
  const end = await set.until(handle.result());
  const lines = (await first.history(handle.execId)).filter(({ type }) => type.startsWith("event:"));
  return { end, events: lines.map(({ type, disposition }) => `${type} ${disposition}`), first, troupes };
}

describe("a run over several processes", () => {
  it("says the same events and ends the same as in one process", async () => {
    const alone = await ranOn(stage(), [{ workflows, agents, tools }]);
    const parted = await ranOn(stage(), [
      { workflows, roles: orchestration },
      { agents, tools, roles: execution },
    ]);
    expect(alone.end.status).toBe("SUCCESS");
    expect(parted.end.output).toEqual(alone.end.output);
    expect(parted.events).toEqual(alone.events);
  });

  it("works with every component in a process of its own", async () => {
    const alone = await ranOn(stage(), [{ workflows, agents, tools }]);
    const roles = [...orchestration, ...execution];
    const parts = roles.map((role): Options => ({ roles: [role], workflows, agents, tools }));
    const parted = await ranOn(stage(), parts);
    expect(parted.end.output).toEqual(alone.end.output);
    expect(parted.events.toSorted()).toEqual(alone.events.toSorted());
  });

  it("is the same on the other layout of subjects", async () => {
    const parted = await ranOn(stage(), [
      { workflows, roles: orchestration, subjects: "correlated" },
      { agents, tools, roles: execution, subjects: "correlated" },
    ]);
    expect(parted.end.status).toBe("SUCCESS");
  });

  it("is recorded where the orchestrator lives, and nowhere else", async () => {
    const { troupes, first } = await ranOn(stage(), [
      { workflows, roles: orchestration },
      { agents, tools, roles: execution },
    ]);
    const [, second] = troupes;
    expect((await first.list({})).items.length).toBeGreaterThan(4);
    expect((await second?.list({}))?.items).toEqual([]);
  });

  it("leaves nothing behind: no run in memory, no handler, no alarm but the beats", async () => {
    const set = stage();
    const { troupes } = await ranOn(set, [
      { workflows, roles: orchestration },
      { agents, tools, roles: execution },
    ]);
    for (const one of troupes) expect(one.stats()).toMatchObject({ awake: 0, waiting: 0 });
    for (const one of troupes) await set.until(one.stop());
    expect(set.inner.subscriptions()).toBe(0);
  });

  it("divides orders among executors of one group, and each is carried out once", async () => {
    const set = stage();
    const done: string[] = [];
    const counting = (name: string): NonNullable<Options["tools"]> => [
      {
        id: "look",
        handler: (): { by: string } => {
          done.push(name);
          return { by: name };
        },
      },
    ];
    const first = await set.open({
      roles: orchestration,
      workflows: [{ id: "w", tasks: [{ id: "look", type: "tool", tool: "look" }] }],
    });
    await set.open({ roles: ["tool-executor"], tools: counting("left") });
    await set.open({ roles: ["tool-executor"], tools: counting("right") });
    for (let turn = 0; turn < 4; turn++) await set.until(first.run("w", {}));
    expect(done.toSorted()).toEqual(["left", "left", "right", "right"]);
  });

  it("cancels what runs in another process, and the handler hears of it", async () => {
    const set = stage();
    const first = await set.open({ workflows, roles: orchestration });
    const aborted: unknown[] = [];
    await set.open({
      roles: execution,
      tools,
      agents: [
        {
          id: "clerk",
          handler: (_input, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => {
                aborted.push(signal.reason);
                reject(new Error("stopped"));
              });
            }),
        },
      ],
    });
    const { execId } = first.start("w", { q: 1 });
    await rest();
    const report = await set.until(first.cancel(execId));
    expect(report).toMatchObject({ changed: true });
    expect(aborted).toHaveLength(1);
    expect((await first.list({ run: execId, entity: "agent" })).items[0]?.status).toBe("CANCELED");
  });

  it("tells a task of the steps of its agent elsewhere: it lives, and the next attempt knows how far", async () => {
    const set = stage();
    const retry = { max_attempts: 2, backoff: { initial: "1s" } };
    const task = { id: "a", type: "agent", agent: "reader", heartbeat: "3s", timeout: "1h", retry } as const;
    const first = await set.open({ workflows: [{ id: "w", tasks: [task] }], roles: orchestration });
    const told: unknown[] = [];
    const reader: NonNullable<Options["agents"]>[number] = {
      id: "reader",
      handler: (_input, { attempt, lastStep, step }) =>
        new Promise((resolve, reject) => {
          told.push(lastStep);
          const from = set.clock.now();
          for (const page of [2, 4]) set.clock.alarm(from + page * 1_000, () => step({ page }));
          set.clock.alarm(from + 5_000, () => (attempt === 1 ? reject(new Error("again")) : resolve({ attempt })));
        }),
    };
    await set.open({ roles: execution, agents: [reader], tools });
    expect(await set.until(first.run("w", {}))).toMatchObject({ status: "SUCCESS", output: { attempt: 2 } });
    expect(told).toEqual([undefined, { page: 4 }]);
  });

  it("waits after a restart for the runtimes that were there before", async () => {
    const set = stage();
    const disk = makeDisk();
    const first = await set.open({ workflows, roles: orchestration, store: openMemory({ disk }) });
    await set.open({ agents, tools, roles: execution });
    await set.until(first.start("w", { q: 1 }).result());
    await first.stop();
    const second = await set.open({ workflows, roles: orchestration, store: openMemory({ disk }) });
    const end = await set.until(second.start("w", { q: 2 }).result());
    expect(end.status).toBe("SUCCESS");
    expect((await second.history(end.execId)).map(({ type }) => type)).not.toContain("event:AgentDispatchFailed");
  });

  it("loses an agent whose process dies, once the lease of its runtime is over", async () => {
    const set = stage();
    const first = await set.open({ workflows, roles: orchestration });
    await set.open({ roles: execution, tools, agents: [{ id: "clerk", handler: () => new Promise(() => undefined) }] });
    const begun = set.clock.now();
    const ended = first.run("w", { q: 1 });
    await rest();
    await set.cut(1);
    const end = await set.until(ended);
    expect(at(end, "error.details.cause_code")).toBe("AGENT_RUNTIME_LOST");
    expect(set.clock.now() - begun).toBeLessThanOrEqual(15_000);
  });

  it("carries a signal from an executor elsewhere, and the answer back to it", async () => {
    const set = stage();
    const signals: NonNullable<Options["workflows"]> = [
      {
        id: "w",
        tasks: [
          {
            id: "both",
            type: "parallel",
            branches: {
              waits: [{ id: "t", type: "wait", wait: { signal: "go" }, timeout: "1h" }],
              sends: [{ id: "s", type: "signal", signal: "go", with: { n: 1 } }],
            },
          },
        ],
      },
    ];
    const first = await set.open({ workflows: signals, tools, roles: ["orchestrator", "task-dispatcher"] });
    await set.open({ workflows: signals, tools, roles: ["task-executor"] });
    const begun = set.clock.now();
    expect(await set.until(first.run("w", {}))).toMatchObject({ status: "SUCCESS" });
    // Without the acknowledgment the signal would be undelivered after a while.
    expect(set.clock.now()).toBe(begun);
  });

  it("goes on with a runtime that was there before the dispatcher", async () => {
    const set = stage();
    await set.open({ roles: execution, tools, agents });
    const first = await set.open({ workflows, roles: orchestration });
    await set.pass(5_000);
    expect((await set.until(first.run("w", { q: 1 }))).status).toBe("SUCCESS");
  });

  it("ends with a code when the tools are nowhere", async () => {
    const set = stage();
    const first = await set.open({
      roles: orchestration,
      workflows: [{ id: "w", tasks: [{ id: "look", type: "tool", tool: "look" }] }],
    });
    const end = await set.until(first.run("w", {}));
    expect(at(end, "error.details.cause_code")).toBe("TOOL_DISPATCH_FAILED");
  });
});

describe("the roles of a process", () => {
  const opened = (options: Options) => stage().open(options);
  it("are named in the refusal of one that is none", async () => {
    const refused = opened({ roles: ["orchestra"] });
    await expect(refused).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    await expect(refused).rejects.toThrow(/orchestrator.*task-dispatcher.*tool-executor/s);
  });

  it("must all be here where there is no transport", async () => {
    const { clock } = stage();
    await expect(troupe({ clock, roles: ["orchestrator"] })).rejects.toThrow(/transport/);
    await expect(troupe({ clock, wire: true })).rejects.toThrow(/transport/);
  });

  it("without the orchestrator take no starts, and say so", async () => {
    const remote = await opened({ roles: execution, workflows, tools });
    expect(() => remote.start("w", {})).toThrow(/orchestrator/);
  });

  it("have the state manager only with the orchestrator", async () => {
    await expect(opened({ roles: ["state-manager"] })).rejects.toThrow(/orchestrator/);
  });
});

it("content just within its limit is sent whole, with all that a message adds to it", async () => {
  const set = stage();
  const limits = { payloadBytes: 2_000 };
  const q = "x".repeat(limits.payloadBytes - '{"q":""}'.length);
  const copy = { id: "copy", handler: (input: unknown) => input as object };
  const back = {
    id: "back",
    tasks: [{ id: "a", type: "agent" as const, agent: "copy", with: { q: "${{ input.q }}" } }],
  };
  const one = await set.open({ workflows: [back], roles: orchestration, limits });
  await set.open({ agents: [copy], roles: execution, limits });
  const { result } = one.start("back", { q });
  expect(await set.until(result())).toMatchObject({ status: "SUCCESS", output: { q } });
  expect(() => one.start("back", { q: `${q}x` })).toThrow(/2001 bytes, at most 2000/);
});
