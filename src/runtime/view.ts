// The records of one run as a spectator sees them, some at a time; and what to do where they cannot be read.
//
//   first record ─▶ … ─▶ one that says something else now ──newest checkpoint behind it──▶ … ─▶ last record
//                                                         └──none──▶ that is all there is to see
//
// Records of an earlier release may say something else under the charts of this one. What a run was on its way from
// there to its checkpoint nobody can tell: then not all of it is shown, and that is said.

import type { ChartStep } from "../actors/spectator.ts";
import type { System } from "../actors/system.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { fromUnknown } from "../protocol/errors.ts";
import type { LogRecord, Store } from "../store/store.ts";

export type View = {
  /** Up to which record it has come. */
  readonly seq: number;
  readonly isWhole: boolean;
  /** Why not. */
  readonly reason: string | null;
  /** Whether the run has begun, and no chart of it is left. */
  readonly isOver: boolean;
  /** The definition that the run began with, once its beginning was seen. */
  readonly workflow: WorkflowSpec | null;
  /** The steps of the next records: about so many. */
  next(limit: number): Promise<{ steps: ChartStep[]; hasMore: boolean }>;
};

const recordsAtOnce = 32;

/** `afterSeq`: nobody wants to see what came before, so that it may begin at a checkpoint. */
export function openView(system: System, store: Store, run: string, afterSeq = 0): View {
  const spectator = system.spectator(run);
  let seq = 0;
  let reason: string | null = null;
  let isBroken = false;
  let isFresh = afterSeq > 0;

  /** Goes on from the newest checkpoint, if that is behind where it stands. */
  async function leap(): Promise<ChartStep[] | undefined> {
    const checkpoint = store.load(run)?.checkpoint;
    if (!checkpoint || checkpoint.seq <= seq) return undefined;
    const [record] = await store.read({ run, afterSeq: checkpoint.seq - 1, limit: 1 });
    if (!record) return undefined;
    const steps = spectator.leap(checkpoint, record);
    seq = checkpoint.seq;
    return steps;
  }

  async function around(error: unknown, { seq: failed }: LogRecord): Promise<ChartStep[]> {
    reason = `record ${failed}: ${fromUnknown(error).message}`;
    try {
      const steps = await leap();
      if (steps && seq >= failed) return steps;
    } catch (second) {
      reason = fromUnknown(second).message;
    }
    isBroken = true;
    return [];
  }

  async function skip(): Promise<void> {
    isFresh = false;
    const checkpoint = store.load(run)?.checkpoint;
    if (!checkpoint || checkpoint.seq > afterSeq) return;
    try {
      await leap();
      reason = "it was watched from a checkpoint on";
    } catch {
      // Then it is read from its beginning, and that says what is wrong if anything is.
    }
  }

  return {
    get seq() {
      return seq;
    },
    get isWhole() {
      return reason === null;
    },
    get reason() {
      return reason;
    },
    get isOver() {
      return spectator.isOver;
    },
    get workflow() {
      return spectator.workflow;
    },
    async next(limit) {
      if (isBroken) return { steps: [], hasMore: false };
      if (isFresh) await skip();
      const records = await store.read({ run, afterSeq: seq, limit: recordsAtOnce });
      const steps: ChartStep[] = [];
      for (const record of records) {
        try {
          steps.push(...spectator.take(record));
          seq = record.seq;
        } catch (error) {
          steps.push(...(await around(error, record)));
          return { steps, hasMore: !isBroken };
        }
        if (steps.length >= limit) return { steps, hasMore: true };
      }
      return { steps, hasMore: records.length === recordsAtOnce };
    },
  };
}
