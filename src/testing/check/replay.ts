// A trial as a short text, and back: what stands in it is all that differs from the plain run.
//
//   7:charge=fails.OUT_OF_STOCK,ship@*=hangs,@12=crash.kept,input=eyJuIjoxfQ
//
// Invariants:
//   R1. A trial that is written and read again is the same trial.
//   R2. What is no such text is refused, and it is said what of it is wrong.

import { TroupeError } from "../../protocol/errors.ts";
import { clip } from "../../protocol/refusal.ts";
import { isSame } from "./same.ts";
import type { Disturbance, Moment, Outcome, Trial } from "./trial.ts";

/** What need not be said, for it is so in the plain run. */
export type Unsaid = { input: unknown; answerOf: (place: string) => unknown };

export function replayText({ seed, input, calls, disturbances }: Trial, unsaid: Unsaid): string {
  const parts = [
    ...Object.entries(calls).map(([place, outcome]) => `${place}=${outcomeText(outcome, unsaid.answerOf(place))}`),
    ...disturbances.map((one) => `@${momentText(one)}=${disturbanceText(one)}`),
    ...(isSame(input, unsaid.input) ? [] : [`input=${packed(input)}`]),
  ];
  return `${seed}:${parts.join(",")}`;
}

const momentText = (moment: Moment): string => ("append" in moment ? String(moment.append) : `${moment.ms}ms`);

function outcomeText(outcome: Outcome, unsaid: unknown): string {
  if (outcome.do === "fails") return `fails.${outcome.code}`;
  if (outcome.do === "undispatched") return `undispatched.${outcome.reason}`;
  if (outcome.do === "dies") return `dies.${outcome.when}`;
  if (outcome.do === "hangs") return "hangs";
  return isSame(outcome.output, unsaid) ? outcome.do : `${outcome.do}.${packed(outcome.output)}`;
}

function disturbanceText(one: Disturbance): string {
  switch (one.do) {
    case "crash":
      return `crash.${one.kept ? "kept" : "lost"}.${one.downMs}`;
    case "cancel":
      return "cancel";
    case "pause":
      return `pause.${one.forMs}`;
    case "jump":
      return `jump.${one.byMs}`;
    case "signal":
      return `signal.${packed([one.name, one.payload])}`;
  }
}

const packed = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? "null").toString("base64url");

// ── and back ──

export function trialFrom(text: string, workflow: string, unsaid: Unsaid): Trial {
  const [, seed, path = ""] = /^(\d+):(.*)$/s.exec(text.trim()) ?? [];
  if (seed === undefined) throw wrong(text, "it is written as SEED:PATH, such as 7:charge=hangs");
  const calls: Record<string, Outcome> = {};
  const disturbances: Disturbance[] = [];
  let { input } = unsaid;
  for (const part of path.split(",").filter((one) => one !== "")) {
    const [, name = "", what = ""] = /^(.+?)=(.*)$/.exec(part) ?? [];
    if (name === "") throw wrong(part, "a part is written as PLACE=WHAT");
    if (name === "input") input = unpacked(what, part);
    else if (name.startsWith("@")) disturbances.push(disturbanceFrom(name.slice(1), what, part));
    else calls[name] = outcomeFrom(what, part, unsaid.answerOf(name));
  }
  return { workflow, seed: Number(seed), input, calls, disturbances };
}

const wrong = (text: string, why: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `'${clip(text)}' cannot be replayed: ${why}`);

function unpacked(text: string, part: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString()) as unknown;
  } catch {
    throw wrong(part, "the value in it is no JSON; copy the whole line");
  }
}

function outcomeFrom(what: string, part: string, unsaid: unknown): Outcome {
  const [verb = "", ...rest] = what.split(".");
  const more = rest.join(".");
  switch (verb) {
    case "fails":
      return { do: verb, code: more === "" ? "FAILED" : more };
    case "undispatched":
      if (more === "no_runtime" || more === "all_busy") return { do: verb, reason: more };
      break;
    case "dies":
      if (more === "before" || more === "after") return { do: verb, when: more };
      break;
    case "hangs":
      return { do: verb };
    case "succeeds":
    case "late":
    case "doubled":
    case "slow":
    case "early":
      return { do: verb, output: more === "" ? unsaid : unpacked(more, part) };
  }
  throw wrong(part, "such an outcome is not known");
}

function disturbanceFrom(at: string, what: string, part: string): Disturbance {
  const [, number, unit] = /^(\d+)(ms)?$/.exec(at) ?? [];
  if (number === undefined) throw wrong(part, "the moment is an append such as @12, or a time such as @500ms");
  const moment: Moment = unit === undefined ? { append: Number(number) } : { ms: Number(number) };
  const [verb, first = "", second = ""] = what.split(".");
  const ms = (text: string): number => {
    if (/^-?\d+$/.test(text)) return Number(text);
    throw wrong(part, "it says no time in milliseconds");
  };
  if (verb === "crash") return { ...moment, do: verb, kept: first === "kept", downMs: ms(second) };
  if (verb === "cancel") return { ...moment, do: verb };
  if (verb === "pause") return { ...moment, do: verb, forMs: ms(first) };
  if (verb === "jump") return { ...moment, do: verb, byMs: ms(first) };
  if (verb !== "signal") throw wrong(part, "such a disturbance is not known");
  const [name, payload] = unpacked(first, part) as [string, unknown];
  return { ...moment, do: verb, name, payload };
}
