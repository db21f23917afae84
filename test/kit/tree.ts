// The repository's own files as text, for the tests that read code instead of running it.

import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Path from the root, with slashes → text. */
export type Tree = ReadonlyMap<string, string>;

export function treeOf(...patterns: string[]): Tree {
  const paths = globSync(patterns, { cwd: root }).map((path) => path.split(sep).join("/"));
  return new Map(paths.sort().map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

export type Manifest = {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

/** What a user may import, and the source that it is built from. */
export const doors = Object.entries(manifest.exports).flatMap(([door, target]) => {
  if (typeof target === "string") return [];
  const source = target.default.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts");
  return [{ name: `troupe${door.slice(1)}`, target, source }];
});
