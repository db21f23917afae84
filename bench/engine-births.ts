// How long a new process takes: to its first finished workflow, and after kill -9 until the cut-off step runs again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder, median } from "./load.ts";

const program = fileURLToPath(new URL("./engine-birth.ts", import.meta.url));

const doors = {
  sources: new URL("../src/index.ts", import.meta.url),
  package: new URL("../dist/index.js", import.meta.url),
};
export type Door = keyof typeof doors;
/** Only after `npm run build` is there a package. */
export const doorsHere = (): Door[] => (existsSync(doors.package) ? ["sources", "package"] : ["sources"]);

const born = (directory: string, mode: "first" | "step", door: Door): ChildProcess =>
  spawn(process.execPath, [program, directory, mode, doors[door].href], { stdio: ["ignore", "pipe", "inherit"] });

async function said(child: ChildProcess): Promise<void> {
  if (child.stdout) await once(child.stdout, "data");
}

async function first(directory: string, door: Door): Promise<number> {
  const from = performance.now();
  const child = born(directory, "first", door);
  await said(child);
  const took = performance.now() - from;
  if (child.exitCode === null) await once(child, "exit");
  return took;
}

async function again(directory: string, door: Door): Promise<number> {
  const before = born(directory, "step", door);
  await said(before);
  before.kill("SIGKILL");
  const from = performance.now();
  if (before.exitCode === null && before.signalCode === null) await once(before, "exit");
  const next = born(directory, "step", door);
  await said(next);
  const took = performance.now() - from;
  next.kill("SIGKILL");
  if (next.exitCode === null && next.signalCode === null) await once(next, "exit");
  return took;
}

export type Births = { door: Door; rounds: number; nodeAloneMs: number; firstResultMs: number; killToStepMs: number };

/** Medians; beside them what Node alone takes to start and say a word. What the first birth compiles is kept. */
export const births = (rounds: number, door: Door): Promise<Births> =>
  inFolder(async (folder) => {
    const node: number[] = [];
    const firsts: number[] = [];
    const agains: number[] = [];
    await first(join(folder, "before"), door);
    for (let round = 0; round < rounds; round++) {
      const from = performance.now();
      await said(spawn(process.execPath, ["-e", "console.log(1)"], { stdio: ["ignore", "pipe", "inherit"] }));
      node.push(performance.now() - from);
      firsts.push(await first(join(folder, `first-${round}`), door));
      agains.push(await again(join(folder, `again-${round}`), door));
    }
    return { door, rounds, nodeAloneMs: median(node), firstResultMs: median(firsts), killToStepMs: median(agains) };
  });
