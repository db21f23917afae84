// Goal: nothing that matters is lost while the server is away, and nothing that does not waits for it.
//
// Method: a connection played by hand, a clock that stands still; what leaves is compared with what was said.

import { expect, test } from "vitest";
import type { Word } from "../../src/actors/component.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { minter } from "../../src/protocol/ids.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { newPost } from "../../src/serve/post.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { Connection, Outgoing } from "../../src/transport/transport.ts";
import { rest, uuid } from "../kit/bridged.ts";

const runtimeId = uuid(0xa1);

function played(waitingMax = 10) {
  const clock = virtualClock(1_000_000);
  const ids = minter(() => 0.5);
  const left: { subject: string; id: string; reply: string | undefined }[] = [];
  const reports: string[] = [];
  const changes: ((isThere: boolean) => void)[] = [];
  const line: { isThere: boolean; keeps: boolean; keeping?: Promise<void> } = { isThere: true, keeps: true };
  const connection = {
    publish(subject: string, _bytes: Uint8Array, { headers, reply, stored }: Outgoing = {}) {
      if (!line.isThere) {
        const away = new TroupeError("NO_RESPONDER", "away", { reason: "disconnected" });
        if (stored === true) return Promise.reject(away);
        throw away;
      }
      left.push({ subject, id: headers?.["Nats-Msg-Id"] ?? "", reply });
      if (stored !== true) return undefined;
      if (line.keeping) return line.keeping;
      return line.keeps ? Promise.resolve() : Promise.reject(new TroupeError("COMMAND_TIMEOUT", "no acknowledgment"));
    },
    connected: () => line.isThere,
    onChange: (listener: (isThere: boolean) => void) => void changes.push(listener),
  } as unknown as Connection;
  const post = newPost({
    connection,
    subjects: subjectCodec({ prefix: "p", layout: "flow" }),
    clock,
    runtimeId,
    waitingMax,
    id: () => ids.next(clock.now()),
    report: (_level, message) => void reports.push(message),
  });
  const set = (isThere: boolean): void => {
    line.isThere = isThere;
    for (const change of changes) change(isThere);
  };
  return { clock, post, left, reports, line, set };
}

const agent = { id: "clerk", exec_id: uuid(1) };
const way = { correlationId: uuid(2), cause: uuid(3) };
const started = {
  type: "event:AgentExecutionStarted",
  agent,
  agent_runtime: { id: "r", exec_id: runtimeId },
  payload: { status: "RUNNING", result: null, context: { attempt: 1 } },
} as Word;
const result = {
  type: "result:AgentExecutionResult",
  agent,
  payload: { status: "SUCCESS", result: { output: { n: 1 } }, context: { attempt: 1 } },
} as Word;
const thinking = {
  type: "progress:AgentThinking",
  agent,
  payload: { context: { attempt: 1, seq: 1, text: "x" } },
} as Word;

test("PO1: what was said while the server was away leaves when it is back, the same: an event, a result", async () => {
  const { post, left, set } = played();
  set(false);
  const said = [post.say(started, "AR", way), post.say(result, "AR", way)];
  await rest();
  expect(left).toEqual([]);
  expect(post.waiting()).toBe(2);
  set(true);
  await rest();
  expect(left.map(({ id }) => id).sort()).toEqual(said.map(({ id }) => id).sort());
});

test("PO1: what no stream has kept is said again, the same, until it is", async () => {
  const { clock, post, left, line } = played();
  line.keeps = false;
  const { id } = post.say(started, "AR", way);
  for (let round = 0; round < 3; round += 1) {
    await rest();
    clock.advance(500);
  }
  line.keeps = true;
  await rest();
  clock.advance(500);
  await rest();
  clock.advance(60_000);
  expect(left.length).toBeGreaterThan(2);
  expect(new Set(left.map((one) => one.id))).toEqual(new Set([id]));
  const times = left.length;
  clock.advance(60_000);
  expect(left).toHaveLength(times);
});

test("PO1: a result that nobody heard, or that left right before a cut, is said again", async () => {
  const { clock, post, left, set } = played();
  const { id } = post.say(result, "AR", way);
  expect(left[0]?.reply).toBe(`_INBOX_${runtimeId}.${id}`);
  expect(post.unheard(id)).toBe(true);
  expect(post.unheard(uuid(9))).toBe(false);
  clock.advance(500);
  expect(left.map((one) => one.id)).toEqual([id, id]);
  set(false);
  set(true);
  expect(left.length).toBeGreaterThan(2);
  clock.advance(6_000);
  const times = left.length;
  set(false);
  set(true);
  expect(left).toHaveLength(times);
});

test("PO2: what the agent thinks while the server is away is never said later", async () => {
  const { post, left, set } = played();
  set(false);
  post.say(thinking, "AR", way);
  expect(post.waiting()).toBe(0);
  set(true);
  await rest();
  expect(left).toEqual([]);
});

test("PO3: of too much that waits the oldest goes, and that is reported", async () => {
  const { post, left, set, reports } = played(2);
  set(false);
  const said = Array.from({ length: 4 }, () => post.say(result, "AR", way).id);
  expect(post.waiting()).toBe(2);
  set(true);
  await rest();
  expect(left.map(({ id }) => id)).toEqual(said.slice(2));
  expect(reports.filter((message) => message.includes("dropped"))).toHaveLength(2);
});

test("nothing leaves, and no alarm is left, once it is closed", async () => {
  const { clock, post, left, set } = played();
  set(false);
  post.say(result, "AR", way);
  post.close();
  set(true);
  await rest();
  expect({ left, pending: clock.pending() }).toEqual({ left: [], pending: 0 });
});

test("PO4: a result waits until the event of its run is kept, for a second at the most, and for no other", async () => {
  const { clock, post, left, line } = played();
  const kept = Promise.withResolvers<void>();
  line.keeping = kept.promise;
  post.say(started, "AR", way);
  post.say(result, "AR", way);
  const other = post.say({ ...result, agent: { id: "clerk", exec_id: uuid(7) } }, "AR", way);
  await rest();
  expect(left.map(({ id }) => id).slice(1)).toEqual([other.id]);
  kept.resolve();
  await rest();
  expect(left).toHaveLength(3);
  expect(clock.pending()).toBe(0);

  line.keeping = new Promise(() => undefined);
  post.say(started, "AR", way);
  const late = post.say(result, "AR", way);
  clock.advance(1_000);
  await rest();
  expect(left.at(-1)?.id).toBe(late.id);
});
