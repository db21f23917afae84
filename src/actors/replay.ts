// A run made again from its newest checkpoint and the records after it, held against what the log says.
//
// Invariants:
//   Z1. What a replay says is what the log says, or the replay throws.
//   Z2. A replay changes nothing but the run that it makes.

import type { LogRecord, Store } from "../store/store.ts";
import { type Ears, nameOf, type Reaction, react, type Tap } from "./react.ts";
import { replayOf, saidOf } from "./record.ts";
import { newRun, type Run, thawRun } from "./run.ts";
import type { World } from "./world.ts";

/** The world as a replay sees it: it answers nothing anew, and takes no notice. */
export const inertWorld = (world: World): World => ({
  ...world,
  ended: () => undefined,
  slots: { ...world.slots, release: () => undefined },
  calls: { ...world.calls, begin: () => undefined, leave: () => undefined },
  registry: {
    ...world.registry,
    take: () => undefined,
    wait: () => undefined,
    release: () => undefined,
    hear: () => undefined,
  },
});

export function replay(inert: World, ears: Ears, id: string, loaded: NonNullable<ReturnType<Store["load"]>>): Run {
  const { checkpoint, tail } = loaded;
  const first = tail[0] && replayOf(tail[0]);
  const run = checkpoint ? thawRun(id, checkpoint.seq, checkpoint.body) : newRun(id, first?.correlationId ?? id);
  checkDefinition(inert, run);
  for (const record of tail) again(inert, ears, run, record);
  return run;
}

/** The run reacts to one record more, as it did then. */
export function again(
  inert: World,
  ears: Ears,
  run: Run,
  record: LogRecord,
  { input, seed, answers, said } = replayOf(record),
  tap?: Tap,
): Reaction {
  const reaction = react(inert, ears, run, input, { at: record.at, seed }, answers, tap);
  checkDefinition(inert, run);
  const saidAgain = JSON.stringify(saidOf(reaction, input));
  if (saidAgain !== said) throw new Error(`record ${record.seq}: the replay of '${nameOf(input)}' says something else`);
  run.seq = record.seq;
  run.heardAt = record.at;
  return reaction;
}

/** What a run does is written in its definition: without that it waits until it is there again. */
export function checkDefinition({ definitions }: World, { facts }: Run): void {
  const { definition } = facts;
  if (definition === null || definitions.byHash(definition.hash)) return;
  const { id, hash } = definition;
  const why = definitions.holdsCode(hash) ? ", and it held functions, which cannot be kept" : "";
  throw new Error(`workflow '${id}' is not defined as it was when the run began (${hash})${why}: define it so again`);
}
