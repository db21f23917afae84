// Goal: whatever clients send, every request is answered once, every run that was taken ends once, and nothing that is
// no frame is acknowledged.
// Method: random sequences of frames, right, broken and hostile, with agents that answer, fail, hang and are not there,
// cancels, repeats, and connections that break and come back; then the rules that a client relies on.

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keepsRules } from "./frame-rules.ts";
import { clerk, type Client, echo, type Frame, openBed, orders, slow, type SocketBed, stopAll } from "./socket-bed.ts";

const runs = Number(process.env["TROUPE_RUNS"] ?? 40);

const failing = {
  id: "failing",
  handler() {
    throw Object.assign(new Error("no"), { code: "REFUSED" });
  },
};
const empty = { id: "empty", handler: () => undefined };

let bed: SocketBed;
beforeAll(async () => {
  const agents = [clerk, echo, failing, empty, { ...slow, timeout: "80ms" }];
  const limits = { framesPerSecond: 100_000, frameBurst: 100_000, refusalsMax: 1_000 };
  bed = await openBed({ agents, tools: [orders], settings: { limits, defaultAgent: "echo" } });
});
afterAll(stopAll);

type Act =
  | { act: "send"; frame: Record<string, unknown> }
  | { act: "garbage"; text: string }
  | { act: "again"; of: number }
  | { act: "cancel"; of: number }
  | { act: "reconnect" };

const agent = fc.constantFrom("clerk", "echo", "failing", "empty", "slow", "clark", undefined, 7, "a b");
const thread = fc.constantFrom("t1", "t2", "t3", undefined, null, "", 9);
const words = fc.oneof(fc.constant("A7"), fc.constant("A7"), fc.string(), fc.constant(undefined), fc.jsonValue());
const data = fc.constantFrom(
  undefined,
  {},
  { stream: true },
  { agent_type: "echo" },
  { query: "hi" },
  null,
  "data",
  [1],
);
const type = fc.oneof(
  fc.constantFrom("start_agent", "user_message", "chat", "ping", "cancel", "agent_execute", "execute_agent"),
  fc.constantFrom("run_agent", "toString", "__proto__", "", "ack", 7, undefined),
);
const frame = fc.record({ type, user_request: words, content: words, agent_id: agent, thread_id: thread, data });
const send = frame.map((given): Act => ({ act: "send", frame: given }));
const right = fc
  .record({
    type: fc.constantFrom("start_agent", "chat", "agent_execute"),
    agent: fc.constantFrom("clerk", "echo", "failing", "empty", "slow", undefined),
    thread_id: fc.constantFrom("t1", "t2", "t3", undefined),
    stream: fc.boolean(),
  })
  .map((given): Act => {
    const data = { stream: given.stream, query: "A7" };
    const agents = { agent_id: given.agent, agent_type: given.agent };
    const text = { user_request: "A7", content: "A7" };
    return { act: "send", frame: { type: given.type, thread_id: given.thread_id, ...agents, ...text, data } };
  });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: right },
  { weight: 6, arbitrary: send },
  { weight: 1, arbitrary: fc.oneof(fc.string(), fc.json()).map((text): Act => ({ act: "garbage", text })) },
  { weight: 1, arbitrary: fc.nat(20).map((of): Act => ({ act: "again", of })) },
  { weight: 1, arbitrary: fc.nat(20).map((of): Act => ({ act: "cancel", of })) },
  { weight: 1, arbitrary: fc.constant<Act>({ act: "reconnect" }) },
);

const numberOf = (frame: Frame | undefined): string => JSON.stringify(Number(frame?.["event_id"] ?? 0));

let sessions = 0;

/** All that a session was told, by however many connections. */
async function play(acts: readonly Act[]): Promise<{ heard: Frame[]; sent: Map<string, Record<string, unknown>> }> {
  sessions += 1;
  const session_id = `random-${sessions}`;
  const heard: Frame[] = [];
  const sent = new Map<string, Record<string, unknown>>();
  let client: Client = await bed.client({ session_id });
  const gather = (): void => {
    const last = Number(heard.at(-1)?.["event_id"] ?? 0);
    heard.push(...client.frames.filter(({ event_id }) => Number(event_id) > last));
  };
  for (const [place, one] of acts.entries()) {
    gather();
    if (one.act === "reconnect") {
      await client.leave();
      gather();
      client = await bed.client({ session_id, last_event_id: numberOf(heard.at(-1)) });
    } else if (one.act === "garbage") client.send(one.text === "" ? " " : one.text);
    else {
      const known = [...sent.values()];
      const frames = { ...(one.act === "send" ? one.frame : {}) };
      // Threads of one session alone, so that sequences do not meet.
      if (frames["thread_id"] && typeof frames["thread_id"] === "string") frames["thread_id"] += session_id;
      const id = `r${place}`;
      const run_id = heard.filter(({ run_id: run }) => run !== undefined)[one.act === "cancel" ? one.of : 0]?.[
        "run_id"
      ];
      const again = one.act === "again" ? known[one.of % Math.max(1, known.length)] : undefined;
      const cancel = one.act === "cancel" ? { id, type: "cancel", run_id } : undefined;
      const whole = again ?? cancel ?? { id, ...frames, ...(frames["type"] === "cancel" && { run_id }) };
      sent.set(String(whole["id"]), whole);
      client.send(whole);
    }
  }
  client.send({ id: "last", type: "ping" });
  await client.of("pong", "last");
  // Whatever was taken ends: then nothing is open any more.
  await expect.poll(() => bed.sockets.stats(), { timeout: 15_000, interval: 5 }).toMatchObject({ runs: 0, waiting: 0 });
  client.send({ id: "very last", type: "ping" });
  await client.of("pong", "very last");
  gather();
  await client.leave();
  return { heard, sent };
}

test("every request that is taken ends once, and nothing unknown is acknowledged", { timeout: 120_000 }, async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 30 }), async (acts) => {
      const { heard, sent } = await play(acts);
      expect(heard.map(({ event_id }) => event_id)).toEqual(heard.map((_, index) => String(index + 1)));
      for (const [id, asked] of sent) {
        const own = heard.filter(({ request_id }) => request_id === id);
        const isPing = asked["type"] === "ping";
        const answers = own.filter(
          ({ type: of, duplicate }) => of === "error" || (of === "ack" && duplicate === false),
        );
        if (isPing) expect(own.every(({ type: of }) => of === "pong")).toBe(true);
        else expect(answers.length, JSON.stringify([asked, own])).toBeGreaterThan(0);
        const acks = own.filter(({ type: of }) => of === "ack");
        const known = ["start_agent", "user_message", "chat", "cancel", "agent_execute", "execute_agent"];
        if (!known.includes(String(asked["type"]))) expect(acks).toEqual([]);
        const [ack] = acks;
        if (!ack || ack["accepted_type"] === "cancel") continue;
        taken += 1;
        const run = own.filter(({ type: of }) => of.startsWith("agent_") || of.startsWith("tool_"));
        keepsRules(run);
        expect(own.indexOf(ack)).toBeLessThan(own.indexOf(run[0] as Frame));
        expect(new Set(run.map(({ run_id }) => run_id))).toEqual(new Set([ack["run_id"]]));
      }
    }),
    { numRuns: runs },
  );
  expect(taken).toBeGreaterThan(runs);
});
