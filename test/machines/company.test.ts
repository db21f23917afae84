// Goal: the charts together keep their promises, whatever agents, tools and meddling hands do.
// Method: random plays on a stage, played to their end; what was said is recorded as the protocol's tables want it.

import fc from "fast-check";
import { expect, test } from "vitest";
import { isKey, kindOf } from "../../src/protocol/catalogue.ts";
import { isTerminal, unborn } from "../../src/protocol/statuses.ts";
import { type EventKey, nothingRecorded, record, type Recording } from "../../src/protocol/transitions.ts";
import { rehearse } from "../../src/testing/company.ts";
import type { Line, Stage } from "../../src/testing/stage.ts";
import { must, runs } from "../kit/chart-model.ts";
import { type Hand, plays } from "../kit/plays.ts";

type Ids = { id: string; exec_id: string };
type Told = {
  payload?: { status?: string; context?: { attempt?: number; cause?: string; delay_ms?: number } };
} & Record<string, unknown>;

const dayMs = 86_400_000;

const execIdOf = ({ word }: Line): string => {
  const entity = ["tool", "agent", "task", "workflow"].find((section) =>
    word.type.toLowerCase().includes(`:${section}`),
  );
  return (word[entity ?? ""] as Ids | undefined)?.exec_id ?? "";
};

const begun = (stage: Stage, type: string, section: string): Ids[] =>
  stage.log.filter(({ word }) => word.type === type).map(({ word }) => word[section] as Ids);

function meddle(stage: Stage, workflow: Ids, { does, to }: Hand): void {
  const inbox = "_INBOX.client";
  const say = (type: string, of: object, context: object) =>
    stage.say("API", { type, ...of, payload: { reply_to_subject: inbox, context } });
  const tasks = begun(stage, "event:TaskScheduled", "task");
  const agents = begun(stage, "event:AgentExecutionStarted", "agent");
  const task = tasks[to % Math.max(1, tasks.length)];
  const agent = agents[to % Math.max(1, agents.length)];
  const canceled = { cause: "requested", reason: "enough", canceled_by: "ada" };
  switch (does) {
    case "pause":
      return say("command:WorkflowPause", { workflow }, { reason: "hold", paused_by: "ada" });
    case "resume":
      return say("command:WorkflowResume", { workflow }, { resumed_by: "ada" });
    case "cancel":
      return say("command:WorkflowCancel", { workflow }, { reason: "enough", canceled_by: "ada" });
    case "signal":
      return say("command:WorkflowSignal", { workflow }, { signal: { name: "go", payload: to } });
    case "order again":
      return say("command:WorkflowExecute", { workflow }, { input: {}, trigger_type: "api" });
    case "cancel task":
      return task && say("command:TaskCancel", { workflow, task }, canceled);
    case "resume task":
      return (
        task && say("command:TaskResume", { workflow, task }, { resume_data: { approved: true }, resumed_by: "ada" })
      );
    case "cancel agent":
      return agent && say("command:AgentCancel", { workflow, agent }, canceled);
    case "kill":
      return stage.kill("TE");
  }
}

/** Plays to the end; whoever still waits is resumed for a day, then the run is canceled, so that all must end. */
function played({ play, hands }: { play: Parameters<typeof rehearse>[0]; hands: Hand[] }): {
  stage: Stage;
  workflow: Ids;
} {
  const { stage, workflow, begin } = rehearse(play);
  begin();
  for (const hand of hands) stage.after(hand.afterMs, () => meddle(stage, workflow, hand));
  for (let hour = 1; hour < 20; hour++) {
    stage.after((hour * dayMs) / 24, () => meddle(stage, workflow, { afterMs: 0, does: "resume", to: 0 }));
  }
  stage.after(dayMs, () => meddle(stage, workflow, { afterMs: 0, does: "cancel", to: 0 }));
  stage.play();
  return { stage, workflow };
}

/** Records every state event in the order in which it was said. */
function recorded(log: readonly Line[]): { ends: Map<string, Recording>; wrong: string[] } {
  const ends = new Map<string, Recording>();
  const wrong: string[] = [];
  log.forEach((line, index) => {
    const { type } = line.word;
    if (!isKey(type) || kindOf(type) !== "event") return;
    const { payload } = line.word as Told;
    const execId = execIdOf(line);
    const known = ends.get(execId) ?? nothingRecorded;
    const { disposition, view } = record(known, {
      type: type as EventKey,
      messageId: `${index}`,
      attempt: payload?.context?.attempt,
      status: payload?.status ?? "",
    });
    ends.set(execId, view);
    if (disposition !== "applied") wrong.push(`${line.by} ${type} is ${disposition} in ${known.status}`);
  });
  return { ends, wrong };
}

test("every state event that is said may follow what was said before of its execution", () => {
  fc.assert(
    fc.property(plays, (given) => {
      const { wrong } = recorded(played(given).stage.log);
      // An executor that was killed and one that takes its place may say things twice; there is only one here.
      must(wrong.length === 0, wrong.join("\n"));
    }),
    { numRuns: runs },
  );
});

test("every execution that began has ended when nothing is left to happen", () => {
  fc.assert(
    fc.property(plays, (given) => {
      const { ends } = recorded(played(given).stage.log);
      const open = [...ends].filter(([, { status }]) => !isTerminal(status) && status !== unborn);
      must(open.length === 0, `still open: ${open.map(([id, { status }]) => `${id} ${status}`).join(", ")}`);
    }),
    { numRuns: runs },
  );
});

test("no task begins after its workflow has ended, and no retry outruns its policy", () => {
  fc.assert(
    fc.property(plays, (given) => {
      const { stage } = played(given);
      const over = stage.log.findIndex(({ word }) =>
        /^event:WorkflowExecution(Success|Failed|Canceled|TimedOut)$/.test(word.type),
      );
      const begins = stage.log.findLastIndex(({ word }) => word.type === "cue:BeginTask");
      must(over >= 0 && begins < over, "a task began after the end");
      for (const { word } of stage.log) {
        const attempt = (word as Told).payload?.context?.attempt ?? 1;
        must(attempt <= 3, `attempt ${attempt} of at most 3`);
      }
    }),
    { numRuns: runs },
  );
});

test("every command that asks for an answer gets exactly one, from whoever is still there", () => {
  fc.assert(
    fc.property(plays, (given) => {
      const { stage } = played(given);
      const asked = stage.log.filter(
        ({ word, by }) =>
          by === "API" && word.type.startsWith("command:Workflow") && word.type !== "command:WorkflowExecute",
      );
      const over = stage.log.findIndex(({ word }) =>
        /^event:WorkflowExecution(Success|Failed|Canceled|TimedOut)$/.test(word.type),
      );
      const heard = asked.filter((line) => stage.log.indexOf(line) < over);
      const answers = stage.log.filter(
        ({ word, by }) =>
          by === "WO" &&
          word.type === "result:CommandAck" &&
          word["to"] === "_INBOX.client" &&
          word["task"] === undefined,
      );
      const again = stage.log.slice(0, over).filter(({ word }) => word.type === "command:WorkflowExecute").length - 1;
      expect(answers.length).toBe(heard.length + again);
    }),
    { numRuns: runs },
  );
});
