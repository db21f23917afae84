// `troupe check` in a test: what it finds fails the test, with the story and the line that plays it again.
//
// Invariants:
//   W1. The same definition, seed and number of runs find the same, on any machine.

import type { IAsyncProperty } from "fast-check";
import { durationOf } from "../../language/duration.ts";
import type { Duration, WorkflowSpec } from "../../language/spec.ts";
import { fromUnknown, TroupeError } from "../../protocol/errors.ts";
import { playTrial } from "../check/branches.ts";
import { prepareCast } from "../check/cast.ts";
import { replayText } from "../check/replay.ts";
import { unsaidOf } from "../check/search.ts";
import type { FaultKind, Judge, Played, Trial } from "../check/trial.ts";
import { expecting } from "../findings/expectation.ts";
import { flaw } from "../findings/flaw.ts";
import { judgesFor } from "../findings/judges.ts";
import { type Checked, checked, isBad, replayed, type Told } from "../report/checked.ts";
import { listOf, storyOf } from "../report/story.ts";
import { whereOf } from "../report/text.ts";
import { arbitrariesIn } from "./arbitraries.ts";
import { checkable, type CheckedDefinitions } from "./checkable.ts";

/** CEL that has to be true of every run, or a function that throws, or gives false, if it is not. */
export type Expectation = string | ((run: Played) => unknown);

export type CheckOptions = CheckedDefinitions & {
  /** How many runs at most. */
  runs?: number;
  seed?: number;
  /** How long at most. A search that this cuts off is another one on another machine. */
  time?: Duration;
  /** The kinds of faults; all, if none are named. */
  faults?: readonly FaultKind[];
  /** Inputs of real runs, tried beside those that the schema gives. */
  inputs?: readonly unknown[];
  expect?: Expectation | readonly Expectation[];
  /** Plays this one run only, as a finding names it. */
  replay?: string;
};

const runsUnlessSaid = 1_000;
const timeUnlessSaid: Duration = "10m";

/** What was found; the first finding is in the message, and all of them are here. */
export class CheckFailure extends Error {
  override readonly name = "CheckFailure";
  readonly findings: readonly Told[];

  constructor(workflow: string, findings: readonly Told[]) {
    const more =
      findings.length > 1 ? `\n\nand ${findings.length - 1} more:\n${findings.slice(1).map(line).join("\n")}` : "";
    super(`workflow '${workflow}' fails its check:\n\n${findings.slice(0, 1).map(textOf).join("")}${more}`);
    this.findings = findings;
  }
}

const line = (finding: Told): string => `  ${finding.severity} ${finding.id}  ${whereOf(finding)}  ${againOf(finding)}`;
const againOf = ({ shown }: Told): string => (shown ? `replay: "${shown.replay}"` : "");

function textOf(finding: Told): string {
  const { severity, id, title, explanation, fix, shown } = finding;
  const story = shown ? ["", ...shown.story.map((step) => `  ${step}`)] : [];
  const again = shown ? [`  again: checkWorkflow(…, { replay: ${JSON.stringify(shown.replay)} })`] : [];
  return [
    `${severity} ${id}  ${whereOf(finding)}`,
    `  ${title}: ${explanation}`,
    ...story,
    "",
    `  fix: ${fix}`,
    ...again,
  ].join("\n");
}

/** Searches it as `troupe check` does. Gives what was looked at; throws a `CheckFailure` if anything is wrong. */
export async function checkWorkflow(workflow: WorkflowSpec | string, options: CheckOptions = {}): Promise<Checked> {
  const { runs = runsUnlessSaid, seed = 1, time = timeUnlessSaid, faults, inputs, replay } = options;
  const loaded = await checkable(workflow, options);
  const expected = expectationsOf(options);
  if (replay !== undefined) {
    const { findings } = await replayed(loaded, replay, expected);
    return passed({ workflow: loaded.workflow, seed, findings });
  }
  const timeMs = durationOf(time, "time", (_field, message) => {
    throw new TroupeError("VALIDATION_FAILED", `time: ${message}`);
  });
  const wanted = { runs, seed, timeMs, expected, ...(faults && { faults }), ...(inputs && { inputs }) };
  return passed(await checked(loaded, wanted));
}

/** The same as a property of fast-check, which draws its trials and shrinks them: for `fc.assert`, in any runner. */
export async function workflowProperty(
  workflow: WorkflowSpec | string,
  options: Omit<CheckOptions, "runs" | "seed" | "time" | "inputs" | "replay"> = {},
): Promise<IAsyncProperty<[Trial]>> {
  const { asyncProperty } = await import("fast-check");
  const loaded = await checkable(workflow, options);
  const company = prepareCast(loaded.cast);
  const unsaid = unsaidOf(company, loaded.workflow);
  const judges = judgesFor(company, expectationsOf(options));
  const { trials } = await arbitrariesIn(company, loaded.workflow, options.faults);
  return asyncProperty(trials, async (trial) => {
    const played = await playTrial(company, trial);
    const bad = judges.flatMap((judge) => [...judge(played)]).filter(isBad);
    if (bad.length === 0) return;
    const shown = { trial, steps: 0, replay: replayText(trial, unsaid), story: listOf(storyOf(played)), diagram: "" };
    throw new CheckFailure(
      loaded.workflow,
      bad.map((one) => ({ ...one, shown })),
    );
  });
}

function passed(result: Checked): Checked {
  const bad = result.findings.filter(isBad);
  if (bad.length > 0) throw new CheckFailure(result.workflow, bad);
  return result;
}

const expectationsOf = ({ expect = [] }: Pick<CheckOptions, "expect">): Judge[] =>
  [expect].flat().map((one: Expectation) => (typeof one === "string" ? expecting(one) : expectingOf(one)));

/** A function as a judge: what it throws is why. */
function expectingOf(holds: (run: Played) => unknown): Judge {
  const name = holds.name === "" ? "a function" : holds.name;
  return (played) => {
    const why = failing(() => holds(played));
    if (why === undefined) return [];
    const says = `${name} does not hold of a run that ended as ${played.status}${why}`;
    const found = flaw("expectation-failed", { workflow: played.definition.id, path: [], says });
    return [{ ...found, title: `expected: ${name}` }];
  };
}

function failing(holds: () => unknown): string | undefined {
  let given: unknown;
  try {
    given = holds();
  } catch (thrown) {
    return `: ${fromUnknown(thrown).message}`;
  }
  if (given instanceof Promise) {
    throw new TroupeError("VALIDATION_FAILED", "an expectation answers at once: it was given a promise");
  }
  return given === false ? "" : undefined;
}
