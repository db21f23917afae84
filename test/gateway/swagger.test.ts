// Goal: the documentation to try out works offline, from our own origin and under its policy. Method: a real browser
// opens it, unfolds an operation and carries it out; errors in the console and foreign requests fail the test.

import { expect } from "vitest";
import { inBrowser } from "../kit/browser.ts";
import { openHouse } from "../kit/house.ts";

inBrowser("every operation is shown, and one is carried out against the daemon", async ({ open }) => {
  const house = await openHouse();
  try {
    const page = await open(`${house.url}/swagger.ui`);
    await page.locator("#operations-daemon-version").waitFor();
    expect(await page.locator(".opblock-tag").count()).toBeGreaterThan(5);
    await page.locator("#operations-daemon-version .opblock-summary-control").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.locator("#operations-daemon-version button.execute").click();
    const answer = page.locator("#operations-daemon-version .live-responses-table", { hasText: '"protocol"' });
    await answer.waitFor();
    expect(await answer.textContent()).toContain("200");
  } finally {
    await house.close();
  }
});
