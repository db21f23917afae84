// What every transport guarantees, N1 to N10 of src/transport/transport.ts, as one suite that each of them passes.
//
// Method: connections of one transport talk; `settled` waits until what was said has arrived. Only what holds over a
// network is asked for: no order between connections, no fairness, no knowledge of who listens.

import { afterEach, describe, expect, test, vi } from "vitest";
import type { Connection, Delivery, Transport } from "../../src/transport/transport.ts";

export type Opened = {
  transport: Transport;
  /** Resolves when every subscription made is known, and everything published so far has been heard. */
  settled(): Promise<void>;
  /** A subject that is kept where only some are. */
  kept?: string;
  close(): Promise<void>;
};

export const limits = { payloadBytes: 1_000, subscriptionsMax: 50 } as const;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = ({ bytes }: Delivery): string => new TextDecoder().decode(bytes);

export function transportContract(name: string, open: (allowed: typeof limits) => Promise<Opened>): void {
  let opened: Opened | undefined;
  let connections: Connection[] = [];
  let faults: { error: unknown; subject: string }[] = [];

  afterEach(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await opened?.close();
    opened = undefined;
    connections = [];
    faults = [];
  });

  /** So many connections, and one that hears what it says itself if it is asked for. */
  async function connect(count: number, echo = false): Promise<[Connection, Connection, Connection]> {
    opened ??= await open(limits);
    const { transport } = opened;
    const made = Array.from({ length: count }, (_, index) =>
      transport.connect({
        name: `connection ${index}`,
        echo,
        onFault: (error, subject) => void faults.push({ error, subject }),
      }),
    );
    connections.push(...made);
    await opened.settled();
    const [a, b, c] = made;
    if (a === undefined) throw new Error("no connection was asked for");
    return [a, b ?? a, c ?? b ?? a];
  }
  const settled = async (): Promise<void> => opened?.settled();

  /** Subscribes, and gives the list that what is heard is added to. */
  function hear(connection: Connection, pattern: string, group?: string): string[] {
    const heard: string[] = [];
    connection.subscribe(pattern, (delivery) => void heard.push(textOf(delivery)), group);
    return heard;
  }
  const say = (connection: Connection, subject: string, text: string): void =>
    void connection.publish(subject, bytesOf(text));

  describe(`the ${name} transport`, () => {
    test("N1: every plain subscription that matches hears it, twice if there are two", async () => {
      const [a, b, c] = await connect(3);
      const heard = [hear(a, "x.y"), hear(a, "x.*"), hear(b, "x.>"), hear(b, "x.y")];
      const not = [hear(a, "x"), hear(b, "x.z"), hear(b, "x.y.>")];
      await settled();
      say(c, "x.y", "hello");
      await settled();
      expect(heard).toEqual([["hello"], ["hello"], ["hello"], ["hello"]]);
      expect(not).toEqual([[], [], []]);
    });

    test("N1: one member of each queue group hears it, and plain subscriptions besides", async () => {
      const [a, b, c] = await connect(3);
      const workers = [hear(a, "job", "work"), hear(a, "job", "work"), hear(b, "job", "work")];
      const others = [hear(a, "job", "audit"), hear(b, "job", "audit")];
      const plain = hear(b, "job");
      await settled();
      const all = Array.from({ length: 30 }, (_, index) => String(index));
      for (const text of all) say(c, "job", text);
      await settled();
      const numbered = (lists: string[][]): string[] => lists.flat().sort((x, y) => Number(x) - Number(y));
      expect(numbered(workers)).toEqual(all);
      expect(numbered(others)).toEqual(all);
      expect(plain).toEqual(all);
    });

    test("N2: what one connection says arrives in its order, over all subjects of a subscription", async () => {
      const [a, b] = await connect(2);
      const heard = hear(a, "n.>");
      await settled();
      const all = Array.from({ length: 500 }, (_, index) => String(index));
      for (const [index, text] of all.entries()) say(b, `n.${index % 7}`, text);
      await settled();
      expect(heard).toEqual(all);
    });

    test("N3: a star is one token, an arrow one or more at the end, a literal only itself", async () => {
      const [a, b] = await connect(2);
      const patterns = ["p", "p.*", "p.>", "*", ">", "p.*.r", "p.q.>", "*.q", "P"];
      const heard = new Map(patterns.map((pattern) => [pattern, hear(a, pattern)]));
      await settled();
      for (const subject of ["p", "p.q", "p.q.r"]) say(b, subject, subject);
      await settled();
      expect(Object.fromEntries(heard)).toMatchObject({
        p: ["p"],
        "p.*": ["p.q"],
        "p.>": ["p.q", "p.q.r"],
        "*": ["p"],
        "p.*.r": ["p.q.r"],
        "p.q.>": ["p.q.r"],
        "*.q": ["p.q"],
        P: [],
      });
      expect(heard.get(">")).toEqual(expect.arrayContaining(["p", "p.q", "p.q.r"]));
    });

    test("N4: who publishes with a reply subject is told there that nobody hears it", async () => {
      const [a, b] = await connect(2);
      const answers: Delivery[] = [];
      a.subscribe("_INBOX.mine", (delivery) => void answers.push(delivery));
      const heard = hear(b, "heard");
      await settled();
      void a.publish("unheard", bytesOf("?"), { reply: "_INBOX.mine" });
      void a.publish("heard", bytesOf("!"), { reply: "_INBOX.mine" });
      await settled();
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatchObject({ subject: "_INBOX.mine", status: 503 });
      expect(answers[0]?.bytes.byteLength).toBe(0);
      expect(heard).toEqual(["!"]);
    });

    test("N5: a request gives the first answer, with its headers, and the others are dropped", async () => {
      const [a, b, c] = await connect(3);
      for (const [index, connection] of [b, c].entries()) {
        connection.subscribe("ask", (delivery) => {
          const { reply = "" } = delivery;
          void connection.publish(reply, bytesOf(`${textOf(delivery)}${index}`), { headers: { from: String(index) } });
        });
      }
      await settled();
      const answer = await a.request("ask", bytesOf("who"), { headers: { h: "1" }, timeoutMs: 60_000 });
      expect(["who0", "who1"]).toContain(textOf(answer));
      expect(answer.headers["from"]).toBe(textOf(answer).slice(-1));
      expect(answer.status).toBeUndefined();
      await settled();
      expect(faults).toEqual([]);
    });

    test("N5: requests of one connection do not mix up their answers", async () => {
      const [a, b] = await connect(2);
      const asked: Delivery[] = [];
      b.subscribe("ask", (delivery) => void asked.push(delivery));
      await settled();
      const answers = ["1", "2", "3"].map((text) => a.request("ask", bytesOf(text), { timeoutMs: 60_000 }));
      await settled();
      for (const delivery of asked.toReversed()) void b.publish(delivery.reply ?? "", delivery.bytes);
      expect((await Promise.all(answers)).map(textOf)).toEqual(["1", "2", "3"]);
    });

    test("N5: a request that nobody hears fails at once with NO_RESPONDER", async () => {
      const [a] = await connect(1);
      const asked = a.request("unheard", bytesOf("?"), { timeoutMs: 60_000 });
      await expect(asked).rejects.toMatchObject({ code: "NO_RESPONDER" });
    });

    test("N5: a request without an answer fails with COMMAND_TIMEOUT, and a later answer harms nothing", async () => {
      const [a, b] = await connect(2);
      const asked: Delivery[] = [];
      b.subscribe("ask", (delivery) => void asked.push(delivery));
      await settled();
      const first = a.request("ask", bytesOf("1"), { timeoutMs: 20 });
      await expect(first).rejects.toMatchObject({ code: "COMMAND_TIMEOUT" });
      await settled();
      void b.publish(asked[0]?.reply ?? "", bytesOf("late"));
      const second = a.request("ask", bytesOf("2"), { timeoutMs: 60_000 });
      await settled();
      void b.publish(asked[1]?.reply ?? "", bytesOf("in time"));
      expect(textOf(await second)).toBe("in time");
      expect(faults).toEqual([]);
    });

    test("N6: a connection does not hear itself, and its requests are not answered by itself", async () => {
      const [a, b] = await connect(2);
      const own = hear(a, "x");
      const other = hear(b, "x");
      hear(a, "only-mine");
      await settled();
      say(a, "x", "hello");
      await settled();
      expect(own).toEqual([]);
      expect(other).toEqual(["hello"]);
      const asked = a.request("only-mine", bytesOf("?"), { timeoutMs: 60_000 });
      await expect(asked).rejects.toMatchObject({ code: "NO_RESPONDER" });
    });

    test("N6: a queue group gives what its own connection says to a member elsewhere", async () => {
      const [a, b] = await connect(2);
      const own = hear(a, "job", "work");
      const other = hear(b, "job", "work");
      await settled();
      for (let index = 0; index < 10; index++) say(a, "job", String(index));
      await settled();
      expect(own).toEqual([]);
      expect(other).toHaveLength(10);
    });

    test("N6: a connection that asked for its echo hears itself, and can answer itself", async () => {
      const [a] = await connect(1, true);
      const own = hear(a, "x");
      a.subscribe("ask", ({ reply = "" }) => void a.publish(reply, bytesOf("me")));
      await settled();
      say(a, "x", "hello");
      await settled();
      expect(own).toEqual(["hello"]);
      expect(textOf(await a.request("ask", bytesOf("?"), { timeoutMs: 60_000 }))).toBe("me");
    });

    test("N7: a handler that throws is reported with its subject, and the rest is heard", async () => {
      const [a, b] = await connect(2);
      const broken = new Error("it broke");
      a.subscribe("x", () => {
        throw broken;
      });
      const heard = hear(a, "x");
      await settled();
      say(b, "x", "1");
      say(b, "x", "2");
      await settled();
      expect(heard).toEqual(["1", "2"]);
      expect(faults).toEqual([
        { error: broken, subject: "x" },
        { error: broken, subject: "x" },
      ]);
    });

    test("N8: more bytes than the limit are refused, and as many as the limit are not", async () => {
      const [a, b] = await connect(2);
      const heard = hear(b, "x");
      await settled();
      const over = new Uint8Array(limits.payloadBytes + 1);
      const tooLarge = expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" });
      expect(() => a.publish("x", over)).toThrow(tooLarge);
      await expect(a.request("x", over, { timeoutMs: 60_000 })).rejects.toEqual(tooLarge);
      void a.publish("x", new Uint8Array(limits.payloadBytes));
      await settled();
      expect(heard).toHaveLength(1);
    });

    test("N8: more subscriptions than the limit are refused, until one ends", async () => {
      const [a] = await connect(1);
      const subscribe = () => a.subscribe("x", () => undefined);
      const [first] = Array.from({ length: limits.subscriptionsMax }, subscribe);
      expect(subscribe).toThrow(expect.objectContaining({ code: "RATE_LIMITED" }));
      first?.unsubscribe();
      expect(subscribe).not.toThrow();
    });

    test("N9: after unsubscribe() nothing is delivered, also of what was under way", async () => {
      const [a, b] = await connect(2);
      const heard: string[] = [];
      const subscription = a.subscribe("x", (delivery) => {
        heard.push(textOf(delivery));
        subscription.unsubscribe();
      });
      await settled();
      for (const text of ["1", "2", "3"]) say(b, "x", text);
      await settled();
      say(b, "x", "4");
      await settled();
      expect(heard).toEqual(["1"]);
    });

    test("N9: after close() nothing is delivered, and nothing can be said or asked", async () => {
      const [a, b] = await connect(2);
      const heard = hear(a, "x");
      const changes: boolean[] = [];
      a.onChange((connected) => void changes.push(connected));
      await settled();
      expect(a.connected()).toBe(true);
      say(b, "x", "1");
      await settled();
      await Promise.all([a.close(), a.close()]);
      say(b, "x", "2");
      await settled();
      expect(heard).toEqual(["1"]);
      expect(a.connected()).toBe(false);
      expect(changes).toEqual([false]);
      const closed = expect.objectContaining({ code: "INVALID_STATE" });
      expect(() => a.publish("x", bytesOf("3"))).toThrow(closed);
      expect(() => a.subscribe("x", () => undefined)).toThrow(closed);
      await expect(a.request("x", bytesOf("4"), { timeoutMs: 60_000 })).rejects.toEqual(closed);
    });

    test("N9: close() ends requests that wait for an answer", async () => {
      const [a, b] = await connect(2);
      hear(b, "ask");
      await settled();
      const asked = a.request("ask", bytesOf("?"), { timeoutMs: 60_000 });
      const failed = expect(asked).rejects.toMatchObject({ code: "INVALID_STATE" });
      await settled();
      await a.close();
      await failed;
    });

    const malformed = ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\n", "a\r\nPUB b"];
    test.each([...malformed, "*", ">", "a.*", "a.>"])("N10: nothing is published to %j", async (subject) => {
      const [a] = await connect(1);
      const refused = expect.objectContaining({ code: "INVALID_SUBJECT" });
      expect(() => a.publish(subject, bytesOf("x"))).toThrow(refused);
      expect(() => a.publish("a", bytesOf("x"), { reply: subject })).toThrow(refused);
      await expect(a.request(subject, bytesOf("x"), { timeoutMs: 60_000 })).rejects.toEqual(refused);
    });

    test.each([...malformed, ">.a", "a.>.b", "a*", "a.b>"])("N10: nobody subscribes to %j", async (pattern) => {
      const [a] = await connect(1);
      const refused = expect.objectContaining({ code: "INVALID_SUBJECT" });
      expect(() => a.subscribe(pattern, () => undefined)).toThrow(refused);
    });

    test.each(["", "a b", "*", "a\n"])("N10: no group is named %j", async (group) => {
      const [a] = await connect(1);
      const refused = expect.objectContaining({ code: "INVALID_SUBJECT" });
      expect(() => a.subscribe("a", () => undefined, group)).toThrow(refused);
    });

    test("headers and bytes arrive as they were sent", async () => {
      const [a, b] = await connect(2);
      const heard: Delivery[] = [];
      a.subscribe("x", (delivery) => void heard.push(delivery));
      await settled();
      const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
      void b.publish("x", bytes, { headers: { "Message-Id": "7" }, reply: "back" });
      await settled();
      expect(heard).toHaveLength(1);
      expect(heard[0]).toMatchObject({ subject: "x", reply: "back", headers: { "Message-Id": "7" } });
      expect([...(heard[0]?.bytes ?? [])]).toEqual([...bytes]);
    });

    test("there is interest in what another connection hears", async () => {
      const [a, b] = await connect(2);
      hear(b, "x.*");
      await settled();
      expect(a.hasInterest("x.y")).toBe(true);
    });

    test("what is to be stored is said to be kept", async () => {
      const [a, b] = await connect(2);
      const subject = opened?.kept ?? "x";
      const heard = hear(b, subject);
      await settled();
      await a.publish(subject, bytesOf("kept"), { stored: true });
      await settled();
      await vi.waitFor(() => expect(heard).toEqual(["kept"]));
    });
  });
}
