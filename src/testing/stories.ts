// What can go wrong with an agent, as stories to be played: each a workflow, its agents, and somebody's hand in it.

import { fault } from "../machines/cues.ts";
import { oneAttempt } from "../machines/retry.ts";
import { rehearse } from "./company.ts";
import type { Play, Task } from "./play.ts";
import type { Line, Stage } from "./stage.ts";

export type Story = {
  id: string;
  title: string;
  /** What happens, and how one knows. */
  tells: string;
  play: Omit<Play, "id">;
  direct?: (stage: Stage, workflow: { id: string; exec_id: string }) => void;
  /** Where something beats for ever: how long to watch. */
  untilMs?: number;
};

const ask: Task = { id: "decide", type: "agent", calls: "judge", timeoutMs: 30_000 };
const twice = { ...oneAttempt, max_attempts: 2 };
const agrees = { afterMs: 900, outcome: { output: { ok: true } } };

export const stories: readonly Story[] = [
  {
    id: "answers",
    title: "The agent answers",
    tells:
      "The run ends as SUCCESS with the agent's output. Every step is an event of its own: scheduled, started, agent" +
      " started, agent completed, task completed, workflow completed.",
    play: { tasks: [ask], scripts: { judge: [agrees] } },
  },
  {
    id: "errs",
    title: "The agent errs",
    tells:
      "The agent's own code (here `REFUSED`) arrives as `details.cause_code` of AGENT_ERROR. The round trip is" +
      " complete, the task has failed; retry or `on_error` may take it from there, else the workflow fails with" +
      " TASK_FAILED.",
    play: {
      tasks: [ask],
      scripts: { judge: [{ afterMs: 400, outcome: fault("AGENT_ERROR", "refused", { cause_code: "REFUSED" }) }] },
    },
  },
  {
    id: "hangs",
    title: "The agent hangs, and the second try succeeds",
    tells:
      "After the task's timeout the attempt fails with AGENT_INVOCATION_TIMEOUT, then the agent is told to stop. The" +
      " retry is a new agent execution of the same task execution; whatever the first agent still says is late.",
    play: { tasks: [{ ...ask, retry: twice }], scripts: { judge: ["hangs", agrees] } },
  },
  {
    id: "dies",
    title: "The agent's runtime dies",
    tells:
      "Its heartbeats stop. When its lease is over the dispatcher gives it up and answers in its place:" +
      " AGENT_RUNTIME_LOST, long before the task's own timeout.",
    play: { tasks: [{ ...ask, timeoutMs: 300_000 }], scripts: { judge: ["dies"] }, beats: true },
    untilMs: 60_000,
  },
  {
    id: "absent",
    title: "The agent is never there",
    tells:
      "No runtime serves it. The dispatcher records AgentDispatchFailed and answers at once: the task fails with" +
      " AGENT_DISPATCH_FAILED, reason `no_runtime`, without waiting for any timeout.",
    play: { tasks: [ask], scripts: {} },
  },
  {
    id: "unheard",
    title: "Nobody dispatches agents at all",
    tells:
      "Nobody listens where TriggerAgent goes. That is an answer too: AGENT_DISPATCH_FAILED, reason `no_responders`," +
      " at once.",
    play: { tasks: [ask], scripts: { judge: [agrees] }, dispatcher: false },
  },
  {
    id: "canceled",
    title: "Somebody cancels, and the agent does not listen",
    tells:
      "The workflow is CANCELED at once. The cancel travels down; an agent that ignores it is given five seconds," +
      " then it is recorded as canceled without its consent.",
    play: { tasks: [ask], scripts: { judge: ["hangs"] }, obedient: false },
    direct: (stage, workflow) =>
      stage.after(2_000, () =>
        stage.say("API", {
          type: "command:WorkflowCancel",
          workflow,
          payload: { context: { reason: "no longer needed", canceled_by: "api.Service" } },
        }),
      ),
  },
];

/** Plays a story from beginning to end. */
export function tell({ id, play, direct, untilMs }: Story): readonly Line[] {
  const { stage, workflow, begin } = rehearse({ id, ...play });
  begin();
  direct?.(stage, workflow);
  stage.play(untilMs === undefined ? Infinity : stage.now() + untilMs);
  return stage.log;
}
