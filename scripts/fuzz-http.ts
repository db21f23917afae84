// Sends hostile requests, drawn from the OpenAPI document, to every operation until one is answered wrongly.
//
//   npm run fuzz:http -- --runs 200000 --seed 7
//   npm run fuzz:http -- --seed 7 --only getExecution

import { parseArgs } from "node:util";
import fc from "fast-check";
import type { Operation } from "../src/gateway/contract.ts";
import { anyRequest, openGuarded, operations, placesIn, play, type Request } from "../test/gateway/any-request.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string" },
  },
});
const seed = Number(values.seed);
const chosen = values.only === undefined ? operations : [values.only as Operation];
/** Runs begin and end all the while: a bed is left before it is full of them. */
const runsPerBed = 5_000;
const statuses = new Map<number, number>();
const wrong: { request: Request; defects: string[] }[] = [];
let done = 0;

console.log(`seed ${seed}, ${chosen.length} operations`);
for (let round = 0; done < Number(values.runs) && wrong.length === 0; round++) {
  const bed = await openGuarded();
  const places = await placesIn(bed);
  const numRuns = Math.ceil(Math.min(runsPerBed, Number(values.runs) - done) / chosen.length);
  for (const [index, operation] of chosen.entries()) {
    for (const request of fc.sample(anyRequest(places, operation), { numRuns, seed: seed + round * 1_000 + index })) {
      const { status, defects } = await play(bed, request);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      done += 1;
      if (defects.length > 0) wrong.push({ request, defects });
    }
  }
  const last = await bed.client.executeWorkflow({ id: "hello", input: { name: "the next" } });
  if (!("result" in last)) throw new Error("the server does not answer as before");
  await bed.stop();
  const counts = [...statuses].sort(([one], [other]) => one - other).map(([status, count]) => `${status}: ${count}`);
  console.log(`${done} requests; ${counts.join(", ")}`);
}
for (const { request, defects } of wrong.slice(0, 10)) {
  console.log(JSON.stringify({ defects, ...request }).slice(0, 2_000));
}
console.log(wrong.length === 0 ? "nothing was answered wrongly" : `${wrong.length} were answered wrongly`);
process.exitCode = wrong.length === 0 ? 0 : 1;
