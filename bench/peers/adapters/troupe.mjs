// Adapter of troupe itself, as its library is used: callers and engine in this process.

import { join } from "node:path";

const at = (path) => new URL(path, process.env.TROUPE_ROOT).href;
const { troupe } = await import(at("src/runtime/troupe.ts"));
const { call, definitions } = await import(at("bench/load.ts"));
let engine;

export const adapter = {
  fsync: "yes: SQLite WAL, synchronous=FULL",
  note: "every answer is on the disk before it is given",
  async start(folder) {
    engine = await troupe({ ...definitions, store: { directory: join(folder, "data") } });
  },
  run: (kind, n) => call(engine, kind, n),
  stop: () => engine.stop(),
};
