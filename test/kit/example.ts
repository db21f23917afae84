// An example as somebody runs it: its project loaded from its folder, in virtual time, on a disk that can be read.

import { join } from "node:path";
import { journalOf, type JournalLine } from "../../src/actors/record.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, openMemory } from "../../src/store/memory.ts";
import { type Store } from "../../src/store/store.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";
import { pass } from "./passing.ts";
import { root } from "./tree.ts";

export type Example = {
  t: Troupe;
  clock: VirtualClock;
  disk: Disk;
  /** Lets so much time pass, and everything in it happen. */
  pass(ms: number): Promise<void>;
  /** What became of workflows and tasks, in the order in which it was written down. */
  story(): string[];
};

type Given = { disk?: Disk; store?: Store; clock?: VirtualClock };

export async function openExample(name: string, given: Given = {}): Promise<Example> {
  const { disk = makeDisk(), clock = virtualClock(Date.UTC(2026, 0, 1)) } = given;
  const t = await troupe({
    project: join(root, "examples", name),
    store: given.store ?? openMemory({ disk }),
    clock,
    random: randomFrom(1),
  });
  return { t, clock, disk, pass: (ms) => pass(clock, ms), story: () => storyIn(disk) };
}

type Body = {
  workflow?: { id: string };
  task?: { id: string };
  payload?: { result?: { error?: { code: string; details?: { cause_code?: string } } } };
};

export const storyIn = (disk: Disk): string[] => disk.log.flatMap(journalOf).flatMap(tell);

function tell({ type, envelope }: JournalLine): string[] {
  const [, what, ending] = /^event:(Workflow|Task)(?:Execution)?(\w+)$/.exec(type) ?? [];
  if (what === undefined || ending === "Scheduled" || (what === "Task" && ending === "Started")) return [];
  const { workflow, task, payload } = envelope as Body;
  const who = what === "Workflow" ? workflow?.id : task?.id;
  const error = payload?.result?.error;
  const code = error === undefined ? "" : ` ${error.code}`;
  const cause = error?.details?.cause_code === undefined ? "" : ` of ${error.details.cause_code}`;
  return [`${who} ${ending}${code}${cause}`];
}
