// I5: the log says what is there: rows, and runs in memory, are what their records make; so is what spectators see.

import { freezeRun, type Run } from "../../actors/run.ts";
import type { ChartStep, Spectator } from "../../actors/spectator.ts";
import type { System } from "../../actors/system.ts";
import { fromUnknown } from "../../protocol/errors.ts";
import type { Disk } from "../../store/memory.ts";
import type { LogRecord } from "../../store/store.ts";

/** Whatever is otherwise than its log says. */
export function* otherwise({ rows, runs }: Disk, system: System | undefined): Generator<string> {
  for (const [id, { records, state }] of system ? runs : []) {
    if (!state || records.length === 0) continue;
    try {
      const again = system?.again(id, { checkpoint: null, tail: records, state });
      if (!again) continue;
      const live = system?.peek(id);
      if (live && live.seq === again.seq && freezeRun(live) !== freezeRun(again)) {
        yield `run ${id} is otherwise in memory than its log says`;
      }
      for (const [execId, { status, attempt }] of again.executions) {
        const row = rows.get(execId);
        if (row?.status === status && row.attempt === attempt) continue;
        yield `${execId} is ${status}#${attempt} by the log, ${row?.status}#${row?.attempt} by its row`;
      }
    } catch (error) {
      yield `run ${id} cannot be replayed: ${fromUnknown(error).message}`;
    }
  }
}

/** Charts that stand otherwise than whoever watched the log saw last. */
export function* seenOtherwise({ runs }: Disk, seed: number, system: System | undefined): Generator<string> {
  // It takes its time: some plays are enough.
  if (seed % 4 !== 0) return;
  for (const [id, { records }] of system ? runs : []) {
    const live = system?.peek(id);
    // In memory it may be ahead of the disk.
    if (system && live && live.seq === records.at(-1)?.seq) yield* unseen(system.spectator(id), records, live);
  }
}

function* unseen(spectator: Spectator, records: readonly LogRecord[], { id, actors }: Run): Generator<string> {
  const open = new Map<string, ChartStep>();
  for (const step of records.flatMap((record) => spectator.take(record))) {
    if (step.status === "active") open.set(step.address, step);
    else open.delete(step.address);
  }
  if (open.size !== actors.size) yield `of run ${id} ${open.size} charts were seen, and there are ${actors.size}`;
  for (const [address, { life }] of actors) {
    const seen = open.get(address);
    const { value, context } = life.snapshot as { value: unknown; context: unknown };
    const isSame =
      seen !== undefined && JSON.stringify([seen.value, seen.whole.context]) === JSON.stringify([value, context]);
    if (!isSame) yield `'${address}' was seen at ${JSON.stringify(seen?.value)}, and is at ${JSON.stringify(value)}`;
  }
}
