// Builds the pages that the daemon serves: Preact and styles into few files with hashed names, in dist/pages.
//
// With `--if-stale` nothing is done when no source has changed since the last build. Whoever finds the folder finds all
// of it: a build is made beside it and put in its place at the end.

import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type OutputChunk, rolldown } from "rolldown";
import { copySwagger } from "./swagger.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
export const pagesFolder = join(root, "dist", "pages");
/** What is fetched before anything can be seen. */
const shellBytesMax = 40 * 1024;

type Built = { readonly hash: string; readonly sources: readonly string[]; readonly shellBytes: number };

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const here = (path: string): string => relative(root, path).split(sep).join("/");

/** The pages themselves, by their folder: a file that is new counts too. */
const ownSources = (): string[] =>
  globSync("pages/**/*.{ts,tsx,css,html,svg,json}", { cwd: root })
    .map((path) => path.split(sep).join("/"))
    .sort();
const fixedSources = ["scripts/pages.ts", "scripts/swagger.ts", "package-lock.json"];

const fingerprint = (sources: readonly string[]): string =>
  hashOf(
    [...new Set([...ownSources(), ...fixedSources, ...sources])]
      .sort()
      .map((path) => `${path} ${existsSync(join(root, path)) ? hashOf(read(path)) : "gone"}`)
      .join("\n"),
  );

function lastBuild(): Built | undefined {
  const file = join(pagesFolder, "built.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Built) : undefined;
}

function isFresh(): boolean {
  const last = lastBuild();
  return last !== undefined && last.hash === fingerprint(last.sources);
}

/** One sheet: the theme first, then each page's own; comments and the spaces that mean nothing are left out. */
function styles(): string {
  const sheets = ownSources().filter((path) => path.endsWith(".css"));
  const theme = "pages/theme.css";
  return [theme, ...sheets.filter((path) => path !== theme)]
    .map(read)
    .join("\n")
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};]) ?/g, "$1")
    .replace(/;}/g, "}");
}

/** What of others is inside, with what their licences ask to be said. */
function licences(modules: readonly string[]): string {
  const packages = new Set(modules.flatMap((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? []));
  packages.add("elkjs");
  return [...packages]
    .sort()
    .map((name) => {
      const folder = `node_modules/${name}`;
      const { version, license } = JSON.parse(read(`${folder}/package.json`)) as { version: string; license: string };
      const [file] = globSync("LICEN[SC]E*", { cwd: join(root, folder) });
      const source = name === "elkjs" ? "\nUnchanged. Its source: https://github.com/kieler/elkjs\n" : "";
      return `# ${name} ${version} (${license})\n${source}\n${file === undefined ? "" : read(`${folder}/${file}`)}`;
    })
    .join("\n\n");
}

function write(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Everything that the entry needs at once, itself first. */
function shellOf(chunks: readonly OutputChunk[]): OutputChunk[] {
  const shell = chunks.filter(({ isEntry }) => isEntry);
  for (const chunk of shell) {
    for (const name of chunk.imports) {
      const found = chunks.find(({ fileName }) => fileName === name);
      if (found && !shell.includes(found)) shell.push(found);
    }
  }
  return shell;
}

/** One entry and what it needs, as chunks with hashed names. */
async function bundled(folder: string, input: Record<string, string>, define: Record<string, string>) {
  const bundle = await rolldown({
    input: Object.fromEntries(Object.entries(input).map(([name, path]) => [name, join(root, path)])),
    platform: "browser",
    tsconfig: join(root, "pages/tsconfig.json"),
    transform: { define },
  });
  const { output } = await bundle.write({
    dir: folder,
    format: "esm",
    minify: true,
    entryFileNames: "assets/[name]-[hash].js",
    chunkFileNames: "assets/[name]-[hash].js",
  });
  await bundle.close();
  return output.filter((file) => file.type === "chunk");
}

async function buildInto(folder: string): Promise<Built> {
  // A worker is no chunk of a page: it is built by itself, and the page is told its address.
  const worker = await bundled(folder, { "layout-worker": "pages/execution/layout-worker.ts" }, {});
  const workerUrl = `/${worker[0]?.fileName ?? ""}`;
  const chunks = await bundled(folder, { main: "pages/main.tsx" }, { LAYOUT_WORKER_URL: JSON.stringify(workerUrl) });
  const modules = [...worker, ...chunks].flatMap(({ moduleIds }) => moduleIds);
  const heavy = modules.find((id) => /node_modules\/(?:zod|xstate|ajv)\//.test(id));
  if (heavy !== undefined) throw new Error(`the pages must not carry ${here(heavy)}: import types from there only`);

  const sheet = styles();
  const sheetName = `assets/pages-${hashOf(sheet).slice(0, 8)}.css`;
  write(folder, sheetName, sheet);
  const icon = read("pages/icon.svg");
  const iconName = `assets/icon-${hashOf(icon).slice(0, 8)}.svg`;
  write(folder, iconName, icon);
  const shell = shellOf(chunks);
  const names = shell.map(({ fileName }) => fileName);
  const html = read("pages/index.html")
    .replace("{{style}}", `/${sheetName}`)
    .replace("{{icon}}", `/${iconName}`)
    .replace("{{script}}", `/${names[0] ?? ""}`)
    .replace(
      "{{preload}}",
      names
        .slice(1)
        .map((name) => `<link rel="modulepreload" href="/${name}" />`)
        .join(""),
    );
  write(folder, "index.html", html);
  write(folder, "LICENSES.txt", licences(modules));
  copySwagger(folder);

  const shellBytes = [html, sheet, ...shell.map(({ code }) => code)].reduce((sum, text) => sum + weigh(text), 0);
  const sources = modules.map(here).filter((path) => path.startsWith("src/"));
  const built = { hash: fingerprint(sources), sources: [...new Set(sources)].sort(), shellBytes };
  write(folder, "built.json", `${JSON.stringify(built, null, 2)}\n`);
  if (shellBytes > shellBytesMax) {
    throw new Error(`the pages' shell weighs ${shellBytes} bytes gzipped, more than the ${shellBytesMax} it may`);
  }
  return built;
}

const weigh = (text: string): number => gzipSync(text).length;

/** Whether it failed because another process was quicker. */
const wasQuicker = (error: unknown): boolean =>
  ["ENOENT", "ENOTEMPTY", "EEXIST"].includes(String((error as NodeJS.ErrnoException).code));

/** Puts a build in the place of the last one. Of two processes that do so at once one is as good as the other. */
function put(made: string): void {
  const old = `${made}-old`;
  for (const [from, to] of [
    [pagesFolder, old],
    [made, pagesFolder],
  ] as const) {
    try {
      renameSync(from, to);
    } catch (error) {
      if (!wasQuicker(error)) throw error;
    }
  }
  rmSync(old, { recursive: true, force: true });
}

/** Gives what was built, or undefined where nothing was to be done. */
export async function buildPages({ ifStale = false } = {}): Promise<Built | undefined> {
  if (ifStale && isFresh()) return undefined;
  mkdirSync(join(root, "dist"), { recursive: true });
  const made = mkdtempSync(join(root, "dist", "pages-"));
  // Such a folder is its maker's alone; this one is read by whoever runs the daemon.
  chmodSync(made, 0o755);
  try {
    const built = await buildInto(made);
    // Tests build in many processes at once: what is there by now may be the same already.
    if (!ifStale || !isFresh()) put(made);
    return built;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = await buildPages({ ifStale: process.argv.includes("--if-stale") });
  if (built) console.log(`pages: ${(built.shellBytes / 1024).toFixed(1)} KB gzipped until the first screen`);
}
