// A workflow of five steps, each a second long: kill the process at any moment, run it again, and it goes on.
//
//   npm run example        and in another terminal: kill -9 <the process id it says>

import { join } from "node:path";
import { tmpdir } from "node:os";
import { defineTool, defineWorkflow, sequence, troupe } from "../src/index.ts";

const directory = join(tmpdir(), "troupe-example");
const steps = ["pack", "weigh", "stamp", "load", "send"];

const work = defineTool({
  id: "work",
  async handler(input, { idempotencyKey }) {
    const { step } = input as { step: string };
    await new Promise((passed) => setTimeout(passed, 1_000));
    console.log(`  ${step} is done (${idempotencyKey.slice(-14)})`);
    return { step };
  },
});
const parcel = defineWorkflow({
  id: "parcel",
  tasks: sequence(...steps.map((step) => ({ id: step, type: "tool" as const, tool: "work", with: { step } }))),
});

const here = await troupe({ store: { directory }, tools: [work], workflows: [parcel] });
const { items } = await here.list({ entity: "workflow", status: ["RUNNING"] });
const open = items[0]?.execId;
console.log(open === undefined ? "a parcel is sent" : "going on with the parcel of before");
console.log(`kill me: kill -9 ${process.pid}`);
const end = await (open === undefined ? here.run("parcel") : here.result(open));
console.log(`${end.status}: ${JSON.stringify(end.output ?? end.error)}`);
await here.stop();
