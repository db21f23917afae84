// Goal: the pages are there when the daemon comes back, ask for a token when one is wanted, and look as they should in
// light and dark, wide and narrow, with nothing from anywhere else.
// Method: a real browser on every page; the troupe in this process goes away and comes back on the same port.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPages } from "../../scripts/pages.ts";
import { createToken, openTokens } from "../../src/gateway/tokens.ts";
import { builtPages, inBrowser } from "../kit/browser.ts";
import { type House, openHouse } from "../kit/house.ts";

let house: House;
let ended = "";
beforeAll(async () => {
  house = await openHouse();
  const { execId, result } = house.t.start("hello", { name: "Ada", tone: "dry" });
  await result();
  ended = execId;
});
afterAll(() => house.close());

const pages: readonly (readonly [path: string, heading: string])[] = [
  ["/", "Executions"],
  ["/executions", "Executions"],
  ["/workflows", "Workflows"],
  ["/workflows/hello", "hello"],
  ["/workflows/hello?view=definition", "hello"],
  ["/workflows/hello?view=mermaid", "hello"],
  ["/workflows/hello/start", "Start hello"],
  ["/agents", "Agents, tools and runtimes"],
  ["/schedules", "Schedules"],
  ["/threads", "Threads"],
  ["/open", "Open an exported execution"],
  ["/nowhere/at/all", "There is no such page"],
];

const backgroundOf = (page: Page): Promise<string> =>
  page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");

describe("every page", () => {
  inBrowser("opens by its address, with a name, no sideways scroll and nothing from elsewhere", async ({ open }) => {
    const page = await open(house.url);
    for (const width of [1280, 380]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [path, heading] of pages) {
        await page.goto(house.url + path);
        await page.getByRole("heading", { name: heading, exact: true }).first().waitFor();
        const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
        expect(overflow, `${path} at ${width}`).toBeLessThanOrEqual(0);
        expect(await page.title()).toContain("troupe");
        expect(await unnamed(page), `${path}: controls without a name`).toEqual([]);
      }
    }
  });

  inBrowser("has where one is in sight, on a screen that has no room for all", async ({ open }) => {
    const page = await open(`${house.url}/threads`, { width: 380 });
    const isInSight = async (name: string): Promise<boolean> => {
      const box = await page.getByRole("navigation").getByRole("link", { name }).boundingBox();
      return box !== null && box.x >= 0 && box.x + box.width <= 380;
    };
    await expect.poll(() => isInSight("Threads")).toBe(true);
    await page.keyboard.press("1");
    await expect.poll(() => isInSight("Executions")).toBe(true);
  });

  inBrowser("is reached from every other without being loaded anew", async ({ open }) => {
    const page = await open(house.url);
    await page.evaluate("globalThis.isSame = true");
    for (const name of ["Workflows", "Agents", "Schedules", "Threads", "Executions"]) {
      await page.getByRole("navigation").getByRole("link", { name }).click();
      await page.getByRole("heading", { name: new RegExp(`^${name}`), level: 1 }).waitFor();
      expect(await page.title()).toContain(name);
    }
    await page.goBack();
    await page.getByRole("heading", { name: "Threads", level: 1 }).waitFor();
    await page.keyboard.press("2");
    await page.getByRole("heading", { name: "Workflows" }).waitFor();
    expect(await page.evaluate("globalThis.isSame")).toBe(true);
  });

  inBrowser("is dark where the system is, and as somebody chose after that", async ({ open }) => {
    const [light, dark] = [await open(house.url), await open(house.url, { dark: true })];
    await Promise.all([light, dark].map((page) => page.getByRole("heading", { name: "Executions" }).waitFor()));
    expect(await backgroundOf(light)).not.toBe(await backgroundOf(dark));
    const was = await backgroundOf(dark);
    await dark.getByRole("button", { name: "Colours: system" }).click();
    await expect.poll(() => backgroundOf(dark)).not.toBe(was);
    await dark.reload();
    await dark.getByRole("button", { name: "Colours: light" }).waitFor();
    expect(await backgroundOf(dark)).toBe(await backgroundOf(light));
    await dark.getByRole("button", { name: "Colours: light" }).click();
    await expect.poll(() => backgroundOf(dark)).toBe(was);
  });

  inBrowser("has text that stands out from what is behind it, in light and dark", async ({ open }) => {
    for (const dark of [false, true]) {
      const page = await open(`${house.url}/executions`, { dark });
      await page.locator(".line").first().waitFor();
      const tokens = ["--text", "--muted", "--accent", "--danger", "--warning"];
      const statuses = ["pending", "running", "waiting", "paused", "success", "failed", "timed-out", "canceled"];
      for (const token of [...tokens, ...statuses.map((status) => `--status-${status}`)]) {
        for (const behind of ["--bg", "--panel", "--raised"]) {
          const ratio = await contrast(page, token, behind);
          expect(ratio, `${token} on ${behind}, ${dark ? "dark" : "light"}`).toBeGreaterThanOrEqual(4.5);
        }
      }
    }
  });
});

// As WCAG counts it, from the colours that the browser works out.
const contrast = (page: Page, front: string, behind: string): Promise<number> =>
  page.evaluate<number>(`{
    const probe = document.body.appendChild(document.createElement("i"));
    const light = (name) => {
      probe.style.color = "var(" + name + ")";
      const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((one) => {
        const share = Number(one) / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [low, high] = [light("${front}"), light("${behind}")].sort((a, b) => a - b);
    probe.remove();
    (high + 0.05) / (low + 0.05);
  }`);

const unnamed = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`[...document.querySelectorAll("button, a, input, select, textarea")]
    .filter((one) => one.checkVisibility() && !one.textContent.trim())
    .filter((one) => !one.ariaLabel && !one.labels?.length && !one.title)
    .map((one) => one.outerHTML.slice(0, 120))`);

describe("while the daemon is away", () => {
  inBrowser("what is shown stays, says as of when, and goes on by itself", async ({ open, expectTrouble }) => {
    expectTrouble(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET/);
    const page = await open(`${house.url}/executions`);
    await page.locator(`.line[data-exec="${ended}"]`).waitFor();
    await page.locator('.health[data-state="live"]').waitFor();
    await house.leave();
    await page.getByText("The daemon does not answer.").waitFor();
    await page.getByText(/Showing data as of/).waitFor();
    expect(await page.locator(`.line[data-exec="${ended}"]`).count()).toBe(1);
    await house.comeBack();
    await page.locator('.health[data-state="live"]').waitFor();
    await expect.poll(() => page.getByText("The daemon does not answer.").count()).toBe(0);
    const { execId } = house.t.start("hello", { name: "Bo", tone: "warm" });
    await page.locator(`.line[data-exec="${execId}"] [data-status="SUCCESS"]`).waitFor();
  });
});

describe("a token", () => {
  inBrowser("is asked for, refused if it is wrong, and kept for the tab", async ({ open, expectTrouble }) => {
    expectTrouble(/401/);
    const folder = mkdtempSync(join(tmpdir(), "troupe-tokens-"));
    const file = join(folder, "tokens.json");
    const { secret } = createToken(file, { name: "ada", scope: "admin", expiresAt: null, now: Date.now() });
    const tokens = openTokens({ file, now: Date.now, report: () => undefined });
    const guarded = await openHouse({}, tokens);
    try {
      const page = await open(`${guarded.url}/executions`);
      await page.getByLabel("Token").fill("wrong");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText(/refused this token/).waitFor();
      await page.getByLabel("Token").fill(secret);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("Nothing has run yet").waitFor();
      const { execId } = guarded.t.start("hello", { name: "Cy", tone: "dry" });
      await page.locator(`.line[data-exec="${execId}"]`).waitFor();
      await page.reload();
      await page.locator(`.line[data-exec="${execId}"]`).waitFor();
      expect(page.url()).not.toContain(secret);
    } finally {
      await guarded.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what is built", () => {
  test("is light until the first screen, and says whose work is inside", async () => {
    const folder = await builtPages();
    const { shellBytes } = JSON.parse(readFileSync(join(folder, "built.json"), "utf8")) as { shellBytes: number };
    expect(shellBytes).toBeLessThan(40 * 1024);
    const licences = readFileSync(join(folder, "LICENSES.txt"), "utf8");
    for (const name of ["preact", "@preact/signals", "elkjs"]) expect(licences).toContain(`# ${name} `);
    expect(licences).toContain("Eclipse Public License");
  });

  test("is not built again while no source has changed, and whole by whoever is last", async () => {
    await builtPages();
    expect(await buildPages({ ifStale: true })).toBeUndefined();
    const both = await Promise.all([buildPages(), buildPages()]);
    expect(both[0]).toEqual(both[1]);
    expect(await buildPages({ ifStale: true })).toBeUndefined();
  });

  test("has nothing inline, and names nothing of elsewhere", async () => {
    const html = readFileSync(join(await builtPages(), "index.html"), "utf8");
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|style=|onload=|https?:/);
  });
});
