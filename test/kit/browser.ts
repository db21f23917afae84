// A real browser for tests of pages, wherever one is to be had: the system has one, or it comes in an npm package.
//
// Whatever a page writes to its console as an error, every request that fails, and every request to anywhere but where
// the page is from, counts as a trouble: a test ends with none, but for those it said that it expects. Where there is
// no browser a test says why and is skipped; with CI=true it fails.

import { execFile } from "node:child_process";
import { accessSync, chmodSync, constants, createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { buildPages, pagesFolder } from "../../scripts/pages.ts";
import { root } from "./tree.ts";

const run = promisify(execFile);

type Found = { executablePath: string; environment: Record<string, string>; args: readonly string[] };
type NotFound = { reason: string };

// Tests run as root in containers, which the browser's own sandbox does not allow. Nothing foreign is opened.
const args = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
];
/** The packaged one was made for small containers: it draws in its own process, and has no broker for others. */
const packagedArgs = ["--no-zygote", "--in-process-gpu", "--disable-gpu"];
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Only what hangs takes so long. */
const patienceMs = 20_000;

/** Where nobody reads why a test was skipped. */
const isWatched = !["", "0", "false"].includes(process.env["CI"] ?? "");

/** One browser for all tests of a file, begun by the first that needs it. */
let opened: Promise<Browser | NotFound> | undefined;

async function findBrowser(): Promise<Browser | NotFound> {
  const reasons: string[] = [];
  for (const find of [ofTheSystem, ofThePackage]) {
    const found = await find();
    if ("reason" in found) {
      reasons.push(found.reason);
      continue;
    }
    try {
      return await chromium.launch({
        executablePath: found.executablePath,
        args: [...args, ...found.args],
        env: { ...environment(), ...found.environment },
      });
    } catch (error) {
      const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      reasons.push(`${found.executablePath} does not start: ${reason}`);
    }
  }
  return { reason: `no browser: ${reasons.join("; ")}. On Debian: apt-get install chromium` };
}

const environment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );

/** `TROUPE_BROWSER=packaged` leaves out what the system has. */
async function ofTheSystem(): Promise<Found | NotFound> {
  if (process.env["TROUPE_BROWSER"] === "packaged") return { reason: "the system's browser is not wanted" };
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (isExecutable(path)) return { executablePath: path, environment: {}, args: [] };
  }
  return { reason: `the system has none of ${names.join(", ")}` };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** It comes packed, with the libraries that a bare system lacks; unpacked once, and put in its place when whole. */
async function ofThePackage(): Promise<Found | NotFound> {
  const folder = join(root, "node_modules/@sparticuz/chromium");
  if (process.platform !== "linux" || process.arch !== "x64") return { reason: "the packaged one is for Linux on x64" };
  if (!existsSync(folder)) return { reason: "the package @sparticuz/chromium is not installed: npm ci" };
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const place = join(tmpdir(), `troupe-browser-${version}`);
  try {
    if (!existsSync(place)) await unpack(join(folder, "bin"), place);
  } catch (error) {
    return { reason: `the packaged one cannot be unpacked: ${error instanceof Error ? error.message : String(error)}` };
  }
  const libraries = [join(place, "al2023/lib"), place, process.env["LD_LIBRARY_PATH"] ?? ""];
  return {
    executablePath: join(place, "chromium"),
    environment: {
      LD_LIBRARY_PATH: libraries.filter((path) => path !== "").join(":"),
      FONTCONFIG_PATH: join(place, "fonts"),
      HOME: process.env["HOME"] ?? place,
    },
    args: packagedArgs,
  };
}

async function unpack(packed: string, place: string): Promise<void> {
  const made = mkdtempSync(`${place}-`);
  try {
    const inflate = (name: string, to: string): Promise<void> =>
      pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), createWriteStream(join(made, to)));
    await inflate("chromium.br", "chromium");
    chmodSync(join(made, "chromium"), 0o755);
    const archives = { "al2023.tar.br": "al2023", "swiftshader.tar.br": ".", "fonts.tar.br": "." };
    for (const [archive, inside] of Object.entries(archives)) {
      await inflate(archive, "packed.tar");
      mkdirSync(join(made, inside), { recursive: true });
      await run("tar", ["-xf", join(made, "packed.tar"), "-C", join(made, inside)]);
      rmSync(join(made, "packed.tar"));
    }
    // Another process may have been quicker; then its folder is as good.
    if (!existsSync(place)) renameSync(made, place);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

export type Look = { dark?: boolean; width?: number; height?: number };
export type Visit = {
  /** A page of its own, as it is once it was loaded. */
  open: (url: string, look?: Look) => Promise<Page>;
  /** What fits is no trouble from here on: a daemon that is gone refuses connections. */
  expectTrouble: (pattern: RegExp) => void;
};

/** Runs a test with a browser, and lets it end with no trouble on any of its pages. */
export function inBrowser(name: string, body: (visit: Visit) => Promise<void>): void {
  test(name, async (context) => {
    opened ??= findBrowser();
    const browser = await opened;
    if ("reason" in browser) {
      if (isWatched) throw new Error(browser.reason);
      return context.skip(browser.reason);
    }
    const troubles: string[] = [];
    const expected: RegExp[] = [];
    const closes: (() => Promise<void>)[] = [];
    const open: Visit["open"] = async (url, { dark = false, width = 1280, height = 800 } = {}) => {
      const colorScheme = dark ? "dark" : "light";
      const visitor = await browser.newContext({ colorScheme, viewport: { width, height }, reducedMotion: "reduce" });
      closes.push(() => visitor.close());
      const page = await visitor.newPage();
      page.setDefaultTimeout(patienceMs);
      listen(page, new URL(url).origin, (trouble) => troubles.push(trouble));
      await page.goto(url);
      return page;
    };
    try {
      await body({ open, expectTrouble: (pattern) => void expected.push(pattern) });
      const left = troubles.filter((trouble) => !expected.some((pattern) => pattern.test(trouble)));
      expect(left, "what the pages complained of").toEqual([]);
    } finally {
      for (const close of closes) await close();
    }
  });
}

function listen(page: Page, origin: string, note: (trouble: string) => void): void {
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") note(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => note(`error: ${error.message}`));
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "";
    // A page that goes away lets its streams go.
    if (reason !== "net::ERR_ABORTED") note(`request: ${request.url()} ${reason}`);
  });
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.origin !== origin && to.protocol.startsWith("http")) note(`foreign: ${request.url()}`);
  });
}

/** The folder with the pages as they are now. */
export async function builtPages(): Promise<string> {
  await buildPages({ ifStale: true });
  return pagesFolder;
}

afterAll(async () => {
  const browser = await opened;
  if (browser && !("reason" in browser)) await browser.close();
});
