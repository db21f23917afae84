// Runs a workflow of an example, and prints what is said on the way and how it ends.
//
//   npx node examples/run.ts saga trip '{"to": "Rome", "price": 4000}'

import { join } from "node:path";
import { troupe } from "../src/index.ts";

const [example = "hello", workflow = "hello", input = "{}"] = process.argv.slice(2);
const here = await troupe({ project: join(import.meta.dirname, example) });
here.subscribe(({ said }) => {
  for (const { word } of said) {
    if (/^event:(?:Workflow|Task)/.test(word.type)) console.log(`  ${word.task?.id ?? workflow} ${word.type.slice(6)}`);
  }
});
const { status, output, error } = await here.run(workflow, JSON.parse(input));
console.log(`${status}: ${JSON.stringify(output ?? error)}`);
await here.stop();
