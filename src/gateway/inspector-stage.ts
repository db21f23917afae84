// Actors and those who look at them: each is shown at most so often, and a viewer who is slow is shown less.
//
//   actor changes ─▶ dirty ─every 100 ms─▶ its actor frame if new, its last events, its newest snapshot ─▶ viewers
//                                    └─ a viewer has too much before it: it gets the newest state later
//
// Invariants:
//   IA1. An actor is announced to a viewer before anything else of it, and what it is announced under is announced.
//   IA2. However often an actor changes, a viewer gets at most 10 snapshots of it in a second, and the last one always.
//   IA3. What waits for a viewer is bounded; once it has caught up it sees every actor as it is.
//   IA4. Whoever comes gets what is there.

import type { Troupe } from "../runtime/troupe.ts";
import { actorFrame, eventFrame, type EventFrame, type SnapshotBody, snapshotFrame } from "./inspector-frames.ts";
import type { Sight } from "./inspector-scene.ts";

export type Viewer = {
  send(text: string): void;
  /** How many bytes wait for it. */
  waiting(): number;
  /** Whether it looks at this group of actors. */
  sees(group: string): boolean;
};

type Cast = {
  group: string;
  rootId: string;
  sight: Sight;
  /** The newest of those that were not sent yet. */
  events: Pick<Sight, "heard" | "sourceId" | "at">[];
  isNew: boolean;
};

const tickMs = 100;
/** Of one actor between two ticks; of more the newest. */
const eventsMax = 5;
/** Of all actors at one tick: a run that begins a thousand tasks is shown over some ticks. */
const actorsPerTick = 100;
const waitingBytesMax = 1_000_000;
/** Of one group; those that ended first make room. */
const actorsMax = 2_000;

export type Stage = ReturnType<typeof openStage>;

export function openStage(clock: Troupe["clock"]) {
  const groups = new Map<string, Map<string, Cast>>();
  /** Those that have ended, in that order. */
  const over = new Map<string, Set<Cast>>();
  const dirty = new Set<Cast>();
  /** Viewers, and what each has not seen as it is now. */
  const viewers = new Map<Viewer, Set<Cast>>();
  const counts = { frames: 0, dropped: 0 };
  let cancelTick: (() => void) | undefined;

  const send = (viewer: Viewer, text: string): void => {
    counts.frames += 1;
    viewer.send(text);
  };

  function show(group: string, rootId: string, sight: Sight): void {
    const casts = groups.get(group) ?? new Map<string, Cast>();
    groups.set(group, casts);
    let cast = casts.get(sight.sessionId);
    if (!cast) {
      if (casts.size >= actorsMax && !makeRoom(group, casts)) return void (counts.dropped += 1);
      cast = { group, rootId, sight, events: [], isNew: true };
      casts.set(sight.sessionId, cast);
    }
    cast.sight = sight;
    if (sight.isDone && sight.sessionId !== rootId) overIn(group).add(cast);
    const { heard, sourceId, at, isQuiet } = sight;
    if (!isQuiet) cast.events.push({ heard, at, ...(sourceId !== undefined && { sourceId }) });
    if (cast.events.length > eventsMax) cast.events.shift();
    dirty.add(cast);
    wake();
  }

  function overIn(group: string): Set<Cast> {
    const known = over.get(group) ?? new Set<Cast>();
    over.set(group, known);
    return known;
  }

  /** By one that has ended, and whose end was told or who was never heard of. */
  function makeRoom(group: string, casts: Map<string, Cast>): boolean {
    for (const cast of overIn(group)) {
      if (dirty.has(cast) && !cast.isNew) continue;
      casts.delete(cast.sight.sessionId);
      forget(cast);
      return true;
    }
    return false;
  }

  function forget(cast: Cast): void {
    dirty.delete(cast);
    over.get(cast.group)?.delete(cast);
    for (const missed of viewers.values()) missed.delete(cast);
  }

  function drop(group: string): void {
    for (const cast of groups.get(group)?.values() ?? []) forget(cast);
    groups.delete(group);
    over.delete(group);
  }

  // ── frames ──

  const aboutOf = ({ rootId, sight }: Cast) => ({ sessionId: sight.sessionId, rootId, at: sight.at });

  function announcement(cast: Cast, body: SnapshotBody): string {
    const { sight, rootId, group } = cast;
    const { name, definition, parentId } = sight;
    const isThere = parentId !== undefined && groups.get(group)?.has(parentId) === true;
    const above = isThere ? parentId : sight.sessionId === rootId ? undefined : rootId;
    return JSON.stringify(actorFrame(aboutOf(cast), { name, definition, parentId: above }, body));
  }

  function eventsOf(cast: Cast): EventFrame[] {
    return cast.events.map(({ heard, sourceId, at }) => eventFrame({ ...aboutOf(cast), at }, heard(), sourceId));
  }

  const snapshotOf = (cast: Cast, body: SnapshotBody): string =>
    JSON.stringify(snapshotFrame(aboutOf(cast), cast.sight.heard(), body));

  // ── the tick ──

  function wake(): void {
    cancelTick ??= clock.alarm(clock.now() + tickMs, tick);
  }

  function tick(): void {
    cancelTick = undefined;
    let left = actorsPerTick;
    for (const cast of dirty) {
      if (left === 0) break;
      left -= 1;
      dirty.delete(cast);
      tell(cast);
    }
    let isBehind = false;
    for (const [viewer, missed] of viewers) isBehind = catchUp(viewer, missed) || isBehind;
    if (dirty.size > 0 || isBehind) wake();
  }

  function tell(cast: Cast): void {
    const body = cast.sight.look();
    const texts = [
      ...(cast.isNew ? [announcement(cast, body)] : []),
      ...eventsOf(cast).map((frame) => JSON.stringify(frame)),
      snapshotOf(cast, body),
    ];
    cast.isNew = false;
    cast.events = [];
    for (const [viewer, missed] of viewers) {
      if (!viewer.sees(cast.group)) continue;
      // Behind whatever it has missed, so that it hears of what contains an actor before the actor.
      if (missed.size > 0 || viewer.waiting() > waitingBytesMax) missed.add(cast);
      else for (const text of texts) send(viewer, text);
    }
  }

  /** Gives whether something is left. */
  function catchUp(viewer: Viewer, missed: Set<Cast>): boolean {
    for (const cast of missed) {
      if (viewer.waiting() > waitingBytesMax) return true;
      missed.delete(cast);
      const body = cast.sight.look();
      send(viewer, announcement(cast, body));
      send(viewer, snapshotOf(cast, body));
    }
    return false;
  }

  return {
    show,
    drop,
    /** Others see it from now on: they are shown what is there. */
    showAgain(group: string): void {
      for (const [viewer, missed] of viewers) {
        if (viewer.sees(group)) for (const cast of groups.get(group)?.values() ?? []) missed.add(cast);
      }
      wake();
    },
    has: (group: string): boolean => groups.has(group),
    join(viewer: Viewer): void {
      const seen = [...groups].filter(([group]) => viewer.sees(group)).flatMap(([, casts]) => [...casts.values()]);
      viewers.set(viewer, new Set(seen));
      if (seen.length > 0) wake();
    },
    leave: (viewer: Viewer): void => void viewers.delete(viewer),
    viewers: (): number => viewers.size,
    stats: () => ({ ...counts, actors: [...groups.values()].reduce((sum, { size }) => sum + size, 0) }),
    close(): void {
      cancelTick?.();
      groups.clear();
      over.clear();
      dirty.clear();
      viewers.clear();
    },
  };
}
