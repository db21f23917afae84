// Goal: every command that speaks to a daemon does what its help says, says so in words or in JSON, and nowhere else.
// Method: one real daemon; each command a process of its own, found by what the daemon wrote into its folder. What a
// command is tried on is begun by the client.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, connect } from "../../src/gateway/client.ts";
import { type DaemonBed, deadUrl, linesIn, openDaemonBed } from "./bed.ts";

let bed: DaemonBed;
let client: Client;
const troupe = (...args: string[]) => bed.troupe(...args);
/** What it said as JSON, with nothing beside it. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { exit, stdout, stderr } = await troupe(...args, "--json");
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}
const started = async (id: string, labels: Record<string, string> = {}): Promise<string> =>
  (await client.executeWorkflowAsync({ id, labels })).exec_id;
/** Begun, and at its wait. */
async function waiting(workflow: string): Promise<string> {
  const exec_id = await started(workflow);
  for await (const { event } of client.streamExecution({ exec_id, last_event_id: "0" })) {
    if (event === "TaskWaitingStarted") break;
  }
  return exec_id;
}
/** Asks until it has ended: each answer comes when the daemon gives it. */
async function atEnd(exec_id: string): Promise<string> {
  while ((await client.getStatus({ entities: "workflows", exec_id })).ended_at === null);
  return exec_id;
}
const over = async (workflow: string): Promise<string> => atEnd(await started(workflow));

beforeAll(async () => {
  bed = await openDaemonBed();
  client = connect({ url: bed.url });
});
afterAll(() => bed.close());

test("list says what to do where nothing was run yet", async () => {
  const { exit, stdout, stderr } = await troupe("list");
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(stdout).toMatch(/^nothing has been run yet\n {2}troupe run <workflow> /);
  expect((await troupe("show", "last")).stderr).toMatch(
    /^troupe: nothing has been run yet \(EXECUTION_NOT_FOUND\)\n {2}fix: /,
  );
});

describe("troupe run", () => {
  test("begins a workflow and says where to look", async () => {
    const { exit, stdout, stderr } = await troupe("run", "hello", "--label", "team=red");
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/^started: \S{36}\n {2}troupe show \S{36} --watch /);
    expect(stdout).toContain(`${bed.url}/executions/`);
  });

  test("--wait gives what came of it, and ends as it ended", async () => {
    const good = await troupe("run", "hello", "--input", '{"name":"Ada"}', "--wait", "30s");
    expect(good).toMatchObject({ exit: 0, stderr: "" });
    expect(good.stdout).toMatch(/^SUCCESS in \d+ ms\n\{\n {2}"text": "hello, Ada"\n\}\n$/);
    const bad = await troupe("run", "press", "--wait", "30s");
    expect(bad).toMatchObject({ exit: 1, stderr: "" });
    expect(bad.stdout).toMatch(/^FAILED in .*: .*the press is broken.* \(\w+\)\n {2}fix: /);
    const long = await troupe("run", "long", "--wait", "50ms");
    expect(long).toMatchObject({ exit: 1, stdout: "" });
    expect(long.stderr).toMatch(/^troupe: \S{36} has not ended in 50 ms; it goes on \(API_TIMEOUT\)/);
  });

  test("--watch tells one line for each thing that happens, and the end", async () => {
    const { exit, stdout, stderr } = await troupe("run", "hello", "--watch");
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(
      stdout
        .split("\n")
        .slice(0, 3)
        .map((line) => line.trim().split(/\s+/).slice(2).join(" ")),
    ).toEqual(["workflow RUNNING hello", "task PENDING greet", "task RUNNING greet"]);
    expect(stdout).toMatch(/workflow {2}SUCCESS hello\nSUCCESS in /);
    expect(await troupe("run", "press", "--watch")).toMatchObject({ exit: 1 });
  });

  test("--watch --json is a line of JSON for each message, and the execution last", async () => {
    const { exit, stdout } = await troupe("run", "hello", "--watch", "--json");
    expect(exit).toBe(0);
    const lines = linesIn({ stdout });
    expect(lines.at(0)).toMatchObject({ type: "command:WorkflowExecute", envelope: { metadata: {} } });
    expect(lines.map(({ type }) => type)).toContain("event:AgentExecutionResult");
    expect(lines.at(-1)).toMatchObject({ id: "hello", status: "SUCCESS" });
  });

  test("Ctrl-C while it is watched leaves it running, and says how to come back", async () => {
    const watched = bed.begin("run", "long", "--watch");
    const execId = async () =>
      ((await json("list", "--workflow", "long", "--limit", "1"))["items"] as { exec_id: string }[])[0]?.exec_id;
    await watched.until("agent     RUNNING held");
    watched.interrupt();
    const { exit, stderr } = await watched.ended;
    expect(exit).toBe(130);
    expect(stderr).toContain(`troupe show ${await execId()} --watch`);
    expect(await json("show", String(await execId()))).toMatchObject({ status: "RUNNING" });
  });

  test("the same key begins it once, and other content with it is refused", async () => {
    const first = await json("run", "hello", "--key", "k1");
    expect(await json("run", "hello", "--key", "k1")).toMatchObject({ exec_id: first["exec_id"] });
    const other = await troupe("run", "hello", "--key", "k1", "--input", '{"name":"Bo"}');
    expect(other).toMatchObject({ exit: 2, stdout: "" });
    expect(other.stderr).toContain("(IDEMPOTENCY_CONFLICT)\n  fix: ");
  });

  test("a file of the daemon's project runs there; the same file changed runs in the process", async () => {
    expect((await troupe("run", "workflows/hello.yaml", "--wait", "30s")).stdout).toContain("hello, world");
    const { execFileSync } = await import("node:child_process");
    const changed = `${bed.folder}/changed.yaml`;
    execFileSync("sh", ["-c", `sed 's/default: world/default: moon/' ${bed.folder}/workflows/hello.yaml > ${changed}`]);
    const { stdout, stderr, exit } = await troupe("run", changed);
    expect(exit).toBe(0);
    expect(stderr).toContain("does not have");
    expect(stdout).toContain('"text": "hello, ');
  });

  test.each([
    [["run", "helo"], 2, /there is no workflow 'helo'; did you mean 'hello'\?.* \(WORKFLOW_NOT_FOUND\)/],
    [["run", "hello", "--input", "{name"], 2, /--input is no JSON .*; write JSON in single quotes, @file, or -/],
    [["run", "hello", "--input", "@nowhere.json"], 2, /--input cannot be read: ENOENT/],
    [["run", "hello", "--label", "red"], 2, /--label 'red' is none: write --label name=value/],
    [["run", "hello", "--wait", "soon"], 2, /--wait: 'soon' is no duration/],
    [["run", "hello", "--wach"], 2, /Did you mean --watch\?/],
    [["rum", "hello"], 2, /Did you mean run\?/],
    [["list", "--limit", "900"], 2, /--limit '900' is no whole number from 1 to 200/],
  ])("%j is refused with words that help", async (args, exit, says) => {
    const ended = await troupe(...args);
    expect(ended).toMatchObject({ exit, stdout: "" });
    expect(ended.stderr).toMatch(says);
  });
});

describe("what is looked at", () => {
  test("list shows what the filters find, in pages, as a table or as JSON", async () => {
    for (const name of ["a", "b", "c"]) await started("hello", { page: name, pages: "yes" });
    const found = (await json("list", "--label", "pages=yes"))["items"] as { labels: object }[];
    expect(found.map(({ labels }) => labels)).toMatchObject([{ page: "c" }, { page: "b" }, { page: "a" }]);
    const first = await troupe("list", "--label", "pages=yes", "--limit", "2");
    expect(first.stdout.split("\n")[0]).toMatch(/^EXECUTION +ID +STATUS +BEGUN +TOOK$/);
    expect(first.stdout.trimEnd().split("\n")).toHaveLength(3);
    const more = /more: troupe (list .*)/.exec(first.stderr)?.[1] ?? "";
    expect((await troupe(...more.split(" "))).stdout.trimEnd().split("\n")).toHaveLength(2);
    const all = await troupe("list", "--label", "pages=yes", "--limit", "1", "--all", "--json");
    expect(linesIn(all)).toHaveLength(3);
    expect((await troupe("list", "--status", "success", "--error", "NONE")).stdout).toContain("nothing fits");
    expect((await troupe("list", "--kind", "agents", "--id", "greeter", "--since", "1h")).stdout).toContain(
      "agent  greeter",
    );
  });

  test("show tells how one stands, by its id, the end of it, or `last`", async () => {
    const execId = await over("press");
    for (const given of [execId, execId.slice(-12), "last"]) {
      const { exit, stdout, stderr } = await troupe("show", given);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(stdout).toMatch(/^✖ press workflow FAILED\nexecution {2}/);
      expect(stdout).toMatch(/├─ ✔ warm .*\n│ {2}└─ ✔ greeter agent .*\n└─ ✖ print FAILED /);
      expect(stdout).toContain(`troupe retry ${execId} --from print  once more, from where it failed`);
    }
    expect(await json("show", execId)).toMatchObject({ exec_id: execId, status: "FAILED", tree: expect.any(Array) });
    const near = `${execId.slice(0, -2)}${execId.endsWith("00") ? "11" : "00"}`;
    const unknown = await troupe("show", near);
    expect(unknown).toMatchObject({ exit: 2, stdout: "" });
    expect(unknown.stderr).toMatch(/no execution '.*' is known; did you mean '\S{36}'\? \(EXECUTION_NOT_FOUND\)/);
    expect((await troupe("show", "press")).stderr).toContain("that is a workflow: `list --workflow press`");
  });

  test("show has the workflows that were called in its tree, each where it was called", async () => {
    const exec_id = await over("parent");
    const { correlation_id } = await client.getExecution({ exec_id });
    const tree = (await troupe("show", exec_id)).stdout;
    expect(tree).toMatch(/├─ ✔ call .*\n│ {2}└─ ✔ hello .*\n│ {5}└─ ✔ greet /);
    expect(tree).toMatch(/└─ ✖ again FAILED .*\n {3}└─ ✖ press FAILED /);
    const all = await json("list", "--correlation", correlation_id);
    expect((all["items"] as { id: string }[]).map(({ id }) => id).toSorted()).toEqual(["hello", "parent", "press"]);
  });

  test("events gives all that was said, or some of it, and follows to the end", async () => {
    const execId = await over("hello");
    const all = await troupe("events", execId);
    expect(all).toMatchObject({ exit: 0, stderr: "" });
    expect(all.stdout.trimEnd().split("\n")).toHaveLength(15);
    const some = linesIn(
      await troupe("events", execId, "--type", "TaskScheduled", "--type", "event:TaskExecutionSuccess", "--json"),
    );
    expect(some.map(({ type }) => type)).toEqual(["event:TaskScheduled", "event:TaskExecutionSuccess"]);
    const followed = await troupe("events", execId, "--follow");
    expect(followed.exit).toBe(0);
    expect(followed.stdout).toBe(all.stdout);
  });

  test("events of all executions go on until they are interrupted", async () => {
    const all = bed.begin("events", "--json", "--type", "WorkflowExecutionSuccess");
    // It is heard from when it listens on, and nothing says when that is: so until it has heard.
    const heard = all.until('"event:WorkflowExecutionSuccess"');
    for (let isHeard = false; !isHeard;) {
      await started("hello");
      isHeard = await Promise.race([heard.then(() => true), troupe("list").then(() => false)]);
    }
    all.interrupt();
    expect(await all.ended).toMatchObject({ exit: 130, stderr: "" });
  });

  test("trace is a conversation: as a table, as JSON, and as Mermaid in the form of the golden flows", async () => {
    const execId = await over("hello");
    const { stdout } = await troupe("trace", execId);
    expect(stdout).toMatch(/TE +→ AD +TriggerAgent +greeter\n/);
    expect(stdout).toMatch(/AR +→ TE +AgentExecutionResult +greeter +SUCCESS\n/);
    const lines = linesIn(await troupe("trace", execId, "--json"));
    expect(lines.at(0)).toMatchObject({ from: "API", to: ["WO"], name: "WorkflowExecute" });
    const mermaid = (await troupe("trace", execId, "--mermaid")).stdout;
    expect(mermaid).toMatch(/^sequenceDiagram\n {4}participant API as API Service\n/);
    expect(mermaid).toContain("    TE->>NATS: Publishes `TriggerAgent` (Command)<br>Subject: `compozy.commands.agent.");
    expect(mermaid).toContain("    NATS-->>AD: Delivers `TriggerAgent`\n");
  });

  test("graph draws a workflow of the daemon", async () => {
    expect((await troupe("graph", "hello")).stdout).toContain("stateDiagram-v2\n  [*] --> greet\n");
    expect(await json("graph", "hello")).toMatchObject({ states: { greet: {} } });
  });

  test("runtimes, schedules, threads and message types are listed, also where there are none", async () => {
    expect((await troupe("runtimes")).stdout).toMatch(
      /local +registered +typescript \S+ +\d+ of \d+ +\d+ .* greeter broken held/,
    );
    expect(await json("runtimes")).toMatchObject({ items: [{ id: "local" }] });
    expect((await troupe("schedules")).stdout).toContain("there are no schedules");
    expect((await troupe("threads")).stdout).toContain("there are no conversations yet");
    expect(await json("threads")).toMatchObject({ items: [] });
    const types = (await json("message-types", "--kind", "command"))["items"] as { name: string }[];
    expect(types.map(({ name }) => name)).toContain("TriggerAgent");
  });
});

describe("what is said to executions", () => {
  test("approve and approve --reject answer the task that waits, why says what it waits for", async () => {
    const execId = await waiting("payout");
    expect((await troupe("why", execId)).stdout).toMatch(/waits for an approval \(Release it\?\)/);
    const listed = (await troupe("list", "--workflow", "payout")).stdout;
    expect(listed).toMatch(new RegExp(`^${execId} .* RUNNING .* waits for approval: Release it\\?$`, "m"));
    expect((await troupe("show", execId)).stdout).toContain(`troupe approve ${execId} `);
    expect((await troupe("approve", execId, "--comment", "fine", "--data", '{"by":"me"}')).stdout).toContain(
      "approved 'ask'",
    );
    await atEnd(execId);
    expect(await json("show", execId)).toMatchObject({ result: { output: { text: "hello, true" } } });
    const other = await waiting("payout");
    expect((await troupe("approve", other, "--reject")).stdout).toContain("rejected 'ask'");
    await atEnd(other);
    expect(await json("show", other)).toMatchObject({ result: { output: { text: "hello, false" } } });
    const over = await troupe("approve", other);
    expect(over).toMatchObject({ exit: 2, stdout: "" });
    expect(over.stderr).toContain("waits for an approval: it is SUCCESS (INVALID_STATE)");
  });

  test("signal ends a wait, pause and resume stop and go on", async () => {
    const execId = await waiting("gate");
    expect((await troupe("pause", execId, "--reason", "lunch")).stdout).toContain("paused: ");
    expect((await troupe("why", execId)).stdout).toContain("lunch");
    expect((await troupe("list", "--workflow", "gate")).stdout).toMatch(/PAUSED .* lunch$/m);
    expect(await json("resume", execId)).toMatchObject({ exec_id: execId, status: "ACKNOWLEDGED" });
    expect((await troupe("signal", execId, "go", "--payload", '{"name":"Bo"}')).exit).toBe(0);
    await atEnd(execId);
    expect(await json("show", execId)).toMatchObject({ status: "SUCCESS" });
    expect((await troupe("pause", execId)).exit).toBe(2);
  });

  test("cancel reports who confirmed it", async () => {
    const run = bed.begin("run", "long", "--watch");
    await run.until("agent     RUNNING held");
    const { exit, stdout } = await troupe("cancel", "last", "--reason", "enough");
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^canceled: \S{36} in /);
    expect(stdout).toMatch(/agent held +confirmed +\d+ ms +stopped, and said so/);
    expect(await run.ended).toMatchObject({ exit: 1, stdout: expect.stringContaining("CANCELED in") });
    expect((await troupe("cancel", "last")).stdout).toContain("nothing was changed");
    expect(await json("cancel", "last")).toMatchObject({ changed: false });
  });

  test("retry and fork begin again, whole or at a task, and guess which was meant", async () => {
    const execId = await over("press");
    expect(await troupe("retry", execId, "--watch")).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining("task      SUCCESS warm"),
    });
    const later = await troupe("retry", execId, "--from", "print", "--watch");
    expect(later.stdout).not.toContain("warm");
    expect(await json("fork", execId, "--from", "print", "--label", "why=test")).toMatchObject({ fork_of: execId });
    const wrong = await troupe("fork", execId, "--from", "pint");
    expect(wrong).toMatchObject({ exit: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/has no task 'pint'; did you mean 'print'\? \(TASK_NOT_FOUND\)/);
    expect((await troupe("fork", execId)).stderr).toContain("required option '--from <task>' not specified");
  });
});

describe("one execution as a file", () => {
  test("is exported, imported on another daemon, looked at there, read-only, and forgotten", async () => {
    const execId = await over("hello");
    const written = await troupe("export", execId, "-o", "run.json");
    expect(written).toMatchObject({ exit: 0, stdout: "" });
    const bundle = JSON.parse((await troupe("export", execId)).stdout) as Record<string, unknown>;
    expect(bundle).toMatchObject({ format: "troupe-run", exec_id: execId, chart: { id: "hello" } });
    expect((bundle["steps"] as unknown[]).length).toBeGreaterThan(10);
    expect((bundle["journal"] as unknown[]).length).toBe(15);
    const there = await openDaemonBed();
    try {
      const reach = ["--url", there.url];
      const file = `${bed.folder}/run.json`;
      const taken = await there.troupe("import", file, ...reach);
      expect(taken).toMatchObject({ exit: 0, stderr: "" });
      expect(taken.stdout).toMatch(/^imported: \S{36} \(3 executions in 1 runs?\)/);
      expect((await there.troupe("import", file, ...reach)).stdout).toContain("is here already");
      const shown = await there.troupe("show", execId, ...reach);
      expect(shown.stdout).toContain("imported   yes: it ran elsewhere, and is read-only here");
      expect((await there.troupe("list", ...reach)).stdout).toMatch(/hello .*imported\n/);
      const canceled = await there.troupe("cancel", execId, ...reach);
      expect(canceled).toMatchObject({ exit: 2, stdout: "" });
      expect(canceled.stderr).toContain("it is read-only; retry or fork it");
      expect((await there.troupe("retry", execId, "--watch", ...reach)).exit).toBe(0);
      expect((await there.troupe("forget", execId, ...reach)).stdout).toBe(`forgotten: ${execId}\n`);
      expect((await there.troupe("show", execId, ...reach)).exit).toBe(2);
    } finally {
      await there.close();
    }
  });

  test("that was changed is refused with its place", async () => {
    const execId = await over("hello");
    const { stdout } = await troupe("export", execId);
    const { begin } = await import("./bed.ts");
    const spoilt = begin(["import", "-"], { cwd: bed.folder, input: stdout.replace("hello, world", "hello, moon") });
    const { exit, stderr } = await spoilt.ended;
    expect(exit).toBe(2);
    expect(stderr).toMatch(/this cannot be imported: runs\.0\.records\.\d+\.sum does not fit/);
    const none = begin(["import", "-"], { cwd: bed.folder, input: "{}" });
    expect((await none.ended).stderr).toContain("this is no exported run");
  });
});

test("where no daemon answers every command ends with 3, and says how one is started", async () => {
  const url = await deadUrl();
  for (const line of [
    "list",
    "show last",
    "why last",
    "events",
    "trace last",
    "cancel last",
    "runtimes",
    "run hello",
    "export last",
  ]) {
    const { exit, stdout, stderr } = await troupe(...line.split(" "), "--url", url);
    expect({ line, exit, stdout }).toEqual({ line, exit: 3, stdout: "" });
    expect(stderr).toMatch(/\(DAEMON_UNREACHABLE\)\n(?: {2}cause: .*\n)? {2}fix: start it with `troupe up`/);
  }
  const { exit, stderr } = await troupe("list", "--json", "--url", url);
  expect(exit).toBe(3);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: "DAEMON_UNREACHABLE", fix: expect.any(String) } });
  expect((await troupe("list", "--url", "nonsense")).exit).toBe(2);
});
