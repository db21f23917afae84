// I5: the log says what is there: rows, and runs in memory, are what their records make.

import { freezeRun } from "../../actors/run.ts";
import type { System } from "../../actors/system.ts";
import { fromUnknown } from "../../protocol/errors.ts";
import type { Disk } from "../../store/memory.ts";

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
