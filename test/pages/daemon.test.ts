// Goal: the pages about the daemon itself show it as it is, and change what they offer to change.
// Method: a whole daemon in this process with all examples, and a real browser on it.

import { afterAll, beforeAll, describe, expect } from "vitest";
import { join } from "node:path";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { builtPages, inBrowser } from "../kit/browser.ts";
import { emptyFolder, up } from "../kit/daemon.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";

let daemon: Daemon;
let url = "";
beforeAll(async () => {
  const pages = await builtPages();
  const flags = { config: join(root, "examples/troupe.yaml"), port: 0, data_dir: emptyFolder(), grace: "0s" };
  daemon = await openDaemon(await readConfig({ flags, environment: {} }), { write: () => undefined, pages });
  url = daemon.ready.http;
});
afterAll(() => daemon.close(0));

const answerOf = async (path: string): Promise<Record<string, unknown>> =>
  (await fetch(url + path)).json() as Promise<Record<string, unknown>>;

describe("the system page", () => {
  inBrowser("says how the daemon is, and what it wrote down", async ({ open }) => {
    const { result } = daemon.troupe().start("hello", { name: "Ada" });
    await result();
    const page = await open(`${url}/system`);
    await page.getByText("ready", { exact: true }).waitFor();
    await page.getByRole("log").getByText("workflow hello: success").click();
    await page.getByRole("link", { name: "its execution" }).first().click();
    await page.getByRole("heading", { name: "hello" }).first().waitFor();
  });

  inBrowser("changes the log level, and turns the inspector on and off", async ({ open }) => {
    const page = await open(`${url}/system`);
    await page.getByLabel("Log level").selectOption("warn");
    await expect.poll(() => answerOf("/api/log-level")).toEqual({ level: "warn" });
    await page.getByLabel("Log level").selectOption("info");
    await page.getByRole("switch", { name: "Turn on" }).click();
    const link = page.getByRole("link", { name: /^http:\/\/127/ });
    await link.waitFor();
    expect(await answerOf("/api/inspector")).toMatchObject({ enabled: true, url: await link.getAttribute("href") });
    await page.getByRole("switch", { name: "Turn off" }).click();
    await page.getByRole("switch", { name: "Turn on" }).waitFor();
    expect(await answerOf("/api/inspector")).toMatchObject({ enabled: false });
  });
});

describe("what is defined", () => {
  inBrowser("is shown as it was written, with its chart, its runs and where to begin one", async ({ open }) => {
    const { result } = daemon.troupe().start("hello", { name: "Ada" });
    const { execId } = await result().then(
      async () => (await daemon.troupe().list({ id: "hello" })).items[0] ?? never(),
    );
    const page = await open(`${url}/workflows`);
    await page.getByRole("link", { name: "hello", exact: true }).click();
    await page.getByText("hello/workflows/hello.yaml").waitFor();
    await page.locator(".drawn svg").first().waitFor();
    await page.getByTitle(execId).waitFor();
    await page.getByRole("tab", { name: "Definition" }).click();
    await page.getByText("id: hello").waitFor();
    expect(new URL(page.url()).search).toBe("?view=definition");
    await page.getByRole("link", { name: "Start" }).click();
    await page.getByRole("heading", { name: "Start hello" }).waitFor();
  });

  inBrowser("names the agents, who runs them, and tries one", async ({ open }) => {
    const page = await open(`${url}/agents`);
    await page.getByText("registered").waitFor();
    await page.getByRole("button", { name: "Try greeter" }).click();
    const dialog = page.getByRole("dialog", { name: "Try greeter" });
    await dialog.getByLabel("Input").fill('{"name": "Bo"}');
    await dialog.getByRole("button", { name: "Run" }).click();
    await dialog.getByText("It succeeded").waitFor();
    await expect.poll(() => dialog.textContent()).toContain("Bo");
  });

  inBrowser("has schedules that are held and let go", async ({ open }) => {
    const page = await open(`${url}/schedules`);
    const row = page.getByRole("row", { name: /morning/ });
    await row.getByRole("button", { name: "Pause" }).click();
    await row.getByText("paused").waitFor();
    expect(daemon.troupe().schedules()).toMatchObject([{ workflow: "morning", paused: true }]);
    await row.getByRole("button", { name: "Resume" }).click();
    await row.getByText("on", { exact: true }).waitFor();
    await row.getByRole("button", { name: "Begin morning now" }).click();
    await page.waitForURL(/\/executions\/[0-9a-f-]{36}$/);
    await page.getByRole("heading", { name: "morning" }).first().waitFor();
  });
});

describe("a conversation", () => {
  inBrowser("is listed, read turn by turn, and forgotten once that was confirmed", async ({ open }) => {
    await talk(daemon.ready.ws, {
      id: "1",
      type: "start_agent",
      agent_id: "greeter",
      user_request: "Hi",
      thread_id: "t1",
    });
    const page = await open(`${url}/threads`);
    await page.getByRole("link", { name: "t1" }).click();
    await page.getByText("Hi", { exact: true }).waitFor();
    await page.getByRole("link", { name: "its run" }).waitFor();
    await page.getByRole("button", { name: "Forget" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget" }).click();
    await page.getByText("No conversation yet").waitFor();
    expect((await fetch(`${url}/api/threads/t1`)).status).toBe(404);
  });
});

describe("a daemon that is killed while one looks on", () => {
  inBrowser("goes on where it was once it is started again, and so does the page", async ({ open, expectTrouble }) => {
    expectTrouble(/net::ERR_/);
    const place = ["--config", join(root, "examples/troupe.yaml"), "--data-dir", emptyFolder()];
    try {
      const first = up(place);
      const { http } = await first.ready;
      const begun = await fetch(`${http}/api/workflows/payout/execute-async`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: { amount: 12 } }),
      });
      const { exec_id } = (await begun.json()) as { exec_id: string };
      const page = await open(`${http}/executions/${exec_id}`);
      await page.getByRole("button", { name: "Approve" }).waitFor();
      first.child.kill("SIGKILL");
      await first.ended;
      await page.getByText("The daemon does not answer.").waitFor();
      await up([...place, "--port", new URL(http).port]).ready;
      await expect.poll(() => page.getByText("The daemon does not answer.").count(), { timeout: 20_000 }).toBe(0);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.locator('.badge[data-status="SUCCESS"]').first().waitFor();
    } finally {
      await endAll();
    }
  });
});

/** Says something, and waits until the agent is done. */
function talk(to: string, frame: Record<string, unknown>): Promise<void> {
  const socket = new WebSocket(to);
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => socket.send(JSON.stringify(frame)));
    socket.addEventListener("error", () => reject(new Error("the socket failed")));
    socket.addEventListener("message", ({ data }) => {
      const { type } = JSON.parse(String(data)) as { type: string };
      if (type !== "agent_completed" && type !== "error") return;
      socket.close();
      if (type === "error") reject(new Error(String(data)));
      else resolve();
    });
  });
}

const never = (): never => {
  throw new Error("there is no run");
};
