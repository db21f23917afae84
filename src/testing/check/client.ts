// Whoever a run waits for: sends the signals, approves, resumes, cancels and pauses, as the trial says.

import type { Word } from "../../actors/component.ts";
import type { Run } from "../../actors/run.ts";
import type { Wait } from "../../protocol/fields.ts";
import type { Company } from "./cast.ts";
import { lateMs, slowMs, workMs } from "./hands.ts";
import { type Places, taskIn } from "./places.ts";
import type { Comings, Happening, Scene, Task } from "./scene.ts";
import { signalFitting } from "./signals.ts";
import type { Called, Outcome, Place, Trial } from "./trial.ts";

export type ClientMeans = {
  company: Company;
  trial: Trial;
  scene: Scene;
  places: Places;
  plannedAt: (place: Place) => Outcome | undefined;
  now: () => number;
  later: (ms: number, happening: Happening) => void;
  /** A wait began: what it waits for is to come. */
  arrange: (call: number, comings: Comings) => void;
  run: (id: string) => Run | undefined;
  /** Says something to a run from outside. */
  tell: (run: string, word: Word) => void;
  life: () => number;
};

/** What the place of whoever answers a pause of the workflow's own is called. */
const pausePlace = (path: string): Place => `${path}!`;
/** Whoever is asked more often gives up: a budget that is used up stays so. */
const resumesMax = 20;
const person = "a person";
const pauser = "check";

/** What never comes, or came before anybody waited, leads to nothing. */
function comingsOf(called: number, timeoutMs: number): Comings {
  const coming = (ms: number, payload: unknown) => ({ ms, happening: { do: "come", called, payload } as const });
  return (outcome) => {
    if (outcome.do === "succeeds") return [coming(workMs, outcome.output)];
    if (outcome.do === "slow") return [coming(Math.floor(timeoutMs * 0.9), outcome.output)];
    if (outcome.do === "late") return [coming(timeoutMs + lateMs, outcome.output)];
    if (outcome.do !== "doubled") return [];
    return [coming(workMs, outcome.output), coming(2 * workMs, outcome.output)];
  };
}

export type Client = ReturnType<typeof newClient>;

export function newClient({
  company,
  trial,
  scene,
  places,
  plannedAt,
  now,
  later,
  arrange,
  run: runOf,
  tell,
  life,
}: ClientMeans) {
  const own = (run: string) => ({ workflow: { id: runOf(run)?.facts.definition?.id ?? "", exec_id: run } });
  const say = (run: string, type: string, context: object, more: object = {}): void =>
    tell(run, { type, ...own(run), ...more, payload: { reply_to_subject: "_INBOX.check", context } });

  const signal = (run: string, name: string, payload: unknown): void =>
    say(run, "command:WorkflowSignal", { signal: { name, payload } });
  const resume = (run: string, data: unknown): void =>
    say(run, "command:WorkflowResume", { resumed_by: person, ...(data !== undefined && { resume_data: data }) });

  /** A task waits: what it waits for comes, as planned. */
  function waits(run: string, word: Word): void {
    const task = word.task as Task;
    const { attempt, wait } = (word["payload"] as { context: { attempt: number; wait: Wait } }).context;
    if ("duration_ms" in wait || "until" in wait) return;
    const place = places.placeOf(run, task, attempt);
    const workflow = own(run).workflow.id;
    const isSignal = "signal" in wait;
    const plain = (): unknown =>
      isSignal ? signalFitting(company.taskOf(workflow, task.id), runOf(run)) : { approved: true };
    const outcome: Outcome = plannedAt(place) ?? { do: "succeeds", output: plain() };
    const called: Called = {
      place,
      kind: "wait",
      callee: isSignal ? wait.signal : "approval",
      run,
      workflow,
      task: task.id,
      taskExecId: task.exec_id,
      execId: task.exec_id,
      attempt,
      idempotencyKey: `${task.exec_id}:${attempt}`,
      input: {},
      outcome,
      at: now(),
      doneAt: null,
      toldToStopAt: null,
      life: life(),
      isAgain: scene.calls.some((one) => one.kind === "wait" && one.place === place),
    };
    scene.calls.push(called);
    const timeoutMs = company.prepared.get(workflow)?.tasks.get(task.id)?.timeoutMs ?? slowMs;
    const call = scene.calls.length - 1;
    arrange(call, comingsOf(call, timeoutMs));
  }

  function comes(index: number, payload: unknown): void {
    const called = scene.calls[index];
    if (!called) return;
    called.doneAt ??= now();
    const { run, task: id, taskExecId: exec_id, callee } = called;
    const spec = company.taskOf(called.workflow, id);
    if (spec?.type === "wait" && "signal" in spec.wait) return signal(run, callee, payload);
    say(run, "command:TaskResume", { resumed_by: person, resume_data: payload }, { task: { id, exec_id } });
  }

  /** Signals that come before anybody waits for them. */
  function comeEarly(run: string): void {
    const early = Object.entries(trial.calls).filter(([, outcome]) => outcome.do === "early");
    if (early.length === 0) return;
    const path = places.pathOf(run);
    for (const [place, outcome] of early) {
      const task = company.taskOf(own(run).workflow.id, taskIn(place));
      if (!place.startsWith(path) || task?.type !== "wait" || !("signal" in task.wait) || outcome.do !== "early")
        continue;
      later(0, { do: "signal", run, name: task.wait.signal, payload: outcome.output });
    }
  }

  /** Whoever paused it so that somebody looks is answered. */
  function paused(run: string, word: Word): void {
    const { paused_by } = (word["payload"] as { context: { paused_by: string } }).context;
    if (paused_by === pauser || scene.resumed >= resumesMax) return;
    scene.resumed += 1;
    const outcome = plannedAt(pausePlace(places.pathOf(run)));
    if (outcome?.do === "hangs") return;
    later(workMs, { do: "resume", run, data: outcome && "output" in outcome ? outcome.output : undefined });
  }

  return {
    hear(run: string, word: Word): void {
      if (word.type === "event:TaskWaitingStarted") waits(run, word);
      else if (word.type === "event:WorkflowExecutionPaused") paused(run, word);
      else if (word.type === "event:WorkflowExecutionStarted") comeEarly(run);
    },
    act(happening: Happening): void {
      if (happening.do === "come") comes(happening.called, happening.payload);
      else if (happening.do === "signal") signal(happening.run, happening.name, happening.payload);
      else if (happening.do === "resume") resume(happening.run, happening.data);
    },
    signal,
    cancel: (run: string): void =>
      say(run, "command:WorkflowCancel", { reason: "a person changed their mind", canceled_by: "check" }),
    pause(run: string, forMs: number): void {
      say(run, "command:WorkflowPause", { reason: "a person looks at it", paused_by: pauser });
      later(forMs, { do: "resume", run, data: undefined });
    },
  };
}
