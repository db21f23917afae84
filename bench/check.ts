// How many runs a second the search plays on one core, by processor time: whole searches of three workflows.
//
//   npm run bench:check                a table
//   npm run bench:check -- --json      one object
//
// Beside each stands what one run costs where nothing is shared and a process is played around it; and how many runs
// the search plays while a fixed piece of work is done once. A busy machine makes all of them dearer alike: what is
// compared between two machines, or two hours, is the last.

import { parseArgs } from "node:util";
import type { WorkflowSpec } from "../src/language/spec.ts";
import { prepareCast } from "../src/testing/check/cast.ts";
import { play } from "../src/testing/check/play.ts";
import { search, unsaidOf } from "../src/testing/check/search.ts";
import type { Cast, FaultKind } from "../src/testing/check/trial.ts";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });

const answer = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] } as const;
const callees = { agents: [{ id: "ann", output: answer }], tools: [{ id: "saw", output: answer }] };

/** Calls one after the other, tools and agents in turn. */
const chain = (id: string, count: number): WorkflowSpec => ({
  id,
  tasks: Array.from({ length: count }, (_, index) => ({
    id: `t${index}`,
    ...(index % 2 === 0 ? { type: "tool" as const, tool: "saw" } : { type: "agent" as const, agent: "ann" }),
    ...(index < count - 1 && { next: `t${index + 1}` }),
  })),
});

/** Fifty tasks: forty-eight branches at once, between one call and another. */
const fan: WorkflowSpec = {
  id: "fan",
  tasks: [
    { id: "first", type: "tool", tool: "saw", next: "all" },
    {
      id: "all",
      type: "parallel",
      branches: Object.fromEntries(
        Array.from({ length: 47 }, (_, index) => [
          `b${index}`,
          [{ id: `b${index}`, type: "tool" as const, tool: "saw" }],
        ]),
      ),
      next: "last",
    },
    { id: "last", type: "agent", agent: "ann" },
  ],
};

const failures: readonly FaultKind[] = [
  "succeeds",
  "fails",
  "undispatched",
  "hangs",
  "late",
  "slow",
  "doubled",
  "dies",
];

/** `faults`: those of calls alone, or all, crashes too. */
const cases: readonly { name: string; spec: WorkflowSpec; runs: number; faults?: readonly FaultKind[] }[] = [
  { name: "5 tasks, faults of calls", spec: chain("five", 5), runs: 4_000, faults: failures },
  { name: "5 tasks, all and crashes", spec: chain("five", 5), runs: 4_000 },
  { name: "20 tasks, every fault alone", spec: chain("twenty", 20), runs: 400, faults: failures },
  { name: "50 tasks, fan-out", spec: fan, runs: 300, faults: failures },
];

async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Always the same work: texts made of objects, and kept in a table. */
async function fixedWork(): Promise<void> {
  const kept = new Map<string, number>();
  for (let number = 0; number < 600_000; number++) {
    const text = JSON.stringify({ number, text: `x${number}` });
    kept.set(text.slice(0, 8), text.length);
  }
}

await fixedWork();
const rows = [];
for (const { name, spec, runs, faults } of cases) {
  const cast: Cast = { workflows: [spec], ...callees };
  const options = { workflow: spec.id, seed: 1, runs, timeMs: Infinity, ...(faults && { faults }) };
  await search(cast, { ...options, runs: Math.min(runs, 500) }, []);
  let played = 0;
  let singles = "";
  const fixedBefore = await cpuSeconds(fixedWork);
  const seconds = await cpuSeconds(async () => {
    const report = await search(cast, options, []);
    played = report.runs;
    const part = report.parts.find(({ what }) => what === "every single fault");
    singles = `${part?.done ?? 0} of ${part?.of ?? 0}`;
  });
  const fixed = (fixedBefore + (await cpuSeconds(fixedWork))) / 2;
  const company = prepareCast(cast);
  const plain = { workflow: spec.id, seed: 1, input: unsaidOf(company, spec.id).input, calls: {}, disturbances: [] };
  const count = Math.max(20, Math.round(runs / 10));
  const whole = await cpuSeconds(async () => {
    for (let left = count; left > 0; left--) await play(company, plain);
  });
  rows.push({
    name,
    runs: played,
    cpuSeconds: Number(seconds.toFixed(2)),
    runsPerSecond: Math.round(played / seconds),
    wholeRunsPerSecond: Math.round(count / whole),
    runsPerFixedWork: Math.round((played / seconds) * fixed),
    singles,
  });
}

if (values.json) console.log(JSON.stringify(rows));
else console.table(rows);
