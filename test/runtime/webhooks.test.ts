// Deliveries from outside: which start something, once, and which are turned away, with which code.
//
// Method: deliveries signed as a sender would, and spoilt in one place each; doubled ones over restarts and deaths.

import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { WebhookSpec, WorkflowSpec } from "../../src/language/spec.ts";
import type { Delivery } from "../../src/runtime/webhooks.ts";
import type { Disk } from "../../src/store/memory.ts";
import { makeBed, settle } from "../actors/recovery-bed.ts";
import { type Bed, hour, openBed, refusal, settled } from "./bed.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const hook = (more: Partial<WebhookSpec> = {}): WebhookSpec => ({ type: "webhook", path: "paid", ...more });
const signed = hook({ verify: { type: "hmac-sha256", header: "X-Signature", secret: "PAY_SECRET" } });
const orders = (...triggers: WebhookSpec[]): WorkflowSpec => ({
  id: "orders",
  tasks: [{ id: "look", type: "tool", tool: "look", with: { given: "${{ input }}" } }],
  triggers,
});
const tools = [{ id: "look", handler: (input: unknown) => ({ seen: input }) }];
const environment = { PAY_SECRET: "s3cret", EMPTY: "" };
const openWith = (trigger: WebhookSpec, more: Parameters<typeof openBed>[0] = {}): Promise<Bed> =>
  openBed({ tools, environment, workflows: [orders(trigger)], ...more });
const stop = async ({ t }: Bed): Promise<void> => {
  const stopped = t.stop({ graceMs: 0 });
  await settled();
  await stopped;
};

const signatureOf = (body: Uint8Array, secret = "s3cret"): string =>
  createHmac("sha256", secret).update(body).digest("hex");
const delivery = (body: unknown, more: Partial<Delivery> = {}): Delivery => {
  const sent = body instanceof Uint8Array ? body : bytes(JSON.stringify(body));
  return { path: "paid", headers: { "x-signature": signatureOf(sent) }, body: sent, ...more };
};
const runsOn = (disk: Disk) => [...disk.rows.values()].filter(({ entity }) => entity === "workflow");
async function inputOf({ t }: Bed, execId = ""): Promise<unknown> {
  const [line] = await t.history(execId);
  const { context } = Object(line?.envelope["payload"]) as { context: { input: unknown } };
  return context.input;
}

describe("a delivery", () => {
  test("H2: starts its workflow with its body, and is on disk when it is answered", async () => {
    const bed = await openWith(signed);
    const receipt = await bed.t.receive(delivery({ order: 7 }));
    expect(receipt).toEqual({ status: 202, execId: expect.any(String), duplicate: false });
    expect(bed.disk.runs.has(receipt.execId ?? "")).toBe(true);
    const [line] = await bed.t.history(receipt.execId ?? "");
    expect(line).toMatchObject({
      envelope: { payload: { context: { input: { order: 7 }, trigger_type: "webhook" } } },
    });
    await stop(bed);
  });

  test("H2: is not answered as long as its start is not on disk", async () => {
    const bed = await openWith(signed);
    bed.disk.breakAfter(0, "store_full");
    let receipt: unknown;
    void bed.t.receive(delivery({ order: 7 })).then((given) => (receipt = given));
    await bed.pass(hour);
    expect(receipt).toBeUndefined();
    bed.disk.mend();
    await bed.pass(0);
    expect(receipt).toMatchObject({ status: 202, duplicate: false });
    await stop(bed);
  });

  test("H2: a delivery that comes again is not answered either as long as the first is not on disk", async () => {
    const bed = await openWith({ ...signed, dedupe: "${{ body.id }}" });
    bed.disk.breakAfter(0, "store_full");
    const receipts: unknown[] = [];
    for (const order of [7, 7, 8])
      void bed.t.receive(delivery({ id: 1, order })).then((given) => void receipts.push(given));
    await bed.pass(hour);
    expect(receipts).toEqual([]);
    bed.disk.mend();
    await bed.pass(0);
    expect(receipts).toMatchObject([{ duplicate: false }, { duplicate: true }, { duplicate: true }]);
    await stop(bed);
  });

  test("may be filtered, and gives what the trigger makes of it", async () => {
    const bed = await openWith(
      hook({
        when: ({ headers }) => headers?.["x-event"] === "paid",
        with: { order: "${{ body.order }}", by: "${{ query.by }}", event: '${{ input.headers["x-event"] }}' },
      }),
    );
    const send = (event: string) =>
      bed.t.receive(delivery({ order: 7 }, { headers: { "X-Event": [event] }, query: { by: "bank" } }));
    expect(await send("opened")).toEqual({ status: 202 });
    expect(runsOn(bed.disk)).toEqual([]);
    const { execId } = await send("paid");
    expect(await inputOf(bed, execId)).toEqual({ order: 7, by: "bank", event: "paid" });
    await stop(bed);
  });

  test("may be empty", async () => {
    const bed = await openWith(signed);
    const { execId } = await bed.t.receive(delivery(new Uint8Array()));
    expect(await inputOf(bed, execId)).toEqual({});
    await stop(bed);
  });

  test("goes where the path is defined now", async () => {
    const bed = await openWith(signed);
    await bed.t.define({ workflows: [{ ...orders(hook({ path: "new" })), id: "other" }, orders()] });
    expect(await refusal(() => bed.t.receive(delivery({})))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    const { execId } = await bed.t.receive(delivery({}, { path: "new" }));
    expect(bed.disk.rows.get(execId ?? "")?.id).toBe("other");
    await stop(bed);
  });
});

describe("H1: a signature", () => {
  const body = bytes('{"order":7}');
  const right = signatureOf(body);

  test.each([
    ["as it is", right],
    ["with a prefix", `sha256=${right}`],
    ["in capitals", right.toUpperCase()],
  ])("is right %s", async (_how, signature) => {
    const bed = await openWith(signed);
    const receipt = await bed.t.receive(delivery(body, { headers: { "X-SIGNATURE": signature } }));
    expect(receipt).toMatchObject({ status: 202, duplicate: false });
    await stop(bed);
  });

  test.each([
    ["of another body", signatureOf(bytes('{"order":8}'))],
    ["by another secret", signatureOf(body, "s3cret ")],
    ["cut short", right.slice(0, 62)],
    ["with something behind it", `${right}00`],
    ["of another kind", `sha1=${right}`],
    ["that is none", "z".repeat(64)],
    ["that is empty", ""],
    ["that is not there", undefined],
    ["that is there twice", [right, right]],
  ])("is refused %s", async (_how, signature) => {
    const bed = await openWith(signed);
    const refused = await refusal(() => bed.t.receive(delivery(body, { headers: { "x-signature": signature } })));
    expect(refused).toMatchObject({
      code: "UNAUTHENTICATED",
      message: "the header 'X-Signature' does not hold the signature of this body",
    });
    expect(runsOn(bed.disk)).toEqual([]);
    await stop(bed);
  });

  test.each(["MISSING", "EMPTY"])("is never right for the secret %s, which is not there", async (secret) => {
    const bed = await openWith(hook({ verify: { type: "hmac-sha256", header: "X-Signature", secret } }));
    const headers = { "x-signature": signatureOf(body, "") };
    expect(await refusal(() => bed.t.receive(delivery(body, { headers })))).toMatchObject({
      code: "UNAUTHENTICATED",
      message: "the header 'X-Signature' does not hold the signature of this body",
    });
    expect(bed.reports).toContainEqual({
      level: "error",
      message: "a webhook cannot be verified: its secret is not in the environment",
      fields: { path: "paid", secret },
    });
    await stop(bed);
  });

  test("is looked at before the body", async () => {
    const bed = await openWith(signed);
    const headers = { "x-signature": right };
    expect(await refusal(() => bed.t.receive(delivery(bytes("{"), { headers })))).toMatchObject({
      code: "UNAUTHENTICATED",
    });
    await stop(bed);
  });

  test("is wanted under a name and with a secret that all objects have, too", async () => {
    const verify = { type: "hmac-sha256", header: "constructor", secret: "toString" } as const;
    const bare = await openWith(hook({ verify }));
    const sent = bytes("{}");
    const headers = { constructor: signatureOf(sent) };
    const turnedAway = { code: "UNAUTHENTICATED" };
    expect(await refusal(() => bare.t.receive(delivery(sent, { headers: headers as never })))).toMatchObject(
      turnedAway,
    );
    await stop(bare);
    const bed = await openWith(hook({ verify }), { environment: { toString: "s3cret" } as never });
    expect(await refusal(() => bed.t.receive(delivery(sent, { headers: {} })))).toMatchObject(turnedAway);
    expect(await bed.t.receive(delivery(sent, { headers: headers as never }))).toMatchObject({ status: 202 });
    await stop(bed);
  });
});

describe("turned away is", () => {
  const open = (more: Partial<WebhookSpec> = {}) => openWith(hook(more), { limits: { payloadBytes: 2_000 } });

  test.each([
    ["not JSON", bytes("order=7"), "VALIDATION_FAILED", "the body cannot be read as JSON: the body is not JSON"],
    ["cut short", bytes('{"order":'), "VALIDATION_FAILED", "the body is not JSON"],
    ["no text", new Uint8Array([0xff, 0xfe]), "VALIDATION_FAILED", "the body is not UTF-8"],
    ["hostile", bytes('{"__proto__":{"a":1}}'), "VALIDATION_FAILED", "the body cannot be read as JSON"],
    ["too deep", bytes("[".repeat(200) + "]".repeat(200)), "VALIDATION_FAILED", "nested"],
    [
      "too large",
      bytes(JSON.stringify("x".repeat(2_000))),
      "PAYLOAD_TOO_LARGE",
      "the body has 2002 bytes, at most 2000",
    ],
  ])("a body that is %s", async (_what, body, code, message) => {
    const bed = await open();
    expect(await refusal(() => bed.t.receive(delivery(body)))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(runsOn(bed.disk)).toEqual([]);
    await stop(bed);
  });

  test("a path that is not there, or not enabled", async () => {
    const bed = await open({ enabled: false });
    expect(await refusal(() => bed.t.receive(delivery({})))).toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
    expect(await refusal(() => bed.t.receive(delivery({}, { path: "pay\u0000d" })))).toMatchObject({
      code: "WORKFLOW_NOT_FOUND",
    });
    await stop(bed);
  });

  test("what is no delivery", async () => {
    const bed = await open();
    for (const wrong of [
      undefined,
      {},
      { path: "paid" },
      { path: "paid", body: "{}" },
      { ...delivery({}), method: "GET" },
    ]) {
      const refused = await refusal(() => bed.t.receive(wrong as unknown as Delivery));
      expect(refused).toMatchObject({ code: "VALIDATION_FAILED" });
    }
    await stop(bed);
  });

  test.each([
    ["when", { when: "${{ body.missing }}" }, "`when` of the webhook cannot be told from this"],
    ["when", { when: () => "yes" }, "`when` of the webhook must give true or false"],
    ["with", { with: { a: "${{ body.missing }}" } }, "`with` of the webhook cannot be told from this"],
    ["dedupe", { dedupe: "${{ body.id }}" }, "`dedupe` of the webhook cannot be told from this"],
  ])("what its `%s` cannot be told from", async (_key, more, message) => {
    const bed = await open(more);
    expect(await refusal(() => bed.t.receive(delivery({ order: 7 })))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining(message),
    });
    expect(runsOn(bed.disk)).toEqual([]);
    await stop(bed);
  });

  test("whatever comes when nothing can be written", async () => {
    const bed = await open();
    bed.disk.breakAfter(0, "store_full");
    bed.t.start("orders");
    await bed.pass(0);
    expect(await refusal(() => bed.t.receive(delivery({})))).toMatchObject({ details: { reason: "store_full" } });
    bed.disk.mend();
    await stop(bed);
  });
});

describe("H3: the same delivery", () => {
  const once = hook({ dedupe: "${{ body.id }}" });

  test("starts nothing again within a day, also in other words and after a restart", async () => {
    const one = await openWith(once);
    const { execId } = await one.t.receive(delivery({ id: "d1" }));
    expect(await one.t.receive(delivery({ id: "d1" }))).toEqual({ status: 202, execId, duplicate: true });
    await stop(one);
    one.clock.jump(23 * hour);
    const two = await openWith(once, { disk: one.disk, clock: one.clock, limits: { retentionMs: 48 * hour } });
    expect(await two.t.receive(delivery({ id: "d1", sent: "again" }))).toEqual({
      status: 202,
      execId,
      duplicate: true,
    });
    expect(await two.t.receive(delivery({ id: "d2" }))).toMatchObject({ duplicate: false });
    await two.pass(2 * hour);
    expect(await two.t.receive(delivery({ id: "d1" }))).toMatchObject({ duplicate: false });
    expect(runsOn(two.disk)).toHaveLength(3);
    await stop(two);
  });

  test("at once, twice", async () => {
    const bed = await openWith(once);
    const [one, other] = await Promise.all([1, 2].map(() => bed.t.receive(delivery({ id: "d1" }))));
    expect(other).toEqual({ ...one, duplicate: true });
    expect(runsOn(bed.disk)).toHaveLength(1);
    await stop(bed);
  });

  test("is known by anything that JSON can say, however long, and null knows none", async () => {
    const bed = await openWith(once);
    for (const id of ["x".repeat(10_000), 7, { a: [1] }, true]) {
      expect(await bed.t.receive(delivery({ id }))).toMatchObject({ duplicate: false });
      expect(await bed.t.receive(delivery({ id }))).toMatchObject({ duplicate: true });
    }
    for (let count = 0; count < 2; count++) {
      expect(await bed.t.receive(delivery({ id: null }))).toMatchObject({ duplicate: false });
    }
    await stop(bed);
  });

  test("without a key starts again each time", async () => {
    const bed = await openWith(hook());
    for (let count = 0; count < 2; count++) {
      expect(await bed.t.receive(delivery({ id: "d1" }))).toMatchObject({ duplicate: false });
    }
    await stop(bed);
  });

  test("that is sent until it is answered starts once, wherever the process is killed", async () => {
    for (let append = 1; append <= 8; append++) {
      for (const isWritten of [false, true]) {
        const bed = makeBed({ workflows: [orders(once)] });
        let answered: string | undefined;
        for (const death of [{ append, isWritten }, { append: 1, isWritten }, undefined]) {
          const life = await bed.open(death);
          void life.troupe.receive(delivery({ id: "d1" })).then(({ execId }) => (answered ??= execId));
          await settle(life);
          if (!life.isDead()) break;
        }
        expect(runsOn(bed.disk).map(({ execId, status }) => ({ execId, status }))).toEqual([
          { execId: answered, status: "SUCCESS" },
        ]);
      }
    }
  });
});

test("H4: neither a secret nor a body stands in what is thrown or reported", async () => {
  const bed = await openWith({ ...signed, when: "${{ body.missing }}" });
  const told: unknown[] = [];
  for (const body of [bytes('{"card":"4111"'), bytes('{"card":"4111"}')]) {
    told.push(await refusal(() => bed.t.receive(delivery(body))));
    told.push(await refusal(() => bed.t.receive(delivery(body, { headers: {} }))));
  }
  expect(JSON.stringify([told, bed.reports])).not.toMatch(/4111|s3cret/);
  await stop(bed);
});
