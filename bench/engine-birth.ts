// The process whose birth is measured: its first workflow, or a step that was cut off and runs again.
//
//   node bench/engine-birth.ts <directory> first       says `done` when its first workflow has ended
//   node bench/engine-birth.ts <directory> step        says `step` each time its step is run, and never ends it

import { writeSync } from "node:fs";
import { troupe } from "../src/runtime/troupe.ts";

const [directory = "", mode] = process.argv.slice(2);
const say = (word: string): void => void writeSync(1, `${word}\n`);

const engine = await troupe({
  store: { directory },
  agents: [
    { id: "echo", handler: async (given) => given },
    {
      id: "endless",
      handler: () => {
        say("step");
        return new Promise(() => undefined);
      },
    },
  ],
  workflows: [
    { id: "first", tasks: [{ id: "a", type: "agent", agent: "echo" }] },
    { id: "step", tasks: [{ id: "a", type: "agent", agent: "endless", timeout: "1h" }] },
  ],
});
if (mode === "first") {
  await engine.run("first");
  say("done");
  await engine.stop();
} else if (engine.recovered.busy === 0) {
  engine.start("step");
}
