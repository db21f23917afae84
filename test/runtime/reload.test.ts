// A project of files: how it is opened, what is refused, and how a change of a file is taken.
//
// Method: folders that are written and changed by hand; who watches is told of a change by the test.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { Watch } from "../../src/runtime/options.ts";
import { openProject, watchFolder } from "../../src/runtime/reload.ts";
import { foreignRuntime } from "../kit/foreign-runtime.ts";
import { type Line, virtualTroupe } from "../kit/virtual-troupe.ts";
import { type Bed, openBed, refusal, settled } from "./bed.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
}
function made(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-reload-"));
  folders.push(folder);
  write(folder, files);
  return folder;
}

const head = "version: 1\nname: shop\n";
const look = "tools:\n  - { id: look, kind: module, isolation: inline, module: ./tools/look.ts }\n";
const handler = "export default (input: unknown) => ({ seen: input });\n";
const order = (version: number): string => `
id: order
tasks:
  - { id: wait, type: wait, wait: { signal: go }, timeout: 20h, next: look }
  - { id: look, type: tool, tool: look, with: { version: ${version} } }
`;
const shop = { "troupe.yaml": head + look, "tools/look.ts": handler, "workflows/order.yaml": order(1) };

const stop = async ({ t }: Bed): Promise<void> => {
  const stopped = t.stop({ graceMs: 0 });
  await settled();
  await stopped;
};
const finish = async (bed: Bed, execId: string): Promise<unknown> => {
  await bed.pass(1_000);
  const ended = bed.t.result(execId);
  await bed.t.signal(execId, "go");
  await bed.pass(1_000);
  return (await ended).output;
};
/** The disk of this machine takes what time it takes. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await settled();
}

/** Somebody who watches, and is told by the test. */
function watching() {
  const watched = new Map<string, (file: string | null) => void>();
  let failed: (error: unknown) => void = () => undefined;
  const watch: Watch = (folder, heard, failing) => {
    watched.set(folder, heard);
    failed = failing;
    return () => void watched.delete(folder);
  };
  return { watch, watched, fail: (error: unknown) => failed(error) };
}

describe("a project", () => {
  test("is opened with what its files say", async () => {
    const files = {
      ...shop,
      "troupe.yaml": `${head}${look}prefix: acme\nlimits: { max_payload: 2KiB, concurrency: 5, max_steps: 7 }\n`,
    };
    const bed = await openBed({ project: made(files), limits: { concurrency: 6 } });
    expect(bed.t.limits).toMatchObject({ payloadBytes: 2_048, concurrency: 6, stepsMax: 7 });
    expect(await finish(bed, bed.t.start("order").execId)).toEqual({ seen: { version: 1 } });
    await stop(bed);
  });

  test("stands beside definitions that are given, and shares no id with them", async () => {
    const project = made(shop);
    const ask = { id: "ask", tasks: [{ id: "look", type: "tool" as const, tool: "look" }] };
    const bed = await openBed({ project, workflows: [ask] });
    expect(await bed.t.run("ask")).toMatchObject({ output: { seen: {} } });
    await stop(bed);
    expect(await refusal(() => openBed({ project, workflows: [{ ...ask, id: "order" }] }))).toMatchObject({
      code: "DEFINITION_INVALID",
      message: "workflow 'order' has defects: id: is given twice",
    });
  });

  test("in TypeScript has agents and tools as they are defined there, and those of single workflows", async () => {
    const own = 'agents: [{ id: "own", kind: "module", module: () => ({ own: true }) }]';
    const tasks = `[
      { id: "a", type: "agent", agent: "ask", with: { n: 1 }, next: "b" },
      { id: "b", type: "tool", tool: "look", next: "c" },
      { id: "c", type: "agent", agent: "own" },
    ]`;
    const result = '{ a: "${{ tasks.a.output }}", b: "${{ tasks.b.output }}", c: "${{ tasks.c.output }}" }';
    const project = made({
      "troupe.ts": `export default { version: 1, name: "shop",
        agents: [{ id: "ask", handler: (input) => input, timeoutMs: 5000, input: { type: "object" } }],
        tools: [{ id: "look", kind: "module", module: () => ({ seen: true }) }] };`,
      "workflows/w.ts": `export default { id: "w", ${own}, tasks: ${tasks}, result: ${result} };`,
    });
    const bed = await openBed({ project });
    const output = { a: { n: 1 }, b: { seen: true }, c: { own: true } };
    expect(await bed.t.run("w")).toMatchObject({ status: "SUCCESS", output });
    await stop(bed);
  });

  test("has the values of its file .env, if the environment has no others", async () => {
    const tell = "export default (_: unknown, { env }: { env: unknown }) => ({ env });\n";
    const asks = "tools:\n  - { id: look, kind: module, module: ./tools/look.ts, env: [SHOP_COLOR, HOME] }\n";
    const names = "env: [SHOP_COLOR, HOME]\n";
    const files = {
      ".env": "SHOP_COLOR=red\nHOME=nowhere\n",
      "tools/look.ts": tell,
      "troupe.yaml": head + names + asks,
    };
    const bed = await openBed({ project: made(files) });
    const env = { SHOP_COLOR: "red", HOME: process.env["HOME"] };
    expect(await bed.t.execute({ tool: "look" })).toMatchObject({ output: { env } });
    await stop(bed);
  });

  test("says so if its file .env cannot be read", async () => {
    const project = made({ "troupe.yaml": head, ".env/not-a-file": "" });
    expect(await refusal(() => openBed({ project }))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringMatching(/^the file .+\/\.env cannot be read: EISDIR/),
    });
  });

  test("is needed by who wants to watch it", async () => {
    expect(await refusal(() => openBed({ watch: true }))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: "these options cannot be: watch needs a project",
    });
  });

  test("may have agents that run elsewhere: what it says of them holds here", async () => {
    const limits = "timeout: 7s, concurrency: { limit: 1 }, input: { type: object, required: [n] }";
    const asks = (n: string) => `{ id: ask, type: agent, agent: far, with: { n: ${n} } }`;
    const flow = (id: string, task: string) => `id: ${id}\ntasks:\n  - ${task}\n`;
    const set = await virtualTroupe({
      project: made({
        "troupe.yaml": `${head}agents:\n  - { id: far, kind: remote, ${limits} }\n`,
        "workflows/many.yaml": flow("many", asks("1")),
        "workflows/bad.yaml": flow("bad", '{ id: ask, type: agent, agent: far, with: "${{ input }}" }'),
      }),
    });
    const far = foreignRuntime(set, { agents: ["far"] });
    const { troupe: t, lines, pass } = set;
    const rest = () => pass(0);
    const ofAgents = t.runtimes().map(({ agents }) => agents);
    expect(ofAgents).toEqual([[], ["far"]]);
    const handles = [t.start("many"), t.start("many"), t.start("many")];
    await rest();
    const orders = () => lines.filter(({ word }) => word.type === "command:AgentRuntimeExecute");
    expect(orders()).toHaveLength(1);
    far.begin(orders()[0] as Line);
    far.answer(orders()[0] as Line, { ok: true });
    await rest();
    expect(orders()).toHaveLength(2);
    expect(await handles[0]?.result()).toMatchObject({ status: "SUCCESS" });
    far.begin(orders()[1] as Line);
    await pass(7_000);
    expect(await handles[1]?.result()).toMatchObject({
      error: { details: { cause_code: "AGENT_INVOCATION_TIMEOUT" } },
    });
    const bad = t.start("bad");
    await rest();
    expect(await bad.result()).toMatchObject({ error: { details: { cause_code: "VALIDATION_FAILED" } } });
  });

  test("R1: is refused with every problem and its place", async () => {
    const files = {
      "troupe.yaml": head,
      "workflows/a.yaml": "id: a\ntasks: [ { id: x, type: wait, wait: { signal: go } } ]\n",
      "workflows/b.yaml": "id: b\ntasks:\n  - { id: y, type: tool, tool: look, nxt: z }\n",
    };
    const refused = await refusal(() => openProject(made(files)));
    expect(refused).toMatchObject({ code: "DEFINITION_INVALID" });
    const { errors } = refused.details as { errors: { file: string; line: number; code: string }[] };
    expect(errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ file: "workflows/a.yaml", line: 2, code: "MISSING_TIMEOUT" }),
        expect.objectContaining({ file: "workflows/b.yaml", line: 3, code: "UNKNOWN_KEY" }),
        expect.objectContaining({ file: "workflows/b.yaml", line: 3, code: "UNKNOWN_TOOL" }),
      ]),
    );
    expect(refused.message).toContain("workflows/b.yaml:3:");
    expect(await refusal(() => openProject(join(tmpdir(), "no-such-troupe")))).toMatchObject({
      code: "DEFINITION_INVALID",
      message: expect.stringContaining("there is no folder"),
    });
  });

  test.each([
    ["agents", '{ id: a, kind: llm, model: "x:y", instructions: hi }', 'agent "a": kind llm is not served yet'],
    ["agents", "{ id: a, kind: command, command: [ls] }", 'agent "a": kind command is not served yet'],
    ["tools", '{ id: t, kind: http, url: "http://x.example" }', 'tool "t": kind http is not served yet'],
    ["tools", "{ id: t, kind: module, module: ./t.ts, isolation: worker }", 'tool "t": isolation worker is not served'],
  ])("says of %s %s that it is not served yet", async (kind, definition, message) => {
    const project = made({ "troupe.yaml": `${head}${kind}:\n  - ${definition}\n` });
    expect(await refusal(() => openBed({ project }))).toMatchObject({
      code: "DEFINITION_INVALID",
      message: expect.stringContaining(message),
    });
  });
});

test("what is for a daemon is of no concern here; a store for large outputs is not served yet", async () => {
  const more = "daemon: { retention: 1d }\n";
  const { problems } = await openProject(made({ "troupe.yaml": `${head}${more}object_store: off\n` }));
  expect(problems).toEqual([]);
  expect(
    await refusal(() => openProject(made({ "troupe.yaml": `${head}object_store: { kind: s3 }\n` }))),
  ).toMatchObject({
    code: "DEFINITION_INVALID",
    message: expect.stringContaining("troupe.yaml:3:15 NOT_SERVED an object store is not served yet"),
  });
});

describe("a change", () => {
  async function watched(files: Readonly<Record<string, string>> = shop) {
    const { watch, watched: at, fail } = watching();
    const project = made(files);
    const bed = await openBed({ project, watch });
    const change = async (changed: Readonly<Record<string, string>>): Promise<void> => {
      write(project, changed);
      for (const file of Object.keys(changed)) at.get(join(project, dirname(file)))?.(file.split("/").at(-1) ?? null);
      await bed.pass(1_000);
    };
    return { bed, project, at, fail, change };
  }
  const said = ({ reports }: Bed, message: string) => reports.filter((one) => one.message === message);
  const anew = "the project was taken anew";
  const broken = "a changed project cannot be used: everything stays as it was";

  test("counts for new runs, and the old ones go on as they began", async () => {
    const { bed, change } = await watched();
    const { execId } = bed.t.start("order");
    await bed.pass(1_000);
    await change({ "workflows/order.yaml": order(2) });
    await until(() => said(bed, anew).length === 1);
    const { execId: newer } = bed.t.start("order");
    expect(await finish(bed, execId)).toEqual({ seen: { version: 1 } });
    expect(await finish(bed, newer)).toEqual({ seen: { version: 2 } });
    expect(said(bed, anew)[0]?.fields).toMatchObject({ changed: ["workflows/order.yaml"] });
    await stop(bed);
  });

  test("R1: that is broken keeps what was there, is said with its place, and is taken once it is mended", async () => {
    const { bed, change } = await watched();
    await change({ "workflows/order.yaml": order(2).replace("next: look", "next: lok") });
    await until(() => said(bed, broken).length === 1);
    expect(said(bed, broken)[0]?.fields).toMatchObject({ reason: expect.stringContaining("workflows/order.yaml:4:") });
    expect(await finish(bed, bed.t.start("order").execId)).toEqual({ seen: { version: 1 } });
    await change({ "workflows/order.yaml": order(3) });
    await until(() => said(bed, anew).length === 1);
    expect(await finish(bed, bed.t.start("order").execId)).toEqual({ seen: { version: 3 } });
    await stop(bed);
  });

  test("may bring a workflow, and take one away with its schedule and its path", async () => {
    const { bed, project, at, change } = await watched();
    const triggers = 'triggers:\n  - { type: schedule, cron: "0 * * * *" }\n  - { type: webhook, path: hook }\n';
    await change({ "workflows/more.yaml": order(5).replace("order", "more") + triggers });
    await until(() => said(bed, anew).length === 1);
    expect(bed.t.schedules()).toHaveLength(1);
    rmSync(join(project, "workflows/more.yaml"));
    at.get(join(project, "workflows"))?.("more.yaml");
    await bed.pass(1_000);
    await until(() => said(bed, anew).length === 2);
    expect(bed.t.schedules()).toEqual([]);
    expect(await refusal(() => bed.t.start("more"))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    await stop(bed);
  });

  test("R2: is taken once for many, after the last of them, and then the next", async () => {
    const { bed, project, at, change } = await watched();
    const tell = at.get(join(project, "workflows"));
    write(project, { "workflows/order.yaml": order(2) });
    for (let count = 0; count < 5; count++) {
      tell?.("order.yaml");
      await bed.pass(99);
    }
    expect(said(bed, anew)).toEqual([]);
    bed.clock.advance(100);
    // While that is under way: it is not lost, and not taken at the same time.
    write(project, { "workflows/order.yaml": order(3) });
    tell?.("order.yaml");
    bed.clock.advance(100);
    await until(() => said(bed, anew).length > 0);
    await change({ "workflows/order.yaml": order(4) });
    await until(() => said(bed, anew).length > 1);
    expect(await finish(bed, bed.t.start("order").execId)).toEqual({ seen: { version: 4 } });
    await stop(bed);
  });

  test("R3: is not taken if nothing changed, or if it is of no concern", async () => {
    const { bed, change } = await watched();
    await change({ "workflows/order.yaml": order(2) });
    await until(() => said(bed, anew).length === 1);
    await change({ "workflows/order.yaml": order(2) });
    await change({ "workflows/order.yaml~": "x", "troupe.db": "x" });
    for (let count = 0; count < 50; count++) await settled();
    expect(said(bed, anew)).toHaveLength(1);
    await stop(bed);
  });

  test("is looked for where files may come, and nowhere once the troupe has stopped", async () => {
    const { bed, project, at, change } = await watched();
    expect([...at.keys()]).toEqual([project, join(project, "workflows")]);
    const elsewhere = `${head}${look}workflows: [workflows/*.yaml, "flows/**/*.yaml"]\n`;
    await change({ "flows/new.yaml": order(9).replace("order", "new"), "troupe.yaml": elsewhere });
    await until(() => said(bed, anew).length === 1);
    expect([...at.keys()].sort()).toEqual([project, join(project, "flows"), join(project, "workflows")]);
    await stop(bed);
    expect([...at.keys()]).toEqual([]);
  });

  test("that cannot be watched for is said", async () => {
    const { bed, fail } = await watched();
    fail(new Error("too many"));
    expect(said(bed, "a folder cannot be watched: changes in it are not seen")[0]?.fields).toMatchObject({
      reason: "too many",
    });
    await stop(bed);
  });

  test("is taken by hand too, and a broken one is thrown", async () => {
    const project = made(shop);
    const bed = await openBed({ project });
    expect(await bed.t.reload()).toEqual([]);
    write(project, { "workflows/order.yaml": order(2) });
    await bed.t.reload();
    expect(await finish(bed, bed.t.start("order").execId)).toEqual({ seen: { version: 2 } });
    write(project, { "workflows/order.yaml": "id: order\n" });
    expect(await refusal(() => bed.t.reload())).toMatchObject({ code: "DEFINITION_INVALID" });
    await stop(bed);
    const bare = await openBed();
    expect(await refusal(() => bare.t.reload())).toMatchObject({ code: "INVALID_STATE" });
    await stop(bare);
  });

  test("is noticed by the machine itself", async () => {
    const folder = made(shop);
    const heard = new Promise<string | null>((resolve, reject) => {
      const close = watchFolder(
        join(folder, "workflows"),
        (file) => {
          close();
          resolve(file);
        },
        reject,
      );
    });
    write(folder, { "workflows/order.yaml": order(2) });
    expect(await heard).toBe("order.yaml");
  });
});
