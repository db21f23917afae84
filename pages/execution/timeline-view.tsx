// The timeline: one row for each task, agent and tool, bars that grow while they run, and the line where the scrubber is.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { VirtualList } from "../parts/virtual-list.tsx";
import { glyphOf, wordOf } from "./glyphs.tsx";
import type { Model } from "./model.ts";
import { durationText, livesAt, type Piece, rowOf, spanOf, ticksOf } from "./timeline.ts";
import { isOver, type Life } from "./story.ts";

const rowHeight = 26;
type Sight = { from: number; until: number };
type Track = { model: Model; at: number; now: number; sight: Sight };

export function TimelineView({ model }: { model: Model }) {
  const { at, isFollowing } = model.scrub.value;
  const { story } = model;
  const grown = model.grown.value;
  const root = story.root?.moves.at(-1);
  const isLive = root !== undefined && !isOver(root.face) && isFollowing && !model.isStill;
  const ticking = useFrameTime(isLive);
  // Looking back, now is when the chosen line was said.
  const now = isLive ? ticking : (story.times[at - 1] ?? story.times[0] ?? 0);
  const lives = useMemo(() => livesAt(story, at), [grown, at]);
  const whole = spanOf(story, grown, isLive ? ticking : now);
  const [chosenSight, setSight] = useState<Sight | undefined>(undefined);
  const [width, setWidth] = useState(900);
  const sight = chosenSight ?? padded(whole, width);
  const frame = useZoom(sight, setSight, setWidth);
  const chosen = model.chosen.value;
  const ticks = ticksOf(Math.max(0, sight.from - whole.from), sight.until - whole.from, width / 88);
  const track: Track = { model, at, now, sight };

  return (
    <div class="execution-timeline" ref={frame}>
      <Axis
        count={lives.length}
        ticks={ticks}
        from={whole.from}
        sight={sight}
        isOwn={chosenSight !== undefined}
        set={setSight}
      />
      <div class="execution-rows">
        <VirtualList
          count={lives.length}
          rowHeight={rowHeight}
          selected={lives.findIndex(({ key }) => key === chosen)}
          label="Timeline"
          row={(index) => {
            const life = lives[index];
            return life && <Bar key={life.key} life={life} track={track} isChosen={life.key === chosen} />;
          }}
        />
        <div class="execution-cursor-lane" aria-hidden="true">
          <div class="execution-lane">
            {ticks.map((tick) => (
              <span key={tick} class="execution-rule" style={{ left: shareOf(sight, whole.from + tick) }} />
            ))}
            {!isFollowing && <span class="execution-cursor" style={{ left: shareOf(sight, now) }} />}
          </div>
        </div>
      </div>
    </div>
  );
}

type AxisProps = {
  readonly count: number;
  readonly ticks: readonly number[];
  readonly from: number;
  readonly sight: Sight;
  readonly isOwn: boolean;
  readonly set: (sight: Sight | undefined) => void;
};

function Axis({ count, ticks, from, sight, isOwn, set }: AxisProps) {
  return (
    <div class="execution-axis">
      <span class="execution-name muted small">
        {count} {count === 1 ? "row" : "rows"}
        <span class="execution-zoom" role="group" aria-label="Zoom of the timeline">
          <button type="button" class="quiet small" aria-label="Zoom out in time" onClick={() => set(zoomed(sight, 2))}>
            −
          </button>
          <button
            type="button"
            class="quiet small"
            aria-label="Zoom in on time"
            onClick={() => set(zoomed(sight, 0.5))}
          >
            +
          </button>
          {isOwn && (
            <button type="button" class="quiet small" onClick={() => set(undefined)}>
              All
            </button>
          )}
        </span>
      </span>
      <div class="execution-lane">
        {ticks.map((tick) => (
          <span key={tick} class="execution-tick" style={{ left: shareOf(sight, from + tick) }}>
            {durationText(tick)}
          </span>
        ))}
      </div>
    </div>
  );
}

/** Around what is in the middle. */
function zoomed({ from, until }: Sight, by: number): Sight {
  const [middle, half] = [(from + until) / 2, Math.max(1, ((until - from) * by) / 2)];
  return { from: middle - half, until: middle + half };
}

/** Room for the time that stands behind the longest bar, in pixels. */
const tailRoom = 62;
const padded = ({ from, until }: Sight, width: number): Sight => ({
  from,
  until: until + ((until - from) * tailRoom) / Math.max(tailRoom, width - tailRoom),
});
const shareOf = ({ from, until }: Sight, time: number): string =>
  `${Math.min(100, Math.max(0, ((time - from) / (until - from)) * 100)).toFixed(3)}%`;

function Bar({ life, track: { model, at, now, sight }, isChosen }: { life: Life; track: Track; isChosen: boolean }) {
  const row = rowOf(life, at, now);
  const place = life.branch ?? (life.index === undefined ? undefined : `[${life.index}]`);
  return (
    <div
      class="execution-row"
      role="row"
      tabIndex={0}
      data-chosen={isChosen}
      data-face={row.face}
      onClick={() => (model.chosen.value = life.key)}
      onKeyDown={(event) => event.key === "Enter" && (model.chosen.value = life.key)}
      aria-label={`${life.entity} ${life.id}: ${wordOf(row.face)}, ${durationText(row.until - row.from)}`}
    >
      <span class="execution-name" style={{ paddingLeft: `${10 + life.depth * 14}px` }}>
        <svg
          viewBox="-9 -9 18 18"
          width="14"
          height="14"
          class="execution-face"
          data-face={row.face}
          aria-hidden="true"
        >
          {glyphOf(row.face)}
        </svg>
        <span class="clip">{life.id}</span>
        {place !== undefined && <span class="muted small clip">{place}</span>}
        {life.entity !== "task" && life.entity !== "workflow" && <span class="execution-entity">{life.entity}</span>}
      </span>
      <div class="execution-lane">
        {row.pieces.map((piece) => (
          <Segment key={`${piece.from} ${piece.kind}`} piece={piece} sight={sight} isLast={piece.until >= now} />
        ))}
        {row.until >= sight.from && row.from <= sight.until && (
          <span
            class="execution-took"
            style={{ left: shareOf(sight, row.until) }}
            data-side={isRight(sight, row.until) ? "left" : "right"}
          >
            {durationText(row.until - row.from)}
          </span>
        )}
      </div>
    </div>
  );
}

const isRight = ({ from, until }: Sight, time: number): boolean => (time - from) / (until - from) > 0.97;

const kindWords: Readonly<Record<Piece["kind"], string>> = {
  queue: "queued",
  run: "ran",
  wait: "waited",
  rest: "rested before the next attempt",
  paused: "paused",
};

function Segment({
  piece: { from, until, kind, attempt, face },
  sight,
}: {
  piece: Piece;
  sight: Sight;
  isLast: boolean;
}) {
  if (until < sight.from || from > sight.until) return null;
  const left = Math.max(0, (from - sight.from) / (sight.until - sight.from));
  const right = Math.min(1, (until - sight.from) / (sight.until - sight.from));
  return (
    <span
      class="execution-piece"
      data-piece={kind}
      data-face={face}
      style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }}
      title={`attempt ${attempt}: ${kindWords[kind]} ${durationText(until - from)}`}
    >
      {attempt > 1 && kind === "run" ? attempt : ""}
    </span>
  );
}

/** The time, as often as the screen is drawn, while it matters. */
function useFrameTime(isWanted: boolean): number {
  const [time, setTime] = useState(Date.now());
  useEffect(() => {
    if (!isWanted) return undefined;
    let frame = 0;
    const next = (): void => {
      setTime(Date.now());
      // Ten times a second is smooth enough for bars, and leaves the rest of the page its time.
      frame = window.setTimeout(next, 100);
    };
    next();
    return () => clearTimeout(frame);
  }, [isWanted]);
  return time;
}

/** Ctrl and wheel zoom, shift and wheel (or a sideways wheel) move along. */
function useZoom(sight: Sight, set: (sight: Sight) => void, measured: (width: number) => void) {
  const frame = useRef<HTMLDivElement>(null);
  const latest = useRef(sight);
  latest.current = sight;
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const wheel = (event: WheelEvent): void => {
      const lane = element.querySelector(".execution-lane")?.getBoundingClientRect();
      if (!lane) return;
      const { from, until } = latest.current;
      const span = until - from;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const share = Math.min(1, Math.max(0, (event.clientX - lane.left) / lane.width));
        const wanted = Math.max(2, span * Math.exp(event.deltaY / 240));
        const middle = from + span * share;
        set({ from: middle - wanted * share, until: middle + wanted * (1 - share) });
        return;
      }
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (Math.abs(sideways) < 1 || (!event.shiftKey && Math.abs(event.deltaY) > Math.abs(sideways))) return;
      event.preventDefault();
      const by = (sideways / lane.width) * span;
      set({ from: from + by, until: until + by });
    };
    element.addEventListener("wheel", wheel, { passive: false });
    const size = new ResizeObserver(() => {
      measured(element.querySelector(".execution-lane")?.clientWidth ?? element.clientWidth);
    });
    size.observe(element);
    return () => {
      size.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }, []);
  return frame;
}
