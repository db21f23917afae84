// Goal: contents that travel by reference keep their messages in order on both ways, and never hold them up for ever.
//
// Method: an object store in memory that answers when the test says so, and a clock that stands still.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { newContents } from "../../src/actors/contents.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import type { Reference, StoredContent } from "../../src/protocol/references.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import type { Objects } from "../../src/transport/transport.ts";
import { rest } from "../kit/bridged.ts";

const encoder = new TextEncoder();

/** Content of the store, by what it says. */
function contentOf(text: string): StoredContent {
  const bytes = encoder.encode(JSON.stringify(text));
  const hash = createHash("sha256").update(bytes).digest("hex");
  return { hash, size: bytes.byteLength, bytes: () => bytes };
}

function opened(limits: { objectsAtOnce?: number; deliveriesMax?: number } = {}, isOn = true) {
  const clock = virtualClock(1_000_000);
  const kept = new Map<string, Uint8Array>();
  /** What was asked of the store and has no answer yet, oldest first. */
  const open: { hash: string; answer: () => void; fail: (error: Error) => void }[] = [];
  const asked = <T>(hash: string, answerOf: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      open.push({ hash, answer: () => resolve(answerOf()), fail: reject });
    });
  const objects: Objects = {
    name: "s",
    put: (hash, bytes) => asked(hash, () => void kept.set(hash, bytes)),
    get: (hash) => asked(hash, () => kept.get(hash) ?? null),
  };
  const log: string[] = [];
  const contents = newContents({
    objects: isOn ? objects : undefined,
    store: "s",
    limits: { objectBytes: 100, objectsAtOnce: 4, deliveriesMax: 100, ...limits },
    clock,
    depthMax: 10,
    report: (_level, message) => void log.push(message),
  });
  const said: string[] = [];
  const leave = (what: string, given: readonly StoredContent[] = [], isPassing = false) =>
    contents.leave(
      given,
      () => void said.push(what),
      (error) => {
        said.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
        return isPassing ? Promise.reject(error) : undefined;
      },
    );
  const come = (lane: string, what: string, references: readonly Reference[] = []): boolean =>
    contents.come(
      lane,
      references,
      (found) => void said.push([what, ...found].join(" ")),
      (error) => void said.push(`${what}: ${String((error as TroupeError).details["reason"] ?? error)}`),
    );
  /** Answers the oldest question. */
  const answer = async (): Promise<void> => {
    await rest();
    open.shift()?.answer();
    await rest();
  };
  const refuse = async (message: string): Promise<void> => {
    await rest();
    open.shift()?.fail(new Error(message));
    await rest();
  };
  return { clock, contents, kept, open, said, log, leave, come, answer, refuse };
}

describe("on the way out", () => {
  test("what needs nothing leaves at once, and what it waits for is its own", () => {
    const { leave, said } = opened();
    expect(leave("a")).toBeUndefined();
    expect(said).toEqual(["a"]);
  });

  test("CT1: what is said after a content leaves after it, and contents are put at the same time", async () => {
    const { leave, said, open, answer } = opened();
    void leave("large", [contentOf("1")]);
    void leave("larger", [contentOf("2")]);
    void leave("small");
    await rest();
    expect(open).toHaveLength(2);
    open.reverse();
    await answer();
    expect(said).toEqual([]);
    await answer();
    expect(said).toEqual(["large", "larger", "small"]);
    void leave("next");
    expect(said.at(-1)).toBe("next");
  });

  test("CT1: what cannot leave for now takes with it all that waits behind it; then the way is free", async () => {
    const { leave, said, refuse } = opened();
    const first = leave("large", [contentOf("1")], true);
    const second = leave("small", [], true);
    first?.catch(() => undefined);
    await refuse("away");
    await expect(first).rejects.toThrow("away");
    await expect(second).rejects.toThrow("away");
    expect(said).toEqual(["large: away", "small: away"]);
    void leave("again");
    expect(said.at(-1)).toBe("again");
  });

  test("what can never leave is told, and holds up nobody", async () => {
    const { leave, said, refuse } = opened();
    void leave("large", [contentOf("1")]);
    void leave("small");
    await refuse("full");
    expect(said).toEqual(["large: full", "small"]);
  });

  test("over the limit of an object nothing is put", async () => {
    const { leave, said, open } = opened();
    await leave("huge", [contentOf("x".repeat(200))]);
    expect(open).toEqual([]);
    expect(said).toEqual([expect.stringContaining("it may have 100")]);
  });
});

describe("on the way in", () => {
  test("CT2: what comes for a run waits for the content before it, and other runs do not", async () => {
    const { come, contents, kept, said, answer } = opened();
    const one = contentOf("one");
    kept.set(one.hash, one.bytes());
    come("r", "first", [one]);
    come("r", "second");
    come("q", "other");
    expect(contents.isIdle()).toBe(false);
    await rest();
    expect(said).toEqual(["other"]);
    await answer();
    expect(said).toEqual(["other", "first one", "second"]);
    expect(contents.isIdle()).toBe(true);
    come("r", "third");
    expect(said.at(-1)).toBe("third");
  });

  test("CT2: contents of one run are taken in the order they came, whichever is here first", async () => {
    const { come, kept, said, answer } = opened();
    const [one, two] = [contentOf("one"), contentOf("two")];
    for (const { hash, bytes } of [one, two]) kept.set(hash, bytes());
    come("r", "first", [one]);
    come("r", "second", [two]);
    await answer();
    await answer();
    expect(said).toEqual(["first one", "second two"]);
  });

  test("CT3: what is lost, wrong, too large or from a store that is off is said at once, in its turn", async () => {
    const { come, kept, said, answer, open } = opened();
    const one = contentOf("one");
    come("r", "lost", [one]);
    come("r", "huge", [{ ...one, size: 101 }]);
    await answer();
    expect(open).toEqual([]);
    kept.set(one.hash, encoder.encode('"two"'));
    come("r", "wrong", [one]);
    await answer();
    expect(said).toEqual(["lost: OBJECT_LOST", "huge: OBJECT_TOO_LARGE", "wrong: OBJECT_WRONG"]);
    const off = opened({}, false);
    off.come("r", "off", [one]);
    await rest();
    expect(off.said).toEqual(["off: OBJECT_STORE_OFF"]);
  });

  test("CT3: a store that cannot be reached is tried three times, a second apart, and then given up", async () => {
    const { come, clock, said, refuse, answer, kept } = opened();
    const one = contentOf("one");
    kept.set(one.hash, one.bytes());
    come("r", "second time", [one]);
    await refuse("away");
    clock.advance(1_000);
    await rest();
    await answer();
    expect(said).toEqual(["second time one"]);
    come("r", "never", [one]);
    for (let tries = 0; tries < 3; tries++) {
      await refuse("away");
      clock.advance(1_000);
      await rest();
    }
    expect(said.at(-1)).toBe("never: OBJECT_UNREACHABLE");
  });

  test("CT4: so many contents are fetched at once and no more, and so many messages wait", async () => {
    const { come, open, answer, said } = opened({ objectsAtOnce: 2, deliveriesMax: 3 });
    for (const lane of ["a", "b", "c"]) expect(come(lane, lane, [contentOf(lane)])).toBe(true);
    await rest();
    expect(open).toHaveLength(2);
    expect(come("d", "d", [contentOf("d")])).toBe(false);
    expect(come("a", "behind")).toBe(false);
    expect(come("d", "free")).toBe(true);
    await answer();
    expect(open).toHaveLength(2);
    expect(come("d", "d", [contentOf("d")])).toBe(true);
    expect(said).toContain("free");
  });

  test("CT4: so many contents are put at once and no more, and only those have their bytes", async () => {
    const { leave, open, answer, kept } = opened({ objectsAtOnce: 1 });
    let made = 0;
    for (const text of ["1", "2", "3"]) {
      const content = contentOf(text);
      const bytes = (): Uint8Array => {
        made += 1;
        return content.bytes();
      };
      void leave(text, [{ ...content, bytes }]);
    }
    await rest();
    expect([open.length, made]).toEqual([1, 1]);
    await answer();
    expect([open.length, made]).toEqual([1, 2]);
    await answer();
    await answer();
    expect(kept.size).toBe(3);
  });

  test("a delivery that throws harms none of those behind it", async () => {
    const { contents, come, said, log, kept, answer } = opened();
    const one = contentOf("one");
    kept.set(one.hash, one.bytes());
    const act = (): never => {
      throw new Error("no such run");
    };
    contents.come("r", [one], act, () => undefined);
    come("r", "second");
    await answer();
    expect(log).toEqual(["a delivery failed"]);
    expect(said).toEqual(["second"]);
  });
});
