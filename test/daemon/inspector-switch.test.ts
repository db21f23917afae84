// Goal: the inspector is there when it was asked for, and where; and its port is free again when it is not.
// Method: it is turned on, moved and off over HTTP; what listens is asked.

import { afterEach, expect, test } from "vitest";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";
import { ask, emptyFolder } from "../kit/daemon.ts";

const open = new Set<Daemon>();
afterEach(async () => {
  for (const daemon of open) await daemon.close(0);
  open.clear();
});

async function opened(inspect: unknown): Promise<Daemon> {
  const flags = { port: 0, data_dir: emptyFolder(), ...(inspect !== undefined && { inspect }) };
  const daemon = await openDaemon(await readConfig({ flags, environment: {} }), { write: () => undefined });
  open.add(daemon);
  return daemon;
}

const isServed = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

test("IS1: is served from the start where that was asked for, and gone with the daemon", async () => {
  const daemon = await opened("0");
  const url = daemon.inspector() ?? "";
  expect(await isServed(url)).toBe(true);
  await daemon.close(0);
  expect(await isServed(url)).toBe(false);
});

test("IS1: is turned on, moved and off while the daemon runs, one port at a time", async () => {
  const { ready, inspector } = await opened(undefined);
  expect(inspector()).toBe(null);
  const put = async (body: object): Promise<string | null> => {
    const answer = await ask(ready, "/api/inspector", { method: "PUT", body });
    expect(answer.status).toBe(200);
    return answer.body["url"] as string | null;
  };
  const first = (await put({ enabled: true, port: 0 })) ?? "";
  expect(await isServed(first)).toBe(true);
  // Asked for what is so already, it stays as it is.
  expect(await put({ enabled: true, port: 0 })).toBe(first);
  const port = Number(new URL(first).port);
  expect(await put({ enabled: false })).toBe(null);
  expect(await isServed(first)).toBe(false);
  expect(new URL((await put({ enabled: true, port })) ?? "").port).toBe(String(port));
});

test("IS1: two who turn it on at once get the same one", async () => {
  const { ready } = await opened(undefined);
  const on = () => ask(ready, "/api/inspector", { method: "PUT", body: { enabled: true, port: 0 } });
  const answers = await Promise.all([on(), on()]);
  const { body } = await ask(ready, "/api/inspector");
  expect(await isServed(String(body["url"]))).toBe(true);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
});
