// Goal: what is kept to be answered again stays within its limits.

import { expect, test } from "vitest";
import { newAnswered } from "../../src/serve/answered.ts";

const answer = (size: number) => ({ subject: "s", headers: {}, bytes: new Uint8Array(size), id: "i" });

test("AN1: the oldest go when there are too many, or too many bytes, and all when they are too old", () => {
  const answered = newAnswered({ answersMax: 3, bytesMax: 100 });
  for (const [index, name] of ["a", "b", "c", "d"].entries()) answered.keep(name, answer(10), index);
  expect(["a", "b", "c", "d"].filter((name) => answered.find(name, 4))).toEqual(["b", "c", "d"]);
  answered.keep("e", answer(90), 5);
  expect(answered.size()).toEqual({ answers: 2, bytes: 100 });
  // The same again takes the place of what was there.
  answered.keep("e", answer(20), 6);
  expect(answered.size()).toEqual({ answers: 2, bytes: 30 });
  answered.keep("silent", undefined, 7);
  expect(answered.find("silent", 8)).toMatchObject({ answer: undefined });
  expect(answered.find("e", 6 + 120_000)).toBeUndefined();
  expect(answered.size().answers).toBe(1);
  expect(answered.find("silent", 7 + 120_000)).toBeUndefined();
  expect(answered.size()).toEqual({ answers: 0, bytes: 0 });
});
