// One workflow checked: what its definition shows, what the search shows, and of each finding the story.
//
// Invariants:
//   C1. The same definition, seed and number of runs give the same report, byte for byte.
//   C2. What is wrong with the definition and shown by a run too is told once, with the run.

import { flawsOf } from "../findings/definition.ts";
import type { PlacedFlaw } from "../findings/flaw.ts";
import { judgesFor } from "../findings/judges.ts";
import type { Loaded, Place } from "../findings/load.ts";
import { type Company, prepareCast } from "../check/cast.ts";
import { play } from "../check/play.ts";
import { trialFrom } from "../check/replay.ts";
import { search, unsaidOf } from "../check/search.ts";
import type { Finding, Judge, Options, Played, Progress, Report, Severity, Trial } from "../check/trial.ts";
import { diagramOf } from "./diagram.ts";
import { listOf, storyOf } from "./story.ts";

/** A finding as it is told. */
export type Told = PlacedFlaw & {
  place?: Place;
  /** Of what a run shows; what the definition shows needs none. */
  shown?: { trial: Trial; steps: number; replay: string; story: string[]; diagram: string };
};

export type Checked = {
  workflow: string;
  seed: number;
  findings: readonly Told[];
  /** Nothing, if it cannot be run. */
  report?: Omit<Report, "findings">;
};

type Wanted = Omit<Options, "workflow"> & { expected?: readonly Judge[] };

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

export async function checked(
  loaded: Loaded,
  { expected = [], ...options }: Wanted,
  onProgress?: (progress: Progress) => void,
): Promise<Checked> {
  const { subject, workflow, cast } = loaded;
  const { seed } = options;
  if (!subject) return { workflow, seed, findings: loaded.flaws.map((one) => told(one, loaded)) };
  const written = withoutDoubles([...loaded.flaws, ...flawsOf(subject)]);
  const judges = judgesFor(subject, expected);
  const { findings, ...report } = await search(cast, { ...options, workflow }, judges, onProgress);
  const company = prepareCast(cast);
  const shown: Told[] = [];
  for (const finding of findings) shown.push(await shownBy(finding, company, loaded, written));
  const left = written.filter((one) => !shown.some((other) => isSame(one, other)));
  const all = [...left.map((one) => told(one, loaded)), ...shown];
  return { workflow, seed, findings: inOrder(all), report };
}

/** One trial by itself: what happens in it, and what is wrong with that. */
export async function replayed(
  loaded: Loaded,
  text: string,
  expected: readonly Judge[] = [],
): Promise<{ played: Played; company: Company; findings: readonly Told[]; story: string[]; diagram: string }> {
  const { subject, workflow, cast } = loaded;
  const company = prepareCast(cast);
  const trial = trialFrom(text, workflow, unsaidOf(company, workflow));
  const played = await play(company, trial);
  const judges = subject ? judgesFor(subject, expected) : [];
  const found = new Map(judges.flatMap((judge) => judge(played)).map((one) => [keyOf(one), one]));
  const steps = storyOf(played);
  const findings = inOrder([...found.values()].map((one) => told(one, loaded)));
  return { played, company, findings, story: listOf(steps), diagram: diagramOf(workflow, steps) };
}

const inOrder = (all: readonly Told[]): Told[] =>
  all.toSorted((one, other) => ranks[one.severity] - ranks[other.severity] || lineOf(one) - lineOf(other));
const lineOf = ({ place }: Told): number => place?.line ?? 0;

/** What loading warns of and the definition shows too, at the same place of it. */
const withoutDoubles = (flaws: readonly PlacedFlaw[]): PlacedFlaw[] => [
  ...new Map(flaws.map((one) => [JSON.stringify([keyOf(one), one.path]), one])).values(),
];

const keyOf = ({ id, workflow, task = "", title }: PlacedFlaw): string => `${id} ${workflow} ${task} ${title}`;
const isSame = (one: PlacedFlaw, other: PlacedFlaw): boolean => keyOf(one) === keyOf(other);

function told(flaw: PlacedFlaw, { placeOf }: Pick<Loaded, "placeOf">): Told {
  const place = placeOf(flaw);
  return { ...flaw, ...(place && { place }) };
}

/** In the words of the definition where that shows it too: they say why it is always so. */
async function shownBy(
  finding: Finding,
  company: Company,
  loaded: Loaded,
  written: readonly PlacedFlaw[],
): Promise<Told> {
  const { trial, steps, replay, ...flaw } = finding;
  const story = storyOf(await play(company, trial));
  const inWords = written.find((one) => isSame(one, flaw)) ?? flaw;
  const diagram = diagramOf(loaded.workflow, story);
  return { ...told(inWords, loaded), shown: { trial, steps, replay, story: listOf(story), diagram } };
}

/** Whether it is one that makes a check fail. */
export const isBad = ({ severity }: Pick<Told, "severity">): boolean => severity !== "note";
