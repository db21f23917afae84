// Goal: the client puts every field where it belongs, gives errors as what they were, and follows streams across a
// break. Method: a real gateway on a port, a server that plays a stranger, and a port where nobody listens.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/gateway/client.ts";
import { errorRow } from "../../src/protocol/errors.ts";
import { openBed, stopAll } from "./bed.ts";

const servers: Server[] = [];
afterEach(async () => {
  await stopAll();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

async function played(answer: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(answer as never);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a request", () => {
  test("has its fields in the path, the query and the body, and its options in headers", async () => {
    const seen: { method?: string | undefined; url?: string | undefined; headers: object; body: string }[] = [];
    const url = await played((request, response) => {
      let body = "";
      request.on("data", (part) => (body += String(part)));
      request.on("end", () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        response.setHeader("content-type", "application/json").end("{}");
      });
    });
    const client = connect({ url: `${url}/`, token: "secret" });
    await client.executeWorkflow(
      { id: "a b", wait_ms: 5, input: { x: 1 } },
      { idempotencyKey: "k", correlationId: "01990000-0000-7000-8000-000000000000" },
    );
    await client.listExecutions({ entities: "workflows", status: ["FAILED", "CANCELED"], limit: 3 });
    await client.getExecution({ exec_id: "e" });
    await client.putDefinition({ entities: "agents", id: "x", body: { id: "x" } });
    expect(seen).toMatchObject([
      { method: "POST", url: "/api/workflows/a%20b/execute?wait_ms=5", body: '{"input":{"x":1}}' },
      { method: "GET", url: "/api/workflows/executions?status=FAILED&status=CANCELED&limit=3", body: "" },
      { method: "GET", url: "/api/any/executions/e" },
      { method: "PUT", url: "/api/agents/x/definition", body: '{"id":"x"}' },
    ]);
    expect(seen[0]?.headers).toMatchObject({
      authorization: "Bearer secret",
      "idempotency-key": "k",
      "x-correlation-id": "01990000-0000-7000-8000-000000000000",
    });
  });
});

describe("an error", () => {
  test("is thrown with the code, the details and the next step of the problem", async () => {
    const { client } = await openBed();
    await expect(client.getChart({ id: "hallo" })).rejects.toMatchObject({
      name: "TroupeError",
      code: "WORKFLOW_NOT_FOUND",
      message: "there is no workflow 'hallo'; did you mean 'hello'?",
      details: { fix: expect.stringContaining("troupe"), correlation_id: expect.any(String) },
    });
  });

  test("of a port where nobody listens exits with 3 and says where that is", async () => {
    const url = await played(() => undefined);
    await new Promise((closed) => servers.pop()?.close(closed));
    const error: unknown = await connect({ url })
      .root()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "DAEMON_UNREACHABLE", message: expect.stringContaining(url) });
    expect(errorRow("DAEMON_UNREACHABLE").exit).toBe(3);
  });

  test("of somebody else is said as it came", async () => {
    const url = await played((_request, response) => void response.writeHead(502).end("<h1>Bad Gateway</h1>"));
    await expect(connect({ url }).root()).rejects.toMatchObject({ code: "INTERNAL_ERROR", details: { status: 502 } });
  });

  test("of a code that this release does not know keeps it", async () => {
    const problem = JSON.stringify({ code: "FROM_TOMORROW", detail: "it is so", details: {} });
    const url = await played((_request, response) => void response.writeHead(400).end(problem));
    await expect(connect({ url }).root()).rejects.toMatchObject({ details: { code: "FROM_TOMORROW" } });
  });
});

describe("a stream", () => {
  test("gives what was said, with the numbers to go on from", async () => {
    const bed = await openBed();
    const url = await bed.gateway.listen({ host: "127.0.0.1", port: 0 });
    const client = connect({ url });
    const { exec_id } = await client.executeWorkflow({ id: "hello", input: { name: "ada" } });
    const heard: string[] = [];
    for await (const { event, id, data } of client.streamExecution({ exec_id })) {
      expect(id).toMatch(/^\d+$/);
      expect(data).toHaveProperty("metadata");
      heard.push(event);
      if (event === "WorkflowExecutionSuccess") break;
    }
    expect(heard[0]).toBe("WorkflowExecute");
    const journal = await client.getJournal({ exec_id });
    expect(heard).toHaveLength(journal.items.length);
  });

  test("that breaks off is taken up behind the last event, split wherever the bytes were", async () => {
    const asked: (string | undefined)[] = [];
    const url = await played((request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      response.writeHead(200, { "content-type": "text/event-stream" });
      const parts =
        asked.length === 1
          ? [": alive\n\nid: 4\nevent: A\nda", 'ta: {"n":"ä"}\n\nid: 5\nev']
          : ["id: 5\nevent: B\ndata: {}\n\n"];
      response.write(parts[0]);
      setImmediate(() => (parts[1] === undefined ? undefined : response.end(parts[1])));
    });
    const heard: unknown[] = [];
    for await (const event of connect({ url }).streamEvents()) {
      heard.push(event);
      if (event.event === "B") break;
    }
    expect(heard).toEqual([
      { id: "4", event: "A", data: { n: "ä" } },
      { id: "5", event: "B", data: {} },
    ]);
    expect(asked).toEqual([undefined, "4"]);
  });

  test("that is refused is not asked for again", async () => {
    const { client } = await openBed();
    const ask = async (): Promise<void> => {
      for await (const event of client.streamExecution({ exec_id: "01990000-0000-7000-8000-000000000000" })) void event;
    };
    await expect(ask()).rejects.toMatchObject({ code: "EXECUTION_NOT_FOUND" });
  });

  test("ends when whoever follows it breaks off from outside", async () => {
    const bed = await openBed();
    const url = await bed.gateway.listen({ host: "127.0.0.1", port: 0 });
    const leaving = new AbortController();
    const heard: string[] = [];
    const following = (async () => {
      for await (const { event } of connect({ url }).streamEvents({}, { signal: leaving.signal })) {
        heard.push(event);
        leaving.abort();
      }
    })();
    while (heard.length === 0) {
      await bed.client.executeTool({ id: "greet", input: {} });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await following;
    expect(heard.length).toBeGreaterThan(0);
  });
});
