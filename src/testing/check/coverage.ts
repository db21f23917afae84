// What a search has seen: ways taken, tasks that began, faults that came to pass; and why of what it has not.

import type { Company } from "./cast.ts";
import type { Covered, FaultKind, Outcome, Played, Transition, Unreached } from "./trial.ts";
import { allWays, tasksOf, wayText } from "./ways.ts";

export function newCoverage(company: Company, workflow: string) {
  const specs = reachable(company, workflow);
  const ways = new Map<string, Transition & { times: number }>();
  for (const way of specs.flatMap(allWays)) ways.set(wayText(way), { ...way, times: 0 });
  const tasks = specs.flatMap((spec) => tasksOf(spec).map((task) => ({ workflow: spec.id, task })));
  const begun = new Set<string>();
  const endings = new Set<string>();
  const failures = new Map<string, { place: string; fault: FaultKind; times: number }>();
  const faults: Partial<Record<FaultKind, number>> = {};
  /** What ended how: whatever is new of that is worth going on from. */
  const states = new Set<string>();

  const count = (kind: FaultKind): void => void (faults[kind] = (faults[kind] ?? 0) + 1);

  return {
    ways: () => ({ taken: [...ways.values()].filter(({ times }) => times > 0).length, of: ways.size }),
    faults: (): Readonly<Partial<Record<FaultKind, number>>> => faults,
    /** Takes note of a run; tells whether anything of it was new. */
    see({ transitions, executions, calls, trial, unmet, status }: Played): boolean {
      let isNew = false;
      for (const taken of transitions) {
        const way = ways.get(wayText(taken));
        if (!way) continue;
        isNew ||= way.times === 0;
        way.times += 1;
      }
      for (const { entity, id, status: how, parents } of executions) {
        const workflowId = String(parents.workflow?.id ?? trial.workflow);
        if (entity === "task") begun.add(`${workflowId}.${id}`);
        const state = `${entity} ${workflowId} ${id} ${how}`;
        isNew ||= !states.has(state);
        states.add(state);
      }
      endings.add(status);
      const vain = new Set(unmet.map(({ what }) => what));
      for (const called of calls) noteFailure(called.task, called.outcome, called.place in trial.calls);
      for (const [place, outcome] of Object.entries(trial.calls)) if (!vain.has(place)) count(outcome.do);
      for (const one of trial.disturbances) if (!vain.has(one)) count(one.do);
      return isNew;
    },
    covered: (): Covered => ({
      transitions: [...ways.values()],
      failures: [...failures.values()],
      states: { reached: begun.size, of: tasks.length },
    }),
    unreached(isCut: boolean): Unreached[] {
      const missing = tasks.filter(({ workflow: own, task }) => !begun.has(`${own}.${task.id}`));
      const gone = new Set(missing.map(({ workflow: own, task }) => `${own}.${task.id}`));
      const late = isCut ? "; the search was cut off before all was tried" : "";
      return [
        ...missing.map(({ workflow: own, task }) => ({
          what: `task '${task.id}' of '${own}'`,
          why: `it never began: nothing that was tried led to it${late}`,
        })),
        ...[...ways.values()]
          .filter((way) => way.times === 0 && !gone.has(`${way.workflow}.${way.task}`))
          .map((way) => ({ what: wayOf(way), why: `${whyOf(way, company)}${late}` })),
      ];
    },
  };

  function noteFailure(task: string, outcome: Outcome, isPlanned: boolean): void {
    if (!isPlanned) return;
    const key = `${task} ${outcome.do}`;
    const known = failures.get(key) ?? { place: task, fault: outcome.do, times: 0 };
    known.times += 1;
    failures.set(key, known);
  }
}

/** The workflow, and those that it calls, directly or not. */
export function reachable(company: Company, workflow: string) {
  const found = new Map<string, NonNullable<ReturnType<Company["workflows"]["get"]>>>();
  const walk = (id: string): void => {
    const spec = company.workflows.get(id);
    if (!spec || found.has(id)) return;
    found.set(id, spec);
    for (const task of tasksOf(spec)) if (task.type === "workflow") walk(task.workflow);
  };
  walk(workflow);
  return [...found.values()];
}

const wayOf = ({ workflow, task, on, to }: Transition): string =>
  `the way of task '${task}' of '${workflow}' after ${on} to ${to === "$SUCCESS" ? "the end" : `'${to}'`}`;

function whyOf({ workflow, task, on }: Transition, company: Company): string {
  const spec = company.taskOf(workflow, task);
  if (on === "SUCCESS" && spec?.type === "route") return "no data that was tried made its condition true";
  if (on === "SUCCESS") return "the task never ended well";
  if (spec?.type === "route" || spec?.type === "wait" || spec?.type === "signal") return "the task never failed";
  return "the task never failed in a way that leads there";
}
