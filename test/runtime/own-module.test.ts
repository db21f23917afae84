// Goal: what comes over the network can name code of the project, and no other code.
// Method: a folder with files beside it, links into and out of it, and every way to write a path.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { foreignModule } from "../../src/runtime/own-module.ts";

let folder: string;
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "troupe-own-"));
  folder = join(root, "project");
  for (const path of ["project/tools", "project/.troupe", "project/node_modules/x", "project-of-another"]) {
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, "code.ts"), "");
  }
  symlinkSync(join(root, "project-of-another", "code.ts"), join(folder, "tools", "away.ts"));
  symlinkSync(folder, join(root, "link"));
});
afterAll(() => rmSync(root, { recursive: true }));

test("a file of the project may be named from its folder", () => {
  for (const module of ["./tools/code.ts", "tools/code.ts", "./tools/../tools/code.ts#pay"]) {
    expect(foreignModule(folder, module), module).toBeUndefined();
    expect(foreignModule(join(root, "link"), module), module).toBeUndefined();
  }
});

test("nothing else may, however it is written", () => {
  const away = join(root, "project-of-another", "code.ts");
  const paths = [
    "../project-of-another/code.ts",
    "./tools/../../project-of-another/code.ts",
    away,
    "./tools/away.ts",
    join(folder, "tools/code.ts"),
  ];
  const kept = ["./.troupe/code.ts", "./node_modules/x/code.ts", ".", "", "./none.ts", "node:fs", "x"];
  const urls = [pathToFileURL(away).href, pathToFileURL(join(folder, "tools/code.ts")).href, "data:text/javascript,1"];
  for (const module of [...paths, ...kept, ...urls, "FILE:///etc/x.ts", "./tools/code.ts\0", 7, null, undefined]) {
    expect(foreignModule(folder, module), String(module)).toBeTypeOf("string");
  }
});
