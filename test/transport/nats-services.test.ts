// Goal: standard NATS tools see our services: who is asked answers, in the form of the micro protocol, and nobody else.
//
// Method: services of ours on a real server, asked by a plain client; every answer is held against the schema of that
// protocol, written here from its description.

import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerDiscovery, type Endpoint, type Service } from "../../src/transport/nats-services.ts";
import type { NatsTransport } from "../../src/transport/nats.ts";
import { answerForms, askAll } from "../kit/micro.ts";
import { connectTo, natsForThisFile, silent } from "../kit/nats.ts";

const { open, signIn } = natsForThisFile();
const ends: (() => void)[] = [];
let transport: NatsTransport;
let outside: NatsConnection;

const heard: Endpoint = {
  name: "run",
  subject: "p.run.>",
  requests: 4,
  errors: 1,
  lastError: "no",
  processingMs: 10.5,
};
const idle: Endpoint = { name: "wait", subject: "p.wait", group: "waiters", requests: 0, errors: 0, processingMs: 0 };

const service = (name: string, id: string, more: Partial<Service> = {}): Service => ({
  name,
  id,
  version: "1.2.3",
  description: "of a test",
  startedAt: Date.parse("2026-11-21T09:00:00.000Z"),
  metadata: () => ({ language: "typescript" }),
  endpoints: () => [heard, idle],
  ...more,
});

beforeAll(async () => {
  transport = await open("disc");
  outside = await connect(signIn());
  for (const one of [service("maker", "m1"), service("maker", "m2"), service("reader", "r1")]) {
    ends.push(answerDiscovery(connectTo(transport, one.id, silent), one));
  }
  await transport.settled();
});
afterAll(async () => {
  await outside.close();
  await transport.close();
});

const idsOf = async (subject: string): Promise<string[]> =>
  (await askAll(outside, subject)).map(({ id }) => String(id)).toSorted();

describe("discovery", () => {
  test.each(["PING", "INFO", "STATS"])("SD1: %s is answered by all, by those of a name, or by one", async (verb) => {
    expect(await idsOf(`$SRV.${verb}`)).toEqual(["m1", "m2", "r1"]);
    expect(await idsOf(`$SRV.${verb}.maker`)).toEqual(["m1", "m2"]);
    expect(await idsOf(`$SRV.${verb}.maker.m2`)).toEqual(["m2"]);
  });

  test("SD1: nobody answers for another name, another id, or in another spelling", async () => {
    for (const subject of ["$SRV.PING.other", "$SRV.PING.maker.m9", "$SRV.ping", "$SRV.PING.r1"]) {
      expect(await idsOf(subject)).toEqual([]);
    }
  });

  test.each(["PING", "INFO", "STATS"] as const)("what %s is answered has the form of the protocol", async (verb) => {
    const answers = await askAll(outside, `$SRV.${verb}`);
    expect(answers).toHaveLength(3);
    for (const answer of answers) expect(answerForms[verb].parse(answer)).toEqual(answer);
  });

  test("SD2: the figures are of the moment, in whole nanoseconds; a mean of nothing is 0", async () => {
    const [answer] = await askAll(outside, "$SRV.STATS.reader");
    expect(answer).toMatchObject({ started: "2026-11-21T09:00:00.000Z" });
    expect(answer?.["endpoints"]).toEqual([
      {
        name: "run",
        subject: "p.run.>",
        queue_group: "",
        num_requests: 4,
        num_errors: 1,
        last_error: "no",
        processing_time: 10_500_000,
        average_processing_time: 2_625_000,
      },
      {
        name: "wait",
        subject: "p.wait",
        queue_group: "waiters",
        num_requests: 0,
        num_errors: 0,
        last_error: "",
        processing_time: 0,
        average_processing_time: 0,
      },
    ]);
  });

  test("a service that has ended says nothing", async () => {
    ends.pop()?.();
    await transport.settled();
    expect(await idsOf("$SRV.PING")).toEqual(["m1", "m2"]);
  });

  test.each([
    ["a.b", "1", "1.0.0", /name of a service/],
    ["a", ">", "1.0.0", /id of a service/],
    ["a", "1", "1.0", /three numbers/],
  ])("name %s, id %s, version %s is refused", (name, id, version, message) => {
    const nowhere = { subscribe: () => ({ unsubscribe: silent }), publish: silent };
    expect(() => answerDiscovery(nowhere, service(name, id, { version }))).toThrow(message);
  });
});
