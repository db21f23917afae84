// Goal: `troupe validate` says what is wrong in a form that people and editors can use, and `troupe schema` prints one.
// Method: the commands run as processes over projects written into a folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { schemaOfFile } from "../../src/language/schema-file.ts";
import { root } from "../kit/tree.ts";
import { run, troupe } from "../kit/troupe.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-validate-"));
const validate = (...args: string[]) =>
  run(process.execPath, [join(root, "bin/troupe.js"), "validate", ...args], folder);

beforeAll(() => {
  const project = "version: 1\nname: shop\ntools: [{ id: look, kind: module, module: ./look.ts }]\n";
  const head = "id: refund\ntasks:\n  - id: pay\n    type: tool\n    tool: look\n";
  const flow = (next: string, more = ""): string =>
    `${head}    on_error: ${next}\n${more}  - { id: refuse, type: tool, tool: look }\n`;
  const retry = "    retry: { retry_on: [TOOL_EROR] }\n";
  const own = "agents: [{ id: own, kind: module, module: ./own.ts, isolation: worker }]\n";
  for (const [name, flows] of Object.entries({
    unserved: flow("refuse") + own,
    bad: flow("refuze"),
    good: flow("refuse"),
    warned: flow("refuse", retry),
  })) {
    mkdirSync(join(folder, name, "workflows"), { recursive: true });
    const served = "kind: module, module: ./look.ts";
    const http = 'kind: http, url: "http://x.example"';
    const text = name === "unserved" ? project.replace(served, http) : project;
    writeFileSync(join(folder, name, "troupe.yaml"), text);
    writeFileSync(join(folder, name, "workflows/refund.yaml"), flows);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const problem = `bad/workflows/refund.yaml:6:15 UNKNOWN_TASK "refuze" is no task of this block
  6 |     on_error: refuze
    |               ^ did you mean "refuse"?
`;

describe("troupe validate", () => {
  test("prints each problem with its line, a caret and a hint, and ends with 1", () => {
    expect(validate("bad")).toEqual({ exit: 1, stdout: `${problem}\n1 error.\n`, stderr: "" });
  });

  test("finds under `daemon` what `troupe up` would refuse, and says where", () => {
    mkdirSync(join(folder, "settings"), { recursive: true });
    const text =
      "version: 1\nname: shop\ndaemon:\n  prot: 8080\n  host: 127.0.0.1\n  grace: soon\n  config: here.yaml\n";
    writeFileSync(join(folder, "settings/troupe.yaml"), text);
    const { exit, stdout } = validate("settings");
    expect(exit).toBe(1);
    expect(stdout).toMatch(/^settings\/troupe\.yaml:4:3 UNKNOWN_KEY "prot" is no setting; did you mean 'port'\?$/m);
    expect(stdout).toMatch(/^settings\/troupe\.yaml:6:10 BAD_VALUE "grace" must be .*, not 'soon'$/m);
    expect(stdout).toMatch(
      /^settings\/troupe\.yaml:7:11 BAD_VALUE "config" cannot stand in the file: it is for one call$/m,
    );
    expect(stdout).toMatch(/^3 errors\.$/m);
  });

  test("is not ended as if all were well by a file that ends the process, nor held up by one that goes on", () => {
    const flow = 'export default { id: "w", tasks: [{ id: "a", type: "wait", wait: { duration: 1 } }] };';
    const files = {
      "ends.ts": "process.exit(0);",
      "waits.ts": "await new Promise(() => {});",
      "goes-on.ts": "setInterval(() => {}, 1000);",
    };
    for (const [file, code] of Object.entries(files)) writeFileSync(join(folder, file), `${code}\n${flow}\n`);
    const ended = /^troupe: a module ended the process, or never came to its end/m;
    expect(validate("ends.ts")).toMatchObject({ exit: 1, stderr: expect.stringMatching(ended) });
    expect(validate("waits.ts")).toMatchObject({ exit: 1, stderr: expect.stringMatching(ended) });
    expect(validate("goes-on.ts")).toEqual({ exit: 0, stdout: 'Workflow "w" is sound.\n', stderr: "" });
  });

  test("says which module gives what cannot be read", () => {
    const getter = 'export default { id: "w", get tasks() { throw new Error("not today"); } };\n';
    writeFileSync(join(folder, "getter.ts"), getter);
    expect(validate("getter.ts")).toEqual({
      exit: 1,
      stdout: expect.stringMatching(/^getter\.ts:1:1 BAD_VALUE this module's value cannot be read: not today\n/),
      stderr: "",
    });
  });

  test("waits for no pipe", () => {
    run("mkfifo", [join(folder, "pipe.yaml")], folder);
    expect(validate("pipe.yaml")).toMatchObject({
      exit: 1,
      stdout: expect.stringMatching(/^pipe\.yaml:1:1 SYNTAX this file cannot be read: it is a pipe or a device\n/),
    });
  });

  test("prints a line of JSON for each problem with --json, and nothing else", () => {
    const { exit, stdout } = validate("bad", "--json");
    expect(exit).toBe(1);
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        file: "bad/workflows/refund.yaml",
        line: 6,
        col: 15,
        code: "UNKNOWN_TASK",
        message: '"refuze" is no task of this block',
        hint: 'did you mean "refuse"?',
        severity: "error",
      },
    ]);
    expect(validate("good", "--json")).toEqual({ exit: 0, stdout: "", stderr: "" });
  });

  test("says what it found if all is well", () => {
    const says = 'Project "shop" is sound: 1 workflow, 0 agents, 1 tool.\n';
    expect(validate("good")).toEqual({ exit: 0, stdout: says, stderr: "" });
    expect(validate("good/troupe.yaml").stdout).toBe(says);
    expect(validate("good/workflows/refund.yaml").stdout).toBe('Workflow "refund" is sound.\n');
  });

  test("a warning is printed and is no failure", () => {
    const { exit, stdout } = validate("warned");
    expect(exit).toBe(0);
    expect(stdout).toContain('UNKNOWN_CODE warning: "TOOL_EROR" is nearly a code of the protocol');
    expect(stdout).toMatch(/1 tool\. 1 warning\.\n$/);
  });

  test("what this release does not run is a warning, where it stands", () => {
    const { exit, stdout } = validate("unserved");
    expect(exit).toBe(0);
    expect(stdout).toContain(`unserved/troupe.yaml:3:27 NOT_SERVED warning: tool "look": kind http is not served yet
  3 | tools: [{ id: look, kind: http, url: "http://x.example" }]
    |                           ^ write a module that does it`);
    expect(stdout).toContain('NOT_SERVED warning: agent "own": isolation worker is not served yet');
    expect(stdout).toMatch(/2 warnings\.\n$/);
    expect(validate("unserved/workflows/refund.yaml").stdout).toMatch(/^unserved[^ ]* NOT_SERVED [^]* 1 warning\.\n$/);
  });

  test("takes the folder it is in if none is named, and says if there is no project", () => {
    const { exit, stdout } = validate();
    expect(exit).toBe(1);
    expect(stdout).toMatch(/^troupe\.yaml:1:1 SYNTAX there is no troupe\.yaml in .*\n {2}begin with two lines/);
    expect(validate("nowhere.yaml").stdout).toMatch(
      /^nowhere\.yaml:1:1 SYNTAX this file cannot be read: it is not there/,
    );
  });
});

describe("troupe schema", () => {
  test("prints the schema of workflow files, or that of the project's", () => {
    expect(JSON.parse(troupe("schema").stdout)).toEqual(schemaOfFile("workflow"));
    expect(JSON.parse(troupe("schema", "project").stdout)).toEqual(schemaOfFile("project"));
  });

  test("another kind is wrong usage", () => {
    const { exit, stdout, stderr } = troupe("schema", "agent");
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain("workflow, project");
  });
});
