// Goal: what is said in one turn leaves as one write, and nothing is lost at an end.
// Method: texts are handed in, and turns of the process are let pass.

import { expect, test } from "vitest";
import { gather } from "../../src/daemon/gather.ts";

const turn = (): Promise<void> => new Promise((done) => void setImmediate(done));

test("GT1: what is said in one turn is one write, in order, and what comes later is another", async () => {
  const written: string[] = [];
  const { write } = gather((text) => void written.push(text));
  write("a");
  write("b");
  expect(written).toEqual([]);
  await turn();
  write("c");
  await turn();
  expect(written).toEqual(["ab", "c"]);
});

test("GT1: after a flush nothing waits, and nothing is written twice", async () => {
  const written: string[] = [];
  const { write, flush } = gather((text) => void written.push(text));
  write("a");
  flush();
  flush();
  await turn();
  expect(written).toEqual(["a"]);
});
