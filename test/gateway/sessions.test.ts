// Goal: whoever comes back hears what followed the last frame he saw, each once; and what is kept is bounded.
// Method: random sessions against a plain list of what was told, and examples of every bound, in virtual time.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Link, openSessions } from "../../src/gateway/sessions.ts";
import { type SocketLimits, socketLimits, withSocketLimits } from "../../src/gateway/socket-limits.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

type Heard = { event_id: string; code?: string; type: string; message?: string };

const minute = 60_000;
const open = (limits: Partial<SocketLimits> = {}) => {
  const clock = virtualClock(1_000_000);
  return { clock, sessions: openSessions(clock, withSocketLimits(limits)) };
};

function reader() {
  const heard: Heard[] = [];
  let displaced = 0;
  const link: Link = {
    send: (text) => void heard.push(JSON.parse(text) as Heard),
    unsent: () => 0,
    displaced: () => void (displaced += 1),
  };
  return { link, heard, numbers: () => heard.map(({ event_id }) => Number(event_id)), displaced: () => displaced };
}
const say = (text: string) => ({ type: "warning", code: "X", message: text, details: {} }) as const;
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("SE1: frames are numbered by one, also those that nobody reads", () => {
  const { sessions } = open();
  const { session } = sessions.open("s1");
  sessions.tell(session, null, say("a"));
  const one = reader();
  sessions.attach(session, one.link, null);
  sessions.tell(session, "r1", say("b"));
  expect(one.heard).toMatchObject([{ event_id: "2", session_id: "s1", request_id: "r1", message: "b" }]);
});

test("SE2: whoever comes back with the last number that he saw misses nothing and hears nothing twice", () => {
  const acts = fc.array(fc.oneof(fc.constant("tell"), fc.constant("leave"), fc.constant("come")), { maxLength: 60 });
  fc.assert(
    fc.property(acts, (all) => {
      const { sessions } = open();
      const { session } = sessions.open("s1");
      const heard: number[] = [];
      let told = 0;
      let here: ReturnType<typeof reader> | undefined;
      const gather = (): void => void heard.push(...(here?.numbers() ?? []));
      const come = (): void => {
        gather();
        here = reader();
        sessions.attach(session, here.link, heard.at(-1) ?? 0);
      };
      for (const act of all) {
        if (act === "tell") {
          told += 1;
          sessions.tell(session, null, say(String(told)));
        } else if (act === "come") come();
        else if (here) {
          sessions.leave(session, here.link);
          gather();
          here = undefined;
        }
      }
      come();
      gather();
      expect(heard).toEqual(range(1, told));
    }),
  );
});

test("SE2: what is not kept any more is said, and what was never said is no place to go on from", () => {
  const { sessions } = open({ replayFrames: 5 });
  const { session } = sessions.open("s1");
  for (const number of range(1, 20)) sessions.tell(session, null, say(String(number)));
  const fits = reader();
  expect(sessions.attach(session, fits.link, 15)).toBe(true);
  expect(fits.numbers()).toEqual(range(16, 20));
  for (const last of [14, 0, 99, Infinity]) {
    const late = reader();
    expect(sessions.attach(session, late.link, last)).toBe(false);
    expect(late.heard).toMatchObject([{ type: "error", code: "REPLAY_UNAVAILABLE" }]);
  }
});

test("SE2: the numbers of a session of before a restart go on, so that none of them means two frames", () => {
  const { sessions } = open();
  const { session } = sessions.open("s1");
  const [one, two, first] = [reader(), reader(), reader()];
  expect(sessions.attach(session, one.link, 7, true)).toBe(false);
  expect(one.heard).toMatchObject([{ event_id: "8", code: "REPLAY_UNAVAILABLE" }]);
  sessions.tell(session, null, say("a"));
  expect(sessions.attach(session, two.link, 7)).toBe(true);
  expect(two.numbers()).toEqual([8, 9]);
  // Whoever has seen nothing yet misses nothing that could be replayed.
  expect(sessions.attach(sessions.open("s2").session, first.link, 0, true)).toBe(false);
  expect(first.heard).toEqual([]);
});

describe("SE3: what is kept", () => {
  test("is at least a thousand frames, and those of ten minutes", () => {
    const { sessions, clock } = open();
    const { session } = sessions.open("s1");
    const one = reader();
    sessions.attach(session, one.link, null);
    for (const number of range(1, 1_500)) sessions.tell(session, null, say(String(number)));
    clock.advance(9 * minute);
    expect(session.kept).toHaveLength(1_500);
    clock.advance(2 * minute);
    expect(session.kept.map(({ id }) => id)).toEqual(range(501, 1_500));
  });

  test("of one session is bounded by frames and by bytes", () => {
    const few = open({ replayFrames: 3 }).sessions;
    const { session } = few.open("s1");
    for (const number of range(1, 9)) few.tell(session, null, say(String(number)));
    expect(session.kept.map(({ id }) => id)).toEqual([7, 8, 9]);
    const small = open({ replayBytes: 1_000 }).sessions;
    const { session: other } = small.open("s1");
    for (const _ of range(1, 9)) small.tell(other, null, say("x".repeat(300)));
    expect(other.kept.length).toBeLessThan(3);
    expect(other.bytes).toBe(other.kept.reduce((sum, { text }) => sum + text.length, 0));
  });

  test("of all sessions is bounded too: the session that was left first gives way", () => {
    const { sessions } = open({ replayBytesAll: 2_000 });
    const [first, second] = [sessions.open("s1").session, sessions.open("s2").session];
    sessions.tell(first, null, say("x".repeat(900)));
    sessions.tell(second, null, say("x".repeat(900)));
    sessions.tell(second, null, say("x".repeat(900)));
    expect(first.kept).toEqual([]);
    expect(sessions.stats().bytes).toBeLessThanOrEqual(2_000);
  });

  test("is forgotten ten minutes after its client has left, and not before", () => {
    const { sessions, clock } = open();
    const { session } = sessions.open("s1");
    const one = reader();
    sessions.attach(session, one.link, null);
    clock.advance(60 * minute);
    sessions.leave(session, one.link);
    clock.advance(9 * minute);
    expect(sessions.open("s1")).toMatchObject({ isNew: false });
    clock.advance(2 * minute);
    expect(sessions.open("s1")).toMatchObject({ isNew: true });
  });

  test("are so many sessions: the one that was left longest ago gives way, and none that is in use", () => {
    const { sessions, clock } = open({ sessions: 2 });
    const [one, two] = [reader(), reader()];
    sessions.attach(sessions.open("s1").session, one.link, null);
    const { session } = sessions.open("s2");
    sessions.attach(session, two.link, null);
    expect(() => sessions.open("s3")).toThrow("2 sessions");
    clock.advance(1_000);
    sessions.leave(session, two.link);
    expect(sessions.open("s3").isNew).toBe(true);
    expect(sessions.get("s1")).toBeDefined();
    expect(sessions.get("s2")).toBeUndefined();
  });
});

test("SE4: the newer connection has the session, the older one is told, and its leaving changes nothing", () => {
  const { sessions } = open();
  const { session } = sessions.open("s1");
  const [one, two] = [reader(), reader()];
  sessions.attach(session, one.link, null);
  sessions.attach(session, two.link, null);
  expect([one.displaced(), two.displaced()]).toEqual([1, 0]);
  sessions.leave(session, one.link);
  sessions.tell(session, null, say("a"));
  expect([one.heard.length, two.heard.length]).toEqual([0, 1]);
});

test("a limit that cannot be is refused by its name", () => {
  expect(() => withSocketLimits({ idleMs: 0 })).toThrow("these limits cannot be: idleMs");
  expect(withSocketLimits({ idleMs: 7 })).toMatchObject({ idleMs: 7, pingMs: socketLimits.pingMs.default });
});
