// Goal: outputs and inputs too large for a message arrive whole in another process, and one that cannot be had fails
// its run in time, with the reason.
//
// Method: two troupes over a real NATS server with an object store, and a plain client that reads and spoils what lies
// there. What a runtime of bad faith would say is said by that client.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { Objm, type ObjectStore } from "@nats-io/obj";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Key, Message } from "../../src/protocol/catalogue.ts";
import { encode, wrap } from "../../src/protocol/envelope.ts";
import { minter } from "../../src/protocol/ids.ts";
import { objectStoreOf } from "../../src/protocol/references.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import type { Options } from "../../src/runtime/options.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { type NatsTransport, openNats } from "../../src/transport/nats.ts";
import { natsForThisFile, silent } from "../kit/nats.ts";

const orchestration = ["orchestrator", "task-dispatcher", "task-executor", "agent-dispatcher"];
const execution = ["agent-runtime", "tool-executor"];
const { clock, signIn, directory } = natsForThisFile();
const megabyte = 1_048_576;
const textOf = (bytes: number): string => "Zoë wrote this. ".repeat(Math.ceil(bytes / 17));
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What is in use once nothing is left to collect, bytes outside the heap included. */
function bytesInUse(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

type House = { prefix: string; isOn?: boolean; handlers?: Pick<Options, "agents" | "tools"> | null };

const workflows: NonNullable<Options["workflows"]> = [
  {
    id: "w",
    tasks: [
      {
        id: "write",
        type: "agent",
        agent: "author",
        with: { bytes: "${{ input.bytes }}" },
        timeout: "20s",
        next: "read",
      },
      { id: "read", type: "tool", tool: "read", with: { text: "${{ tasks.write.output.text }}" }, timeout: "20s" },
    ],
  },
];
const handlers: Pick<Options, "agents" | "tools"> = {
  agents: [{ id: "author", handler: (input) => ({ text: textOf(Number((input as { bytes: number }).bytes)) }) }],
  tools: [{ id: "read", handler: (input) => ({ ...Object(input), isRead: true }) }],
};

const ids = minter(randomFrom(11));
const newId = (): string => ids.next(Date.now());

/** A runtime of bad faith: it takes every order, and answers what it is told to. */
async function liar(outside: NatsConnection, prefix: string, outputOf: () => Promise<object>): Promise<void> {
  const subjects = subjectCodec({ prefix, layout: "flow" });
  const own = { id: "liar", exec_id: newId() };
  const says = (word: object, correlationId: string, to?: string): void => {
    const origin = { id: newId(), at: Date.now(), correlationId, source: "AR" as const };
    const message = word as Message;
    const { subject, bytes } = encode(wrap(message, origin), message.type as Key, subjects, { to });
    outside.publish(subject, bytes);
  };
  outside.subscribe(subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: own.exec_id }), {
    callback: (_error, order) => {
      const body = order.json<{ metadata: { correlation_id: string }; agent: object; payload: Asked }>();
      const { agent, metadata, payload } = body;
      const context = { attempt: payload.context.attempt };
      const taken = { status: "ACKNOWLEDGED", result: null, context };
      says(
        { type: "result:CommandAck", agent_runtime: own, agent, payload: taken },
        metadata.correlation_id,
        order.reply,
      );
      void outputOf().then((output) => {
        const result = {
          type: "result:AgentExecutionResult",
          agent,
          payload: { status: "SUCCESS", result: { output }, context },
        };
        says(result, metadata.correlation_id, payload.reply_to_subject);
      });
    },
  });
  await outside.flush();
  const capabilities = {
    agents: ["author"],
    supported_providers: [],
    supported_models: [],
    max_concurrent_executions: 9,
  };
  const payload = { status: "REGISTERED", result: null, context: { heartbeat_ms: 60_000, lease_ms: 120_000 } };
  says({ type: "event:AgentRuntimeRegistered", agent_runtime: { ...own, capabilities }, payload }, own.exec_id);
}
type Asked = { context: { attempt: number }; reply_to_subject: string };

async function house({ prefix, isOn = true, handlers: own = handlers }: House) {
  const open = async (options: Options): Promise<Troupe> => {
    const objects = { name: objectStoreOf(prefix), retentionMs: 600_000, storeBytes: 256 * megabyte };
    const transport: NatsTransport = await openNats({
      server: signIn(),
      clock,
      prefix,
      report: silent,
      ...(isOn && { objects }),
    });
    closing.push(() => transport.close());
    // What has ended is on the disk, and not in memory.
    const folder = join(directory(), `${prefix}-${options.roles?.[0]}`);
    const limits = { awakeMax: 1, idleBeforeSleepMs: 0 };
    const opened = await troupe({ ...options, store: { directory: folder }, limits, prefix, transport });
    closing.push(() => opened.stop());
    await transport.settled();
    return opened;
  };
  const outside: NatsConnection = await connect(signIn());
  closing.push(() => outside.close());
  const here = await open({ workflows, roles: orchestration });
  if (own) {
    await open({ roles: execution, ...own });
    await vi.waitFor(() => expect(here.runtimes()).toHaveLength(1), { timeout: 20_000 });
  }
  const store = isOn ? await new Objm(outside).open(objectStoreOf(prefix)) : undefined;
  return { here, outside, store };
}

/** A house whose one runtime answers what it is told to; gives how a run of it ends. */
async function endedWith(prefix: string, outputOf: (store: ObjectStore | undefined) => Promise<object>, isOn = true) {
  const { here, outside, store } = await house({ prefix, isOn, handlers: null });
  await liar(outside, prefix, () => outputOf(store));
  await vi.waitFor(() => expect(here.runtimes()).toHaveLength(1), { timeout: 20_000 });
  const { execId, result } = here.start("w", { bytes: 1 });
  const { status } = await result();
  const { message, details } = await errorOf(here, execId);
  return { status, message, cause: details["cause_code"] };
}
/** Of the task that failed the run. */
async function errorOf(
  here: Troupe,
  execId: string,
): Promise<{ code: string; message: string; details: Record<string, unknown> }> {
  const lines = await here.history(execId);
  const failed = lines.find(({ type }) => type === "event:TaskExecutionFailed")?.envelope["payload"];
  return (failed as { result: { error: Awaited<ReturnType<typeof errorOf>> } }).result.error;
}
const referenceTo = (prefix: string, hash: string, size: number): object => ({
  $ref: `${objectStoreOf(prefix)}/${hash}`,
  size,
});
const written = new TextEncoder().encode(JSON.stringify({ text: textOf(2 * megabyte) }));
const hash = createHash("sha256").update(written).digest("hex");

describe("what is too large for a message", () => {
  test("arrives whole: five megabytes of an agent elsewhere, on to a tool elsewhere, and out", async () => {
    const { here, outside, store } = await house({ prefix: "whole" });
    let largest = 0;
    outside.subscribe("whole.>", { callback: (_error, { data }) => void (largest = Math.max(largest, data.length)) });
    await outside.flush();
    const ended = await here.start("w", { bytes: 5 * megabyte }).result();
    const text = textOf(5 * megabyte);
    expect(ended).toMatchObject({ status: "SUCCESS", output: { isRead: true } });
    expect((ended.output as { text: string }).text === text).toBe(true);
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(10_000);
    // The same content is there once, under the hash that a reader can check.
    const objects = (await store?.list()) ?? [];
    const bytes = new TextEncoder().encode(JSON.stringify({ text }));
    const output = createHash("sha256").update(bytes).digest("hex");
    expect(objects.filter(({ name }) => name === output)).toHaveLength(1);
  }, 60_000);
});

test("many large outputs at once arrive, each where it belongs, and none of them stays in memory", async () => {
  const { here } = await house({ prefix: "many" });
  const run = async (n: number): Promise<void> => {
    const size = megabyte + n * 1_000;
    const { execId, result } = here.start("w", { bytes: size });
    const { output } = await result();
    expect((output as { text: string }).text.length).toBe(textOf(size).length);
    // In the order in which they were said, though the large ones come by another way.
    const ends = (await here.history(execId)).flatMap(({ type, disposition }) =>
      /^event:(?:Task|Workflow)Execution(?:Started|Success)$/.test(type) ? [`${type.slice(6)} ${disposition}`] : [],
    );
    const task = ["TaskExecutionStarted applied", "TaskExecutionSuccess applied"];
    expect(ends).toEqual(["WorkflowExecutionStarted applied", ...task, ...task, "WorkflowExecutionSuccess applied"]);
  };
  await Promise.all(Array.from({ length: 4 }, (_, n) => run(n)));
  const before = bytesInUse();
  for (let round = 0; round < 2; round++) await Promise.all(Array.from({ length: 5 }, (_, n) => run(n)));
  // Ten runs of more than a megabyte each, in several copies, have come and gone.
  expect(bytesInUse() - before).toBeLessThan(10 * megabyte);
}, 120_000);

describe("an output that cannot be had", () => {
  test("I6: is its runtime's failure where the object was deleted meanwhile", async () => {
    const end = await endedWith("gone", async (store) => {
      await store?.putBlob({ name: hash }, written);
      await store?.delete(hash);
      return referenceTo("gone", hash, written.byteLength);
    });
    expect(end).toMatchObject({ status: "FAILED", cause: "OBJECT_LOST" });
    expect(end.message).toContain(`gone_OBJECTS/${hash}`);
  }, 60_000);

  test.each([
    ["smaller", 1_000],
    ["larger", written.byteLength + 1],
  ])(
    "I6: is its runtime's failure where it is said to be %s than it is",
    async (name, size) => {
      const prefix = `lies-${name}`;
      const end = await endedWith(prefix, async (store) => {
        await store?.putBlob({ name: hash }, written);
        return referenceTo(prefix, hash, size);
      });
      expect(end).toMatchObject({ status: "FAILED", cause: "OBJECT_WRONG" });
    },
    60_000,
  );

  test("I6: is its runtime's failure where it has other content, or is no JSON", async () => {
    const end = await endedWith("other", async (store) => {
      await store?.putBlob({ name: hash }, new Uint8Array(written.byteLength));
      return referenceTo("other", hash, written.byteLength);
    });
    expect(end).toMatchObject({ status: "FAILED", cause: "OBJECT_WRONG" });
    const noJson = new Uint8Array(2_000).fill(32);
    const name = createHash("sha256").update(noJson).digest("hex");
    const other = await endedWith("noise", async (store) => {
      await store?.putBlob({ name }, noJson);
      return referenceTo("noise", name, noJson.byteLength);
    });
    expect(other.status).toBe("FAILED");
  }, 60_000);

  test("is refused at once where it is said to be over the limit, and where there is no object store", async () => {
    const huge = await endedWith("huge", () => Promise.resolve(referenceTo("huge", hash, 1_000 * megabyte)));
    expect(huge).toMatchObject({ status: "FAILED", cause: "OBJECT_TOO_LARGE" });
    const off = await endedWith("off", () => Promise.resolve(referenceTo("off", hash, 2_000)), false);
    expect(off).toMatchObject({ status: "FAILED", cause: "OBJECT_STORE_OFF" });
    expect(off.message).toContain("no object store here");
  }, 60_000);
});

test("without an object store what is too large is refused with what to do", async () => {
  const { here } = await house({ prefix: "small", isOn: false });
  const { execId, result } = here.start("w", { bytes: 2 * megabyte });
  expect(await result()).toMatchObject({ status: "FAILED" });
  expect(JSON.stringify(await errorOf(here, execId))).toContain("PAYLOAD_TOO_LARGE");
}, 60_000);
