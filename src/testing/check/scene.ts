// What there is around the charts of a play, as data: who is at work, who was called, and what is going to happen.
//
// It can be copied, so that a play can go on from the midst of another.

import type { Word } from "../../actors/component.ts";
import type { Thrown } from "../../actors/handler-outcome.ts";
import type { Order } from "./cast.ts";
import type { Called, Disturbance, Outcome, Trial, Unmet } from "./trial.ts";

export type Task = { id: string; exec_id: string };
export type Kind = "agent" | "tool";

/** A handler at work; `called` is its place among the calls. */
export type Work = { number: number; kind: Kind; run: string; address: string; order: Order; called: number };

/** Something that happens at its time: first the work of stand-ins, then what comes from outside the process. */
export type Happening =
  | { do: "answer"; work: number; address: string; output: unknown; twice: boolean }
  | { do: "throw"; work: number; address: string; error: Thrown }
  | { do: "lose"; work: number; address: string }
  | { do: "repeat"; run: string; kind: Kind; order: Order; output: unknown }
  | { do: "come"; called: number; payload: unknown }
  | { do: "signal"; run: string; name: string; payload: unknown }
  | { do: "resume"; run: string; data: unknown }
  | { do: "disturb"; disturbance: Disturbance };

/** What an outcome of a call leads to, and how long after the call. */
export type Coming = { ms: number; happening: Happening };
/** What each outcome of a call would lead to: nothing of the call's own past changes with it. */
export type Comings = (outcome: Outcome) => readonly Coming[];

export type Scene = {
  calls: Called[];
  works: Map<string, Work>;
  /** Promised a place, and not begun yet. */
  due: Map<string, { kind: Kind; run: string }>;
  running: { agent: number; tool: number };
  worksBegun: number;
  /** How often somebody resumed what had paused itself. */
  resumed: number;
};

export const newScene = (): Scene => ({
  calls: [],
  works: new Map(),
  due: new Map(),
  running: { agent: 0, tool: 0 },
  worksBegun: 0,
  resumed: 0,
});

export const copyOf = (scene: Scene): Scene => ({
  ...scene,
  calls: scene.calls.map((called) => ({ ...called })),
  works: new Map(scene.works),
  due: new Map(scene.due),
  running: { ...scene.running },
});

/** The process is gone, and with it whoever worked in it. */
export function emptyHands(scene: Scene): void {
  scene.works.clear();
  scene.due.clear();
  scene.running = { agent: 0, tool: 0 };
}

export const beganAt = Date.UTC(2026, 0, 5, 9);
/** No workflow of people waits that long for anything. */
export const horizonMs = 10 * 366 * 86_400_000;
/** Alarms of one play: far more than any run needs that comes to an end, and a few seconds of work at most. */
export const alarmsMax = 20_000;

/** Whether it comes from outside the process: a process that dies takes its work with it, and nothing else. */
export const isOutside = (happening: Happening): boolean => !("work" in happening);

/** What begins the run of a trial. */
export const orderOf = ({ workflow, input }: Trial, execId: string): Word => ({
  type: "command:WorkflowExecute",
  workflow: { id: workflow, exec_id: execId },
  payload: { reply_to_subject: `_INBOX.${execId}`, context: { input, trigger_type: "api" } },
});

type Came = { scene: Scene; refused: ReadonlySet<Outcome>; met: ReadonlySet<Disturbance> };

/** What a trial asked for that never came to pass. */
export function unmetIn({ calls, disturbances }: Trial, { scene, refused, met }: Came): Unmet[] {
  const came = new Set(scene.calls.map(({ outcome }) => outcome));
  const missing = Object.entries(calls).filter(([, outcome]) => !came.has(outcome) && !refused.has(outcome));
  return [
    ...missing.map(([place]) => ({ what: place, why: "no such call was made" })),
    ...disturbances.filter((one) => !met.has(one)).map((what) => ({ what, why: "the run was over by then" })),
  ];
}
