// Goal: whoever writes a runtime learns from one command what it does wrong, on paper or by machine.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "../kit/tree.ts";
import { begin } from "./bed.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-runtime-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const runtime = `${process.execPath} ${join(root, "examples/runtimes/typescript/conformance.ts")}`;
const troupe = (...args: string[]) => begin(["runtime-test", ...args], { cwd: folder }).ended;

test("a runtime that it starts beside a server of its own is tried, and told of line by line", async () => {
  const { exit, stdout } = await troupe("--command", runtime, "--only", "answers", "cancel-answered", "tool-answers");
  expect(exit, stdout).toBe(0);
  expect(stdout).toMatch(/^runtime conformance [\da-f-]{36} \(typescript 0\.0\.0\)\nagent conformance, tool none\n/);
  expect(stdout).toMatch(/✓ answers +the result comes on reply_to_subject/);
  expect(stdout).toMatch(/– tool-answers .*\n +not tried +because no tool was named: --tool/);
  expect(stdout).toMatch(/\d+ rules kept, 0 broken, \d+ not tried\n$/);
});

test("what it finds is there as JSON and as JUnit XML, and its exit says whether a rule is broken", async () => {
  // Its agent has another name in the order than in its table: nothing of it is there.
  const report = join(folder, "report.xml");
  const given = ["--command", runtime, "--agent", "nobody", "--only", "acknowledges", "--json", "--junit", report];
  const { exit, stdout } = await troupe(...given);
  expect(exit, stdout).toBe(1);
  const said = JSON.parse(stdout) as {
    broken: number;
    rules: { rule: string; is: string; clause: string; bytes?: string }[];
  };
  const broken = said.rules.filter(({ is }) => is === "broken");
  expect(broken.map(({ rule }) => rule)).toEqual(["acknowledges"]);
  expect(broken[0]).toMatchObject({ clause: expect.stringContaining("§4") });
  expect(broken[0]?.bytes).toContain("AGENT_NOT_FOUND");
  const xml = readFileSync(report, "utf8");
  expect(xml).toMatch(/<testsuite name="troupe runtime-test conformance" tests="\d+" failures="1" skipped="\d+">/);
  expect(xml).toContain("<failure message=");
  expect(xml.match(/<testcase /g)).toHaveLength(said.rules.length);
});

test("what cannot be tried is told with the way out", async () => {
  expect(await troupe()).toMatchObject({ exit: 2, stderr: expect.stringContaining("--url says where the runtime is") });
  const ended = await troupe("--command", "echo no such runtime; exit 7");
  expect(ended).toMatchObject({ exit: 3, stderr: expect.stringContaining("no such runtime") });
  const unknown = await troupe("--command", runtime, "--only", "cancel-silence");
  expect(unknown).toMatchObject({ exit: 2, stderr: expect.stringContaining("did you mean 'cancel-silent'?") });
});
