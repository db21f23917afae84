// Goal: the list of executions is true while things happen, is found again by its address, and is light at any length.
// Method: a real browser on a troupe in this process; conditions are awaited, and rows in the document are counted.

import { afterAll, beforeAll, describe, expect } from "vitest";
import type { Page } from "playwright-core";
import { inBrowser } from "../kit/browser.ts";
import { type House, openHouse } from "../kit/house.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const rowOf = (page: Page, execId: string) => page.locator(`.line[data-exec="${execId}"]`);
const countOf = async (page: Page, status: string): Promise<string | null> =>
  page.locator(`.statuses [data-status="${status}"] b`).textContent();

describe("the list of executions", () => {
  inBrowser("says with nothing in it which command would change that", async ({ open }) => {
    const empty = await openHouse();
    try {
      const page = await open(empty.url);
      await page.getByText("Nothing has run yet").waitFor();
      expect(await page.locator(".command code").textContent()).toBe("npx troupe run hello --watch");
    } finally {
      await empty.close();
    }
  });

  inBrowser("shows a run that begins and one that ends while one looks on", async ({ open }) => {
    const page = await open(`${house.url}/executions`);
    await page.getByRole("heading", { name: "Executions" }).waitFor();
    const { execId } = house.t.start("slow", { n: 1 });
    await rowOf(page, execId).locator('[data-status="RUNNING"]').waitFor();
    await expect.poll(() => house.held.length).toBe(1);
    house.held.shift()?.end();
    await rowOf(page, execId).locator('[data-status="SUCCESS"]').waitFor();
    await expect.poll(() => countOf(page, "SUCCESS")).not.toBe("0");
  });

  inBrowser("says what a run waits for while it waits, and why one is paused", async ({ open }) => {
    const page = await open(`${house.url}/executions`);
    await page.getByRole("heading", { name: "Executions" }).waitFor();
    const { execId, result } = house.t.start("payout");
    await rowOf(page, execId).getByText("waits for approval: Release the payout?").waitFor();
    const { items } = await house.t.list({ run: execId, status: ["WAITING"] });
    await house.t.resume(items[0]?.execId ?? "", { approved: true });
    await result();
    await rowOf(page, execId).locator('[data-status="SUCCESS"]').waitFor();
    expect(await rowOf(page, execId).locator(".waits").count()).toBe(0);

    const { execId: held } = house.t.start("listening");
    await rowOf(page, held).getByText("waits for signal go").waitFor();
    await house.t.pause(held, "over lunch");
    await rowOf(page, held).getByText("over lunch").waitFor();
    await house.t.cancel(held);
  });

  inBrowser("finds by its address what it was asked for", async ({ open }) => {
    const [good, bad] = [house.t.start("hello", { name: "Ada", tone: "dry" }), house.t.start("broken")];
    await Promise.all([good.result(), bad.result()]);
    const page = await open(`${house.url}/executions?status=FAILED&id=broken`);
    await rowOf(page, bad.execId).waitFor();
    expect(await rowOf(page, good.execId).count()).toBe(0);
    expect(await page.getByLabel("Definition").inputValue()).toBe("broken");
    await page.getByRole("button", { name: "Clear filters" }).click();
    await rowOf(page, good.execId).waitFor();
    expect(new URL(page.url()).search).toBe("");
    await page.getByLabel("Search in ids, labels and errors").fill(bad.execId);
    await expect.poll(() => rowOf(page, good.execId).count()).toBe(0);
    expect(new URL(page.url()).searchParams.get("text")).toBe(bad.execId);
    await page.reload();
    await rowOf(page, bad.execId).waitFor();
    expect(await page.getByLabel("Search in ids, labels and errors").inputValue()).toBe(bad.execId);
  });

  inBrowser("filters by a label that is clicked", async ({ open }) => {
    const marked = house.t.start("hello", { name: "Bo", tone: "dry" }, { labels: { customer: "acme" } });
    const other = house.t.start("hello", { name: "Cy", tone: "dry" }, { labels: { customer: "bolt" } });
    await Promise.all([marked.result(), other.result()]);
    const page = await open(`${house.url}/executions`);
    await page.getByRole("button", { name: "customer:acme" }).first().click();
    await expect.poll(() => rowOf(page, other.execId).count()).toBe(0);
    await rowOf(page, marked.execId).waitFor();
  });

  inBrowser("is gone through by the keyboard", async ({ open }) => {
    const { execId, result } = house.t.start("hello", { name: "Di", tone: "warm" });
    await result();
    const page = await open(`${house.url}/executions`);
    await rowOf(page, execId).waitFor();
    await page.keyboard.press("j");
    await page.locator(".line[aria-current]").waitFor();
    const first = await page.locator(".line[aria-current]").getAttribute("data-exec");
    await page.keyboard.press("j");
    await expect.poll(() => page.locator(".line[aria-current]").getAttribute("data-exec")).not.toBe(first);
    await page.keyboard.press("k");
    await expect.poll(() => page.locator(".line[aria-current]").getAttribute("data-exec")).toBe(first);
    await page.keyboard.press("/");
    expect(await page.evaluate("document.activeElement.id")).toBe("search");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).getByText("open the row").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/executions/${first}`);
  });

  inBrowser("cancels all that the filters find, once it was asked", async ({ open }) => {
    const runs = [1, 2, 3].map((n) => house.t.start("slow", { n }));
    const page = await open(`${house.url}/executions?id=slow&status=RUNNING`);
    for (const { execId } of runs) await rowOf(page, execId).waitFor();
    await page.getByRole("button", { name: "Cancel 3 open" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 3 executions" }).click();
    await page.getByRole("dialog", { name: "Canceled: 3" }).getByRole("button", { name: "Done" }).click();
    await page.getByText("Nothing fits these filters").waitFor();
    for (const { execId } of runs) expect(house.t.get(execId).status).toBe("CANCELED");
  });
});

describe("rows that were chosen", () => {
  inBrowser("are begun once more, and are chosen no longer", async ({ open }) => {
    const runs = [1, 2, 3].map(() => house.t.start("broken"));
    await Promise.all(runs.map((run) => run.result()));
    const [first, second] = runs.map(({ execId }) => execId);
    const page = await open(`${house.url}/executions?id=broken`);
    await page.getByLabel(`Choose ${first}`).check();
    await page.getByLabel(`Choose ${second}`).check();
    await page.getByRole("button", { name: "Retry 2 chosen" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry 2 executions" }).click();
    await page.getByRole("dialog", { name: "Begun once more: 2" }).getByRole("button", { name: "Done" }).click();
    for (const again of [first, second]) await page.getByRole("button", { name: `retry_of:${again}` }).waitFor();
    expect(await page.locator(".line input:checked").count()).toBe(0);
  });
});

describe("ten thousand executions", () => {
  const all = 10_000;
  let large: House;
  beforeAll(async () => {
    large = await openHouse({ limits: { queueMax: all } });
    for (let begun = 0; begun < all; begun += 500) {
      const runs = Array.from({ length: 500 }, () => large.t.start("hello", { name: "Eve", tone: "dry" }));
      await Promise.all(runs.map((run) => run.result()));
    }
  });
  afterAll(() => large.close());

  inBrowser("are all counted and can be reached, and no more are drawn than fit in sight", async ({ open }) => {
    const page = await open(`${large.url}/executions`);
    await expect.poll(() => countOf(page, "SUCCESS")).toBe(all.toLocaleString("en-US"));
    const drawn = (): Promise<number> => page.locator(".line").count();
    await expect.poll(drawn).toBeGreaterThan(5);
    const atFirst = await drawn();
    let drawnMax = atFirst;
    const end = (): Promise<number> =>
      page.locator(".sight").evaluate((sight) => {
        sight.scrollTop = sight.scrollHeight;
        return sight.scrollHeight;
      });
    const height = (await page.locator(".line").first().boundingBox())?.height ?? 0;
    await expect
      .poll(
        async () => {
          drawnMax = Math.max(drawnMax, await drawn());
          return Math.round((await end()) / height);
        },
        { timeout: 60_000, interval: 20 },
      )
      .toBe(all);
    expect(drawnMax).toBeLessThan(60);
  });

  inBrowser("cost a new one no more than few of them do", async ({ open }) => {
    const page = await open(`${large.url}/executions`);
    await expect.poll(() => countOf(page, "SUCCESS")).not.toBe("0");
    await page.evaluate(`{
      globalThis.added = 0;
      const count = (list) => list.forEach(({ addedNodes }) => (globalThis.added += addedNodes.length));
      new MutationObserver(count).observe(document.body, { childList: true, subtree: true });
    }`);
    const { execId, result } = large.t.start("hello", { name: "Flo", tone: "warm" });
    await result();
    await rowOf(page, execId).locator('[data-status="SUCCESS"]').waitFor();
    expect(await page.evaluate<number>("globalThis.added")).toBeLessThan(100);
  });
});
