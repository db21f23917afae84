// Goal: an answer is found by its command as long as there is room for it, and what is kept has a bound.
// Method: answers of a few bytes, and a small bound.

import { expect, test } from "vitest";
import { newRequests } from "../../src/actors/requests.ts";

const answer = (bytes: number) => ({ subject: "s", headers: {}, bytes: new Uint8Array(bytes) });

test("answersBytes: of more than that the oldest is forgotten, and the others are given again", () => {
  const requests = newRequests({ answersBytes: 1_000 });
  const known = (): string[] => ["a", "b", "c", "d"].filter((id) => requests.answered(id) !== undefined);
  requests.answer("a", answer(600));
  requests.answer("b", answer(400));
  expect(known()).toEqual(["a", "b"]);
  requests.answer("c", answer(1));
  expect(known()).toEqual(["b", "c"]);
  requests.answer("d", answer(1_001));
  expect(known(), "one that is larger than all of it is not kept either").toEqual([]);
});

test("answersBytes: an answer that is given in the place of another counts once", () => {
  const requests = newRequests({ answersBytes: 1_000 });
  for (let time = 0; time < 10; time++) requests.answer("a", answer(500));
  requests.answer("b", answer(500));
  expect(requests.answered("a")?.bytes.byteLength).toBe(500);
});
