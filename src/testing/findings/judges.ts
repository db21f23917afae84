// All judges of played runs, for one project: whatever is not told from the definition alone.

import type { Judge } from "../check/trial.ts";
import type { Subject } from "./flaw.ts";
import { judgeOfData } from "./judge-data.ts";
import { budgetExceeded, engineDefect, limitExceeded, neverEnds } from "./judge-endings.ts";
import { calledTwice, judgeOfAnswers, successDespiteFailure } from "./judge-failures.ts";
import { compensationMissed, compensationRepeated } from "./judge-undo.ts";

/** The first that speaks of a play does not keep the others from it. */
export const judgesFor = (callees: Pick<Subject, "agents" | "tools">, own: readonly Judge[] = []): Judge[] => [
  engineDefect,
  neverEnds,
  successDespiteFailure,
  judgeOfData(callees),
  judgeOfAnswers(callees),
  compensationMissed(callees),
  compensationRepeated,
  calledTwice(callees),
  budgetExceeded,
  limitExceeded,
  ...own,
];
