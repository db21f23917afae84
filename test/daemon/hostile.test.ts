// Goal: no agent and no crash can keep a daemon from coming up again, and none ends what is of others.
// Method: real processes with agents that misbehave, and a daemon that is killed while its NATS server runs.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { ask, emptyFolder, type Ready, up } from "../kit/daemon.ts";
import { endAll } from "../kit/process.ts";
import { root } from "../kit/tree.ts";

const config = ["--config", join(root, "test/fixtures/daemon/troupe.yaml")];
const withData = (folder: string): string[] => [...config, "--data-dir", folder];

afterEach(endAll);

test("a promise that an agent forgot is said, and stops nobody", async () => {
  const folder = emptyFolder();
  writeFileSync(
    join(folder, "troupe.yaml"),
    'version: 1\nname: x\nagents: [{ id: a, kind: module, module: "./a.ts#run" }]\n',
  );
  const code = 'export const run = () => { void Promise.reject(new Error("forgotten")); return { done: 1 }; };\n';
  writeFileSync(join(folder, "a.ts"), code);
  const daemon = up(["--config", join(folder, "troupe.yaml"), "--data-dir", join(folder, "data")]);
  const ready = await daemon.ready;
  const run = { method: "POST", body: { input: {} } };
  expect((await ask(ready, "/api/agents/a/execute", run)).status).toBe(200);
  await daemon.logged('"reason":"forgotten"');
  expect((await ask(ready, "/api/health")).status).toBe(200);
});

test("an agent that wants to end the process fails, and does not end every next start too", async () => {
  const folder = emptyFolder();
  const agents = "agents: [{ id: a, kind: module, module: './a.ts#run' }]";
  writeFileSync(join(folder, "troupe.yaml"), `version: 1\nname: x\n${agents}\n`);
  writeFileSync(join(folder, "a.ts"), "export const run = (): never => process.exit(0);\n");
  const daemon = up(["--config", join(folder, "troupe.yaml"), "--data-dir", join(folder, "data")]);
  const ready = await daemon.ready;
  const { status, body } = await ask(ready, "/api/agents/a/execute", { method: "POST", body: { input: {} } });
  expect({ status, says: body["detail"] }).toMatchObject({
    status: 502,
    says: expect.stringContaining("process.exit() is not for agents and tools") as string,
  });
  daemon.child.kill("SIGTERM");
  expect(await daemon.ended).toMatchObject({ code: 0 });
});

test("an error in a timer of an agent fails that call, and stops nobody; one of no call ends it", async () => {
  const folder = emptyFolder();
  const agents = "agents: [{ id: a, kind: module, module: './a.ts#run' }]";
  writeFileSync(join(folder, "troupe.yaml"), `version: 1\nname: x\n${agents}\n`);
  const code = [
    "process.on('SIGUSR2', () => { throw new Error('of nobody'); });",
    "export const run = (_input, { step }) => new Promise(() => {",
    "  step('asked of the engine');",
    "  setTimeout(() => { throw new Error('too late'); }, 5);",
    "});",
  ];
  writeFileSync(join(folder, "a.ts"), code.join("\n"));
  const daemon = up(["--config", join(folder, "troupe.yaml"), "--data-dir", join(folder, "data")]);
  const ready = await daemon.ready;
  const { status, body } = await ask(ready, "/api/agents/a/execute", { method: "POST", body: { input: {} } });
  expect({ status, code: body["code"], says: body["detail"] }).toEqual({
    status: 502,
    code: "AGENT_ERROR",
    says: "too late",
  });
  expect((await ask(ready, "/api/health")).status).toBe(200);
  expect(daemon.said().stderr).toContain("an agent or tool threw where nobody could catch it");
  daemon.child.kill("SIGUSR2");
  expect(await daemon.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("of nobody") as string });
});

test("a killed daemon's NATS server is ended by the next; a second daemon leaves the first's alone", async () => {
  const nats = ["--transport", "nats"];
  const data = emptyFolder();
  const first = up([...withData(data), ...nats]);
  const { http, nats: at } = (await first.ready) as Ready & { nats: { url: string } };
  const key = readFileSync(join(data, "nats/runtime.nk"), "utf8");
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(key.trim()));
  const left = { servers: at.url, authenticator, reconnect: false };
  const { code, stderr } = await up([...withData(data), ...nats]).ended;
  expect({ code, isTold: stderr.includes(`in use by process ${first.child.pid}`) }).toEqual({ code: 1, isTold: true });
  expect(readFileSync(join(data, "nats/runtime.nk"), "utf8")).toBe(key);
  expect((await fetch(`${http}/api/ready`)).status).toBe(200);
  await endAll();
  // Nobody ends it with a process that is killed.
  await (await connect(left)).close();
  const third = up([...withData(data), ...nats]);
  await third.ready;
  await expect(connect(left)).rejects.toThrow();
  expect(third.said().stderr).toContain("left running by a killed process");
  third.child.kill("SIGTERM");
  expect(await third.ended).toMatchObject({ code: 0 });
});
