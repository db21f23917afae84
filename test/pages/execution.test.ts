// Goal: the page of an execution shows it as it goes on, can be stepped through, and opens a run from a file.
//
// Method: a real browser on a troupe in this process with its gateway; conditions are awaited, never times. Whatever a
// page writes to its console fails the test.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { Page } from "playwright-core";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { inBrowser } from "../kit/browser.ts";
import { type House, openHouse, workflows } from "../kit/house.ts";

const more = [
  {
    id: "thousand",
    tasks: [
      {
        id: "all",
        type: "each",
        items: "${{ input.items }}",
        max_concurrency: 100,
        do: [{ id: "one", type: "agent", agent: "quick" }],
      },
    ],
  },
  {
    id: "fragile",
    tasks: [
      {
        id: "fall",
        type: "agent",
        agent: "broken",
        retry: { max_attempts: 2, backoff: { initial: "1ms" } },
        on_error: "mend",
      },
      { id: "mend", type: "agent", agent: "quick" },
    ],
  },
] as unknown as WorkflowSpec[];

let house: House;
const folder = mkdtempSync(join(tmpdir(), "troupe-page-"));
beforeAll(async () => {
  house = await openHouse({ workflows: [...workflows, ...more] });
});
afterAll(async () => {
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

const stateOf = (page: Page, task: string) => page.locator(`.execution-canvas [data-task="${task}"]`);
const standing = (page: Page, task: string, face: string) =>
  page.locator(`.execution-canvas [data-task="${task}"][data-face="${face}"]`).first().waitFor();
const lineNow = (page: Page): Promise<string> => page.getByLabel("Line of the log").inputValue();

describe("the page of an execution", () => {
  inBrowser("lights the chart while it runs, and its end without being asked again", async ({ open }) => {
    const { execId } = house.t.start("slow", { n: 7 });
    const page = await open(`${house.url}/executions/${execId}`);
    await standing(page, "work", "running");
    expect(await page.getByRole("button", { name: "Live" }).getAttribute("aria-pressed")).toBe("true");
    await expect.poll(() => house.held.length).toBe(1);
    house.held.shift()?.end({ found: "seven" });
    await standing(page, "work", "success");
    await page.locator(".execution-head [data-status='SUCCESS']").waitFor();
    await page.locator(".execution-side").getByText('"seven"').waitFor();
  });

  inBrowser("is stepped through by keys and by its track, and everything follows", async ({ open }) => {
    const run = house.t.start("fragile");
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}?view=log&side=event`);
    await standing(page, "mend", "success");
    expect(await stateOf(page, "fall").getAttribute("aria-label")).toContain("failed, attempt 2 of 2");
    const end = Number(await lineNow(page));
    await page.keyboard.press("Home");
    await standing(page, "fall", "idle");
    expect(await lineNow(page)).toBe("0");
    await page.keyboard.press("ArrowRight");
    await page.locator('.execution-line[data-state="now"]').getByText("WorkflowExecute", { exact: true }).waitFor();
    await page.locator(".execution-side h2").getByText("WorkflowExecute").waitFor();
    const faces = new Set<string | null>();
    for (let line = 1; line <= end; line += 1) {
      faces.add(await stateOf(page, "fall").getAttribute("data-face"));
      await page.keyboard.press("ArrowRight");
    }
    expect([...faces]).toEqual(["idle", "pending", "running", "failed", "retrying"]);
    await standing(page, "mend", "success");
    await page.getByLabel("Line of the log").fill("3");
    await standing(page, "mend", "idle");
    await page.keyboard.press("Escape");
    await page.keyboard.press("End");
    await expect.poll(() => lineNow(page)).toBe(String(end));
  });

  inBrowser("plays the log from its beginning to its end", async ({ open }) => {
    const run = house.t.start("hello", { name: "Ada", tone: "dry" });
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}`);
    await standing(page, "greet", "success");
    await page.getByLabel("Speed").selectOption("20");
    // Each line is drawn, however short it is to be seen.
    const seen = page.evaluate<string[]>(`new Promise((done) => {
      const state = document.querySelector('.execution-canvas [data-task="greet"]');
      const faces = [];
      new MutationObserver(() => {
        faces.push(state.getAttribute("data-face"));
        if (faces.at(-1) === "success") done(faces);
      }).observe(state, { attributeFilter: ["data-face"] });
    })`);
    await page.getByRole("button", { name: "Play" }).click();
    expect(await seen).toEqual(["idle", "pending", "running", "success"]);
    await page.getByRole("button", { name: "Play" }).waitFor();
  });

  inBrowser("shows the life of a task in the engine, and tells what is chosen beside it", async ({ open }) => {
    const run = house.t.start("hello", { name: "Bea", tone: "dry" });
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}`);
    await stateOf(page, "greet").focus();
    await page.keyboard.press("Enter");
    await page.locator(".execution-side h2").getByText("greet").waitFor();
    await page.locator(".execution-charts").getByRole("button", { name: "agent", exact: true }).click();
    await page.locator('.execution-canvas [aria-label^="open:"]').waitFor();
    await page.locator('.execution-canvas .execution-final[data-face="success"]').getByText("completed").waitFor();
    await page.keyboard.press("Home");
    await page.locator('.execution-canvas .execution-final[data-face="idle"]').getByText("completed").waitFor();
  });

  inBrowser("says as a table what the chart shows", async ({ open }) => {
    const run = house.t.start("fragile");
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}`);
    await standing(page, "fall", "failed");
    await page.getByRole("button", { name: "Table" }).click();
    const row = page.getByRole("row").filter({ has: page.getByRole("button", { name: "fall" }) });
    await row.getByText("failed").waitFor();
    expect(await row.textContent()).toContain("2 of 2");
  });

  inBrowser("filters its log, compares a message with the one before, and gives the lines away", async ({ open }) => {
    const run = house.t.start("hello", { name: "Cleo", tone: "dry" });
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}?view=log&side=event`);
    await page.getByLabel("Filter the log by text").fill("TaskExecutionSuccess");
    await expect.poll(() => page.locator(".execution-line").count()).toBe(1);
    await page.locator(".execution-line").click();
    await page.locator(".execution-changes").getByText("SUCCESS").waitFor();
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "NDJSON" }).click(),
    ]);
    expect(file.suggestedFilename()).toBe(`${run.execId}.ndjson`);
  });

  inBrowser("opens a run of a thousand tasks, and draws no more of it than can be seen", async ({ open }) => {
    const items = Array.from({ length: 1_000 }, (_item, index) => index);
    const run = house.t.start("thousand", { items });
    await run.result();
    const page = await open(`${house.url}/executions/${run.execId}`);
    await page.locator(".execution-tag").getByText("1000/1000").waitFor();
    await page.getByText("2002 rows").waitFor();
    const views = { Timeline: ".execution-row", Messages: ".execution-message", Log: ".execution-line" };
    for (const [view, row] of Object.entries(views)) {
      await page.getByRole("tab", { name: view }).click();
      await page.locator(row).first().waitFor();
      expect(await page.locator(row).count()).toBeLessThan(100);
    }
    await page.getByLabel("Line of the log").fill("5000");
    await expect.poll(() => page.locator(".execution-tag text").textContent()).toMatch(/^[1-9]\d{2}\/\d+$/);
  });

  inBrowser("says of a task that waits for what it does, in words and as of now", async ({ open }) => {
    const { execId } = house.t.start("payout");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "task ask" }).click();
    const facts = page.locator(".execution-details .facts");
    await facts.getByText("waits for approval: Release the payout?").waitFor();
    expect(await facts.locator("dt").allTextContents()).toContain("so far");
    await house.t.cancel(execId);
    await facts.locator("dt").getByText("took").waitFor();
  });

  inBrowser("opens an exported run from its file, without asking for that run", async ({ open }) => {
    const run = house.t.start("fragile");
    await run.result();
    const answer = await fetch(`${house.url}/api/any/executions/${run.execId}/export`);
    const file = join(folder, "run.json");
    writeFileSync(file, await answer.text());
    const page = await open(`${house.url}/open`);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.locator("input[type=file]").setInputFiles(file);
    await standing(page, "mend", "success");
    await page.keyboard.press("Home");
    await standing(page, "mend", "idle");
    expect(asked.filter((url) => url.includes(run.execId))).toEqual([]);
  });

  inBrowser("opens an exported run that is dropped on the page", async ({ open }) => {
    const run = house.t.start("fragile");
    await run.result();
    const answer = await fetch(`${house.url}/api/any/executions/${run.execId}/export`);
    const page = await open(`${house.url}/open`);
    await page.getByText("Drop its file here").waitFor();
    const carried = await page.evaluateHandle(`(() => {
      const data = new DataTransfer();
      data.items.add(new File([${JSON.stringify(await answer.text())}], "run.json", { type: "application/json" }));
      return data;
    })()`);
    await page.dispatchEvent("body", "dragover", { dataTransfer: carried });
    await page.locator('.execution-drop[data-over="true"]').waitFor();
    await page.dispatchEvent("body", "drop", { dataTransfer: carried });
    await standing(page, "mend", "success");
    await page.getByText("from a file").waitFor();
  });

  inBrowser("shows a run that was imported, with its steps and without what nobody can do to it", async ({ open }) => {
    const run = house.t.start("fragile");
    await run.result();
    const body = await (await fetch(`${house.url}/api/any/executions/${run.execId}/export`)).text();
    const other = await openHouse();
    try {
      const headers = { "content-type": "application/json" };
      const taken = await fetch(`${other.url}/api/executions/import`, { method: "POST", headers, body });
      expect(taken.status, await taken.text()).toBe(201);
      const page = await open(`${other.url}/executions`);
      await page.locator(`.line[data-exec="${run.execId}"]`).getByText("imported").waitFor();
      await page.locator(`.line[data-exec="${run.execId}"] a`).first().click();
      await standing(page, "mend", "success");
      await page.keyboard.press("Home");
      await standing(page, "mend", "idle");
      const deeds = await page.locator(".execution-deeds button").allTextContents();
      expect(deeds.filter((name) => /Retry|Fork|Cancel|Pause|Signal/.test(name))).toEqual([]);
    } finally {
      await other.close();
    }
  });

  inBrowser("says of a file that is no exported run what it is not", async ({ open }) => {
    const file = join(folder, "other.json");
    writeFileSync(file, '{"name":"troupe"}');
    const page = await open(`${house.url}/open`);
    await page.locator("input[type=file]").setInputFiles(file);
    await page.getByRole("alert").getByText("no exported run").waitFor();
  });

  inBrowser("goes on where it was when the daemon comes back", async ({ open, expectTrouble }) => {
    const { execId } = house.t.start("payout");
    const page = await open(`${house.url}/executions/${execId}`);
    await standing(page, "ask", "waiting");
    expectTrouble(/ERR_CONNECTION|Failed to load|ERR_EMPTY|ERR_INCOMPLETE/);
    await house.leave();
    await house.comeBack();
    const [task] = (await house.t.list({ run: execId, entity: "task" })).items;
    await house.t.resume(task?.execId ?? "", { approved: true });
    await standing(page, "pay", "success");
  });
});
