// One load for very long, with retention on: does it stay as fast, and as small, as it was at the start?

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { troupe } from "../src/runtime/troupe.ts";
import { call, definitions, drive, inFolder, type Measured } from "./load.ts";

export type Part = Measured & { done: number; diskMB: number; heapMB: number };

const partSize = 50_000;

const sizeMB = (folder: string): number =>
  Math.round(readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0) / 1e6);

type Long = { workflows: number; retentionMs: number; callers: number; tell: (part: Part) => void };

export const long = ({ workflows, retentionMs, callers, tell }: Long): Promise<Part[]> =>
  inFolder(async (folder) => {
    const engine = await troupe({ ...definitions, store: { directory: folder }, limits: { retentionMs } });
    const parts: Part[] = [];
    for (let done = 0; done < workflows;) {
      const calls = Math.min(partSize, workflows - done);
      const measured = await drive({ kind: "W1", callers, calls }, (n) => call(engine, "W1", n));
      done += measured.workflows;
      const heapMB = Math.round(process.memoryUsage().heapUsed / 1e6);
      const part = { ...measured, done, diskMB: sizeMB(folder), heapMB };
      parts.push(part);
      tell(part);
    }
    await engine.stop();
    return parts;
  });
