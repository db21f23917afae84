// Cuts an engine off from its NATS server again and again, and says what it leaves behind.
//
//   npm run reconnects -- --count 1000

import { parseArgs } from "node:util";
import { leaks, reconnects } from "./torture/reconnects.ts";

const { values } = parseArgs({ options: { count: { type: "string" } } });
const count = Number(values.count ?? "1000");
if (!Number.isSafeInteger(count) || count < 10) {
  console.error(`--count must be a whole number of 10 or more, not "${values.count}"`);
  process.exit(2);
}
const done = await reconnects(count, console.log);
console.log(`${done.reconnects} reconnects, ${done.ended} runs ended well, ${done.msEach.toFixed(1)} ms each`);
console.log(`before: ${JSON.stringify(done.before)}`);
console.log(`after:  ${JSON.stringify(done.afterwards)}`);
const found = leaks(done);
console.log(found.length === 0 ? "nothing is left behind" : `LEFT BEHIND: ${found.join(", ")}`);
process.exitCode = found.length === 0 && done.ended === count ? 0 : 1;
