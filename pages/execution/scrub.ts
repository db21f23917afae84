// The scrubber: at which line of the log everything on the page stands, and how it moves.
//
//   following ── any move back ──▶ standing ── end, or to the last line ──▶ following
//
// Invariants:
//   ER1. It is never before the first line nor behind the last.
//   ER2. Following, it is at the last line, whatever comes; standing, what comes does not move it.

export type Scrub = { at: number; end: number; isFollowing: boolean; isPlaying: boolean; speed: number };

export type Turn =
  | { type: "to"; at: number }
  | { type: "by"; lines: number }
  | { type: "grown"; end: number }
  | { type: "follow" }
  | { type: "play" }
  | { type: "pause" }
  | { type: "speed"; speed: number }
  | { type: "tick" };

export const speeds = [0.5, 1, 2, 5, 20] as const;
export const openScrub = (): Scrub => ({ at: 0, end: 0, isFollowing: true, isPlaying: false, speed: 1 });

export function turn(scrub: Scrub, given: Turn): Scrub {
  switch (given.type) {
    case "to":
      return moved({ ...scrub, isPlaying: false }, given.at);
    case "by":
      return moved({ ...scrub, isPlaying: false }, scrub.at + given.lines);
    case "grown": {
      const end = Math.max(0, given.end);
      return { ...scrub, end, at: scrub.isFollowing ? end : Math.min(scrub.at, end) };
    }
    case "follow":
      return { ...scrub, at: scrub.end, isFollowing: true, isPlaying: false };
    case "play":
      // At the end it plays from the beginning.
      return { ...scrub, at: scrub.at >= scrub.end ? 0 : scrub.at, isPlaying: scrub.end > 0, isFollowing: false };
    case "pause":
      return { ...scrub, isPlaying: false };
    case "speed":
      return { ...scrub, speed: given.speed };
    case "tick":
      return scrub.isPlaying ? moved(scrub, scrub.at + 1) : scrub;
  }
}

function moved(scrub: Scrub, wanted: number): Scrub {
  const at = Math.min(scrub.end, Math.max(0, Math.round(wanted)));
  const isAtEnd = at >= scrub.end;
  return { ...scrub, at, isFollowing: isAtEnd, isPlaying: scrub.isPlaying && !isAtEnd };
}

/** How long the next line is waited for while it plays: as it was, but neither too fast to see nor too slow to watch. */
export function pauseMs(before: number | undefined, after: number | undefined, speed: number): number {
  const real = before === undefined || after === undefined ? 0 : after - before;
  return Math.min(900, Math.max(140, real)) / speed;
}
