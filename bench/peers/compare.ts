// Runs troupe and its peers under the same load on the same machine, in turns, and prints one table.
//
//   npm run bench:peers                                     troupe, openworkflow, mastra, restate
//   npm run bench:peers -- --only troupe,restate --seconds 3 --rounds 3
//
// The peers are installed from the npm registry into a temporary folder, without their install scripts; who cannot be
// installed is left out and named. Figures are medians of the rounds; the rounds go round the peers, so that whatever
// else the machine does meets all of them.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median, type Measured } from "../load.ts";
import type { Result } from "./loop.ts";

const peers: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  troupe: {},
  openworkflow: { openworkflow: "0.10.1" },
  mastra: { "@mastra/core": "1.71.0", "@mastra/libsql": "1.23.1", zod: "4.6.7" },
  restate: {
    "@restatedev/restate-sdk": "1.17.2",
    "@restatedev/restate-sdk-clients": "1.17.2",
    "@restatedev/restate-server": "1.7.12",
  },
};

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(peers).join(",") },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const note = (line: string): void => console.error(line);

const place = mkdtempSync(join(tmpdir(), "troupe-peers-"));
const results = new Map<string, Result[]>();

function install(name: string): boolean {
  const folder = join(place, name);
  mkdirSync(folder);
  copyFileSync(here(`adapters/${name}.mjs`), join(folder, "adapter.mjs"));
  const dependencies = peers[name] ?? {};
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  if (Object.keys(dependencies).length === 0) return true;
  note(`installing ${name}`);
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  const { status, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", timeout: 600_000 });
  if (status !== 0) note(`${name} is left out: ${stderr.trim().split("\n")[0] ?? "npm failed"}`);
  return status === 0;
}

function measure(name: string, round: number): void {
  const folder = join(place, name);
  const data = join(folder, `data-${round}`);
  mkdirSync(data);
  const env = { ...process.env, TROUPE_ROOT: new URL("../../", import.meta.url).href, BORN_AT: String(Date.now()) };
  const args = [here("loop.ts"), join(folder, "adapter.mjs"), data, values.seconds];
  const run = spawnSync(process.execPath, args, { cwd: folder, env, encoding: "utf8", timeout: 300_000 });
  rmSync(data, { recursive: true, force: true });
  const line = run.stdout.split("\n").find((text) => text.startsWith('{"fsync"'));
  if (run.status !== 0 || line === undefined) return note(`${name}, round ${round}: ${run.stderr.slice(-600)}`);
  results.set(name, [...(results.get(name) ?? []), JSON.parse(line) as Result]);
  note(`${name}, round ${round}, load ${loadavg()[0]?.toFixed(1)}`);
}

function rowOf(name: string, rounds: readonly Result[]): string {
  const phase = (kind: string, callers: number, column: Exclude<keyof Measured, "kind">): string => {
    const figures = rounds.flatMap(({ phases }) =>
      phases.filter((one) => one.kind === kind && one.callers === callers).map((one) => one[column]),
    );
    const figure = median(figures);
    return figure >= 20 ? String(Math.round(figure)) : String(figure);
  };
  const perSecond = (kind: string, counts: readonly number[]): string =>
    counts.map((count) => phase(kind, count, "perSecond")).join(" / ");
  const cells = [
    `${name} (${rounds.length})`,
    rounds[0]?.fsync ?? "",
    perSecond("W1", [1, 16, 256]),
    `${phase("W1", 1, "p50Ms")} / ${phase("W1", 1, "p99Ms")}`,
    perSecond("W3", [1, 16]),
    perSecond("FAN", [1, 4]),
    phase("W1", 16, "cpuSecondsPer1000"),
    String(Math.round(median(rounds.map(({ peakPssMB }) => peakPssMB)))),
    String(Math.round(median(rounds.map(({ coldMs }) => coldMs)))),
  ];
  return `| ${cells.join(" | ")} |`;
}

try {
  const wanted = values.only.split(",").filter((name) => Object.hasOwn(peers, name) || note(`there is no ${name}`));
  const ready = wanted.filter(install);
  for (let round = 1; round <= Number(values.rounds); round++) for (const name of ready) measure(name, round);
  if (values.json) {
    console.log(JSON.stringify(Object.fromEntries(results)));
  } else {
    console.log(
      `Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}, ${values.seconds} s a phase`,
    );
    console.log(
      "| engine (rounds) | fsync before the answer | W1/s at 1 / 16 / 256 | W1 alone p50 / p99 ms | " +
        "W3/s at 1 / 16 | FAN/s at 1 / 4 | CPU s per 1,000 W1 at 16 | peak PSS MB | cold ms |",
    );
    console.log("|---|---|---|---|---|---|---|---|---|");
    for (const [name, rounds] of results) console.log(rowOf(name, rounds));
  }
} finally {
  rmSync(place, { recursive: true, force: true });
}
