// Goal: each component alone in a process of its own does its part of a whole run, shares its work, and may be killed.
// Method: real processes on a real server, begun by the command; runs are begun and read at the orchestrator's door.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { ask, emptyFolder, type Ready, type RunningDaemon, up } from "../kit/daemon.ts";
import { silent } from "../kit/nats.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";

const roles = [
  "orchestrator",
  "task-dispatcher",
  "task-executor",
  "agent-dispatcher",
  "agent-runtime",
  "tool-executor",
];
const project = join(root, "test/fixtures/roles/troupe.yaml");
const limitMs = 120_000;

type Body = Record<string, unknown>;

const clock = systemClock();
let server: NatsServer;
let environment: Record<string, string>;
beforeEach(async () => {
  server = await startNatsServer({ directory: emptyFolder("nats"), clock, report: silent });
  const key = join(emptyFolder("key"), "operator.nk");
  server.credentials(key);
  environment = { TROUPE_NATS_KEY: key, TROUPE_TRANSPORT: "nats", TROUPE_NATS_URL: server.url() };
});
afterEach(async () => {
  await endAll();
  await server.stop();
});

const begin = (role: string, data = emptyFolder()): RunningDaemon =>
  up(["--config", project, "--data-dir", data, "--roles", role], { environment });

/** One process for each role, and two for some of them. */
async function company(...twice: string[]) {
  const ownData = emptyFolder();
  const members = [...roles, ...twice].map((role) => ({ role, daemon: begin(role, ownData) }));
  const [door] = (await Promise.all(members.map(({ daemon }) => daemon.ready))) as [Ready];
  // Until then a runtime that came up before the dispatcher may be unknown to it.
  for (let status: unknown; status !== "SUCCESS";) {
    ({ status } = await ended(door, await start(door, "part", { name: "Eve" })));
  }
  const of = (role: string): RunningDaemon[] => members.filter((one) => one.role === role).map(({ daemon }) => daemon);
  return { door, of, ownData, pidsOf: (role: string) => of(role).map(({ child }) => child.pid) };
}

async function start({ http }: Ready, workflow: string, input: Body): Promise<string> {
  const body = JSON.stringify({ input });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${http}/api/workflows/${workflow}/execute-async`, { method: "POST", body, headers });
  const said = (await answer.json()) as Body;
  expect(answer.status, JSON.stringify(said)).toBe(202);
  return String(said["exec_id"]);
}

/** Asks until it stands so: each answer comes when the daemon gives it. */
async function until(door: Ready, path: string, is: (body: Body) => boolean): Promise<Body> {
  for (;;) {
    const { body } = await ask(door, path);
    if (is(body)) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const ended = (door: Ready, execId: string): Promise<Body> =>
  until(door, `/api/workflows/executions/${execId}`, ({ status }) => status !== "RUNNING" && status !== "PENDING");
const items = ({ body }: { body: Body }): Body[] => body["items"] as Body[];

async function journal(door: Ready, execId: string): Promise<Body[]> {
  return items(await ask(door, `/api/workflows/executions/${execId}/journal?limit=200`));
}

/** Who is at work, once somebody is. */
async function workerIn(file: string): Promise<number> {
  while (!existsSync(file) || readFileSync(file, "utf8") === "")
    await new Promise((resolve) => setTimeout(resolve, 20));
  return Number(readFileSync(file, "utf8"));
}

describe("each component alone in a process of its own", () => {
  test("a whole run: agent and retry, tool, wait, child; and one that is canceled", { timeout: limitMs }, async () => {
    const { door, pidsOf } = await company();
    const execId = await start(door, "all", {});
    await until(door, "/api/tasks/executions?limit=50", ({ items: tasks }) =>
      (tasks as Body[]).some(({ id, status }) => id === "pause" && status === "WAITING"),
    );
    const signal = { method: "POST", body: { name: "go", payload: { name: "Bea" } } };
    expect((await ask(door, `/api/workflows/executions/${execId}/signals`, signal)).status).toBe(202);
    expect(await ended(door, execId)).toMatchObject({
      status: "SUCCESS",
      result: { output: { sum: 5, said: "hello, Bea" } },
    });
    expect((await journal(door, execId)).map(({ type }) => type)).toContain("event:TaskRetryScheduled");

    const file = join(emptyFolder(), "at-work");
    const other = await start(door, "slowly", { file });
    expect([await workerIn(file)]).toEqual(pidsOf("agent-runtime"));
    const cancel = { method: "POST", body: { reason: "enough" } };
    expect((await ask(door, `/api/workflows/executions/${other}/cancel`, cancel)).status).toBe(202);
    expect(await ended(door, other)).toMatchObject({ status: "CANCELED" });
  });

  test("two executors and two runtimes share the work", { timeout: limitMs }, async () => {
    const { door, of, pidsOf } = await company("task-executor", "agent-runtime");
    const names = Array.from({ length: 24 }, (_, n) => `n${n}`);
    const atWork = new Set<unknown>();
    // Who has just come up may be given nothing yet.
    while (atWork.size < 2) {
      const execId = await start(door, "many", { names });
      expect(await ended(door, execId)).toMatchObject({ status: "SUCCESS" });
      for (const { type, envelope } of await journal(door, execId)) {
        if (type !== "event:AgentExecutionResult") continue;
        atWork.add((envelope as { payload: { result: { output: { pid: number } } } }).payload.result.output.pid);
      }
    }
    expect(atWork).toEqual(new Set(pidsOf("agent-runtime")));
    for (const executor of of("task-executor")) {
      const { text } = await ask(await executor.ready, "/api/metrics");
      expect(text).toMatch(/^troupe_ended_total\{entity="task",status="SUCCESS"\} [1-9]/m);
    }
  });
});

// The next attempt finds that the first had begun, and is quick: what the first did is lost with its process.
test("whichever component is killed at work, the run ends once there is another", { timeout: limitMs }, async () => {
  const { door, of, ownData } = await company();
  let at = door;
  for (const [workflow, role] of [
    ["slowly", "agent-runtime"],
    ["slowly", "task-executor"],
    ["slowly", "agent-dispatcher"],
    ["tooling", "tool-executor"],
    ["slowly", "task-dispatcher"],
    ["tooling", "orchestrator"],
  ] as const) {
    const file = join(emptyFolder(), "at-work");
    const execId = await start(at, workflow, { file });
    await workerIn(file);
    const [killed] = of(role) as [RunningDaemon];
    killed.child.kill("SIGKILL");
    await killed.ended;
    const again = await begin(role, role === "orchestrator" ? ownData : emptyFolder()).ready;
    if (role === "orchestrator") at = again;
    expect(await ended(at, execId), role).toMatchObject({ status: "SUCCESS" });
    const words = (await journal(at, execId)).map(({ type }) => type);
    expect(words.filter((word) => word === "event:WorkflowExecutionSuccess")).toHaveLength(1);
    expect(words, role).toContain("event:TaskRetryScheduled");
  }
});
