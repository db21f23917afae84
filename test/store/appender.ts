// A process that appends to a directory until it is killed, and prints what it is told is committed, line by line.

import { openSqlite } from "../../src/store/sqlite.ts";
import { planAt, Script } from "./units.ts";

const store = openSqlite({ directory: process.argv[2] ?? "" });
const script = new Script();
while (script.seq < store.opened().seq) script.next(planAt(script.units.length));

const appendSome = (): void => {
  for (let more = 0; more < 1 + (script.seq % 7); more += 1) store.append(script.next(planAt(script.units.length)));
};
store.onCommitted((seq) => {
  process.stdout.write(`${seq}\n`);
  appendSome();
});
appendSome();
