// Adapter of openworkflow on its own SQLite backend: worker and client in this process.

import { join } from "node:path";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";

const echo = async (n) => ({ n });
const resultPollMs = 10;
let open;
let worker;
const workflows = {};

export const adapter = {
  fsync: "yes: SQLite WAL, synchronous default (FULL)",
  note: `worker of 256; asked for its result every ${resultPollMs} ms (default 1,000)`,
  async start(folder) {
    open = new OpenWorkflow({ backend: BackendSqlite.connect(join(folder, "ow.db")) });
    workflows.W1 = open.defineWorkflow({ name: "W1" }, ({ input, step }) => step.run({ name: "a" }, () => echo(input)));
    workflows.W3 = open.defineWorkflow({ name: "W3" }, async ({ input, step }) => {
      const a = await step.run({ name: "a" }, () => echo(input));
      const b = await step.run({ name: "b" }, () => echo(a.n));
      return step.run({ name: "c" }, () => echo(b.n));
    });
    workflows.FAN = open.defineWorkflow({ name: "FAN" }, async ({ step }) => {
      const all = await Promise.all(Array.from({ length: 100 }, (_, n) => step.run({ name: `s${n}` }, () => echo(n))));
      return { n: all.length };
    });
    worker = open.newWorker({ concurrency: 256 });
    await worker.start();
  },
  async run(kind, n) {
    const handle = await workflows[kind].run(n);
    handle.resultPollIntervalMs = resultPollMs;
    return handle.result();
  },
  stop: () => worker.stop(),
};
