// Goal: `troupe up` runs in a process that takes no more memory than it should, however it was started.
// Method: every start of Node tells which process it is and what it was told; help is asked for, so that it ends.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const teller = "data:text/javascript,console.log(JSON.stringify([process.pid, process.execArgv]))";
const canStartAgain = process.platform !== "win32";

type Start = [pid: number, told: string[]];
function startsOf(told: readonly string[], command: string, options = ""): Start[] {
  const args = [...told, "--import", teller, join(root, "bin/troupe.js"), command, "--help"];
  const env = { ...process.env, NODE_OPTIONS: options };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`Usage: troupe ${command}`);
  const lines = stdout.split("\n").filter((line) => line.startsWith("["));
  return lines.map((line) => JSON.parse(line) as Start);
}

test.runIf(canStartAgain)("the daemon starts again as the same process, with a heap that is kept small", () => {
  const [first, again, ...more] = startsOf(["--no-deprecation"], "up");
  expect(more).toEqual([]);
  expect(again?.[0]).toBe(first?.[0]);
  const own = ["--no-deprecation", "--import", teller];
  expect([first?.[1], again?.[1]]).toEqual([own, ["--max-semi-space-size=32", "--heap-growing-percent=50", ...own]]);
});

test("it does not where somebody has said what it may take, and no other command does", () => {
  expect(startsOf(["--max-semi-space-size=8"], "up")).toHaveLength(1);
  expect(startsOf([], "up", "--max-semi-space-size=8")).toHaveLength(1);
  expect(startsOf([], "list")).toHaveLength(1);
});
