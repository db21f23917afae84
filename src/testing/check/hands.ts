// Stand-ins for the handlers of agents and tools: each call comes to what the trial says, by the virtual clock.
//
//   perform ─▶ what is planned for this place? ──later──▶ answer · error · nothing · after the timeout · twice
//
// Invariants:
//   H1. A stand-in is begun, told to stop and listened to exactly as a handler of the engine is.
//   H2. What a stand-in had done when its process died is done; what it had not is not.

import { execIdIn, type Word } from "../../actors/component.ts";
import { outputOf, type Thrown, thrownOf } from "../../actors/handler-outcome.ts";
import type { Handlers } from "../../actors/handlers.ts";
import type { Input } from "../../actors/react.ts";
import type { Actor } from "../../actors/run.ts";
import { schemaOf, wrong } from "../../language/json-schema.ts";
import type { Asking, Company, Order } from "./cast.ts";
import type { Places } from "./places.ts";
import type { Comings, Happening, Kind, Scene, Task, Work } from "./scene.ts";
import type { Called, Outcome, Place } from "./trial.ts";

/** How long work takes that is neither slow nor late. */
export const workMs = 10;
/** How much later than its timeout a late answer comes. */
export const lateMs = 1_000;
/** Where there is no timeout, slow is so much. */
export const slowMs = 60_000;
/** How long a runtime that died is waited for. */
const leaseMs = 15_000;

export type HandsMeans = {
  company: Company;
  scene: Scene;
  places: Places;
  /** What is planned; nothing if it is to succeed. */
  plannedAt: (place: Place) => Outcome | undefined;
  now: () => number;
  later: (ms: number, happening: Happening) => void;
  /** A call was made: what its outcome leads to is to come. */
  arrange: (call: number, comings: Comings) => void;
  actor: (run: string, address: string) => Actor | undefined;
  send: (run: string, input: Input) => void;
  id: () => string;
  life: () => number;
};

/** Where a call stands. */
export const placeOfOrder = (places: Places, { run, order }: NonNullable<Asking>): Place => {
  const callee = order.type === "command:ToolExecute" ? order.tool : order.agent;
  return places.placeOf(run, taskOf(order) ?? callee, order.payload.context.attempt);
};
const taskOf = ({ task }: NonNullable<Asking>["order"]): Task | undefined => task as Task | undefined;
const calleeOf = (order: Order): Task => (order.type === "command:ToolExecute" ? order.tool : order.agent);

/** When work is done of which nobody will hear; null of all other. */
export const doneAhead = ({ at }: Called, outcome: Outcome): number | null =>
  outcome.do === "dies" && outcome.when === "after" ? at + workMs : null;

function comingsOf({ number: work, address, order }: Work): Comings {
  const timeoutMs = order.payload.context.timeout_config.timeout_duration_ms || slowMs;
  const answering = (ms: number, output: unknown, twice = false) => [
    { ms, happening: { do: "answer", work, address, output, twice } as const },
  ];
  return (outcome) => {
    switch (outcome.do) {
      case "fails": {
        const error = { message: "as it was planned", code: outcome.code };
        return [{ ms: workMs, happening: { do: "throw", work, address, error } }];
      }
      case "slow":
        return answering(Math.floor(timeoutMs * 0.9), outcome.output);
      case "late":
        return answering(timeoutMs + lateMs, outcome.output);
      case "doubled":
        return answering(workMs, outcome.output, true);
      case "succeeds":
      case "early":
        return answering(workMs, outcome.output);
      case "dies":
        return [{ ms: leaseMs, happening: { do: "lose", work, address } }];
      case "hangs":
      case "undispatched":
        return [];
    }
  };
}

export type Hands = ReturnType<typeof newHands>;

export function newHands(means: HandsMeans) {
  const { company, scene, places, now, later } = means;

  function begin(run: string, address: string, order: Order): void {
    const kind: Kind = order.type === "command:ToolExecute" ? "tool" : "agent";
    const { id: callee, exec_id: execId } = calleeOf(order);
    const { attempt, input } = order.payload.context;
    const task = taskOf(order) ?? { id: callee, exec_id: execId };
    const place = placeOfOrder(places, { run, order });
    const life = means.life();
    const called: Called = {
      place,
      kind,
      callee,
      run,
      workflow: String(order.workflow?.id ?? ""),
      task: task.id,
      taskExecId: task.exec_id,
      execId,
      attempt,
      idempotencyKey: `${task.exec_id}:${attempt}`,
      input,
      outcome: means.plannedAt(place) ?? answerTo(kind, callee, input, attempt),
      at: now(),
      doneAt: null,
      toldToStopAt: null,
      life,
      isAgain: life > 1 && scene.calls.some((one) => one.kind !== "wait" && one.place === place),
    };
    scene.worksBegun += 1;
    const work: Work = { number: scene.worksBegun, kind, run, address, order, called: scene.calls.length };
    scene.calls.push(called);
    scene.works.set(address, work);
    if (!scene.due.delete(address)) scene.running[kind] += 1;
    called.doneAt = doneAhead(called, called.outcome);
    means.arrange(work.called, comingsOf(work));
  }

  /** What nobody has planned: the answer of a script if there is one, or the plain one. */
  function answerTo(kind: Kind, callee: string, input: unknown, attempt: number): Outcome {
    const { answers } = company[kind === "agent" ? "agents" : "tools"].get(callee) ?? {};
    if (!answers) return { do: "succeeds", output: company.plainAnswer(kind, callee) };
    try {
      return { do: "succeeds", output: answers(structuredClone(input), attempt) };
    } catch (thrown) {
      return { do: "fails", code: thrownOf(thrown).code ?? "FAILED" };
    }
  }

  function answer(work: Work, output: unknown): void {
    done(work);
    const { kind, order } = work;
    const { id } = calleeOf(order);
    const checked = schemaOf(company[kind === "agent" ? "agents" : "tools"].get(id)?.output).check(output);
    if (checked.errors) {
      const code = kind === "tool" ? "TOOL_OUTPUT_INVALID" : "OUTPUT_INVALID";
      return threw(work, { code, ...wrong(`the output of ${kind} '${id}'`, checked.errors) } as Thrown);
    }
    const data = outputOf(checked.value, company.limits.payloadBytes);
    settle(work, { type: "cue:Returned", exec_id: execIdIn(work.address), output: data, thought: false });
  }
  function threw(work: Work, error: Thrown): void {
    done(work);
    settle(work, { type: "cue:Threw", exec_id: execIdIn(work.address), error, thought: false });
  }
  function done({ called }: Work): void {
    const call = scene.calls[called];
    if (call) call.doneAt ??= now();
  }
  function settle(work: Work, cue: Word): void {
    forget(work);
    means.send(work.run, { on: "cue", address: work.address, cue });
  }
  function forget({ address, kind }: Work): void {
    if (scene.works.delete(address)) scene.running[kind] -= 1;
  }

  /** The same answer comes once more, as over a wire that doubles. */
  function repeat(run: string, kind: Kind, order: Order, output: unknown): void {
    const { workflow, task, payload } = order;
    const own = order.type === "command:ToolExecute" ? { tool: order.tool } : { agent: order.agent };
    const word = {
      type: kind === "agent" ? "result:AgentExecutionResult" : "result:ToolExecutionResult",
      ...(workflow && { workflow }),
      ...(task && { task }),
      ...own,
      payload: {
        status: "SUCCESS",
        result: { output: outputOf(output, company.limits.payloadBytes) },
        context: { attempt: payload.context.attempt },
      },
    } as Word;
    const by = kind === "agent" ? "AR" : "XE";
    const heard = { word, by, from: "", run: "", id: means.id(), cause: null } as const;
    means.send(run, { on: "message", told: false, foreign: true, ...heard });
  }

  /** Its runtime is gone: the dispatcher hears that, and nobody hears of the agent. */
  function lose({ run, order }: Work): void {
    if (order.type !== "command:AgentRuntimeExecute") return;
    const { agent, agent_runtime, task, workflow } = order;
    means.send(run, { on: "cue", address: `dispatch/${agent.exec_id}`, cue: { type: "cue:RuntimeLost" } });
    // What runs in this process ends as if it had run in that one.
    const payload = { context: { attempt: order.payload.context.attempt, cause: "caller_lost", reason: "it died" } };
    const type = "command:AgentRuntimeCancel";
    const word = { type, agent_runtime, agent, ...(task && { task }), ...(workflow && { workflow }), payload } as Word;
    const from = { by: "AD", from: "", run: "", id: means.id(), cause: null } as const;
    means.send(run, { on: "message", told: true, word, ...from });
  }

  const handlers: Handlers = {
    running: (kind) => scene.running[kind],
    reserve(kind, run, address) {
      if (scene.due.has(address) || scene.works.has(address)) return;
      scene.due.set(address, { kind, run });
      scene.running[kind] += 1;
    },
    release(address) {
      const place = scene.due.get(address);
      if (place && scene.due.delete(address)) scene.running[place.kind] -= 1;
      const work = scene.works.get(address);
      if (work) forget(work);
    },
    perform(run, address) {
      const actor = means.actor(run, address);
      if (actor?.life.snapshot.value !== "running" || scene.works.has(address)) return;
      begin(run, address, (actor.life.snapshot.context as { order: Order }).order);
    },
    abort(run, address) {
      const work = scene.works.get(address);
      if (!work) {
        if (means.actor(run, address)?.life.snapshot.value !== "canceling") return;
        const error = { message: "the handler was canceled before it began" };
        const cue: Word = { type: "cue:Threw", exec_id: execIdIn(address), error, thought: true };
        return means.send(run, { on: "cue", address, cue });
      }
      const called = scene.calls[work.called];
      if (!called) return;
      called.toldToStopAt ??= now();
      // Whoever hangs, is late or is dead hears nothing; all others stop at once.
      const { do: what } = called.outcome;
      if (what === "hangs" || what === "late" || (what === "dies" && now() < called.at + leaseMs)) return;
      const code = work.kind === "agent" ? "AGENT_CANCELED" : "TOOL_CANCELED";
      later(0, { do: "throw", work: work.number, address, error: { message: "told to stop", code } });
    },
    abandon(run) {
      for (const [address, { kind, run: of }] of scene.due) {
        if (of === run && scene.due.delete(address)) scene.running[kind] -= 1;
      }
      for (const work of Array.from(scene.works.values())) if (work.run === run) forget(work);
    },
    // No stand-in calls a tool.
    called: () => undefined,
    stop() {
      for (const work of Array.from(scene.works.values())) forget(work);
    },
    isIdle: () => scene.works.size === 0 && scene.due.size === 0,
  };

  return {
    handlers,
    /** What was arranged happens, unless the work has ended meanwhile; whether it was about work at all. */
    act(happening: Happening): boolean {
      if (happening.do === "repeat") {
        repeat(happening.run, happening.kind, happening.order, happening.output);
        return true;
      }
      if (!("work" in happening)) return false;
      const work = scene.works.get(happening.address);
      if (work?.number !== happening.work) return true;
      if (happening.do === "lose") lose(work);
      else if (happening.do === "throw") threw(work, happening.error);
      else {
        const { output, twice } = happening;
        if (twice) later(workMs, { do: "repeat", run: work.run, kind: work.kind, order: work.order, output });
        answer(work, output);
      }
      return true;
    },
  };
}
