// Plays of trials that begin alike: what they have in common is played once, and each goes on from where it differs.
//
// Invariants:
//   B1. A branch is what its trial is when it is played from its start.

import { Course } from "./course.ts";
import { type Begun, type Death, isBefore, type Parting, type Trail } from "./course-state.ts";
import type { Company } from "./cast.ts";
import { planOf } from "./places.ts";
import { play } from "./play.ts";
import { isSame } from "./same.ts";
import type { Outcome, Played, Trial } from "./trial.ts";

/** Plays a trial, in the quickest way there is for it. */
export const playTrial = async (company: Company, trial: Trial): Promise<Played> =>
  company.isUnlimited ? finished(company, trial, new Course(company, trial).play()) : play(company, trial);

/** A process that died comes back, and needs to be one for that. */
const finished = async (company: Company, trial: Trial, played: Played | Death): Promise<Played> =>
  "told" in played ? play(company, trial, played) : played;

/** `moments`: how many copies of its course it holds. */
export type Stem = { played: Played; moments: number; branch: (trial: Trial) => Promise<Played> };

/** Copies that are held for branches to come; each is of the size of a run. */
const momentsMax = 2_000;

/** Stems that were played lately, by the name of their trial. */
export function newStems(company: Company) {
  const stems = new Map<string, Stem>();
  let moments = 0;
  return async (name: string, base: Trial): Promise<Stem> => {
    const known = stems.get(name);
    const stem = known ?? (await stemOf(company, base));
    stems.delete(name);
    stems.set(name, stem);
    if (!known) moments += stem.moments;
    for (const [oldest, { moments: less }] of stems) {
      if (moments <= momentsMax || oldest === name) break;
      stems.delete(oldest);
      moments -= less;
    }
    return stem;
  };
}

/** Plays a trial, so that others can branch off it. */
export async function stemOf(company: Company, base: Trial): Promise<Stem> {
  if (!company.isUnlimited) {
    return { played: await play(company, base), moments: 0, branch: (trial) => playTrial(company, trial) };
  }
  const trail: Trail = { moments: [], asked: new Map(), begun: new Map(), appended: [] };
  const course = new Course(company, base, undefined, trail);
  return {
    played: await finished(company, base, course.play()),
    moments: trail.moments.length,
    branch: (trial) =>
      finished(company, trial, new Course(company, trial, partingOf(trail, base, trial) ?? undefined).play()),
  };
}

/** Where a trial is otherwise than its stem for the first time; null if that is where it begins. */
function partingOf(trail: Trail, base: Trial, trial: Trial): Parting | null {
  const { moments, asked, begun, appended } = trail;
  if (base.seed !== trial.seed || base.workflow !== trial.workflow || !isSame(base.input, trial.input)) return null;
  // It comes before anybody asks for it.
  const early = Object.values(trial.calls).filter((outcome) => outcome.do === "early");
  if (early.some((outcome) => !Object.values(base.calls).includes(outcome))) return null;

  let parting = moments.length - 1;
  const calls: Parting["calls"][number][] = [];
  const [before, after] = [planOf(base.calls), planOf(trial.calls)];
  for (const [place, step] of asked) {
    const [was, outcome] = [before(place), after(place)];
    if (was === outcome) continue;
    const known = begun.get(place);
    const isLate = known && outcome && isOfCallsOwn(outcome) && (!was || isOfCallsOwn(was));
    parting = Math.min(parting, isLate ? latestOf(trail, known, outcome) : step);
    if (isLate) calls.push({ begun: known, outcome });
  }

  const disturbances: (Parting["disturbances"][number] & { step: number })[] = [];
  for (const one of trial.disturbances) {
    if (base.disturbances.includes(one)) continue;
    if (!("append" in one)) return null;
    const there = appended[one.append - 1];
    if (!there) continue;
    // Its moment is behind its append; a crash is part of that.
    parting = Math.min(parting, one.do === "crash" ? there.step : there.step + 1);
    if (one.do !== "crash") disturbances.push({ ...there, disturbance: one });
  }
  for (const one of base.disturbances) {
    if (trial.disturbances.includes(one)) continue;
    parting = Math.min(parting, "append" in one ? (appended[one.append - 1]?.step ?? parting) : 0);
  }
  const moment = moments[parting];
  if (!moment) return null;
  return {
    moment,
    calls,
    disturbances: disturbances.filter(({ step }) => step < parting),
  };
}

/** Whether it shows only in what comes of the call: nobody asks for it before the call is made. */
const isOfCallsOwn = ({ do: what }: Outcome): boolean => what !== "undispatched" && what !== "early";

/** The last moment at which nothing has come of a call that was made, nor would have with the other outcome. */
function latestOf({ moments }: Trail, { step, call, at, order, comings }: Begun, outcome: Outcome): number {
  const dues = comings(outcome).map(({ ms }) => ({ at: at + ms, order }));
  let latest = Math.min(step + 1, moments.length - 1);
  for (; latest < moments.length - 1; latest++) {
    const due = moments[latest]?.due;
    const isDue = !due || due.order === order || dues.some((one) => isBefore(one, due));
    // What a call does when it is told to stop depends on its outcome.
    if (isDue || moments[latest + 1]?.state.scene.calls[call]?.toldToStopAt !== null) break;
  }
  return latest;
}
