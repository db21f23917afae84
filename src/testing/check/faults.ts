// Which faults there are for each call that a play makes, and where a play can be disturbed.

import type { TaskSpec } from "../../language/spec.ts";
import type { Company } from "./cast.ts";
import { firstOf } from "./places.ts";
import type { Called, Disturbance, FaultKind, Outcome, Place, Played } from "./trial.ts";

/** One thing that goes otherwise than in the plain run. */
export type Fault = { place: Place; outcome: Outcome };

/** Codes that no definition names. */
const unforeseen = "UNFORESEEN";
/** Items and passes beyond these are like those before them. */
const itemsMax = 2;
const passesMax = 3;

/** Whether a call is tried: of many alike only the first are, and attempts together with the first. */
export function isTried(place: Place): boolean {
  const items = [...place.matchAll(/\[(\d+)\]/g)].map(([, index]) => Number(index));
  const passes = [...place.matchAll(/#(\d+)/g)].map(([, pass]) => Number(pass));
  return items.every((index) => index < itemsMax) && passes.every((pass) => pass <= passesMax);
}

/** All that may come of one call. */
export function faultsOf(called: Called, company: Company, kinds: ReadonlySet<FaultKind>): Fault[] {
  const { place, attempt } = called;
  const task = company.taskOf(called.workflow, called.task);
  const outcomes = (
    called.kind === "wait" ? outcomesOfWait(called, task) : outcomesOfCall(called, company, task)
  ).filter((outcome) => kinds.has(outcome.do));
  const own = outcomes.map((outcome) => ({ place, outcome }));
  // Where there are several attempts, each failure is tried on all of them, too.
  if (attempt > 1 || (task?.retry?.max_attempts ?? 1) === 1) return own;
  const failing = outcomes.filter(({ do: what }) => failures.has(what));
  return [...own, ...failing.map((outcome) => ({ place: `${firstOf(place)}@*`, outcome }))];
}
const failures: ReadonlySet<FaultKind> = new Set(["fails", "undispatched", "hangs", "late", "dies"]);

function outcomesOfCall(called: Called, company: Company, task: TaskSpec | undefined): Outcome[] {
  const { kind, callee } = called;
  const spec = company[kind === "agent" ? "agents" : "tools"].get(callee);
  const plain = company.plainAnswer(kind === "agent" ? "agent" : "tool", callee);
  const output = "output" in called.outcome ? called.outcome.output : plain;
  const codes = new Set([...codesIn(task), ...(spec?.codes ?? []), unforeseen]);
  const answers = spec?.answers ? [] : company.answers(kind === "agent" ? "agent" : "tool", callee).slice(1);
  return [
    ...[...codes].map((code): Outcome => ({ do: "fails", code })),
    ...(kind === "agent" ? [{ do: "undispatched", reason: "no_runtime" } as const] : []),
    { do: "undispatched", reason: "all_busy" },
    { do: "hangs" },
    { do: "late", output },
    { do: "slow", output },
    { do: "doubled", output },
    ...(kind === "agent" ? [{ do: "dies", when: "before" } as const, { do: "dies", when: "after" } as const] : []),
    ...answers.map((answer): Outcome => ({ do: "succeeds", output: answer })),
  ];
}

function outcomesOfWait({ callee, outcome }: Called, task: TaskSpec | undefined): Outcome[] {
  const output = "output" in outcome ? outcome.output : {};
  const isApproval = callee === "approval" && task?.type === "wait" && "approval" in task.wait;
  return [
    { do: "hangs" },
    { do: "late", output },
    { do: "slow", output },
    { do: "doubled", output },
    ...(isApproval ? [{ do: "succeeds", output: { approved: false } } as const] : [{ do: "early", output } as const]),
  ];
}

/** Codes of a callee's own that the task does something about; those of the engine come with other faults. */
function codesIn(task: TaskSpec | undefined): string[] {
  const handled = Array.isArray(task?.on_error) ? task.on_error.flatMap(({ codes = [] }) => codes) : [];
  const named = [...handled, ...(task?.retry?.retry_on ?? []), ...(task?.retry?.never_on ?? [])];
  return [...new Set(named)].filter((code) => !/^(?:AGENT|TOOL|WORKFLOW|TASK|CHILD|WAIT|SIGNAL)_/.test(code));
}

const hourMs = 3_600_000;
const downMs = 1_000;
const pauseMs = 600_000;

/** What may disturb a run that was played, right behind each of its appends. */
export function disturbancesOf({ appends }: Pick<Played, "appends">, kinds: ReadonlySet<FaultKind>): Disturbance[] {
  const all = Array.from({ length: appends }, (_, index): Disturbance[] => {
    const append = index + 1;
    return [
      { append, do: "crash", kept: true, downMs },
      // An order that was never on disk was never taken: whoever gave it gives it again, and that is the plain run.
      ...(append === 1 ? [] : [{ append, do: "crash", kept: false, downMs } as const]),
      { append, do: "cancel" },
      { append, do: "pause", forMs: pauseMs },
      { append, do: "jump", byMs: hourMs },
    ];
  });
  return all.flat().filter(({ do: what }) => kinds.has(what));
}

export const allKinds: readonly FaultKind[] = [
  "succeeds",
  "fails",
  "undispatched",
  "hangs",
  "late",
  "doubled",
  "slow",
  "dies",
  "early",
  "crash",
  "cancel",
  "pause",
  "jump",
  "signal",
];
