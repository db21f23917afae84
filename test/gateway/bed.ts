// A gateway before a real troupe, asked without a port: through the typed client, or as a browser or a stranger would.

import { createHmac } from "node:crypto";
import type { InjectOptions } from "fastify";
import type { z } from "zod";
import { connect, type CallOptions, type Client, type Given } from "../../src/gateway/client.ts";
import { type Operation, type Route, routes } from "../../src/gateway/contract.ts";
import type { DaemonDoor, LogLine } from "../../src/gateway/door.ts";
import { openGateway, type Gateway, type GatewayOptions } from "../../src/gateway/gateway.ts";
import type { Definitions, Options, Troupe } from "../../src/runtime/troupe.ts";
import { troupe } from "../../src/runtime/troupe.ts";
import { openMemory } from "../../src/store/memory.ts";

const hookSecret = "swordfish";
export const sign = (body: string): string => `sha256=${createHmac("sha256", hookSecret).update(body).digest("hex")}`;

/** A workflow of each sort: one that ends at once, one that waits, one that asks, one that fails, one by the clock. */
const definitions: Definitions = {
  workflows: [
    {
      id: "hello",
      description: "Greets somebody.",
      input: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
      tasks: [{ id: "greet", type: "tool", tool: "greet", with: { name: "${{ input.name }}" } }],
      triggers: [
        { type: "schedule", cron: "0 3 1 1 *", with: { name: "new year" } },
        { type: "webhook", path: "hello", with: "${{ body }}" },
        {
          type: "webhook",
          path: "signed",
          with: "${{ body }}",
          dedupe: "${{ body.name }}",
          verify: { type: "hmac-sha256", header: "X-Signature", secret: "HOOK_SECRET" },
        },
      ],
    },
    {
      id: "waits",
      tasks: [
        { id: "hear", type: "wait", wait: { signal: "go" }, timeout: "1h", next: "ask" },
        { id: "ask", type: "wait", wait: { approval: "may it?" }, timeout: "1h" },
      ],
    },
    { id: "fails", tasks: [{ id: "break", type: "tool", tool: "break", retry: { max_attempts: 1 } }] },
    {
      id: "slow",
      tasks: [{ id: "sit", type: "agent", agent: "sitter", timeout: "1h" }],
    },
  ] as unknown as NonNullable<Definitions["workflows"]>,
  agents: [
    { id: "clerk", description: "Answers.", handler: async () => ({ text: "done" }) },
    {
      id: "sitter",
      timeout: "1h",
      handler: (_input: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("it was told to stop")));
        }),
    },
  ] as unknown as NonNullable<Definitions["agents"]>,
  tools: [
    { id: "greet", handler: async (input: unknown) => ({ text: `hello ${String(Object(input).name)}` }) },
    {
      id: "break",
      handler: async () => {
        throw new Error("it is broken");
      },
    },
  ] as unknown as NonNullable<Definitions["tools"]>,
};

const line: LogLine = {
  message_id: "line-1",
  log_level: "warn",
  message: "something was late",
  timestamp: new Date(0).toISOString(),
  exec_id: null,
  trace_id: null,
  context: { workflow: "hello" },
};

/** A process as the daemon's would be, in the least that it can say. */
export function openDoor(): DaemonDoor {
  let level = "info";
  let enabled = false;
  const status = () => ({ enabled, port: enabled ? 8080 : null, url: enabled ? "http://127.0.0.1:8080" : null });
  return {
    ready: () => ({ ready: true, reasons: [] }),
    health: () => ({ status: "ok", uptime_ms: 5, event_loop_lag_ms: 0.1 }),
    metrics: async () => ({ contentType: "text/plain; version=0.0.4", text: "troupe_up 1\n" }),
    config: () => [{ key: "port", value: 7420, origin: "default", default: 7420, about: "where it listens" }],
    logLevel: () => level,
    setLogLevel: (to) => void (level = to),
    logs: () => ({ items: [line], nextCursor: null }),
    log: (id) => (id === line.message_id ? line : undefined),
    inspector: {
      status,
      set: async (to) => {
        ({ enabled } = to);
        return status();
      },
    },
  };
}

export type Bed = {
  t: Troupe;
  gateway: Gateway;
  client: Client;
  /** Asks, and holds the answer against the contract. */
  ask: <K extends Operation>(name: K, given?: Given<K>, options?: CallOptions) => Promise<Answered>;
  /** A request as it comes. */
  raw: (
    request: InjectOptions,
  ) => Promise<{ status: number; headers: Record<string, unknown>; body: string; json: Json }>;
  stop: () => Promise<void>;
};
type Json = Record<string, unknown>;
export type Answered = { status: number; headers: Headers; body: Json };

/** By all beds of a file. */
export const everAnswered = new Set<Operation>();

const beds = new Set<Bed>();
export const stopAll = async (): Promise<void> => {
  for (const bed of beds) await bed.stop();
};

/** The client's way into a server without a port. */
function fetchOf({ app }: Pick<Gateway, "app">, heard: (response: Response) => void): typeof fetch {
  return async (url, init = {}) => {
    const { method = "GET", headers = {}, body } = init;
    const response = await app.inject({
      method: method as "GET",
      url: url as string,
      headers: headers as Record<string, string>,
      ...(typeof body === "string" && { payload: body }),
    });
    const { statusCode: status, rawPayload, headers: given } = response;
    const said = new Response(status === 204 ? null : new Uint8Array(rawPayload), {
      status,
      headers: Object.entries(given).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    });
    heard(said);
    return said;
  };
}

export async function openBed(given: Partial<Options> & { gateway?: Partial<GatewayOptions> } = {}): Promise<Bed> {
  const { gateway: settings, ...options } = given;
  const environment = { HOOK_SECRET: hookSecret };
  const t = await troupe({ store: openMemory(), environment, ...definitions, ...options });
  const gateway = await openGateway({ troupe: t, daemon: openDoor(), ...settings });
  let last: Response | undefined;
  const client = connect({ url: "", fetch: fetchOf(gateway, (response) => (last = response)) });
  const bed: Bed = {
    t,
    gateway,
    client,
    async ask(name, fields, options = {}) {
      const call = client[name] as (given: unknown, options: CallOptions) => Promise<unknown>;
      const body = (await call(fields ?? {}, options)) as Json;
      const { status = 0, headers = new Headers() } = last ?? {};
      const schema = (routes[name] as Route).answers[status as 200] as z.ZodType | undefined;
      if (!schema) throw new Error(`${name} answered ${status}, which is not in the contract`);
      schema.parse(body);
      everAnswered.add(name);
      return { status, headers, body };
    },
    async raw(request) {
      const response = await gateway.app.inject(request);
      const { statusCode: status, headers, body } = response;
      const isJson = body !== "" && String(headers["content-type"] ?? "").includes("json");
      return { status, headers: { ...headers }, body, json: isJson ? (JSON.parse(body) as Json) : {} };
    },
    async stop() {
      beds.delete(bed);
      await gateway.close(100);
      await t.stop({ graceMs: 0 });
    },
  };
  beds.add(bed);
  return bed;
}

/** Looks again and again until it is so; a hang is cut by the test's own limit. */
export async function until<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
