// Goal: the value of a secret leaves a handler on no way at all, and a token of the daemon shows up nowhere.
// Method: a whole daemon over a project whose handlers give their secrets away wherever they can; everything that comes
// out of it is collected: answers of every route, streams, sockets, the inspector, the log, the files. Then all is
// searched for every form of the values, and for the marks that must stand in their place.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { paths, placeOf } from "../../src/gateway/contract-paths.ts";
import { createToken } from "../../src/gateway/tokens.ts";
import { readConfig } from "../../src/daemon/config.ts";
import { type Daemon, openDaemon } from "../../src/daemon/daemon.ts";

const project = fileURLToPath(new URL("./leaks/troupe.yaml", import.meta.url));
const payToken = 'sk-live-"quoted"/PLANTED+1';
const hookKey = [
  "-----BEGIN KEY-----",
  "PLANTEDPLANTEDPLANTED0001",
  "PLANTEDPLANTEDPLANTED0002",
  "-----END KEY-----",
].join("\n");
const planted = [
  "PLANTED",
  "quoted",
  encodeURIComponent(payToken),
  Buffer.from(payToken).toString("base64").replace(/=+$/, ""),
];

let folder: string;
let daemon: Daemon;
let log = "";
let token = "";
/** What came out, by where. */
const outputs = new Map<string, string>();

const headers = (): Record<string, string> => ({
  authorization: `Bearer ${token}`,
  "content-type": "application/json",
});
const url = (path: string): string => `${daemon.ready.http}${path}`;
async function ask(method: string, path: string, body?: unknown): Promise<string> {
  const answer = await fetch(url(path), {
    method,
    headers: headers(),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  outputs.set(`${method} ${path}`, `${text}${JSON.stringify([...answer.headers])}`);
  return text;
}

/** Everything of a stream up to a word. */
async function streamed(path: string, until: (text: string) => boolean, begun: () => void): Promise<string> {
  const ends = new AbortController();
  const answer = await fetch(url(path), { headers: headers(), signal: ends.signal });
  let text = "";
  const decoder = new TextDecoder();
  begun();
  for await (const piece of answer.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    if (until(text)) break;
  }
  ends.abort();
  return text;
}

/** All frames of a socket until the agent is done. */
function conversed(address: string, frame: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    const frames: string[] = [];
    socket.on("error", reject);
    socket.on("open", () => socket.send(JSON.stringify(frame)));
    socket.on("message", (data: Buffer) => {
      frames.push(data.toString());
      if (!frames.at(-1)?.includes('"agent_completed"')) return;
      socket.close();
      resolve(frames.join("\n"));
    });
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "troupe-secrets-"));
  const file = join(folder, "tokens.json");
  token = createToken(file, { name: "all", scope: "admin", expiresAt: null, now: Date.now() }).secret;
  const flags = { config: project, port: 0, data_dir: join(folder, "data"), token_file: file, log_level: "trace" };
  const config = await readConfig({ flags: { ...flags, inspect: 0 }, environment: {} });
  const environment = { PAY_TOKEN: payToken, HOOK_KEY: hookKey, ID_KEY: "PLANTED-like-an-id" };
  daemon = await openDaemon(config, { write: (text) => (log += text), environment });
});

afterAll(async () => {
  await daemon.close(0);
  rmSync(folder, { recursive: true });
});

describe("a daemon whose handlers tell everything", () => {
  test("is used in every way there is", async () => {
    const inspector = new WebSocket(
      `${daemon.inspector()?.replace(/^http/, "ws").replace(/\/$/, "")}/feed?access_token=${token}`,
    );
    let seen = "";
    inspector.on("message", (data: Buffer) => (seen += data.toString()));
    await new Promise((resolve, reject) => {
      inspector.on("open", resolve);
      inspector.on("error", reject);
    });
    const heard: string[] = [];
    daemon.troupe().subscribe(
      (committed) => heard.push(JSON.stringify(committed)),
      (news) => heard.push(JSON.stringify(news)),
    );
    let stream = Promise.resolve("");
    await new Promise<void>((begun, failed) => {
      const isOver = (text: string): boolean => text.split("AgentExecutionSuccess").length > 2;
      const query = `progress=true&access_token=${token}`;
      stream = streamed(
        `/api/events/stream?${query}`,
        (text) => isOver(text) || text.includes("WorkflowExecutionFailed"),
        begun,
      );
      stream.catch(failed);
    });
    const runs = [
      await ask("POST", "/api/workflows/spilling/execute", { input: {} }),
      await ask("POST", "/api/agents/teller/execute", { input: { user_request: "tell" } }),
      await ask("POST", "/api/tools/spill/execute", { input: { way: "cause" } }),
      await ask("POST", "/api/tools/spill/execute", { input: { way: "throw" } }),
    ];
    const frame = { id: "1", type: "start_agent", user_request: "tell", agent_id: "teller", data: { stream: true } };
    outputs.set("socket", await conversed(`${daemon.ready.ws}?session_id=s&access_token=${token}`, frame));
    outputs.set("stream", await stream);
    outputs.set("subscribers", heard.join("\n"));
    const ids = runs.map((text) => /"exec_id":"([0-9a-f-]{36})"/.exec(text)?.[1] ?? "");
    expect(ids.filter((id) => id !== "")).toHaveLength(4);
    const definitions: Record<string, string> = {
      workflows: "spilling",
      agents: "teller",
      tools: "spill",
      tasks: "spilling.give",
    };
    for (const line of Object.values(paths)) {
      const { method, path } = placeOf(line);
      if (method !== "GET" || path.includes("stream")) continue;
      const entities = path.includes(":entities") ? ["workflows", "agents", "tools", "tasks", "any"] : [""];
      for (const entity of entities) {
        for (const exec of path.includes(":exec_id") ? ids : [""]) {
          const filled = path
            .replace(":entities", entity)
            .replace(":exec_id", exec)
            .replace(":id", definitions[entity] ?? "spilling")
            .replace(/:[a-z_]+/, "x");
          await ask("GET", filled);
        }
      }
    }
    await ask("GET", "/api/any/executions?limit=200&text=told");
    await ask("POST", "/api/reload");
    await ask("GET", `/api/read?access_token=${token}`);
    await new Promise((done) => inspector.on("close", done).close());
    outputs.set("inspector", seen);
    await daemon.close(1_000);
    outputs.set("log", log);
    for (const name of readdirSync(join(folder, "data"))) {
      outputs.set(`file ${name}`, readFileSync(join(folder, "data", name)).toString("latin1"));
    }
  }, 60_000);

  test("and no output holds a value in any form, or a token", () => {
    const found = [...outputs].flatMap(([where, text]) =>
      [...planted, token, token.slice("troupe_".length)]
        .filter((word) => text.includes(word))
        .map((word) => `${where}: ${word}`),
    );
    expect(found).toEqual([]);
  });

  test("although every way was taken: the mark stands where the values stood", () => {
    const marked = [...outputs].filter(([, text]) => text.includes("[secret]")).map(([where]) => where);
    for (const where of ["socket", "stream", "subscribers", "log", "file troupe.db"]) expect(marked).toContain(where);
    for (const route of ["/history", "/journal", "/export", "/logs"]) {
      expect(
        marked.filter((where) => where.includes(route)),
        route,
      ).not.toEqual([]);
    }
    expect(outputs.get("inspector")?.length).toBeGreaterThan(100);
    expect(outputs.get("socket")).toContain("the token is [secret] and so on".slice(0, 13));
    expect(existsSync(project)).toBe(true);
  });
});
