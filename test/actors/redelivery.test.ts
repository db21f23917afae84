// Goal: a result that nobody hears is said again until somebody does, or until it is of no use any more.
// Method: virtual time, and a list of what was published.

import { expect, test } from "vitest";
import { newRedelivery } from "../../src/actors/redelivery.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";

const second = 1_000;
const encoded = { subject: "s", headers: {}, bytes: new Uint8Array(0) };

function opened(bytesMax?: number) {
  const clock = virtualClock(0);
  const said: string[] = [];
  const publish = (_encoded: unknown, id: string): void => void said.push(id);
  return { clock, said, redelivery: newRedelivery({ clock, publish, ...(bytesMax !== undefined && { bytesMax }) }) };
}

test("JR1: it is said again after each complaint, for a minute", () => {
  const { clock, said, redelivery } = opened();
  redelivery.watch("a", encoded);
  while (redelivery.unheard("a")) clock.advance(second);
  expect(said.length).toBeGreaterThan(50);
  expect(clock.now()).toBe(61 * second);
});

test("JR1: what somebody heard is not said again, and a stranger's complaint is nobody's", () => {
  const { clock, said, redelivery } = opened();
  redelivery.watch("a", encoded);
  redelivery.watch("b", encoded);
  expect([redelivery.unheard("b"), redelivery.unheard("c")]).toEqual([true, false]);
  clock.advance(second);
  expect(said).toEqual(["b"]);
  clock.advance(20 * second);
  redelivery.watch("d", encoded);
  expect(redelivery.unheard("a"), "long heard").toBe(false);
  redelivery.unheard("d");
  redelivery.close();
  clock.advance(second);
  expect(said).toEqual(["b"]);
});

test("resultsBytes: of more than that the oldest are forgotten, and no longer said again", () => {
  const { redelivery } = opened(1_000);
  const large = (bytes: number) => ({ ...encoded, bytes: new Uint8Array(bytes) });
  redelivery.watch("a", large(600));
  redelivery.watch("b", large(400));
  redelivery.watch("c", large(1));
  expect(["a", "b", "c"].map(redelivery.unheard), "at the border").toEqual([true, true, true]);
  const { redelivery: other } = opened(1_000);
  for (const id of ["a", "b"]) other.watch(id, large(600));
  other.watch("c", large(1));
  expect(["a", "b", "c"].map(other.unheard)).toEqual([false, true, true]);
});
