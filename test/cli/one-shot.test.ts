// Goal: without a daemon a workflow runs in the process of the command, and a new project runs at once.
// Method: processes in folders of their own, pointed at an address where nobody answers.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { manifest } from "../kit/tree.ts";
import { begin, deadUrl, linesIn, newProject } from "./bed.ts";

const { folder, remove } = newProject();
let env: Record<string, string>;

beforeAll(async () => {
  // A daemon that was killed left this behind.
  writeFileSync(join(folder, "ready.json"), JSON.stringify({ event: "ready", http: await deadUrl() }));
  env = { TROUPE_DATA_DIR: folder };
});
afterAll(remove);

const troupe = (...args: string[]) => begin(args, { cwd: folder, env });

describe("troupe run without a daemon", () => {
  test("runs in this process, says so beside the output, and ends as it ended", async () => {
    const { exit, stdout, stderr } = await troupe("run", "hello", "--input", '{"name":"Ada"}').ended;
    expect(exit).toBe(0);
    expect(stdout).toMatch(/workflow {2}SUCCESS hello\nSUCCESS in .*\n\{\n {2}"text": "hello, Ada"\n\}\n$/);
    expect(stderr).toBe("no daemon answers: it runs in this process and is not kept (`troupe up` starts one)\n");
    const bad = await troupe("run", "press").ended;
    expect(bad).toMatchObject({ exit: 1, stdout: expect.stringMatching(/FAILED in .*the press is broken/) });
  });

  test("gives one JSON document, or a line for each message with --watch", async () => {
    const one = await troupe("run", "hello", "--json").ended;
    expect(JSON.parse(one.stdout)).toMatchObject({
      id: "hello",
      status: "SUCCESS",
      result: { output: { text: "hello, world" } },
    });
    const lines = linesIn(await troupe("run", "hello", "--json", "--watch").ended);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.at(-1)).toMatchObject({ status: "SUCCESS" });
  });

  test("takes its input from the standard input, or from a file", async () => {
    const piped = begin(["run", "hello", "--json", "--input", "-"], { cwd: folder, env, input: '{"name":"Bo"}' });
    expect(JSON.parse((await piped.ended).stdout)).toMatchObject({ result: { output: { text: "hello, Bo" } } });
    writeFileSync(join(folder, "input.json"), '{"name":"Cy"}');
    const { stdout } = await troupe("run", "hello", "--json", "--input", "@input.json").ended;
    expect(JSON.parse(stdout)).toMatchObject({ result: { output: { text: "hello, Cy" } } });
  });

  test("Ctrl-C cancels it", async () => {
    const run = troupe("run", "long");
    await run.until("agent     RUNNING held");
    run.interrupt();
    expect(await run.ended).toMatchObject({ exit: 130, stdout: expect.stringContaining("CANCELED in") });
  });

  test("--wait ends what takes longer", async () => {
    expect(await troupe("run", "long", "--wait", "300ms").ended).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining("CANCELED in"),
    });
  });

  test("a file runs with the agents of its project, and a lone one by itself", async () => {
    const inside = await troupe("run", "workflows/hello.yaml").ended;
    expect(inside).toMatchObject({ exit: 0, stdout: expect.stringContaining('"text": "hello, world"') });
    const lone = newProject();
    const flow = "id: pause\ntasks:\n  - { id: a, type: wait, wait: { duration: 1ms } }\n";
    writeFileSync(join(lone.folder, "pause.yaml"), flow);
    for (const name of ["troupe.yaml", "agents.ts"]) writeFileSync(join(lone.folder, `unused-${name}`), "");
    const { rmSync } = await import("node:fs");
    rmSync(join(lone.folder, "troupe.yaml"));
    const { exit } = await begin(["run", "pause.yaml"], { cwd: lone.folder, env }).ended;
    expect(exit).toBe(0);
    const none = await begin(["run", "hello"], { cwd: lone.folder, env }).ended;
    expect(none).toMatchObject({ exit: 3, stdout: "" });
    expect(none.stderr).toContain("there is no project here to run 'hello' from");
    lone.remove();
  });

  test("what cannot be run is refused with its place", async () => {
    writeFileSync(join(folder, "bad.yaml"), "id: bad\ntasks:\n  - { id: a, type: toll }\n");
    const { exit, stdout, stderr } = await troupe("run", "bad.yaml").ended;
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toMatch(
      /bad\.yaml:3:\d+ BAD_VALUE [^]*bad\.yaml cannot be run: it has a problem \(DEFINITION_INVALID\)/,
    );
    expect((await troupe("run", "helo", "--here").ended).stderr).toContain("did you mean 'hello'?");
  });
});

describe("troupe init", () => {
  test("writes a project that is sound and runs, and says how", async () => {
    const { exit, stdout, stderr } = await troupe("init", "fresh", "--yes").ended;
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/next:\n {2}cd fresh\n {2}troupe run hello --input '\{"name": "Ada"\}'\n {2}troupe up\n$/);
    const cwd = join(folder, "fresh");
    expect(readFileSync(join(cwd, "workflows/hello.yaml"), "utf8")).toMatch(
      /^# yaml-language-server: \$schema=\.\.\/schemas\//,
    );
    expect((await begin(["validate"], { cwd, env }).ended).stdout).toContain(
      'Project "fresh" is sound: 1 workflow, 1 agent',
    );
    const run = await begin(["run", "hello", "--input", '{"name": "Ada"}'], { cwd, env }).ended;
    expect(run).toMatchObject({ exit: 0, stdout: expect.stringContaining('"text": "hello, Ada"') });
  });

  test("overwrites nothing", async () => {
    const { exit, stderr } = await troupe("init", "--yes").ended;
    expect(exit).toBe(2);
    expect(stderr).toMatch(/troupe\.yaml, workflows\/hello\.yaml are in .* already: choose an empty folder/);
    expect(readdirSync(folder)).not.toContain("schemas");
  });

  test("names the project as it is told, and what cannot be a name is refused", async () => {
    const made = await troupe("init", "named", "--name", "orders", "--json").ended;
    expect(JSON.parse(made.stdout)).toMatchObject({ name: "orders", files: expect.arrayContaining(["troupe.yaml"]) });
    expect(await troupe("init", "other", "--name", "a b").ended).toMatchObject({ exit: 2, stdout: "" });
    expect(manifest.dependencies).toHaveProperty("@clack/prompts");
  });
});
