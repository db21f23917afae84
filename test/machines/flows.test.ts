// Goal: the charts together hold the conversations of the golden flows, message for message.
// Method: each flow is provoked on a stage in virtual time; what is said is held against the flow.
// Left out are flows of what the charts do not do themselves: the bus's refusals, WebSocket frames, registration.

import { describe, expect, test } from "vitest";
import { fault } from "../../src/machines/cues.ts";
import { oneAttempt } from "../../src/machines/retry.ts";
import { rehearse } from "../../src/testing/company.ts";
import type { Act, Play, Task } from "../../src/testing/play.ts";
import type { Stage } from "../../src/testing/stage.ts";
import { isKey } from "../../src/protocol/catalogue.ts";
import type { Component } from "../../src/protocol/entry.ts";
import { encode, wrap } from "../../src/protocol/envelope.ts";
import { minter } from "../../src/protocol/ids.ts";
import { layouts } from "../../src/protocol/layouts.ts";
import { parse } from "../../src/protocol/parse.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { flowOf, flows, mismatch } from "../kit/flows.ts";

const answers = (output: Record<string, unknown>, afterMs = 100): Act => ({ afterMs, outcome: { output } });
const errs = (code: "AGENT_ERROR" | "TOOL_ERROR", cause_code: string): Act => ({
  afterMs: 100,
  outcome: fault(code, "it failed", { cause_code }),
});

const agent: Task = { id: "ask", type: "agent", calls: "clerk" };
const tool: Task = { id: "look", type: "tool", calls: "orders" };
const retries = (max_attempts: number, initial_ms: number, more: object = {}) => ({
  ...oneAttempt,
  max_attempts,
  backoff: { ...oneAttempt.backoff, initial_ms },
  ...more,
});
const client = "_INBOX.client";

type Direct = (stage: Stage, workflow: { id: string; exec_id: string }) => void;
type Scene = { play: Omit<Play, "id">; direct?: Direct; untilMs?: number };

/** Says something to the workflow as the API does. */
const tells =
  (name: "Pause" | "Resume" | "Cancel" | "Signal", context: object, afterMs = 1_000): Direct =>
  (stage, workflow) =>
    stage.after(afterMs, () =>
      stage.say("API", {
        type: `command:Workflow${name}`,
        workflow,
        payload: { reply_to_subject: client, context },
      }),
    );

const taskOf = (stage: Stage): { id: string; exec_id: string } => {
  const scheduled = stage.log.find(({ word }) => word.type === "event:TaskScheduled");
  return scheduled?.word["task"] as { id: string; exec_id: string };
};

const scenes: Record<string, Scene> = {
  "agent-1-success": { play: { tasks: [agent], scripts: { clerk: [answers({ text: "hi" })] } } },
  "agent-2-agent-error": { play: { tasks: [agent], scripts: { clerk: [errs("AGENT_ERROR", "REFUSED")] } } },
  "agent-3-invocation-timeout": {
    play: { tasks: [{ ...agent, timeoutMs: 1_000 }], scripts: { clerk: ["hangs"] } },
  },
  "agent-4-dispatch-failed": { play: { tasks: [agent], scripts: {} } },
  "agent-7-cancel": {
    play: { tasks: [agent], scripts: { clerk: ["hangs"] } },
    direct: (stage, workflow) =>
      stage.after(1_000, () => {
        const started = stage.log.find(({ word }) => word.type === "event:AgentExecutionStarted");
        stage.say("API", {
          type: "command:AgentCancel",
          workflow,
          agent: started?.word["agent"],
          payload: {
            reply_to_subject: client,
            context: { cause: "requested", reason: "not needed", canceled_by: "api.Service" },
          },
        });
      }),
  },
  "agent-8-no-responders": { play: { tasks: [agent], scripts: {}, dispatcher: false } },
  "agent-9-runtime-lost": {
    play: { tasks: [{ ...agent, timeoutMs: 60_000 }], scripts: { clerk: ["dies"] }, beats: true },
    untilMs: 120_000,
  },
  "task-1-success": { play: { tasks: [{ id: "tick", type: "signal", signal: "tick" }], scripts: {} } },
  "task-2-tool-success": { play: { tasks: [tool], scripts: { orders: [answers({ ok: true })] } } },
  "task-3-agent-success": { play: { tasks: [agent], scripts: { clerk: [answers({ text: "done" })] } } },
  "task-5a-tool-error": { play: { tasks: [tool], scripts: { orders: [errs("TOOL_ERROR", "NOT_FOUND")] } } },
  "task-5b-tool-timeout": { play: { tasks: [{ ...tool, timeoutMs: 1_000 }], scripts: { orders: ["hangs"] } } },
  "task-6a-agent-error": { play: { tasks: [agent], scripts: { clerk: [errs("AGENT_ERROR", "REFUSED")] } } },
  "task-6b-agent-timeout": {
    play: { tasks: [{ ...agent, timeoutMs: 1_000 }], scripts: { clerk: ["hangs"] } },
  },
  "task-6c-agent-dispatch-failed": { play: { tasks: [agent], scripts: {} } },
  "task-7-retry": {
    play: {
      tasks: [{ ...agent, timeoutMs: 1_000, retry: retries(2, 200) }],
      scripts: { clerk: ["hangs", answers({ text: "now" })] },
    },
  },
  "task-8-wait-resume": {
    play: { tasks: [{ id: "ok", type: "wait", wait: { approval: "ok?" }, timeoutMs: 3_600_000 }], scripts: {} },
    direct: (stage, workflow) =>
      stage.after(1_000, () =>
        stage.say("API", {
          type: "command:TaskResume",
          workflow,
          task: taskOf(stage),
          payload: { reply_to_subject: client, context: { resume_data: { approved: true }, resumed_by: "ada" } },
        }),
      ),
  },
  "task-9-wait-timeout": {
    play: { tasks: [{ id: "go", type: "wait", wait: { signal: "go" }, timeoutMs: 1_000 }], scripts: {} },
  },
  "task-10-parallel": {
    play: {
      tasks: [
        {
          id: "p",
          type: "parallel",
          branches: { a: [{ ...tool, id: "a" }], b: [{ ...tool, id: "b" }] },
        },
      ],
      scripts: { orders: [answers({ ok: true })] },
    },
  },
  "task-12-retry-then-success": {
    play: {
      tasks: [{ ...tool, retry: retries(3, 100) }],
      scripts: { orders: [errs("TOOL_ERROR", "BUSY"), answers({ ok: true })] },
    },
  },
  "task-13-retry-exhausted": {
    play: { tasks: [{ ...tool, retry: retries(2, 100) }], scripts: { orders: [errs("TOOL_ERROR", "BUSY")] } },
  },
  "task-14-non-retryable": {
    play: {
      tasks: [{ ...tool, retry: retries(3, 100, { never_on: ["CARD_DECLINED"] }) }],
      scripts: { orders: [errs("TOOL_ERROR", "CARD_DECLINED")] },
    },
  },
  "task-15-timed-out": {
    play: {
      tasks: [
        {
          id: "p",
          type: "parallel",
          timeoutMs: 1_000,
          branches: { w: [{ id: "w", type: "wait", wait: { signal: "go" }, timeoutMs: 3_600_000 }] },
        },
      ],
      scripts: {},
    },
  },
  "task-16-executor-lost": {
    play: { tasks: [{ ...tool, timeoutMs: 2_000 }], scripts: { orders: ["hangs"] } },
    direct: (stage) => stage.after(1_000, () => stage.kill("TE")),
  },
  "tool-1-success": { play: { tasks: [tool], scripts: { orders: [answers({ ok: true })] } } },
  "tool-2-tool-error": { play: { tasks: [tool], scripts: { orders: [errs("TOOL_ERROR", "NOT_FOUND")] } } },
  "tool-3-invocation-timeout": {
    play: { tasks: [{ ...tool, timeoutMs: 1_000 }], scripts: { orders: ["hangs"] } },
  },
  "tool-5-cancel": {
    play: { tasks: [tool], scripts: { orders: ["hangs"] } },
    direct: (stage, workflow) =>
      stage.after(1_000, () =>
        stage.say("API", {
          type: "command:TaskCancel",
          workflow,
          task: taskOf(stage),
          payload: {
            reply_to_subject: client,
            context: { cause: "requested", reason: "stop", canceled_by: "api.Service" },
          },
        }),
      ),
  },
  "workflow-1-success": { play: { tasks: [tool], scripts: { orders: [answers({ ok: true })] } } },
  "workflow-2-complex-success": {
    play: {
      tasks: [{ ...agent, next: "look" }, tool],
      scripts: { clerk: [answers({ text: "x" })], orders: [answers({ ok: true })] },
    },
  },
  "workflow-3-task-failure": { play: { tasks: [tool], scripts: { orders: [errs("TOOL_ERROR", "NOT_FOUND")] } } },
  "workflow-4-cancel": {
    play: { tasks: [tool], scripts: { orders: ["hangs"] } },
    direct: tells("Cancel", { reason: "stop", canceled_by: "ada" }),
  },
  "workflow-5-timeout": { play: { tasks: [tool], scripts: { orders: ["hangs"] }, timeoutMs: 1_000 } },
  "workflow-6-wait-resume": {
    play: { tasks: [{ ...tool, pause_before: "check the figures" }], scripts: { orders: [answers({ ok: true })] } },
    direct: tells("Resume", { resumed_by: "ada", resume_data: { checked: true } }),
  },
  "workflow-7-pause-resume": {
    play: {
      tasks: [
        { ...tool, id: "a", next: "b" },
        { ...tool, id: "b" },
      ],
      scripts: { orders: [answers({ ok: true }, 1_000), answers({ ok: true })] },
    },
    direct: (stage, workflow) => {
      tells("Pause", { reason: "hold", paused_by: "ada" }, 500)(stage, workflow);
      tells("Resume", { resumed_by: "ada" }, 1_500)(stage, workflow);
    },
  },
  "workflow-8-duplicate-execute": {
    play: { tasks: [tool], scripts: { orders: [answers({ ok: true }, 1_000)] } },
    direct: (stage) =>
      stage.after(500, () => {
        const first = stage.log.find(({ word }) => word.type === "command:WorkflowExecute");
        stage.say("CLIENT", { ...first?.word, type: "command:WorkflowExecute" });
      }),
  },
  "workflow-9-resume-not-waiting": {
    play: { tasks: [tool], scripts: { orders: [answers({ ok: true }, 1_000)] } },
    direct: tells("Resume", { resumed_by: "ada", resume_data: {} }, 500),
  },
  "workflow-10-signal": {
    play: { tasks: [{ id: "go", type: "wait", wait: { signal: "go" }, timeoutMs: 3_600_000 }], scripts: {} },
    direct: tells("Signal", { signal: { name: "go", payload: { n: 1 } } }),
  },
  "workflow-11-declined": {
    play: { tasks: [], scripts: {}, problem: fault("WORKFLOW_NOT_FOUND", "no workflow has the id 'nope'").error },
  },
};

function played(id: string): Stage {
  const { play, direct, untilMs } = scenes[id] as Scene;
  const { stage, workflow, begin } = rehearse({ id: "shop", ...play });
  begin();
  direct?.(stage, workflow);
  stage.play(untilMs === undefined ? Infinity : stage.now() + untilMs);
  return stage;
}

/** A relay says where its result goes. A chart knows no subjects: the call's host has named this one. */
function addressed(word: Stage["log"][number]["word"]): Stage["log"][number]["word"] {
  if (word.type !== "command:AgentRuntimeExecute") return word;
  const { exec_id } = word["agent"] as { exec_id: string };
  return { ...word, payload: { ...(word["payload"] as object), reply_to_subject: `compozy.results.agent.${exec_id}` } };
}

describe("on a stage", () => {
  for (const id of Object.keys(scenes)) {
    test(`${id}: ${flowOf(id).title}`, () => {
      const flow = flowOf(id);
      // Whoever ordered the run stands for the flow's client too.
      const messages = flow.messages.map((message) => (message.by === "CLIENT" ? { ...message, by: "API" } : message));
      const log = played(id).log.map((line) => (line.by === "CLIENT" ? { ...line, by: "API" } : line));
      expect(mismatch({ ...flow, messages }, log)).toBeNull();
    });
  }

  test("every word that is said passes the door to other processes, and comes out as it went in", () => {
    const ids = minter(() => 0.5);
    const words = Object.keys(scenes).flatMap((id) => played(id).log);
    const codecs = layouts.map((layout) => subjectCodec({ prefix: "compozy", layout }));
    let passed = 0;
    for (const { by, at, word } of words) {
      if (!isKey(word.type)) continue;
      const { to, ...said } = addressed(word);
      const reply = typeof to === "string" && to.startsWith("_INBOX") ? { to } : {};
      const source = by === "CLIENT" ? "API" : (by as Component);
      const envelope = wrap(said as never, { id: ids.next(at), at, correlationId: ids.next(at), source });
      for (const subjects of codecs) {
        const { subject, headers, bytes } = encode(envelope, word.type, subjects, reply);
        const { envelope: heard, warnings, dropped, key } = parse(subject, headers, bytes, { subjects });
        expect({ key, heard, warnings, dropped }).toEqual({
          key: word.type,
          heard: envelope,
          warnings: [],
          dropped: 0,
        });
      }
      passed += 1;
    }
    expect(passed).toBeGreaterThan(400);
  });

  test("the comparison notices a word that is missing, one too many, and one that came too early", () => {
    const flow = flowOf("task-2-tool-success");
    const { log } = played("task-2-tool-success");
    expect(mismatch(flow, log)).toBeNull();
    for (const [index, { word }] of log.entries()) {
      if (word.type.startsWith("cue:") || /Workflow|CommandAck/.test(word.type)) continue;
      expect(mismatch(flow, log.toSpliced(index, 1)), `without ${word.type}`).not.toBeNull();
      expect(mismatch(flow, log.toSpliced(index, 0, log[index] as never)), `${word.type} twice`).not.toBeNull();
    }
    expect(mismatch(flow, log.toReversed())).not.toBeNull();
  });

  test("every flow is played here or is about something that no chart does", () => {
    const others = flows.filter(({ id }) => !(id in scenes)).map(({ id }) => id);
    expect(others).toEqual([
      "agent-5-runtime-registration",
      "agent-6-late-result",
      "task-4-internal-failure",
      "task-11-trigger-direct",
      "tool-4-agent-calls-tool",
      "bus-1-unknown-type",
      "bus-2-type-mismatch",
      "bus-3-declared-alias",
      "ws-1-start-agent",
      "ws-2-unknown-type",
      "ws-3-deprecated-alias",
      "ws-4-missing-field",
      "ws-5-cancel",
      "ws-6-agent-timeout",
    ]);
  });
});
