// What `troupe graph` prints: the drawing, in the form that was asked for, or why there is none.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createMachine } from "xstate";
import { troupe } from "../kit/troupe.ts";

const payout = "examples/approval/workflows/payout.yaml";
const folder = mkdtempSync(join(tmpdir(), "troupe-draw-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("troupe graph", () => {
  test("prints Mermaid, and nothing else", () => {
    const { exit, stdout, stderr } = troupe("graph", payout);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toContain("\nstateDiagram-v2\n  [*] --> ask\n");
    expect(stdout).toContain("  ask --> remind : on error WAIT_TIMEOUT\n");
  });

  test("--as xstate prints a machine that XState takes", () => {
    const { exit, stdout } = troupe("graph", payout, "--as", "xstate");
    expect(exit).toBe(0);
    const machine = createMachine(JSON.parse(stdout) as Parameters<typeof createMachine>[0]);
    expect(Object.keys(machine.root.states)).toEqual(expect.arrayContaining(["ask", "answered", "pay", "refuse"]));
  });

  test("--out writes it to a file", () => {
    const file = join(folder, "payout.mmd");
    expect(troupe("graph", payout, "--out", file)).toEqual({ exit: 0, stdout: "", stderr: "" });
    expect(readFileSync(file, "utf8")).toBe(troupe("graph", payout).stdout);
  });

  test("a workflow in TypeScript is drawn like any other, its functions by their names", () => {
    const file = join(folder, "pick.ts");
    const cases = `[{ when: function isLarge() { return true; }, next: "b" }]`;
    const b = `{ id: "b", type: "agent", agent: "x" }`;
    writeFileSync(file, `export default { id: "pick", tasks: [{ id: "a", type: "route", cases: ${cases} }, ${b}] };\n`);
    const { exit, stdout } = troupe("graph", file);
    expect(exit).toBe(0);
    expect(stdout).toContain("  a --> b : isLarge()\n");
  });

  test("what cannot be written is said", () => {
    const { exit, stderr } = troupe("graph", payout, "--out", join(folder, "none", "payout.mmd"));
    expect(exit).toBe(2);
    expect(stderr).toContain("cannot write the drawing: ENOENT");
  });

  test("a workflow with problems is not drawn, and each problem is named with its place", () => {
    const file = join(folder, "bad.yaml");
    writeFileSync(file, "id: bad\ntasks:\n  - { id: a, type: agent, agent: x, next: b }\n  - { id: c, type: toll }\n");
    const { exit, stdout, stderr } = troupe("graph", file);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toMatch(/bad\.yaml:3:\d+ UNKNOWN_TASK "b" is no task of this block/);
    expect(stderr).toMatch(/bad\.yaml:4:\d+ BAD_VALUE /);
    expect(stderr).toMatch(/bad\.yaml cannot be drawn: it has \d problems \(DEFINITION_INVALID\)\n$/);
  });

  test("another form is wrong usage", () => {
    expect(troupe("graph", payout, "--as", "dot")).toMatchObject({ exit: 2, stdout: "" });
  });
});
