// What `troupe check` prints, writes and exits with: as people run it, on workflows with and without a flaw.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { troupe } from "../kit/troupe.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-check-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ok = "{ type: object, properties: { ok: { type: boolean } }, required: [ok] }";
const order = (read: string): string => `id: order
input: { type: object, properties: { sum: { type: number } }, required: [sum] }
agents:
  - { id: bank, kind: remote, output: ${ok} }
tasks:
  - { id: charge, type: agent, agent: bank, with: { sum: "\${{ input.sum }}" }, on_error: close }
  - { id: close, type: agent, agent: bank, with: { was: "\${{ ${read} }}" } }
`;
const files = {
  "bad.yaml": order("tasks.charge.output.ok"),
  "good.yaml": order("has(tasks.charge.output)"),
  "unsound.yaml": "id: unsound\ntasks:\n  - { id: a, type: agent, agent: bank, next: c }\n",
  "typed.ts": `export default { id: "typed", agents: [{ id: "bank", kind: "remote" }], tasks: [
    { id: "ask", type: "wait", wait: { approval: "Pay?" }, timeout: "1d", next: "pay" },
    { id: "pay", type: "agent", agent: "bank" }] };\n`,
  "answers.ts": "export default { bank: ({ sum }: { sum?: number }) => ({ ok: sum === undefined }) };\n",
  "answers.yaml": "bank: { answers: { ok: true }, codes: [CARD_DECLINED] }\n",
  "answers.json": '{ "bank": { "ok": true } }\n',
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
const at = (name: string): string => join(folder, name);
const few = ["--runs", "100", "--time", "100s"];

describe("troupe check", () => {
  test("tells a finding with its story, its picture and how to see it again, and exits with 1", () => {
    const { exit, stdout, stderr } = troupe("check", at("bad.yaml"), ...few);
    expect(exit).toBe(1);
    expect(stdout).toMatch(/^✖ error handler-path-fails {2}\S+bad\.yaml:7:11 close\n/);
    expect(stdout).toContain("\n  2. `charge` calls agent `bank` and fails with FAILED\n");
    expect(stdout).toContain("\n  sequenceDiagram\n");
    const [, again = ""] = /replay: troupe (check .*)/.exec(stdout) ?? [];
    expect(stdout).toMatch(/\norder: 1 error in 100 runs, seed 1\.\n$/);
    expect(stderr).toMatch(/^\d+ runs, \d+ of \d+ ways, \d+ faults, 1 found: /m);
    const replayed = troupe(...again.split(" "));
    expect(replayed.exit).toBe(1);
    expect(replayed.stdout).toMatch(/^1\. `order` is started with /);
    expect(replayed.stdout).toContain("✖ error handler-path-fails");
  });

  test("a replay says what of it never came to pass", () => {
    const { exit, stdout } = troupe("check", at("good.yaml"), "--replay", "1:nobody=hangs,@99=cancel");
    expect(stdout).toContain("\nnobody never came: no such call was made\n");
    expect(stdout).toContain("\ncancel never came: the run was over by then\n");
    expect(exit).toBe(0);
  });

  test("says what it looked at where nothing is wrong, and exits with 0", () => {
    const { exit, stdout } = troupe("check", at("good.yaml"), ...few);
    expect(stdout).toMatch(/^What was looked at\n {2}2 of 2 tasks begun, 3 of 3 ways taken\n/);
    expect(stdout).toContain("\nWhat this does not cover\n");
    expect(stdout).toMatch(/\norder: nothing was found in 100 runs, seed 1\.\n$/);
    expect(exit).toBe(0);
  });

  test("checks a workflow in TypeScript, and one of a project by its id", () => {
    const { exit, stdout } = troupe("check", at("typed.ts"), ...few);
    expect({ exit, stdout }).toMatchObject({ exit: 1, stdout: expect.stringContaining("refusal-ignored") as string });
    const mended = troupe("check", "examples/saga/workflows/trip.yaml", "--runs", "60");
    expect(mended.exit).toBe(0);
    const unknown = troupe("check", "trop");
    expect(unknown.exit).toBe(2);
    expect(unknown.stderr).toContain("there is no file 'trop'");
  });

  test("--expect is held of every run", () => {
    const held = troupe("check", at("good.yaml"), ...few, "--expect", "status != 'TIMED_OUT'");
    expect(held.exit).toBe(0);
    const broken = troupe("check", at("good.yaml"), ...few, "--expect", "status == 'SUCCESS'");
    expect(broken.exit).toBe(1);
    expect(broken.stdout).toMatch(/error expectation-failed .*\n {2}expected: status == 'SUCCESS': /);
    expect(broken.stdout).toContain(`--expect 'status == '\\''SUCCESS'\\''' --replay `);
    const wrong = troupe("check", at("good.yaml"), "--expect", "statsu == 'SUCCESS'");
    expect({ exit: wrong.exit, stdout: wrong.stdout }).toEqual({ exit: 2, stdout: "" });
    expect(wrong.stderr).toContain("there is no 'statsu' here; did you mean");
  });

  test("--json is one document, --junit a file", () => {
    const xml = at("reports/order.xml");
    const { exit, stdout, stderr } = troupe("check", at("bad.yaml"), ...few, "--json", "--junit", xml);
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: "" });
    const { workflow, findings, report } = JSON.parse(stdout) as {
      workflow: string;
      findings: { id: string; shown: { story: string[] } }[];
      report: { runs: number; parts: object[] };
    };
    expect({ workflow, runs: report.runs, ids: findings.map(({ id }) => id) }).toEqual({
      workflow: "order",
      runs: 100,
      ids: ["handler-path-fails"],
    });
    expect(readFileSync(xml, "utf8")).toMatch(/^<\?xml [^]*<failure type="error"/);
  });

  test("--out writes a page and a recording of each finding", () => {
    const out = at("out");
    const { stdout } = troupe("check", at("bad.yaml"), ...few, "--out", out);
    const name = "01-handler-path-fails-order-close";
    expect(readdirSync(out).toSorted()).toEqual([`${name}.json`, `${name}.md`]);
    expect(stdout).toContain(`look: troupe import ${join(out, `${name}.json`)}`);
    expect(JSON.parse(readFileSync(join(out, `${name}.json`), "utf8"))).toMatchObject({ format: "troupe-run" });
  });

  test.each(["answers.ts", "answers.yaml", "answers.json"])("--agents takes %s", (file) => {
    const { exit, stdout } = troupe("check", at("good.yaml"), ...few, "--agents", at(file));
    expect(stdout).toContain("nothing was found");
    expect(exit).toBe(0);
  });

  test("--from-history takes the inputs of runs that were exported", () => {
    const history = at("history");
    mkdirSync(history);
    const word = {
      type: "command:WorkflowExecute",
      workflow: { id: "order" },
      payload: { context: { input: { sum: 77 } } },
    };
    const bundle = { runs: [{ records: [{ body: { i: { on: "message", word } } }] }] };
    writeFileSync(join(history, "run.json"), JSON.stringify(bundle));
    const { exit, stdout } = troupe("check", at("bad.yaml"), ...few, "--from-history", history, "--faults", "doubled");
    expect({ exit, stdout }).toMatchObject({ exit: 0 });
    const none = troupe("check", at("bad.yaml"), "--from-history", folder);
    expect(none.exit).toBe(2);
    expect(none.stderr).toContain("there is no run of 'order'");
  });

  test.each([
    [["--faults", "hang"], "'hang' is no kind of fault; did you mean 'hangs'?"],
    [["--runs", "0"], "--runs '0' is no whole number"],
    [["--time", "soon"], "--time: 'soon' is no duration"],
    [["--replay", "charge"], "'charge' cannot be replayed: it is written as SEED:PATH"],
    [["--agents", join(folder, "none.ts")], "none.ts: this file cannot be read: it is not there"],
  ])("%j is wrong usage", (args, says) => {
    const { exit, stdout, stderr } = troupe("check", at("good.yaml"), ...args);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(says);
  });

  test("what does not load is not checked, and each problem is named with its place", () => {
    const { exit, stdout, stderr } = troupe("check", at("unsound.yaml"));
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toMatch(/unsound\.yaml:3:\d+ UNKNOWN_TASK "c" is no task of this block/);
    expect(stderr).toContain("cannot be checked: it does not load (DEFINITION_INVALID)");
  });
});
