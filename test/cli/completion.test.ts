// Goal: the tab key knows every command, option and choice, and what the daemon has.
// Method: bash itself completes, with the script that is printed for it, where there is bash; the other scripts are
// read by their shells where these are there.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../kit/tree.ts";
import { begin, type DaemonBed, idIn, openDaemonBed } from "./bed.ts";

let bed: DaemonBed;
beforeAll(async () => {
  bed = await openDaemonBed();
  mkdirSync(join(bed.folder, "bin"));
  const shim = join(bed.folder, "bin/troupe");
  writeFileSync(shim, `#!/bin/sh\nexec ${process.execPath} ${join(root, "bin/troupe.js")} "$@"\n`);
  chmodSync(shim, 0o755);
});
afterAll(() => bed.close());

const hasShell = (name: string): boolean => spawnSync(name, ["-c", "exit 0"]).status === 0;

/** What bash offers for a line that ends where the key is pressed. */
async function completed(...words: string[]): Promise<string[]> {
  const { stdout: script } = await bed.troupe("completion", "bash");
  const line = `COMP_WORDS=(troupe ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}`;
  const { spawn } = await import("node:child_process");
  const env = { ...process.env, PATH: `${join(bed.folder, "bin")}:${process.env["PATH"]}` };
  const text = `${script}\n${line}\n_troupe 2>/dev/null\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = spawn("bash", ["--norc", "-c", text], { cwd: bed.folder, env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  bash.stdout.setEncoding("utf8").on("data", (part: string) => (said += part));
  await new Promise((resolve) => bash.on("close", resolve));
  return said.split("\n").filter((one) => one !== "");
}

describe.runIf(hasShell("bash"))("bash completes", () => {
  test("commands", async () => {
    expect(await completed("r")).toEqual(expect.arrayContaining(["run", "resume", "retry", "rehearse", "runtimes"]));
    expect(await completed("comp")).toEqual(["completion"]);
  });

  test("options, their choices, and choices of arguments", async () => {
    expect(await completed("run", "hello", "--w")).toEqual(["--watch", "--wait"]);
    expect(await completed("graph", "--as", "")).toEqual(["mermaid", "xstate"]);
    expect(await completed("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await completed("token", "c")).toEqual(["create"]);
  });

  test("files where files are meant", async () => {
    expect(await completed("import", "ag")).toEqual(["agents.ts"]);
    expect(await completed("run", "workflows/h")).toEqual(["workflows/hello.yaml"]);
  });

  test("workflows and executions that the daemon has", async () => {
    expect(await completed("run", "pay")).toEqual(["payout"]);
    expect(await completed("list", "--workflow", "pr")).toEqual(["press"]);
    const execId = idIn(await bed.troupe("run", "hello"));
    expect(await completed("show", "")).toEqual(["last", execId]);
  });
});

test("where no daemon answers the rest is still offered, without a word of complaint", async () => {
  const env = { TROUPE_URL: "http://127.0.0.1:9" };
  const { exit, stdout, stderr } = await begin(["complete", "--", "run", ""], { cwd: bed.folder, env }).ended;
  expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: ":files\n", stderr: "" });
});

test.each(["bash", "zsh", "fish"])("the script for %s is one that it can read", async (shell) => {
  const { exit, stdout } = await bed.troupe("completion", shell);
  expect(exit).toBe(0);
  expect(stdout).toContain("troupe complete -- ");
  if (hasShell(shell)) expect(spawnSync(shell, ["-n"], { input: stdout }).status).toBe(0);
});

test("another shell is wrong usage", async () => {
  expect(await bed.troupe("completion", "csh")).toMatchObject({ exit: 2, stdout: "" });
});
