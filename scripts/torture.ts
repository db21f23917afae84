// Kills, freezes, drains and fills a real engine on a real disk, and checks from outside that nothing is lost.
//
//   npm run torture -- --cycles 200
//   npm run torture -- --cycles 20 --seed 7 --keep      chance from a seed; keeps the data and the ledgers
//   npm run torture -- --transport nats --cycles 100    over a NATS server, which is struck too, and so are runtimes
//
// Chance decides what is asked for and when the process dies; how far it has come by then is the machine's affair, so
// a seed gives the same plan and not the same history.

import { parseArgs } from "node:util";
import { campaignApart } from "./torture/apart.ts";
import { campaign, type Plan } from "./torture/campaign.ts";
import { fullDisk, fullFile, readOnlyDirectory, secondProcess } from "./torture/disks.ts";
import { randomFrom } from "../src/testing/random.ts";

const { values } = parseArgs({
  options: {
    cycles: { type: "string" },
    seed: { type: "string" },
    keep: { type: "boolean" },
    transport: { type: "string", default: "memory" },
  },
});
const { transport } = values;
if (transport !== "memory" && transport !== "nats") {
  console.error(`--transport must be memory or nats, not "${transport}"`);
  process.exit(2);
}
const number = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} must be a whole number, not "${text}"`);
  return process.exit(2);
};
const cycles = number("cycles", values.cycles ?? "20");
const seed = number("seed", values.seed ?? String(Date.now() % 2 ** 31));

const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s`;
const print = (line: string): void => console.log(`${seconds()}  ${line}`);

print(`seed ${seed}, ${cycles} cycles`);
const plan: Plan = { cycles, random: randomFrom(seed), report: print, keep: values.keep ?? false };
const report = transport === "nats" ? await campaignApart(plan) : { ...(await campaign(plan)), heard: null };
const findings = [...report.findings];
// A disk is the same whatever the messages go over.
for (const scene of transport === "nats" ? [] : [fullDisk, fullFile, readOnlyDirectory, secondProcess]) {
  const { says, findings: found } = await scene(randomFrom(seed));
  print(`${scene.name}: ${says}`);
  findings.push(...found);
}

const { ways, accepted, ended, executions, records, heard, handlers, cutOff, duplicates, readyMs, megabytes } = report;
print(
  `${Object.entries(ways)
    .map(([way, count]) => `${count} × ${way}`)
    .join(", ")}`,
);
print(`${accepted} accepted, ${ended} ended, ${duplicates} starts answered again with the same execution`);
print(`${executions} executions, ${records} records, ${megabytes.toFixed(0)} MB`);
if (heard !== null) print(`${heard} state events seen by an outsider, on the wire and in the stream`);
print(`${handlers} handlers begun, ${cutOff} of them cut off by a crash`);
print(`ready after ${readyMs.median.toFixed(0)} ms in the median, ${readyMs.most.toFixed(0)} ms at most`);
for (const finding of findings.slice(0, 100)) console.error(finding);
print(findings.length === 0 ? "nothing lost, nothing doubled" : `FAILED: ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
