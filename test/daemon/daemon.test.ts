// Goal: a daemon is ready when it can be used and not before, leaves nothing behind that it could not open, and mends
// what breaks in it.
// Method: daemons in this process, whose store loses its thread from outside, and whose ports are taken.

import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon, reasonsOf } from "../../src/daemon/daemon.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { ask, emptyFolder } from "../kit/daemon.ts";
import { root } from "../kit/tree.ts";

const open = new Set<Daemon>();
afterEach(async () => {
  for (const daemon of open) await daemon.close(0);
  open.clear();
});

async function opened(flags: Record<string, unknown> = {}, hear: (line: string) => void = () => undefined) {
  const config = join(root, "test/fixtures/daemon/troupe.yaml");
  const given = { config, port: 0, data_dir: emptyFolder(), grace: "0s", ...flags };
  const daemon = await openDaemon(await readConfig({ flags: given, environment: {} }), { write: hear });
  open.add(daemon);
  return { ...daemon, data: String(given.data_dir) };
}

const run = { method: "POST", body: { input: { name: "Ada" } } };

describe("a daemon", () => {
  test("DM1: is ready when it is asked first, and answers", async () => {
    const { ready } = await opened();
    expect(await ask(ready, "/api/ready")).toMatchObject({ status: 200, body: { status: "ready", reasons: [] } });
    expect((await ask(ready, "/api/workflows/quick/execute", run)).status).toBe(200);
  });

  test("DM1: is not ready once it stops, also for who is connected", async () => {
    const { ready, close, troupe } = await opened({ grace: "60s" });
    await ask(ready, "/api/workflows/slowly/execute-async", { method: "POST", body: { input: {} } });
    const here = troupe();
    const closed = close(0);
    await expect(ask(ready, "/api/workflows/quick/execute", run)).rejects.toThrow();
    await closed;
    expect(() => here.start("quick")).toThrow("the troupe is stopping");
  });

  test("DM1: is not ready while it recovers, stops, cannot write, or is opened anew, and says which", () => {
    const well = { trouble: () => null };
    const full = { trouble: () => new TroupeError("STORE_UNAVAILABLE", "the disk is full") };
    expect(reasonsOf({ phase: "open", troupe: well })).toEqual([]);
    expect(reasonsOf({ phase: "starting" })).toEqual(["what was under way is recovered"]);
    expect(reasonsOf({ phase: "draining", troupe: full })).toEqual(["it is stopping", "the disk is full"]);
    expect(reasonsOf({ phase: "open" })).toEqual(["the engine is opened anew"]);
  });

  test("tells its settings with their origins, and nothing secret", async () => {
    const { ready } = await opened({ log_level: "error" });
    const { body } = await ask(ready, "/api/config");
    const items = body["items"] as { key: string; origin: string; value: unknown }[];
    expect(items.find(({ key }) => key === "log_level")).toMatchObject({ value: "error", origin: "--log-level" });
    expect(items.find(({ key }) => key === "retention")).toMatchObject({ value: "7d", origin: "default" });
    const steps = items.find(({ key }) => key === "steps_max");
    expect(steps).toMatchObject({ value: 50, origin: "limits of the project" });
  });

  test("closes once, however often it is told to, and says that it has ended", async () => {
    const { close, ended, data, ready } = await opened();
    expect(existsSync(join(data, "ready.json"))).toBe(true);
    await Promise.all([close(0), close(0)]);
    expect(await ended).toBe(null);
    expect(existsSync(join(data, "ready.json"))).toBe(false);
    await expect(ask(ready, "/api/health")).rejects.toThrow();
  });
});

describe("what cannot be opened", () => {
  test("DM2: leaves the data directory to the next, whatever it was", async () => {
    const { ready } = await opened();
    const data_dir = emptyFolder();
    const port = Number(new URL(ready.http).port);
    await expect(opened({ data_dir, port })).rejects.toThrow(`port ${port} of 127.0.0.1 is in use`);
    await expect(opened({ data_dir, inspect: port })).rejects.toThrow("choose another with --inspect");
    await expect(opened({ data_dir })).resolves.toBeDefined();
  });

  test("DM2: is refused before anything is open, if it is not safe", async () => {
    const data_dir = emptyFolder();
    await expect(opened({ data_dir, host: "0.0.0.0" })).rejects.toThrow("that needs tokens");
    expect(existsSync(join(data_dir, "troupe.db"))).toBe(false);
  });
});

describe("DM3: a writer that dies", () => {
  async function withWriters() {
    const writers: Worker[] = [];
    const note = (worker: Worker): void => void writers.push(worker);
    process.on("worker", note);
    const lines: string[] = [];
    const waiting = new Set<() => void>();
    const daemon = await opened({}, (line) => {
      lines.push(line);
      for (const look of waiting) look();
    });
    const logged = (what: string, times: number): Promise<void> =>
      new Promise((done) => {
        const look = (): void => {
          if (lines.filter((line) => line.includes(what)).length >= times) done();
        };
        waiting.add(look);
        look();
      });
    return { ...daemon, writers, logged, off: () => void process.off("worker", note) };
  }

  test("is opened anew, with the gateway at the port where it was, and runs go on", async () => {
    const { ready, writers, logged, off, troupe } = await withWriters();
    const begun = await ask(ready, "/api/workflows/later/execute-async", run);
    const before = troupe();
    await writers[0]?.terminate();
    await logged("the engine was started again", 1);
    off();
    expect(troupe()).not.toBe(before);
    const { body } = await ask(ready, `/api/workflows/executions/${String(begun.body["exec_id"])}`);
    expect(body).toMatchObject({ status: "RUNNING" });
    expect((await ask(ready, "/api/workflows/quick/execute", run)).status).toBe(200);
  });

  test("again and again ends the daemon, which says so", async () => {
    const { writers, logged, off, ended, close, data } = await withWriters();
    for (let time = 1; time <= 3; time++) {
      await writers.at(-1)?.terminate();
      await logged("the engine was started again", time);
    }
    await writers.at(-1)?.terminate();
    off();
    expect((await ended)?.message).toContain("the engine failed more than 3 times within 60000 ms");
    await close(0);
    expect(existsSync(join(data, "ready.json"))).toBe(false);
  });
});

test("a port that is taken later is no defect of what runs", async () => {
  const { ready } = await opened();
  const server = createServer();
  const taken = await new Promise<number>((done) => {
    server.listen(0, "127.0.0.1", () => done((server.address() as { port: number }).port));
  });
  const put = (body: object) => ask(ready, "/api/inspector", { method: "PUT", body });
  const refused = await put({ enabled: true, port: taken });
  expect(refused).toMatchObject({ status: 409, body: { code: "INVALID_STATE" } });
  expect((await ask(ready, "/api/inspector")).body).toMatchObject({ enabled: false });
  server.close();
});
