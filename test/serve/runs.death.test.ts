// Goal: when the process of a runtime dies, what becomes of its run is what the protocol says, whenever it dies.
//
// Method: real processes, a real server, a troupe in this process; the journal of the run is compared.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { root } from "../kit/tree.ts";
import { openProxy } from "../kit/proxy.ts";
import { serveBed } from "./bed.ts";

const bed = serveBed();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

const retry = { max_attempts: 4, backoff: { initial: "200ms", factor: 1 } };
const workflow = {
  id: "w",
  tasks: [{ id: "work", type: "agent", agent: "mortal", with: "${{ input }}", retry, timeout: "60s" } as never],
};

async function scene() {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, { agents: [{ id: "mortal", kind: "remote" }], workflows: [workflow] });
  const { servers, nkey } = bed.signIn(prefix);
  const work = join(bed.nats.directory(), `${prefix}.work`);
  writeFileSync(work, "");
  const begin = async (): Promise<ChildProcess> => {
    const env = { ...process.env, NATS_URL: String(servers), NATS_NKEY: nkey, TROUPE_PREFIX: prefix };
    const known = t.runtimes().length;
    const stdio = ["ignore", "pipe", "inherit"] as ["ignore", "pipe", "inherit"];
    const child = spawn(process.execPath, [join(root, "test/fixtures/mortal-runtime.ts"), work], { env, stdio });
    children.push(child);
    await once(child.stdout ?? child, "data");
    await expect.poll(() => t.runtimes().length).toBeGreaterThan(known);
    return child;
  };
  const ends = async (execId: string): Promise<string[]> => {
    const lines = await t.history(execId);
    return lines.filter(({ disposition }) => disposition === "applied").map(({ type }) => type.slice("event:".length));
  };
  /** A stream may bring it after the result, and then it is late. */
  const starts = (execId: string) =>
    expect.poll(
      async () => (await t.history(execId)).filter(({ type }) => type === "event:AgentExecutionStarted").length,
    );
  return { t, begin, ends, starts, works: () => readFileSync(work, "utf8").split("\n").filter(Boolean) };
}

const count = (all: readonly string[], name: string): number => all.filter((one) => one === name).length;

test("killed before it has acknowledged: the dispatch fails, and another runtime does a later attempt", async () => {
  const { t, begin, ends, works } = await scene();
  const first = await begin();
  first.kill("SIGSTOP");
  const handle = t.start("w", { dies: "never" });
  await handle.accepted();
  await begin();
  first.kill("SIGKILL");
  expect(await handle.result()).toMatchObject({ status: "SUCCESS" });
  const said = await ends(handle.execId);
  // Once for each attempt until the other is there.
  expect(count(said, "AgentDispatchFailed")).toBeGreaterThan(0);
  expect(count(said, "WorkflowExecutionSuccess")).toBe(1);
  expect(works()).toHaveLength(1);
});

test.each(["after started", "after its work"])(
  "RU4: killed %s: lost with its lease, and tried again elsewhere",
  async (dies) => {
    const { t, begin, ends, starts, works } = await scene();
    await begin();
    await begin();
    const handle = t.start("w", { dies });
    expect(await handle.result()).toMatchObject({ status: "SUCCESS", output: { attempt: 2 } });
    const said = await ends(handle.execId);
    await starts(handle.execId).toBe(2);
    expect(count(said, "AgentExecutionFailed")).toBe(1);
    expect(count(said, "AgentExecutionResult")).toBe(1);
    expect(count(said, "TaskExecutionSuccess")).toBe(1);
    expect(works()).toEqual(dies === "after its work" ? ["1", "2"] : ["2"]);
  },
);

test("killed after its answer: what it answered stands", async () => {
  const { t, begin, ends, works } = await scene();
  await begin();
  const handle = t.start("w", { dies: "after its answer" });
  expect(await handle.result()).toMatchObject({ status: "SUCCESS", output: { attempt: 1 } });
  expect(count(await ends(handle.execId), "AgentExecutionFailed")).toBe(0);
  expect(works()).toEqual(["1"]);
});

test("cut off while it works: it answers when there is a way again, and registers again", async () => {
  const prefix = bed.prefix();
  const t = await bed.troupe(prefix, { agents: [{ id: "mortal", kind: "remote" }], workflows: [workflow] });
  const { hostname, port } = new URL(bed.nats.server().url());
  const proxy = await openProxy(() => ({ host: hostname, port: Number(port) }));
  bed.later(() => proxy.close());
  const held = Promise.withResolvers<{ n: number }>();
  const begun = Promise.withResolvers<void>();
  await bed.serve(
    prefix,
    {
      agents: [
        {
          id: "mortal",
          handler: () => {
            begun.resolve();
            return held.promise;
          },
        },
      ],
    },
    { servers: proxy.url, limits: { heartbeatMs: 500, leaseMs: 20_000 } },
  );
  const handle = t.start("w", {});
  await begun.promise;
  proxy.refuse(true);
  proxy.cut();
  held.resolve({ n: 1 });
  proxy.refuse(false);
  expect(await handle.result()).toMatchObject({ status: "SUCCESS", output: { n: 1 } });
  await expect.poll(async () => (await t.run("w", {})).status).toBe("SUCCESS");
});
