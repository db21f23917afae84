// Goal: what examples/runtimes/README.md tells a reader to type does what it says: a daemon with a server of its own,
// an agent in Python and a tool in C beside it, and a workflow that both of them serve.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { ask, emptyFolder, up } from "../kit/daemon.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";
import { type Language, until, withRuntimes } from "./bed.ts";

const begun: (() => void)[] = [];
afterEach(async () => {
  for (const end of begun.splice(0)) end();
  await endAll();
});

/** A program beside the daemon of a folder, as the README says it. */
function beside(folder: string, ...command: string[]): { said: () => string } {
  const child = spawn(join(root, "examples/runtimes/beside"), command, {
    cwd: folder,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  begun.push(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => void (said += piece));
  child.stderr.setEncoding("utf8").on("data", (piece: string) => void (said += piece));
  return { said: () => said };
}

const needed: Language[] = ["python", "c"];
withRuntimes("an agent in Python and a tool in C work for a daemon with a server of its own", needed, async () => {
  const folder = emptyFolder("shop");
  const project = join(root, "examples/runtimes/shop/troupe.yaml");
  const daemon = up(["--config", project, "--transport", "nats"], { cwd: folder });
  const ready = await daemon.ready;
  const clerk = beside(folder, "python3", join(root, "examples/runtimes/python/clerk.py"));
  const look = beside(folder, join(root, "examples/runtimes/c/build/look"));
  await until(() => expect(clerk.said()).toContain("registered"));
  await until(() => expect(look.said()).toContain("serving"));
  const input = { method: "POST", body: { input: { order: "A7" } } };
  const { status, text } = await ask(ready, "/api/workflows/order/execute?wait_ms=30000", input);
  expect({ status, text }, clerk.said() + look.said()).toMatchObject({ status: 200 });
  expect(text).toContain("A7 was sent.");
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toMatchObject({ code: 0 });
});

withRuntimes("beside says what is missing where no daemon is up", [], async () => {
  const { said } = beside(emptyFolder("nobody"), "true");
  await until(() => expect(said()).toContain("no daemon is up here"));
});
