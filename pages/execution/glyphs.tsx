// How each way to stand looks: a sign of its own besides its colour, for colour alone says nothing to many.

import type { JSX } from "preact";
import type { Face } from "./story.ts";

const words: Readonly<Record<Face, string>> = {
  idle: "not reached",
  pending: "queued",
  running: "running",
  waiting: "waiting",
  paused: "paused",
  retrying: "retrying",
  success: "done",
  failed: "failed",
  timed_out: "timed out",
  canceled: "canceled",
};
export const wordOf = (face: Face): string => words[face];

/** As the protocol names it, for badges. */
export const statusOf = (face: Face): string => (face === "idle" ? "PENDING" : face.toUpperCase());

const solid = <circle r="8" class="disc" />;
const ring = <circle r="7.2" class="ring" />;

const glyphs: Readonly<Record<Face, JSX.Element>> = {
  idle: <circle r="7.2" class="ring faint" />,
  pending: <circle r="7.2" class="ring dotted" />,
  running: (
    <>
      <circle r="7.2" class="ring turning" />
      <path d="M-2.6 -3.8L4.2 0L-2.6 3.8Z" class="ink" />
    </>
  ),
  waiting: (
    <>
      {ring}
      <path d="M0 -3.8V0.4L2.8 2.2" class="stroke" />
    </>
  ),
  paused: (
    <>
      {ring}
      <path d="M-2.2 -3V3M2.2 -3V3" class="stroke" />
    </>
  ),
  retrying: (
    <>
      {ring}
      <path d="M3.4 -1.6A3.7 3.7 0 1 0 3.6 1.4M3.8 -4V-1.4H1.2" class="stroke" />
    </>
  ),
  success: (
    <>
      {solid}
      <path d="M-3.4 0.2L-1 2.7L3.6 -2.4" class="cut" />
    </>
  ),
  failed: (
    <>
      {solid}
      <path d="M-2.8 -2.8L2.8 2.8M2.8 -2.8L-2.8 2.8" class="cut" />
    </>
  ),
  timed_out: (
    <>
      {solid}
      <path d="M0 -4V0.6M0 3.6V3.7" class="cut" />
    </>
  ),
  canceled: (
    <>
      {solid}
      <path d="M-3.6 0H3.6" class="cut" />
    </>
  ),
};

export const glyphOf = (face: Face): JSX.Element => glyphs[face];
