// A run shown once more from its log, with whatever it called, as fast as is wanted.
//
//   steps of the root, and of each run that it calls, in pages ─▶ the next in the order of the log ─wait─▶ frames
//
// A viewer is not shown more than it can take: the play waits for it.
//
// Invariants:
//   IP1. Everything is shown, in the order of the log, and then the play ends.
//   IP2. What lies between two steps takes its time divided by the speed, but no longer than some seconds.

import type { ChartStep } from "../runtime/steps.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { rootIdOf } from "./inspector-feed.ts";
import { actorFrame, eventFrame, snapshotFrame } from "./inspector-frames.ts";
import { openScene, type Scene, type Sight } from "./inspector-scene.ts";
import type { Viewer } from "./inspector-stage.ts";

type Source = { run: string; scene: Scene; steps: ChartStep[]; next: number; seq: number; hasMore: boolean };

const pauseMaxMs = 3_000;
const breathMs = 20;
const stepsPerBreath = 200;
const waitingBytesMax = 500_000;
const pageSteps = 500;

type Told = (progress: { shown: number; at: number; is_whole: boolean; is_over: boolean }) => void;

/** `speed` 0 waits for nothing but the viewer. Gives what ends it before its end. */
export function play(troupe: Troupe, root: string, speed: number, viewer: Viewer, told: Told) {
  const { clock } = troupe;
  const sources: Source[] = [];
  const known = new Set<string>();
  const rootId = rootIdOf(troupe, root);
  let isOff = false;
  let shown = 0;
  let isWhole = true;

  let wakeUp = (): void => undefined;
  const wait = (ms: number): Promise<void> =>
    new Promise((done) => {
      const cancel = clock.alarm(clock.now() + ms, done);
      wakeUp = () => {
        cancel();
        done();
      };
    });

  async function add(run: string): Promise<void> {
    if (sources.some((one) => one.run === run)) return;
    const scene = openScene(run, await troupe.workflowOf(run));
    const source: Source = { run, scene, steps: [], next: 0, seq: 0, hasMore: true };
    sources.push(source);
    await fill(source);
  }

  async function fill(source: Source): Promise<void> {
    while (source.next >= source.steps.length && source.hasMore) {
      const page = await troupe.steps(source.run, { afterSeq: source.seq, limit: pageSteps });
      Object.assign(source, { steps: page.steps, next: 0, seq: page.seq, hasMore: page.hasMore });
      isWhole &&= page.isWhole;
    }
  }

  function earliest(): { source: Source; step: ChartStep } | undefined {
    let first: { source: Source; step: ChartStep } | undefined;
    for (const source of sources) {
      const step = source.steps[source.next];
      if (step && (!first || step.seq < first.step.seq)) first = { source, step };
    }
    return first;
  }

  function show(sight: Sight): void {
    const { sessionId, parentId, name, definition, at, heard, sourceId, look } = sight;
    const about = { sessionId, rootId, at };
    const body = look();
    if (!known.has(sessionId)) {
      known.add(sessionId);
      const isThere = parentId !== undefined && known.has(parentId);
      const above = isThere ? parentId : sessionId === rootId ? undefined : rootId;
      viewer.send(JSON.stringify(actorFrame(about, { name, definition, parentId: above }, body)));
    }
    viewer.send(JSON.stringify(eventFrame(about, heard(), sourceId)));
    viewer.send(JSON.stringify(snapshotFrame(about, heard(), body)));
  }

  async function run(): Promise<void> {
    await add(root);
    let before: number | null = null;
    for (let next = earliest(); next && !isOff; next = earliest()) {
      const { source, step } = next;
      const pause = speed > 0 && before !== null ? Math.min((step.at - before) / speed, pauseMaxMs) : 0;
      before = step.at;
      if (pause >= 1) await wait(pause);
      else if (shown % stepsPerBreath === 0) await wait(breathMs);
      while (!isOff && viewer.waiting() > waitingBytesMax) await wait(breathMs);
      if (isOff) return;
      for (const sight of source.scene(step)) show(sight);
      shown += 1;
      source.next += 1;
      if (pause >= 1 || shown % stepsPerBreath === 0) told({ shown, at: step.at, is_whole: isWhole, is_over: false });
      const { childId } = step.whole.context as { childId?: string | null };
      if (typeof childId === "string") await add(childId);
      await fill(source);
    }
    if (!isOff) told({ shown, at: before ?? 0, is_whole: isWhole, is_over: true });
  }

  return {
    over: run(),
    end(): void {
      isOff = true;
      wakeUp();
    },
  };
}
