// The package as npm sees it, and the two guards against an old Node.
//
// Method: the manifest is compared with the files it speaks of; the guards run as they are, under a Node that says it
// is another version.

import { accessSync, constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import { doors, manifest, root } from "./kit/tree.ts";
import { underNode } from "./kit/troupe.ts";

const read = (path: string): string => readFileSync(join(root, path), "utf8");

describe("the manifest", () => {
  test.each(doors)('door "$name" names the types first, and both files are built from one source', (door) => {
    expect(Object.keys(door.target)).toEqual(["types", "default"]);
    expect(door.target.types).toBe(door.target.default.replace(/\.js$/, ".d.ts"));
    expect(existsSync(join(root, door.source)), door.source).toBe(true);
  });

  test("has a main door, an executable command and its licence", () => {
    expect(doors.map((door) => door.name)).toContain("troupe");
    for (const file of Object.values(manifest.bin)) accessSync(join(root, file), constants.X_OK);
    expect(manifest.files).toEqual(expect.arrayContaining(["bin", "dist"]));
    expect(read("LICENSE")).toMatch(/^MIT License\n/);
  });

  test("every script runs a file that exists", () => {
    const files = Object.values(manifest.scripts).flatMap((script) =>
      [...script.matchAll(/\bnode ([\w./-]+\.(?:js|mjs|ts))\b/g)].map(([, file = ""]) => file),
    );
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test("every script that needs the repository's Node asks for it first", () => {
    const guard = "node scripts/need-node24.mjs";
    const unguarded = Object.entries(manifest.scripts).filter(
      ([name, script]) =>
        !script.startsWith(guard) &&
        manifest.scripts[`pre${name}`]?.startsWith(guard) !== true &&
        !script.startsWith("npm run "),
    );
    expect(unguarded).toEqual([]);
  });

  test("every package is pinned to one version", () => {
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
  });
});

// npm leaves a platform's package out when the registry did not have it at that moment, and `npm ci` then refuses the
// whole lockfile.
test("the lockfile names every optional package of every package", () => {
  type Locked = { readonly optionalDependencies?: Readonly<Record<string, string>> };
  const { packages } = JSON.parse(read("package-lock.json")) as {
    readonly packages: Readonly<Record<string, Locked>>;
  };
  const missing = Object.entries(packages).flatMap(([path, locked]) =>
    Object.keys(locked.optionalDependencies ?? {}).filter(
      (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
    ),
  );
  expect(Object.keys(packages).length).toBeGreaterThan(50);
  expect(missing).toEqual([]);
});

describe("on an old Node", () => {
  const least = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node);
  const [major, minor] = [Number(least?.[1]), Number(least?.[2])];
  const old = ["v0.12.18", "v4.9.1", "v20.20.2", `v${major - 1}.99.0`, `v${major}.${minor - 1}.9`];
  const recent = [`v${major}.${minor}.0`, `v${major}.${minor + 1}.0`, `v${major + 2}.0.0`, "v100.0.0"];

  test.each(old)("%s the command says what to do and ends with 2", (version) => {
    const { exit, stdout, stderr } = underNode(version, "bin/troupe.js", "up", "--port", "1");
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(`needs Node ${major}.${minor} or newer, and this is ${version}`);
    expect(stderr).toContain("`npm ci && npx troupe up --port 1`");
    expect(stderr).toContain("nodejs.org");
  });

  test("the command says where it is installed how to run it there, also through a link", () => {
    const place = mkdtempSync(join(tmpdir(), "troupe-bin-"));
    mkdirSync(join(place, "bin"));
    copyFileSync(join(root, "bin/troupe.js"), join(place, "bin/troupe.js"));
    copyFileSync(join(root, "package.json"), join(place, "package.json"));
    symlinkSync(join(place, "bin/troupe.js"), join(place, "troupe"));
    for (const path of ["bin/troupe.js", "troupe"]) {
      const { exit, stderr } = underNode("v20.20.2", join(place, path), "up");
      expect({ path, exit }).toEqual({ path, exit: 2 });
      expect(stderr).toContain("`npx -p node@24 -p troupe troupe up`");
    }
    rmSync(place, { recursive: true });
  });

  test.each(old)("%s an npm script says what to do and fails", (version) => {
    const { exit, stdout, stderr } = underNode(version, "scripts/need-node24.mjs");
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
    expect(stderr).toContain(`needs Node ${major}.${minor} or newer and found ${version}`);
    expect(stderr).toContain("npm rebuild node");
  });

  test.each(recent)("%s is none: the command and the npm scripts run", (version) => {
    expect(underNode(version, "bin/troupe.js", "--version")).toMatchObject({ exit: 0, stderr: "" });
    expect(underNode(version, "scripts/need-node24.mjs")).toEqual({ exit: 0, stdout: "", stderr: "" });
  });

  test("the command can be read, as a module and as none, in the words of 2015 or before", () => {
    const text = read("bin/troupe.js");
    expect(() => new Script(text)).not.toThrow();
    const code = text.replace(/^\s*\/\/.*$/gm, "").replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
    expect(code).not.toMatch(/=>|`|\?\.|\?\?|\.\.\.|\b(?:const|let|class|async|await|import|export|require)\b/);
  });
});
