// Goal: the page hands the inspector in its frame what the daemon sends, and never shows an empty frame.
// Method: a real browser, and a stub that is served at another origin and speaks as the inspector does.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { openGuard } from "../../src/gateway/guard.ts";
import { pageFiles, policyOf } from "../../src/gateway/inspector-page.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { inBrowser } from "../kit/browser.ts";
import { type Bed, checkFrames, type Frame, lastOf, openBed } from "./inspector-bed.ts";

const servers: Server[] = [];
const beds: Bed[] = [];
afterEach(async () => {
  for (const bed of beds.splice(0)) await bed.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

/** Keeps what it is sent, and from where, as the hosted inspector's page would get it. */
const stubPage = `<!doctype html><title>stub</title><body><h1>the inspector</h1><script>
  window.heard = [];
  addEventListener("message", (event) => {
    if (event.source === parent) window.heard.push({ origin: event.origin, data: event.data });
  });
  if (!location.search.includes("silent")) parent.postMessage({ type: "@statelyai.connected" }, "*");
</script>`;

async function stub(): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(stubPage);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const bedOf = async (...given: Parameters<typeof openBed>): ReturnType<typeof openBed> => {
  const bed = await openBed(...given);
  beds.push(bed);
  return bed;
};

type Heard = { origin: string; data: Frame };
const heardBy = async (page: Page, origin: string): Promise<Heard[]> => {
  const frame = page.frames().find((one) => one.url().startsWith(origin));
  return frame ? frame.evaluate<Heard[]>("window.heard") : [];
};
/** Waits until the stub has heard enough. */
async function untilHeard(page: Page, origin: string, fits: (frames: Frame[]) => boolean): Promise<Frame[]> {
  return expect
    .poll(async () => fits((await heardBy(page, origin)).map(({ data }) => data)), { timeout: 20_000 })
    .toBe(true)
    .then(async () => (await heardBy(page, origin)).map(({ data }) => data));
}

inBrowser("a run that is at work reaches the inspector in the frame, live, and nobody else", async (visit) => {
  const inspectorUrl = await stub();
  visit.expectTrouble(new RegExp(`^foreign: ${inspectorUrl}`));
  const { here, inspector } = await bedOf({ inspectorUrl: `${inspectorUrl}/inspect` });
  const { execId, accepted } = here.start("patient");
  await accepted();
  const page = await visit.open(`${inspector.url}/?execution=${execId}`);
  await page.locator("iframe").waitFor({ state: "visible" });
  await untilHeard(page, inspectorUrl, (frames) => lastOf(frames, `chart/${execId}`)?.value === "wait");
  await here.signal(execId, "go");
  const frames = await untilHeard(page, inspectorUrl, (all) => lastOf(all, `chart/${execId}`)?.value === "$SUCCESS");
  checkFrames(frames);
  expect(frames.some(({ type }) => type.startsWith("troupe."))).toBe(false);
  const origins = new Set((await heardBy(page, inspectorUrl)).map(({ origin }) => origin));
  expect(origins).toEqual(new Set([inspector.url]));
  expect(await page.locator("#state").textContent()).toBe("live");
});

inBrowser("a run that is over is replayed in the frame when it is picked, from its beginning", async (visit) => {
  const inspectorUrl = await stub();
  visit.expectTrouble(new RegExp(`^foreign: ${inspectorUrl}`));
  const { here, inspector } = await bedOf({ inspectorUrl, pagesUrl: "http://127.0.0.1:7420" });
  const { execId, result } = here.start("wide");
  await here.run("short");
  const page = await visit.open(inspector.url);
  await page.locator("iframe").waitFor({ state: "visible" });
  const option = page.locator(`#execution option[value="${execId}"]`);
  expect(await option.textContent()).toMatch(/^wide · running · \d{4}-/);
  await here.signal(execId, "go");
  await result();
  expect(await page.locator("#speed").isDisabled()).toBe(true);
  await page.locator("#execution").selectOption(execId);
  await untilHeard(page, inspectorUrl, (all) => lastOf(all, `workflow/${execId}`)?.status === "done");
  await page.locator("#speed").selectOption("0");
  await expect.poll(() => page.locator("#state").textContent(), { timeout: 20_000 }).toMatch(/^replayed, \d+ steps$/);
  const frames = await untilHeard(page, inspectorUrl, (all) => lastOf(all, `workflow/${execId}`)?.status === "done");
  checkFrames(frames);
  expect(frames[0]).toMatchObject({ type: "@xstate.actor", sessionId: `workflow/${execId}` });
  expect(new Set(frames.map(({ rootId }) => rootId))).toEqual(new Set([`workflow/${execId}`]));
  expect(await page.locator("#pages").getAttribute("href")).toBe(`http://127.0.0.1:7420/executions/${execId}`);
});

inBrowser("an inspector that cannot be reached is said plainly, with the way to our own pages", async (visit) => {
  const inspectorUrl = await stub();
  const [server] = servers.splice(0);
  server?.close();
  visit.expectTrouble(/ERR_CONNECTION_REFUSED|^foreign: /);
  const { inspector } = await bedOf({ inspectorUrl, pagesUrl: "http://127.0.0.1:7420" });
  const page = await visit.open(inspector.url);
  await page.getByText("The inspector cannot be reached").waitFor();
  expect(await page.locator("iframe").isVisible()).toBe(false);
  expect(await page.locator("#text").textContent()).toContain(`at ${inspectorUrl}/`);
  const link = page.getByRole("link", { name: "Open troupe's own pages" });
  expect(await link.getAttribute("href")).toBe("http://127.0.0.1:7420");
  expect(inspector.stats().viewers).toBe(0);
});

inBrowser("a page in the frame that does not say that it listens is sent nothing, and is not shown", async (visit) => {
  const inspectorUrl = await stub();
  visit.expectTrouble(new RegExp(`^foreign: ${inspectorUrl}`));
  const { here, inspector } = await bedOf({ inspectorUrl: `${inspectorUrl}/?silent` });
  here.start("patient");
  const page = await visit.open(inspector.url);
  await expect.poll(() => page.frames().some((one) => one.url().startsWith(inspectorUrl))).toBe(true);
  expect(await page.locator("iframe").isVisible()).toBe(false);
  // Words of any other window do not count.
  await page.evaluate(`new Promise((heard) => {
    addEventListener("message", heard, { once: true });
    postMessage({ type: "@statelyai.connected" }, "*");
  })`);
  expect(await page.locator("iframe").isVisible()).toBe(false);
  expect(await heardBy(page, inspectorUrl)).toEqual([]);
  expect(inspector.stats().viewers).toBe(0);
});

inBrowser("a daemon with tokens asks for one, and then goes on", async (visit) => {
  const inspectorUrl = await stub();
  visit.expectTrouble(/^foreign: |401/);
  const own = openGuard({ host: "127.0.0.1", now: Date.now });
  const guard: typeof own = {
    ...own,
    admit: (request, needs) => {
      const said = `${request.headers.authorization ?? ""} ${request.url ?? ""}`;
      if (needs.scope === "open" || said.includes("mine")) return own.admit(request, needs);
      throw new TroupeError("UNAUTHENTICATED", "a token is needed");
    },
  };
  const { here, inspector } = await bedOf({ inspectorUrl, guard });
  const { execId, accepted } = here.start("patient");
  await accepted();
  const page = await visit.open(inspector.url);
  await page.getByLabel("Token").fill("mine");
  await page.getByRole("button", { name: "Use it" }).click();
  await untilHeard(page, inspectorUrl, (frames) => frames.some(({ sessionId }) => sessionId === `chart/${execId}`));
});

test("the page may load nothing but itself and the inspector, and holds no script of its own", () => {
  const settings = { inspectorUrl: 'https://stately.ai/inspect?"><script>', pagesUrl: null };
  expect(policyOf(settings)).toContain(
    "default-src 'self'; frame-src https://stately.ai; connect-src 'self' https://stately.ai;",
  );
  const html = pageFiles(settings).get("/")?.text ?? "";
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).not.toContain('"><script>');
});
