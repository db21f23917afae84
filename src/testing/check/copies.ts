// A copy of a run, so that it can go on in two ways: charts are never changed, their tables and the run's facts are.

import type { Facts, Frame, Run } from "../../actors/run.ts";

export const copyOfRun = (run: Run): Run => ({
  ...run,
  actors: new Map(run.actors),
  executions: new Map(run.executions),
  facts: copyOfFacts(run.facts),
});

function copyOfFacts(facts: Facts): Facts {
  const { tasks, frames, frameOf, items, undo, reported } = facts;
  return {
    ...facts,
    tasks: { ...tasks },
    frames: Object.fromEntries(Object.entries(frames).map(([key, frame]) => [key, copyOfFrame(frame)])),
    frameOf: { ...frameOf },
    items: { ...items },
    ...(undo && { undo: { ...undo, done: { ...undo.done } } }),
    ...(reported && { reported: { ...reported } }),
  };
}

const copyOfFrame = (frame: Frame): Frame => (frame.tasks ? { ...frame, tasks: { ...frame.tasks } } : frame);
