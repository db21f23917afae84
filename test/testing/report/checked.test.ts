// Goal: a report is the same each time, tells each flaw once, and every story in it can be played again.
// Method: workflows with flaws are checked, twice, and what is reported is replayed.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadChecked } from "../../../src/testing/findings/load.ts";
import { withScripts } from "../../../src/testing/findings/stand-ins.ts";
import { checked, replayed } from "../../../src/testing/report/checked.ts";
import { junitOf } from "../../../src/testing/report/junit.ts";
import { fileNameOf, pageOf } from "../../../src/testing/report/page.ts";
import { reportText } from "../../../src/testing/report/text.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-checked-"));
afterAll(() => rmSync(folder, { recursive: true }));

const ok = "{ type: object, properties: { ok: { type: boolean } }, required: [ok] }";
const files = {
  "order.yaml": `id: order
input: { type: object, properties: { sum: { type: number } }, required: [sum] }
agents:
  - { id: bank, kind: remote, output: ${ok} }
tasks:
  - { id: charge, type: agent, agent: bank, with: { sum: "\${{ input.sum }}" }, on_error: close }
  - { id: close, type: agent, agent: bank, with: { was: "\${{ tasks.charge.output.ok }}" } }
`,
  "round.yaml": `id: round
agents:
  - { id: bank, kind: remote, output: ${ok} }
tasks:
  - { id: a, type: agent, agent: bank, next: b }
  - { id: b, type: agent, agent: bank, next: a }
`,
  "patient.yaml": `id: patient
timeout: 1m
agents:
  - { id: bank, kind: remote, output: ${ok} }
tasks:
  - { id: a, type: agent, agent: bank, retry: { max_attempts: 10, backoff: { initial: 20s } } }
`,
  "broken.yaml": "id: broken\ntasks:\n  - { id: a, type: agent, agent: bank, next: c }\n",
  "lost.yaml": "id: lost\ntasks:\n  - { id: a, type: agent, agent: bank }\n  - { id: b, type: agent, agent: bank }\n",
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

const options = { seed: 7, runs: 150, timeMs: 100_000 };
const asked = { command: "troupe check order.yaml" };

describe("a check", () => {
  test("C1: the same again is the same report, byte for byte", async () => {
    const once = await checked(await loadChecked("order.yaml", folder), options);
    const again = await checked(await loadChecked("order.yaml", folder), options);
    expect(JSON.stringify(again)).toBe(JSON.stringify(once));
    expect(reportText(again, asked)).toBe(reportText(once, asked));
    expect(junitOf([again])).toBe(junitOf([once]));
    expect(once.report?.runs).toBe(150);
  });

  test("C2: what the definition shows and a run too is told once, in its words and with the run's story", async () => {
    const { findings } = await checked(await loadChecked("round.yaml", folder), { ...options, runs: 5 });
    expect(findings.map(({ id, task }) => `${id} ${task}`)).toEqual(["never-ends a"]);
    expect(findings[0]?.explanation).toContain("no way leads out of the loop");
    expect(findings[0]?.shown?.story.length).toBeGreaterThan(10);
  });

  test("C2: what loading warns of and the definition shows at the same place is told once", async () => {
    const { findings } = await checked(await loadChecked("patient.yaml", folder), { ...options, runs: 5 });
    expect(findings.map(({ id, task }) => `${id} ${task}`)).toEqual(["retries-outlive-deadline a"]);
  });

  test("a finding has its place, its story, its picture, and a line that plays it again", async () => {
    const loaded = await loadChecked("order.yaml", folder);
    const { findings } = await checked(loaded, options);
    const [finding] = findings;
    expect(findings).toHaveLength(1);
    expect(finding).toMatchObject({
      id: "handler-path-fails",
      task: "close",
      place: { file: "order.yaml", line: 7, col: 11 },
    });
    const { replay = "", story = [], diagram = "" } = finding?.shown ?? {};
    expect(story).toEqual([
      '1. `order` is started with {"sum":1}',
      "2. `charge` calls agent `bank` and fails with FAILED",
      expect.stringMatching(/^3\. `close` fails with EXPRESSION_ERROR: .*there is no 'output'$/),
      expect.stringMatching(/^4\. after 10 ms the run ends as FAILED: .*\(TASK_FAILED\)$/),
    ]);
    expect(diagram.split("\n").slice(0, 6)).toEqual([
      "sequenceDiagram",
      "  participant C as caller",
      "  participant W as order",
      "  participant P0 as agent bank",
      '  C->>W: start {"sum":1}',
      '  W->>P0: {"sum":1}',
    ]);
    const again = await replayed(loaded, replay);
    expect(again.story).toEqual(story);
    expect(again.findings.map(({ id }) => id)).toEqual(["handler-path-fails"]);
  });

  test("the text says what was looked at and what was not", async () => {
    const text = reportText(await checked(await loadChecked("order.yaml", folder), options), asked);
    expect(text).toMatch(/^✖ error handler-path-fails {2}order\.yaml:7:11 close\n/);
    expect(text).toContain("\n  fix: read it with `default(…, …)`");
    expect(text).toContain("\n  replay: troupe check order.yaml --replay 7:charge=fails.FAILED\n");
    expect(text).toMatch(/\n {2}every single fault: (\d+) of \1\n/);
    expect(text).toContain("\nWhat this does not cover\n  agents and tools were stood in for");
    expect(text).toMatch(/\norder: 1 error in 150 runs, seed 7\.$/);
  });

  test("scripts take the place of stand-ins, and are told of the call", async () => {
    const loaded = withScripts(await loadChecked("order.yaml", folder), { bank: () => ({ ok: "yes" }) }, "bank.ts");
    const { findings } = await checked(loaded, { ...options, runs: 30 });
    expect(findings.map(({ id, task }) => `${id} ${task}`)).toContain("output-violates-schema charge");
  });
});

describe("stand-ins", () => {
  const loading = () => loadChecked("order.yaml", folder);
  test.each([
    [{ banc: {} }, "there is no agent and no tool 'banc'; did you mean 'bank'?"],
    [[], "it must give an object"],
    [{ bank: { answers: {}, code: "X" } }, "'bank' has 'code' beside answers and codes"],
    [{ bank: { codes: "X" } }, "codes of 'bank' must be a list of texts"],
  ])("%j is refused", async (given, why) => {
    const loaded = await loading();
    expect(() => withScripts(loaded, given, "bank.ts")).toThrow(`--agents bank.ts: ${why}`);
  });

  test("a function answers at once", async () => {
    const { cast } = withScripts(await loading(), { bank: () => Promise.resolve({}) }, "bank.ts");
    expect(() => cast.agents?.[0]?.answers?.({}, 1)).toThrow("has to answer at once");
  });
});

describe("what does not load", () => {
  test("is told as its problems", async () => {
    const { subject, flaws, problems } = await loadChecked("broken.yaml", folder);
    expect({ subject, flaws }).toEqual({ subject: undefined, flaws: [] });
    expect(problems.map(({ code }) => code)).toEqual(["UNKNOWN_TASK"]);
  });
  test("is a finding where nothing else is wrong with it", async () => {
    const { findings, report } = await checked(await loadChecked("lost.yaml", folder), options);
    expect(report).toBeUndefined();
    expect(findings).toMatchObject([{ id: "unreachable-task", task: "b", place: { file: "lost.yaml", line: 4 } }]);
  });
  test("is looked at with the eyes of its project", async () => {
    const project = join(folder, "project");
    mkdirSync(join(project, "workflows"), { recursive: true });
    writeFileSync(join(project, "troupe.yaml"), "version: 1\nname: shop\nagents: [{ id: clerk, kind: remote }]\n");
    const text = (agent: string): string => `id: ${agent}s\ntasks: [{ id: a, type: agent, agent: ${agent} }]\n`;
    writeFileSync(join(project, "workflows/one.yaml"), text("clerk"));
    writeFileSync(join(project, "workflows/two.yaml"), text("clerc"));
    writeFileSync(join(folder, "outside.yaml"), text("clerk"));
    expect((await loadChecked("clerks", project)).cast.agents).toEqual([{ id: "clerk" }]);
    expect((await loadChecked("project/workflows/two.yaml", folder)).problems).toMatchObject([
      { code: "UNKNOWN_AGENT", hint: expect.stringContaining("clerk") as string },
    ]);
    expect((await loadChecked("outside.yaml", folder)).cast.agents).toEqual([]);
    const within = await loadChecked("outside.yaml", folder, { config: "project/troupe.yaml" });
    expect(within.cast.agents).toEqual([{ id: "clerk" }]);
    await expect(loadChecked("outside.yaml", folder, { config: "none" })).rejects.toThrow("there is no troupe.yaml");
  });
  test("names the workflow that is not there", async () => {
    await expect(loadChecked("ordr", folder)).rejects.toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
  });
});

describe("a report for others", () => {
  test("JUnit has a case for each kind, and letters that XML can hold", async () => {
    const result = await checked(await loadChecked("order.yaml", folder), options);
    const [finding] = result.findings;
    const odd = { ...result, findings: finding ? [{ ...finding, explanation: 'a < b & "c" \u0000' }] : [] };
    const xml = junitOf([odd]);
    expect(xml).toContain('<testcase classname="order" name="never-ends"/>');
    expect(xml).toContain('<testcase classname="order" name="handler-path-fails">');
    expect(xml).toMatch(/\n {6}<failure type="error" message="order\.yaml:7:11 close: /);
    expect(xml).toContain("a &lt; b &amp; &quot;c&quot; \n");
    expect(xml).toMatch(/<testsuite name="order" tests="\d+" failures="1" errors="0">/);
  });

  test("a page has the story, the diagram and what mends it", async () => {
    const [finding] = (await checked(await loadChecked("order.yaml", folder), options)).findings;
    const page = finding ? pageOf(finding, asked) : "";
    expect(page).toMatch(/^# handler-path-fails\n\norder\.yaml:7:11 close \(error\)\n/);
    expect(page).toContain("```mermaid\nsequenceDiagram\n");
    expect(page).toContain("\nWhat mends it: read it with");
    expect(finding && fileNameOf(finding, 0)).toBe("01-handler-path-fails-order-close");
  });
});
