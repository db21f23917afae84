// The scrubber: the log as a track to play, to step through and to drag along; everything on the page follows it.

import { useEffect, useMemo } from "preact/hooks";
import { useKeys } from "../keys.ts";
import { wordOf } from "./glyphs.tsx";
import { kindOf, type Line, nameOf, subjectOf } from "./journal.ts";
import type { Model } from "./model.ts";
import { pauseMs, speeds } from "./scrub.ts";
import { isOver } from "./story.ts";
import { durationText } from "./timeline.ts";

export function Scrubber({ model }: { model: Model }) {
  const { at, end, isFollowing, isPlaying, speed } = model.scrub.value;
  const { times } = model.story;
  useEffect(() => {
    if (!isPlaying) return undefined;
    const timer = setTimeout(() => model.move({ type: "tick" }), pauseMs(times[at - 1], times[at], speed));
    return () => clearTimeout(timer);
  }, [isPlaying, at, speed]);
  const line = model.story.lines[at - 1];
  const subject = line && subjectOf(line);
  const root = model.story.root?.moves.at(-1);
  const isLive = !model.isStill && (root === undefined || !isOver(root.face));
  return (
    <div class="execution-scrubber" role="group" aria-label="The log, to step through">
      <Keys model={model} />
      <div class="execution-track">
        <Marks model={model} />
        <input
          type="range"
          min={0}
          max={end}
          value={at}
          aria-label="Line of the log"
          aria-valuetext={`line ${at} of ${end}${line ? `: ${nameOf(line)} of ${subject?.named.id ?? ""}` : ""}`}
          onInput={({ currentTarget }) => model.move({ type: "to", at: Number(currentTarget.value) })}
        />
      </div>
      <div class="execution-where">
        <span class="mono">
          {at}/{end}
        </span>
        <span class="mono muted">+{durationText(Math.max(0, (times[at - 1] ?? times[0] ?? 0) - (times[0] ?? 0)))}</span>
        <button
          type="button"
          class="small live"
          aria-pressed={isFollowing}
          title={isLive ? "Follow what comes (End)" : "To the end (End)"}
          onClick={() => model.move({ type: "follow" })}
        >
          {isLive ? "Live" : "End"}
        </button>
      </div>
      <div class="execution-said-now" aria-live={isPlaying || isFollowing ? "off" : "polite"}>
        {line ? (
          <SaidNow line={line} />
        ) : (
          <span class="muted">{end === 0 ? "nothing was said yet" : "before the first line"}</span>
        )}
      </div>
    </div>
  );
}

function SaidNow({ line }: { line: Line }) {
  const subject = subjectOf(line);
  return (
    <>
      <span class="execution-kind" data-kind={kindOf(line)}>
        {kindOf(line)}
      </span>
      <b>{nameOf(line)}</b>
      {subject && (
        <span class="muted">
          {subject.entity} {subject.named.id}
        </span>
      )}
      <span class="muted clip">{line.envelope.metadata["source_component"]}</span>
    </>
  );
}

type KeyButton = { key: string; name: string; says: string; sign: string; does: () => void };

/** Each button has a key, and each key a button, but for both ends. */
function Keys({ model }: { model: Model }) {
  const { at, end, isPlaying } = model.scrub.value;
  const jump = (direction: 1 | -1) => () => model.move({ type: "to", at: nextTurn(model, at, direction) });
  const by = (lines: 1 | -1) => () => model.move({ type: "by", lines });
  const says = "where something began or ended";
  const back: KeyButton[] = [
    {
      key: ",",
      name: "Back to where something happened",
      says: `back to ${says}`,
      sign: "M11 4L5 8l6 4zM4 4v8",
      does: jump(-1),
    },
    {
      key: "ArrowLeft",
      name: "One line back",
      says: "one line of the log back",
      sign: "M10.5 4L5 8l5.5 4z",
      does: by(-1),
    },
  ];
  const on: KeyButton[] = [
    { key: "ArrowRight", name: "One line on", says: "one line on", sign: "M5.5 4L11 8l-5.5 4z", does: by(1) },
    {
      key: ".",
      name: "On to where something happens",
      says: `on to ${says}`,
      sign: "M5 4l6 4-6 4zM12 4v8",
      does: jump(1),
    },
  ];
  const play = (): void => model.move({ type: isPlaying ? "pause" : "play" });
  useKeys([
    ...back,
    ...on,
    { key: "Home", says: "before the first line", does: () => model.move({ type: "to", at: 0 }) },
    { key: "End", says: "to the last line, and follow what comes", does: () => model.move({ type: "follow" }) },
    { key: "p", says: "play or pause the log", does: play },
  ]);
  const button = ({ key, name, sign, does }: KeyButton) => (
    <button key={key} type="button" class="quiet small" aria-label={name} title={`${name} (${key})`} onClick={does}>
      <Sign d={sign} />
    </button>
  );
  return (
    <div class="execution-keys">
      {back.map(button)}
      <button
        type="button"
        class="play"
        aria-label={isPlaying ? "Pause" : "Play"}
        title="Play or pause (p)"
        onClick={play}
        disabled={end === 0}
      >
        <Sign d={isPlaying ? "M5 3.5v9M11 3.5v9" : "M5 3l8 5-8 5z"} />
      </button>
      {on.map(button)}
      <Speed model={model} />
    </div>
  );
}

function Speed({ model }: { model: Model }) {
  return (
    <select
      aria-label="Speed"
      value={String(model.scrub.value.speed)}
      onChange={({ currentTarget }) => model.move({ type: "speed", speed: Number(currentTarget.value) })}
    >
      {speeds.map((one) => (
        <option key={one} value={String(one)}>
          {one}×
        </option>
      ))}
    </select>
  );
}

const Sign = ({ d }: { d: string }) => (
  <svg
    viewBox="0 0 16 16"
    fill="currentColor"
    stroke="currentColor"
    stroke-width="1.6"
    stroke-linejoin="round"
    stroke-linecap="round"
    aria-hidden="true"
  >
    <path d={d} />
  </svg>
);

/** The next line that moved somebody, seen from where one is. */
function nextTurn({ story }: Model, at: number, direction: 1 | -1): number {
  const isTurn = (position: number): boolean => story.lines[position - 1]?.type.startsWith("event:") ?? false;
  for (let position = at + direction; position > 0 && position < story.lines.length; position += direction) {
    if (isTurn(position)) return position;
  }
  return direction < 0 ? 0 : story.lines.length;
}

const bins = 240;
const toneOf: Readonly<Record<string, string>> = {
  failed: "failed",
  timed_out: "timed-out",
  retrying: "retrying",
  canceled: "canceled",
  waiting: "waiting",
  paused: "paused",
  success: "success",
};
/** The worst in a bin is what is seen of it. */
const worst = ["failed", "timed_out", "retrying", "canceled", "waiting", "paused", "success"];

/** Where on the track something ended, well or badly. */
function Marks({ model }: { model: Model }) {
  const grown = model.grown.value;
  return useMemo(() => <Marked model={model} grown={grown} />, [grown]);
}

function Marked({ model, grown }: { model: Model; grown: number }) {
  const binOf = (at: number): number => Math.min(bins - 1, Math.floor(((at + 0.5) / Math.max(1, grown)) * bins));
  const found = new Map<number, string>();
  for (const { moves } of model.story.order) {
    for (const { at, face } of moves) {
      const rank = worst.indexOf(face);
      if (rank < 0) continue;
      const known = found.get(binOf(at));
      if (known === undefined || rank < worst.indexOf(known)) found.set(binOf(at), face);
    }
  }
  return (
    <svg class="execution-marks" viewBox={`0 0 ${bins} 10`} preserveAspectRatio="none" aria-hidden="true">
      {[...found].map(([bin, face]) => (
        <rect
          key={bin}
          x={bin}
          y={face === "success" ? 4 : 0}
          width="1"
          height={face === "success" ? 6 : 10}
          style={{ fill: `var(--status-${toneOf[face]})` }}
        >
          <title>{wordOf(face as "failed")}</title>
        </rect>
      ))}
    </svg>
  );
}
