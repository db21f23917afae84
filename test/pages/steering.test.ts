// Goal: what people do on the pages happens to the executions, and they are shown what came of it.
// Method: a real browser clicks; the troupe in this process is asked how things stand.

import { afterAll, beforeAll, describe, expect } from "vitest";
import type { Page } from "playwright-core";
import { inBrowser } from "../kit/browser.ts";
import { type House, openHouse } from "../kit/house.ts";

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const statusOf = (execId: string): string => house.t.get(execId).status;
const execIdIn = (page: Page): string => new URL(page.url()).pathname.split("/").at(-1) ?? "";
const begun = async (id: string, input: unknown = { n: 0 }): Promise<string> => {
  const { execId } = house.t.start(id, input);
  await expect.poll(() => statusOf(execId)).toBe("RUNNING");
  return execId;
};
const atExecution = (page: Page): Promise<void> => page.waitForURL(/\/executions\/[0-9a-f-]{36}$/);

describe("an execution", () => {
  inBrowser("is canceled once that was confirmed, and the report says what stopped", async ({ open }) => {
    const execId = await begun("slow");
    await expect.poll(() => house.held.length).toBeGreaterThan(0);
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    const question = page.getByRole("dialog", { name: "Cancel slow?" });
    await question.getByLabel("Reason").fill("changed my mind");
    expect(statusOf(execId)).toBe("RUNNING");
    await question.getByRole("button", { name: "Cancel it" }).click();
    const report = page.getByRole("dialog", { name: "Canceled" });
    await report
      .getByRole("row", { name: /agent slow/ })
      .getByText("stopped and said so")
      .waitFor();
    expect(house.t.get(execId)).toMatchObject({ status: "CANCELED", about: { reason: "changed my mind" } });
    await report.getByRole("button", { name: "Done" }).click();
    await page.locator('.badge[data-status="CANCELED"]').first().waitFor();
  });

  inBrowser("is left alone by whoever says so", async ({ open }) => {
    const execId = await begun("slow");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("button", { name: "Let it run" }).click();
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    expect(statusOf(execId)).toBe("RUNNING");
    await house.t.cancel(execId);
  });

  inBrowser("that waits for an approval goes on with the answer and its comment", async ({ open }) => {
    const { execId, result } = house.t.start("payout");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByText("Release the payout?").first().waitFor();
    await page.getByLabel("Comment").fill("by the book");
    await page.getByRole("button", { name: "Approve" }).click();
    expect(await result()).toMatchObject({ status: "SUCCESS", output: { greeted: { approved: true } } });
    const [ask] = (await house.t.list({ run: execId, entity: "task", id: "ask" })).items;
    expect(ask).toMatchObject({ status: "SUCCESS" });
    await expect.poll(() => page.getByRole("button", { name: "Approve" }).count()).toBe(0);
  });

  inBrowser("that waits for an approval can be denied", async ({ open }) => {
    const { execId, result } = house.t.start("payout");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Deny" }).click();
    expect(await result()).toMatchObject({ output: { greeted: { approved: false } } });
  });

  inBrowser("is paused and resumed", async ({ open }) => {
    const execId = await begun("slow");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("dialog").getByLabel("Reason").fill("lunch");
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await expect.poll(() => statusOf(execId)).toBe("PAUSED");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
    await expect.poll(() => statusOf(execId)).toBe("RUNNING");
    await house.t.cancel(execId);
  });

  inBrowser("is sent a signal, with what goes along", async ({ open }) => {
    const { execId, result } = house.t.start("listening");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Signal" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("go");
    await dialog.getByLabel("What goes along").fill("{");
    await dialog.getByText(/this is not JSON/).waitFor();
    expect(await dialog.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    await dialog.getByLabel("What goes along").fill('{"gate": 4}');
    await dialog.getByRole("button", { name: "Send" }).click();
    expect(await result()).toMatchObject({
      status: "SUCCESS",
      output: { greeted: { name: "go", payload: { gate: 4 } } },
    });
  });

  inBrowser("that failed is retried with another input, and the new one is shown", async ({ open }) => {
    const { execId, result } = house.t.start("broken", { n: 1 });
    await result();
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Retry" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("with another input").check();
    await expect.poll(() => dialog.getByLabel("Input", { exact: true }).inputValue()).toContain('"n": 1');
    await dialog.getByLabel("Input", { exact: true }).fill('{"n": 2}');
    await dialog.getByRole("button", { name: "Retry" }).click();
    await page.waitForURL((url) => atOther(url, execId));
    expect(house.t.get(execIdIn(page)).lineage).toMatchObject({ kind: "retry", from_exec_id: execId });
  });

  inBrowser("is forked from one of its tasks", async ({ open }) => {
    const { execId } = house.t.start("payout");
    const page = await open(`${house.url}/executions/${execId}`);
    await page.getByRole("button", { name: "Approve" }).click();
    await expect.poll(() => statusOf(execId)).toBe("SUCCESS");
    await page.getByRole("button", { name: "Fork" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("From").selectOption("pay");
    await dialog.getByRole("button", { name: "Fork" }).click();
    await page.waitForURL((url) => atOther(url, execId));
    const fork = execIdIn(page);
    expect(house.t.get(fork).lineage).toMatchObject({ kind: "fork", from_exec_id: execId, from_task: "pay" });
    expect(await house.t.result(fork)).toMatchObject({ output: { greeted: { approved: true } } });
  });
});

const atOther = ({ pathname }: URL, execId: string): boolean =>
  pathname.startsWith("/executions/") && !pathname.endsWith(execId);

describe("the start form", () => {
  inBrowser("is made from the input schema, checks while one types, and begins a run", async ({ open }) => {
    const page = await open(`${house.url}/workflows/hello/start`);
    const name = page.getByLabel("name");
    expect(await name.inputValue()).toBe("world");
    await name.fill("A");
    await page.getByText("must have at least 2 characters").waitFor();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("is required").waitFor();
    await name.fill("Ada");
    await page.getByLabel("tone").selectOption("warm");
    await page.getByLabel("times").fill("9");
    await page.getByText("must be at most 5").waitFor();
    await page.getByLabel("times").fill("3");
    await page.getByRole("button", { name: "Add friends" }).click();
    await page.getByLabel("friends 1", { exact: true }).fill("Bo");
    await page.getByLabel("loud").check();
    await page.getByLabel("Labels").fill("customer:acme");
    await page.getByRole("button", { name: "Start" }).click();
    await atExecution(page);
    const execId = execIdIn(page);
    expect(await house.t.result(execId)).toMatchObject({ output: { greeted: { name: "Ada" } } });
    expect(house.t.get(execId).labels).toEqual({ customer: "acme" });
    const [first] = await house.t.history(execId, { limit: 1 });
    expect(first?.envelope).toMatchObject({
      payload: { context: { input: { name: "Ada", tone: "warm", times: 3, friends: ["Bo"], loud: true } } },
    });
  });

  inBrowser("takes JSON where there is no schema, and begins with an input of before", async ({ open }) => {
    const before = await begun("slow", { n: 41 });
    const page = await open(`${house.url}/workflows/slow/start`);
    await page.getByLabel("Recent inputs").selectOption(before);
    await expect.poll(() => page.getByLabel("Input", { exact: true }).inputValue()).toContain("41");
    await page.getByLabel("Input", { exact: true }).fill("{ n: 42 }");
    await page.getByText(/this is not JSON/).waitFor();
    expect(await page.getByRole("button", { name: "Start" }).isDisabled()).toBe(true);
    await page.getByLabel("Input", { exact: true }).fill('{ "n": 42 }');
    await page.getByRole("button", { name: "Start" }).click();
    await atExecution(page);
    await expect.poll(() => house.held.map(({ input }) => input)).toContainEqual({ n: 42 });
    await house.t.cancel(before);
    await house.t.cancel(execIdIn(page));
  });
});
