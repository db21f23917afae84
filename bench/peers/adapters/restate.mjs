// Adapter of Restate: its server beside this process, which serves the handlers and calls them over HTTP.

import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import * as restate from "@restatedev/restate-sdk";
import * as clients from "@restatedev/restate-sdk-clients";

const echo = async (n) => ({ n });
const service = restate.service({
  name: "bench",
  handlers: {
    W1: (context, n) => context.run("a", () => echo(n)),
    W3: async (context, n) => {
      const a = await context.run("a", () => echo(n));
      const b = await context.run("b", () => echo(a.n));
      return context.run("c", () => echo(b.n));
    },
    FAN: async (context) => {
      const all = Array.from({ length: 100 }, (_, n) => context.run(`s${n}`, () => echo(n)));
      return { n: (await restate.RestatePromise.all(all)).length };
    },
  },
});
const host = "127.0.0.1";
const ports = { ingress: 28080, admin: 29070, node: 25122, handlers: 29080 };
let server;
let client;

async function eventually(act) {
  for (let left = 400; ; left--) {
    try {
      return await act();
    } catch (error) {
      if (left === 0) throw error;
      await after(30);
    }
  }
}

export const adapter = {
  fsync: "yes: RocksDB log, default configuration",
  note: "a server of its own; callers reach it over HTTP",
  async start(folder) {
    const own = createRequire(join(process.cwd(), "package.json"));
    const binary = join(
      dirname(own.resolve("@restatedev/restate-server-linux-x64/package.json")),
      "bin/restate-server",
    );
    const env = {
      ...process.env,
      RESTATE_INGRESS__BIND_ADDRESS: `${host}:${ports.ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `${host}:${ports.admin}`,
      RESTATE_BIND_ADDRESS: `${host}:${ports.node}`,
      RESTATE_ADVERTISED_ADDRESS: `http://${host}:${ports.node}`,
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_DISABLE_TELEMETRY: "true",
      RUST_LOG: "warn",
    };
    const log = openSync(join(folder, "server.log"), "w");
    const args = ["--base-dir", join(folder, "data"), "--no-logo", "--bind-ip", host];
    server = spawn(binary, args, { env, stdio: ["ignore", log, log] });
    await restate.serve({ services: [service], port: ports.handlers });
    await eventually(async () => {
      const answer = await fetch(`http://${host}:${ports.admin}/deployments`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ uri: `http://${host}:${ports.handlers}`, force: true }),
      });
      if (!answer.ok) throw new Error(await answer.text());
    });
    client = clients.connect({ url: `http://${host}:${ports.ingress}` }).serviceClient({ name: "bench" });
    await eventually(() => client.W1(0));
  },
  run: (kind, n) => client[kind](n),
  stop: () => void server.kill("SIGTERM"),
};
