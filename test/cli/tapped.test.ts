// Goal: the wiretap tells each message on one line, with what a reader wants to know of it, and what is none with why.
//
// Method: what a troupe says over a transport is recorded and told; what strangers might say is written by hand.

import { stripVTControlCharacters } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { correlationOf, isAbout, jsonOf, newTapped, type Tapped, textOf } from "../../src/cli/tapped.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { conversationOf } from "../../src/testing/conversation.ts";
import type { Delivery } from "../../src/transport/transport.ts";
import { bytesOf, stage, uuid } from "../kit/bridged.ts";

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
const at = Date.parse("2026-11-21T09:00:00.000Z");
const decode = newTapped(subjects, () => at);
const said = (tapped: Tapped): string => stripVTControlCharacters(textOf(tapped, "compozy")).replaceAll(/ {2,}/g, "  ");
const heard = (subject: string, body: unknown): Tapped =>
  decode({ subject, headers: {}, bytes: typeof body === "string" ? new TextEncoder().encode(body) : bytesOf(body) });

let deliveries: Delivery[];
let told: Tapped[];

beforeAll(async () => {
  const { open, watch, until } = stage();
  deliveries = watch();
  const troupe = await open({
    workflows: [{ id: "w", tasks: [{ id: "ask", type: "agent", agent: "clerk" }] }],
    agents: [{ id: "clerk", handler: () => ({ done: true }) }],
  });
  const { result } = troupe.start("w", {});
  await until(result());
  await until(troupe.stop());
  const decoded = newTapped(subjects, () => at);
  told = deliveries.map((delivery) => decoded(delivery));
});

describe("a conversation", () => {
  test("is told with when, who, to whom, what, of which, and how it stands", () => {
    const lines = told.map(said);
    expect(told.every(({ is }) => is === "message")).toBe(true);
    expect(lines[0]).toMatch(/^09:00:00\.\d{3}  AR → /);
    const one = (name: string): string => lines.find((line) => line.includes(`  ${name}  `)) ?? lines.join("\n");
    expect(one("WorkflowExecute")).toMatch(/  API → WO  command  WorkflowExecute  workflow w [\da-f]{6}$/);
    expect(one("TaskExecutionStarted")).toMatch(/  TE → SM WO  event  TaskExecutionStarted  task ask \w{6}  RUNNING$/);
    expect(one("WorkflowExecutionSuccess")).toMatch(/  workflow w \w{6}  SUCCESS, took \d+ ms$/);
    expect(one("AgentRuntimeHeartbeat")).toMatch(
      /  progress  AgentRuntimeHeartbeat  agent_runtime local .*in_flight 0$/,
    );
  });

  test("says to whom an answer goes, by what was asked before", () => {
    const answers = told.flatMap((one) => (one.is === "message" && one.name === "CommandAck" ? [one] : []));
    expect(answers.map(({ by, to }) => `${by} → ${to.join()}`)).toContain("WO → API");
    expect(answers.map(({ by, to }) => `${by} → ${to.join()}`)).toContain("TE → TD");
  });

  test("is told to programs with all that was said, and can be drawn", () => {
    const [first] = told;
    expect(first && jsonOf(first)).toMatchObject({ subject: deliveries[0]?.subject, envelope: { metadata: {} } });
    const lines = told.flatMap((one) => (one.is === "message" ? [one.line] : []));
    const drawn = conversationOf(lines, subjects);
    expect(drawn).toMatch(/^sequenceDiagram\n/);
    expect(drawn).toContain("API->>NATS: Publishes `WorkflowExecute` (Command)");
  });

  test("is known by its correlation and by its executions, whole or at their end", () => {
    const one = told.find((tapped) => tapped.is === "message" && tapped.name === "TaskExecute");
    if (one?.is !== "message") throw new Error("a task was executed");
    const { exec_id } = one.envelope["task"] as { exec_id: string };
    expect(isAbout(one, exec_id)).toBe(true);
    expect(isAbout(one, exec_id.slice(-6))).toBe(true);
    expect(isAbout(one, uuid(99))).toBe(false);
    expect(correlationOf(one)).toBe(one.line.correlationId);
  });
});

describe("what is no message", () => {
  test.each([
    ["compozy.commands.agent.w.explode.clerk", "{}", "UNKNOWN_MESSAGE_TYPE"],
    ["compozy.what", "{}", "INVALID_SUBJECT"],
    ["$JS.API.INFO", "", "INVALID_SUBJECT"],
    ["compozy.commands.workflow.execute.w", "no json", "INVALID_ENVELOPE"],
    ["compozy.commands.workflow.execute.w", "{}", "INVALID_ENVELOPE"],
  ])("%s with %s is malformed: %s", (subject, body, code) => {
    const tapped = heard(subject, body);
    expect(said(tapped)).toContain(`malformed  ${subject}  ${code}: `);
    expect(jsonOf(tapped)).toMatchObject({ subject, malformed: { code } });
    expect(isAbout(tapped, uuid(1))).toBe(false);
  });
});

test("an error, an attempt and a reference are told; contents, which may be secret, are not", () => {
  const metadata = {
    message_id: uuid(1),
    correlation_id: uuid(2),
    event_timestamp: "2026-11-21T09:00:00.000Z",
    source_component: "agent.Runtime",
  };
  const agent = { id: "clerk", exec_id: uuid(3) };
  const error = { code: "AGENT_ERROR", message: "no\npaper", details: {} };
  const failed = { status: "AGENT_ERROR", result: { error }, context: { attempt: 3 } };
  const subject = `compozy.results.agent.${uuid(3)}`;
  expect(said(heard(subject, { metadata, agent, payload: failed }))).toMatch(
    /AR → AD  result  AgentExecutionResult  agent clerk 000003  AGENT_ERROR, AGENT_ERROR: no paper, attempt 3$/,
  );
  const output = { $ref: `compozy_OBJECTS/${"a".repeat(64)}`, size: 5_000_000 };
  const large = { status: "SUCCESS", result: { output }, context: { attempt: 1 } };
  expect(said(heard(subject, { metadata, agent, payload: large }))).toMatch(
    /SUCCESS, output by reference, 5000000 bytes$/,
  );
  const secret = { status: "SUCCESS", result: { output: { word: "hunter2" } }, context: { attempt: 1 } };
  expect(said(heard(subject, { metadata, agent, payload: secret }))).not.toContain("hunter2");
});
