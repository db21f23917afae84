// Goal: the pages are served as they were built, every path that is not the interface's is a page, and nothing else of
// the disk is. Method: a folder as a build leaves it, asked for files, pages, files of earlier builds and other places.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { openBed, stopAll } from "./bed.ts";

const folders: string[] = [];
afterEach(async () => {
  await stopAll();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const script = `export const long = "${"x".repeat(3_000)}";`;

function built(): string {
  const above = mkdtempSync(join(tmpdir(), "troupe-pages-"));
  folders.push(above);
  writeFileSync(join(above, "secret.txt"), "secret");
  const folder = join(above, "pages");
  for (const at of ["assets", "swagger.ui"]) mkdirSync(join(folder, at), { recursive: true });
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>first</title>");
  writeFileSync(join(folder, "assets/main-1234.js"), script);
  writeFileSync(join(folder, "swagger.ui/index.html"), "<!doctype html><title>swagger</title>");
  return folder;
}

test("files are served with their types, hashed ones for good, and any other path is the page", async () => {
  const bed = await openBed({ gateway: { pages: built() } });
  const page = await bed.raw({ url: "/executions?status=RUNNING" });
  expect(page.body).toContain("first");
  expect(page.headers).toMatchObject({ "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" });
  const asset = await bed.raw({ url: "/assets/main-1234.js" });
  expect(asset.body).toBe(script);
  expect(asset.headers["cache-control"]).toContain("immutable");
  expect((await bed.raw({ url: "/assets/main-0000.js" })).status).toBe(404);
  expect((await bed.raw({ url: "/swagger.ui" })).headers["location"]).toBe("/swagger.ui/");
  expect((await bed.raw({ url: "/swagger.ui/" })).body).toContain("swagger");
  expect((await bed.raw({ url: "/", method: "HEAD" })).status).toBe(200);
  expect((await bed.raw({ url: "/", method: "POST" })).status).toBe(404);
});

test("what is worth it goes out compressed, as the browser can read it", async () => {
  const bed = await openBed({ gateway: { pages: built() } });
  const { gateway } = bed;
  const get = (coding: string) =>
    gateway.app.inject({ url: "/assets/main-1234.js", headers: { "accept-encoding": coding } });
  const zipped = await get("gzip");
  expect(zipped.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(zipped.rawPayload).toString()).toBe(script);
  const brotlied = await get("gzip, br");
  expect(brotlied.headers["content-encoding"]).toBe("br");
  expect(brotliDecompressSync(brotlied.rawPayload).toString()).toBe(script);
  expect((await get("br;q=0, identity")).headers["content-encoding"]).toBeUndefined();
});

test("nothing outside of the folder is given out, however it is asked for", async () => {
  const bed = await openBed({ gateway: { pages: built() } });
  for (const url of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "//secret.txt",
    "/..\\secret.txt",
  ]) {
    const answer = await bed.raw({ url });
    expect(answer.body, url).not.toContain("secret");
  }
});

test("a build that is made meanwhile is served", async () => {
  const folder = built();
  const bed = await openBed({ gateway: { pages: folder } });
  await bed.raw({ url: "/" });
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>second</title>");
  utimesSync(join(folder, "index.html"), new Date(), new Date(Date.now() + 5_000));
  expect((await bed.raw({ url: "/" })).body).toContain("second");
});

test("where nothing was built, it is said how to", async () => {
  const bed = await openBed();
  const answer = await bed.raw({ url: "/" });
  expect(answer.status).toBe(404);
  expect(answer.body).toContain("npm run pages");
});
