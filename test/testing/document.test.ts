// Goal: docs/testing.md is true: its files compile, and its tests pass, as they would for whoever copies them.
// Method: the files are taken out of the text into an empty folder that sees the package's doors from their sources;
// the compiler and vitest run there. The recorded run that they ask for is exported from a simulation.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as door from "../../src/testing/index.ts";
import { mock, simulate } from "../../src/testing/index.ts";
import type { WorkflowSpec } from "../../src/index.ts";
import { doors, root } from "../kit/tree.ts";
import { run } from "../kit/troupe.ts";

const page = readFileSync(join(root, "docs/testing.md"), "utf8");
const files = new Map(
  [...page.matchAll(/^```ts file=(\S+)\n([^]*?)^```$/gm)].map(([, name = "", text = ""]) => [name, text]),
);
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "testing-"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  await writeHistory();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run of the page's own workflow, as production would have exported it. */
async function writeHistory(): Promise<void> {
  const index = pathToFileURL(join(root, "src/index.ts")).href;
  const text = (files.get("order.ts") ?? "").replace('"troupe"', JSON.stringify(index));
  writeFileSync(join(folder, "recorded.ts"), text);
  const { order } = (await import(pathToFileURL(join(folder, "recorded.ts")).href)) as { order: WorkflowSpec };
  const mocks = {
    tools: [mock("charge").returns({ receipt: "R" })],
    agents: [mock("packer").returns({ parcel: "P" })],
  };
  const recorded = await (await simulate(order, mocks)).start({ sum: 50 });
  await recorded.signal("signed");
  await recorded.result();
  mkdirSync(join(folder, "history"));
  writeFileSync(join(folder, "history/42.json"), JSON.stringify(await recorded.export()));
  rmSync(join(folder, "recorded.ts"));
}

test("there are three worked examples, and the file that they test", () => {
  expect([...files.keys()]).toEqual(["order.ts", "order.test.ts", "order.check.test.ts", "order.history.test.ts"]);
});

test("they compile", () => {
  const compilerOptions = { paths: Object.fromEntries(doors.map(({ name, source }) => [name, [join(root, source)]])) };
  const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: [], files: [...files.keys()] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const compiler = [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--noEmit"];
  expect(run(process.execPath, compiler)).toEqual({ exit: 0, stdout: "", stderr: "" });
});

test("they pass", () => {
  const alias = doors.map(({ name, source }) => ({ find: `^${name}$`, replacement: join(root, source) }));
  const written = `const alias = ${JSON.stringify(alias)}.map((one) => ({ ...one, find: new RegExp(one.find) }));
export default { resolve: { alias }, test: { include: ["*.test.ts"], pool: "threads" } };
`;
  writeFileSync(join(folder, "vitest.config.mjs"), written);
  const ended = run(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run"], folder);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ exit: 0 });
  expect(ended.stdout).toMatch(/Tests +6 passed \(6\)/);
});

test("every name of the door that the page speaks of is there, and no function of it goes unmentioned", () => {
  const mentioned = [...page.matchAll(/\b[a-zA-Z]+\b/g)].map(([name]) => name);
  const machinery = ["prepareCast", "search", "randomFrom", "virtualClock", "makeDisk", "openMemory"];
  const functions = Object.keys(door).filter((name) => !machinery.includes(name));
  expect(functions.filter((name) => !mentioned.includes(name))).toEqual([]);
  const imported = [...page.matchAll(/import \{ ([^}]+) \} from "troupe\/testing"/g)].flatMap(([, names = ""]) =>
    names.split(", "),
  );
  expect(imported.filter((name) => !(name in door))).toEqual([]);
});
