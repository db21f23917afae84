// A played run as a story: what happened, step by step, in plain words.
//
// What the trial planned is told, and what came of it; what every run does by itself is left out.

import { timeText } from "../findings/flaw.ts";
import { failuresOf } from "../findings/evidence.ts";
import type { Called, Disturbance, Line, Played } from "../check/trial.ts";

export type Step = {
  at: number;
  says: string;
  /** For a picture: who does it, and to whom. */
  kind: "start" | "call" | "wait" | "failure" | "disturbance" | "end";
  with?: string;
  asks?: string;
  answers?: string;
};

const valueCharsMax = 120;
/** More steps than this are told by the first and the last of them. */
const stepsMax = 40;
const lastSteps = 10;

export function storyOf(played: Played): Step[] {
  const { trial, definition, beganAt } = played;
  const start: Step = {
    at: beganAt,
    says: `\`${definition.id}\` is started with ${valueText(trial.input)}`,
    kind: "start",
    asks: valueText(trial.input),
  };
  const told = [...callsOf(played), ...failedByThemselves(played), ...disturbancesOf(played)];
  const inOrder = told.toSorted((one, other) => one.at - other.at);
  return [start, ...shortened(inOrder), endOf(played)];
}

/** The steps as a numbered list. */
export const listOf = (steps: readonly Step[]): string[] => steps.map(({ says }, index) => `${index + 1}. ${says}`);

function shortened(steps: Step[]): Step[] {
  if (steps.length <= stepsMax) return steps;
  const [first, last] = [steps.slice(0, stepsMax - lastSteps), steps.slice(-lastSteps)];
  const left = steps.length - stepsMax;
  const at = last[0]?.at ?? 0;
  return [...first, { at, says: `… ${left} more steps of the same kind …`, kind: "wait" }, ...last];
}

function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= valueCharsMax ? text : `${text.slice(0, valueCharsMax)}…`;
}

// ── calls and waits ──

const callsOf = (played: Played): Step[] => played.calls.map((called) => stepOf(called, played));

/** Whether what it did was taken back by a crash, so that it is called again. */
const isLost = (called: Called, { calls }: Played): boolean =>
  calls.some((one) => one.isAgain && one.place === called.place && one.life > called.life);

function stepOf(called: Called, played: Played): Step {
  const { place, kind, callee, at, input, isAgain } = called;
  const again = isAgain ? ", for the second time," : "";
  if (kind === "wait") {
    const what = callee === "approval" || callee === "time" ? callee : `signal \`${callee}\``;
    return { at, kind: "wait", says: `\`${place}\` waits for ${what}${again} and ${waitText(called)}`, with: callee };
  }
  const answers = isLost(called, played)
    ? "the process dies before its answer is on disk"
    : outcomeText(called, played.endedAt);
  const says = `\`${place}\` calls ${kind} \`${callee}\`${again}${isLost(called, played) ? ":" : " and"} ${answers}`;
  return { at, kind: "call", says, with: `${kind} ${callee}`, asks: valueText(input), answers };
}

function waitText({ outcome, toldToStopAt }: Called): string {
  switch (outcome.do) {
    case "hangs":
      return toldToStopAt === null ? "nothing comes" : "is given up";
    case "late":
      return "it comes too late";
    case "early":
      return `gets ${valueText(outcome.output)}, which came before it waited`;
    case "doubled":
      return `gets ${valueText(outcome.output)}, twice`;
    case "succeeds":
    case "slow":
      return `gets ${valueText(outcome.output)}`;
    case "fails":
    case "undispatched":
    case "dies":
      return "nothing comes of it";
  }
}

function outcomeText({ outcome, doneAt, toldToStopAt, at }: Called, endedAt: number | null): string {
  switch (outcome.do) {
    case "succeeds":
    case "early":
      if (doneAt === null) return toldToStopAt === null ? "is not done when the process dies" : "is told to stop";
      return `gets ${valueText(outcome.output)}`;
    case "slow":
      return `gets ${valueText(outcome.output)} after ${timeText((doneAt ?? endedAt ?? at) - at)}`;
    case "doubled":
      return `gets ${valueText(outcome.output)}, twice`;
    case "late":
      return "the answer comes after the timeout: nobody hears it";
    case "fails":
      return `fails with ${outcome.code}`;
    case "hangs":
      return "nothing ever comes: it hangs until its timeout";
    case "dies":
      return outcome.when === "after"
        ? "its runtime dies with the work done and the answer not sent"
        : "its runtime dies before the work";
    case "undispatched":
      return `nobody takes it (${outcome.reason})`;
  }
}

const failing: ReadonlySet<string> = new Set(["fails", "hangs", "late", "dies", "undispatched"]);

/** Tasks that failed with no call to blame: on an expression, on their input, for want of a way, or untaken. */
function failedByThemselves(played: Played): Step[] {
  const called = new Set(played.calls.filter(({ outcome }) => failing.has(outcome.do)).map((one) => one.taskExecId));
  const lines = new Map(played.lines.map((line) => [line.line, line]));
  return failuresOf(played).flatMap(({ execId, task, error, line }): Step[] => {
    const at = lines.get(line)?.at ?? 0;
    if (error.code === "CHILD_FAILED" || (called.has(execId) && !error.code.startsWith("TASK_"))) return [];
    return [{ at, kind: "failure", says: `\`${task}\` fails with ${error.code}: ${error.message}`, with: task }];
  });
}

// ── what disturbs ──

function disturbancesOf(played: Played): Step[] {
  const { trial, beganAt, unmet } = played;
  const inVain = new Set<unknown>(unmet.map(({ what }) => what));
  const met = trial.disturbances.filter((one) => !inVain.has(one));
  if (met.length === 0) return [];
  const times = played.journal().map(timeOf);
  return met.map((one) => ({ at: momentOf(one, times, beganAt), kind: "disturbance", says: disturbanceText(one) }));
}

const timeOf = ({ envelope, seq }: { envelope: { metadata: Record<string, string> }; seq: number }) => ({
  seq,
  at: Date.parse(envelope.metadata["event_timestamp"] ?? ""),
});

/** When the n-th append was: that of the n-th record, or of the one before it where that was lost. */
function momentOf(one: Disturbance, times: readonly { seq: number; at: number }[], beganAt: number): number {
  if ("ms" in one) return beganAt + one.ms;
  const last = one.do === "crash" && !one.kept ? one.append - 1 : one.append;
  return times.findLast(({ seq }) => seq <= last)?.at ?? beganAt;
}

function disturbanceText(one: Disturbance): string {
  switch (one.do) {
    case "crash":
      return `the process dies ${crashText(one)}, and is back after ${timeText(one.downMs)}`;
    case "cancel":
      return `somebody cancels the run (at ${momentText(one)})`;
    case "pause":
      return `somebody pauses the run for ${timeText(one.forMs)} (at ${momentText(one)})`;
    case "jump":
      return `the clock jumps ${one.byMs < 0 ? "back" : "ahead"} by ${timeText(Math.abs(one.byMs))}`;
    case "signal":
      return `signal \`${one.name}\` comes with ${valueText(one.payload)}, unasked`;
  }
}
const crashText = (one: Disturbance & { do: "crash" }): string =>
  "append" in one ? `${one.kept ? "right after" : "right before"} append ${one.append} is on disk` : momentText(one);
const momentText = (one: Disturbance): string => ("append" in one ? String(one.append) : timeText(one.ms));

// ── the end ──

function endOf({ status, error, output, open, endedAt, lines, beganAt }: Played): Step {
  const at = endedAt ?? lastAt(lines) ?? beganAt;
  const took = timeText(at - beganAt);
  const [still] = open;
  if (endedAt === null) return { at, kind: "end", says: `the run does not end: ${still?.why ?? status}` };
  const how = error ? `${status}: ${error.message} (${error.code})` : `${status} with ${valueText(output)}`;
  return {
    at,
    kind: "end",
    says: `after ${took} the run ends as ${how}`,
    answers: error ? `${status} ${error.code}` : status,
  };
}
const lastAt = (lines: readonly Line[]): number | undefined => lines.at(-1)?.at;
