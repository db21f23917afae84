// The browser that tests of pages use: it sees what goes wrong on a page.
//
// Method: small pages of our own that do what must not be, with a server of node:http.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { inBrowser } from "../kit/browser.ts";

const server = createServer((request, response) => {
  response.setHeader("content-type", "text/html");
  response.setHeader("content-security-policy", "default-src 'self'");
  response.end(
    request.url === "/bad"
      ? "<p>bad</p><script>document.title = 'ran'</script>"
      : "<link rel=icon href=/icon><h1>Good</h1>",
  );
});
let url = "";
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe("the browser", () => {
  inBrowser("shows a page", async ({ open }) => {
    const page = await open(url);
    expect(await page.textContent("h1")).toBe("Good");
  });

  inBrowser("counts what a content policy refuses as a trouble", async ({ open, expectTrouble }) => {
    expectTrouble(/favicon/);
    const page = await open(`${url}/bad`);
    expect(await page.title()).toBe("");
    expectTrouble(/Content Security Policy/);
  });
});
