// How long a new process takes: to its first finished workflow, and after kill -9 until the cut-off step runs again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder, median } from "./load.ts";

const program = fileURLToPath(new URL("./engine-birth.ts", import.meta.url));

const born = (directory: string, mode: "first" | "step"): ChildProcess =>
  spawn(process.execPath, [program, directory, mode], { stdio: ["ignore", "pipe", "inherit"] });

async function said(child: ChildProcess): Promise<void> {
  if (child.stdout) await once(child.stdout, "data");
}

async function first(directory: string): Promise<number> {
  const from = performance.now();
  const child = born(directory, "first");
  await said(child);
  const took = performance.now() - from;
  if (child.exitCode === null) await once(child, "exit");
  return took;
}

async function again(directory: string): Promise<number> {
  const before = born(directory, "step");
  await said(before);
  before.kill("SIGKILL");
  const from = performance.now();
  if (before.exitCode === null && before.signalCode === null) await once(before, "exit");
  const next = born(directory, "step");
  await said(next);
  const took = performance.now() - from;
  next.kill("SIGKILL");
  if (next.exitCode === null && next.signalCode === null) await once(next, "exit");
  return took;
}

export type Births = { rounds: number; nodeAloneMs: number; firstResultMs: number; killToStepMs: number };

/** Medians; beside them what Node alone takes to start and say a word. */
export const births = (rounds: number): Promise<Births> =>
  inFolder(async (folder) => {
    const node: number[] = [];
    const firsts: number[] = [];
    const agains: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const from = performance.now();
      await said(spawn(process.execPath, ["-e", "console.log(1)"], { stdio: ["ignore", "pipe", "inherit"] }));
      node.push(performance.now() - from);
      firsts.push(await first(join(folder, `first-${round}`)));
      agains.push(await again(join(folder, `again-${round}`)));
    }
    return { rounds, nodeAloneMs: median(node), firstResultMs: median(firsts), killToStepMs: median(agains) };
  });
