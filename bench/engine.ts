// What the engine takes on the disk: workflows per second, how long each takes, processor time, memory, births.
//
//   npm run bench:engine                                  a table
//   npm run bench:engine -- --json                        one object
//   npm run bench:engine -- --only W1,FAN --callers 1,16,256 --seconds 5
//   npm run bench:engine -- --workflows 1000000 --retention 60s     one load for long, a line per 50,000
//
// Callers and engine share one process and wait for each answer; every answer is on the disk (SQLite in WAL mode,
// synchronous=FULL) before it is given. W1 is a workflow of one agent task, W3 of three, FAN of a hundred in parallel,
// MIX a quarter each of W1, a tool that works at its third attempt, one that never works, and one that is replaced.
// The floor is measured in the same run: what the disk and the store alone allow for the records of the same workflows.

import { availableParallelism, cpus, loadavg } from "node:os";
import { setTimeout as after } from "node:timers/promises";
import { parseArgs } from "node:util";
import { durationOf } from "../src/language/duration.ts";
import { troupe } from "../src/runtime/troupe.ts";
import { type Births, births, doorsHere } from "./engine-births.ts";
import { floorOf } from "./floor.ts";
import { call, definitions, drive, inFolder, type Kind, kinds, type Measured, pssMB } from "./load.ts";
import { long } from "./load-long.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: kinds.join(",") },
    callers: { type: "string", default: "1,16,256" },
    seconds: { type: "string", default: "3" },
    births: { type: "string", default: "5" },
    floor: { type: "string", default: "yes" },
    workflows: { type: "string" },
    retention: { type: "string", default: "60s" },
  },
});
const fail = (message: string): never => {
  console.error(message);
  return process.exit(2);
};
const number = (name: string, text: string): number => {
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : fail(`--${name} must be a number, not "${text}"`);
};
const wanted = values.only.split(",").map((name) => kinds.find((kind) => kind === name) ?? fail(`there is no ${name}`));
const callers = values.callers.split(",").map((text) => number("callers", text));
const seconds = number("seconds", values.seconds);

const columns = ["perSecond", "p50Ms", "p99Ms", "maxMs", "cpuSecondsPer1000", "pssMB"] as const;
const line = (measured: Measured): string =>
  `${measured.kind.padEnd(15)} ${String(measured.callers).padStart(4)} ` +
  columns.map((column) => String(measured[column]).padStart(11)).join("");
const print = (text: string): void => void (values.json || console.log(text));

const machine = {
  node: process.version,
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  loadBefore: loadavg()[0],
};

async function measure(kind: Kind): Promise<{ measured: Measured[]; idleMB: number }> {
  return inFolder(async (folder) => {
    const engine = await troupe({ ...definitions, store: { directory: folder } });
    // FAN with many callers is a queue of minutes: 1 and 4 say what there is to know.
    const counts = kind === "FAN" ? [...new Set(callers.map((count) => Math.min(count, 4)))] : callers;
    await drive({ kind, callers: 8, seconds: Math.min(seconds, 1) }, (n) => call(engine, kind, n));
    const measured: Measured[] = [];
    for (const count of counts) {
      measured.push(await drive({ kind, callers: count, seconds }, (n) => call(engine, kind, n)));
      print(line(measured.at(-1) as Measured));
    }
    await after(2_000);
    const idleMB = pssMB();
    await engine.stop();
    return { measured, idleMB };
  });
}

const idleMB = (): Promise<number> =>
  inFolder(async (folder) => {
    const engine = await troupe({ ...definitions, store: { directory: folder } });
    await call(engine, "W1", 0);
    await after(500);
    const idle = pssMB();
    await engine.stop();
    return idle;
  });

if (values.workflows !== undefined) {
  const retentionMs = durationOf(values.retention, "--retention", (_field, message) => fail(`--retention ${message}`));
  const workflows = number("workflows", values.workflows);
  const count = Math.max(...callers);
  print(`${"workflows".padStart(10)} ${columns.map((column) => column.padStart(11)).join("")}     disk MB    heap MB`);
  const parts = await long({
    workflows,
    retentionMs,
    callers: count,
    tell: (part) =>
      print(
        `${String(part.done).padStart(10)} ${columns.map((column) => String(part[column]).padStart(11)).join("")}` +
          `${String(part.diskMB).padStart(12)}${String(part.heapMB).padStart(11)}`,
      ),
  });
  if (values.json) console.log(JSON.stringify({ machine, retentionMs, parts }));
} else {
  const fresh = await idleMB();
  print(`${machine.node}, ${machine.cores} × ${machine.processor}, load ${machine.loadBefore?.toFixed(1)}`);
  print(
    `${"".padEnd(15)} callers${columns
      .map((column) => column.padStart(11))
      .join("")
      .slice(3)}`,
  );
  const engine: Measured[] = [];
  const floor: Measured[] = [];
  const idleAfterMB: Record<string, number> = {};
  for (const kind of wanted) {
    const taken = await measure(kind);
    engine.push(...taken.measured);
    idleAfterMB[kind] = taken.idleMB;
    if (values.floor !== "yes" || (kind !== "W1" && kind !== "W3")) continue;
    const { measured, units, bytes } = await floorOf({ kind, callers, seconds });
    floor.push(...measured);
    for (const each of measured) print(line(each));
    print(`${"".padEnd(15)} (${units} units, ${bytes} bytes a workflow)`);
  }
  const rounds = number("births", values.births);
  const born: Births[] = [];
  for (const door of rounds > 0 ? doorsHere() : []) {
    const one = await births(rounds, door);
    born.push(one);
    print(
      `${door}: first result ${one.firstResultMs} ms after the start of the process (Node alone ${one.nodeAloneMs} ms)`,
    );
    print(`${door}: kill -9 → step runs again ${one.killToStepMs} ms, medians of ${one.rounds}`);
  }
  print(`idle ${fresh} MB (PSS) after one workflow; 2 s after the load: ${JSON.stringify(idleAfterMB)}`);
  if (values.json)
    console.log(JSON.stringify({ machine, seconds, engine, floor, births: born, idleMB: fresh, idleAfterMB }));
}
