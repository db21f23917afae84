// Runs the command `troupe`, or any other Node program of the repository, the way a person does: as a process.

import { spawnSync } from "node:child_process";
import { root } from "./tree.ts";

export type Ended = { readonly exit: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a program without input, in the repository's root unless it is told otherwise, and waits for its end. */
export function run(program: string, args: readonly string[], cwd = root): Ended {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 100_000,
  });
  return { exit: status, stdout, stderr };
}

export const troupe = (...args: string[]): Ended => run(process.execPath, ["bin/troupe.js", ...args]);

/** Runs a file with a Node that says it is another version, as the file itself cannot tell. */
export const underNode = (version: string, file: string, ...args: string[]): Ended => {
  const disguise = `Object.defineProperty(process, "version", { value: "${version}" });`;
  return run(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(disguise)}`, file, ...args]);
};
