// Goal: a handler is loaded from its module, and whatever is wrong with the module is said in words that help.
// Method: modules are written into a folder and loaded by a Node of their own, since a test runner loads its own way.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "troupe-handlers-"));
const files: Readonly<Record<string, string>> = {
  "good.ts": "export default async (input: number): Promise<number> => input + 1;",
  "named.ts": "export const find = (input: number): number => input + 2;\nexport const other = 5;",
  "odd # name.ts": "export default (input: number) => input + 3;",
  "value.ts": "export default 5;",
  "empty.ts": "export {};",
  "enum.ts": "enum Colour { red }\nexport default () => Colour.red;",
  "broken.ts": "export default (input: => 1;",
  "throws.ts": 'throw new Error("no such luck");',
  "lacks.ts": 'import "./nowhere.ts";\nexport default () => 1;',
  "odd.txt": "export default () => 1;",
  "folder/file.ts": "export default () => 1;",
  "node_modules/pack/index.ts": "export default () => 1;",
};
const given = [
  "./good.ts",
  join(folder, "good.ts"),
  pathToFileURL(join(folder, "good.ts")).href,
  "named.ts#find",
  "odd # name.ts",
  "./missing.ts",
  "./value.ts",
  "./empty.ts",
  "./named.ts",
  "./named.ts#fnd",
  "./named.ts#other",
  "./enum.ts",
  "./broken.ts",
  "./throws.ts",
  "./lacks.ts",
  "./odd.txt",
  "./folder",
  "./node_modules/pack/index.ts",
  "data:text/javascript,export default () => 1",
  "node:fs",
] as const;
type Loaded = { value?: unknown; code?: string; message?: string; errors?: unknown[]; caused?: boolean };
let loaded: Record<string, Loaded> = {};

beforeAll(async () => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const source = new URL("../../src/actors/handler-module.ts", import.meta.url).href;
  const program = `
    import { loadHandler } from ${JSON.stringify(source)};
    const loaded = {};
    for (const given of ${JSON.stringify(given)}) {
      try {
        loaded[given] = { value: await (await loadHandler(given, ${JSON.stringify(folder)}))(1) };
      } catch (error) {
        const { code, message, details, cause } = error;
        loaded[given] = { code, message, errors: details?.errors, caused: cause !== undefined };
      }
    }
    console.log(JSON.stringify(loaded));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  loaded = JSON.parse(stdout) as typeof loaded;
});
afterAll(() => rmSync(folder, { recursive: true }));

const handlers: readonly (readonly [given: (typeof given)[number], value: number])[] = [
  ["./good.ts", 2],
  [given[1], 2],
  [given[2], 2],
  ["named.ts#find", 3],
  ["odd # name.ts", 4],
];
test.each(handlers)("%s is loaded", (place, value) => {
  expect(loaded[place]).toEqual({ value });
});

const defects: readonly (readonly [given: (typeof given)[number], says: RegExp])[] = [
  ["./missing.ts", /missing\.ts cannot be used: it is not there$/],
  ["./value.ts", /its default export is not a function; it exports no function at all$/],
  ["./empty.ts", /its default export is not there; it exports no function at all$/],
  ["./named.ts", /its default export is not there; it exports find$/],
  ["./named.ts#fnd", /its export "fnd" is not there; did you mean "find"\?$/],
  ["./named.ts#other", /its export "other" is not a function; it exports find$/],
  ["./enum.ts", /more than types \(enum, namespace, parameter properties\): do without, or compile it/],
  ["./broken.ts", /not valid TypeScript/],
  ["./throws.ts", /: no such luck$/],
  ["./lacks.ts", /nowhere\.ts/],
  ["./odd.txt", /ends in nothing that Node runs/],
  ["./folder", /it is a folder: name the file/],
  ["./node_modules/pack/index.ts", /under node_modules, which Node does not run: name the compiled JavaScript/],
  ["data:text/javascript,export default () => 1", /only files are loaded/],
  ["node:fs", /only files are loaded/],
];
test.each(defects)("%s is refused", (place, says) => {
  expect(loaded[place]?.message).toMatch(says);
  expect(loaded[place]).toMatchObject({ code: "DEFINITION_INVALID", errors: [{ field: "module" }] });
});

test("what the module itself threw is kept as the cause", () => {
  expect(loaded["./throws.ts"]?.caused).toBe(true);
  expect(loaded["./value.ts"]?.caused).toBe(false);
});
