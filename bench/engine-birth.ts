// The process whose birth is measured: its first workflow, or a step that was cut off and runs again.
//
//   node bench/engine-birth.ts <directory> first <door>     says `done` when its first workflow has ended
//   node bench/engine-birth.ts <directory> step <door>      says `step` each time its step is run, and never ends it
//
// The door is the URL of what is imported: the sources, or the package as it is published.

import { writeSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { dirname, join } from "node:path";

const [directory = "", mode, door = ""] = process.argv.slice(2);
// As the program of the package does it: what was compiled once is read the next time.
enableCompileCache(join(dirname(directory), "compiled"));
const { troupe } = (await import(door)) as typeof import("../src/index.ts");
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
