// Every documented old way of saying something is understood, and told of.
//
// Method: the protocol's tables written out once more, each through parse; and a property that what is right is left
// alone.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aliases, keysNamed, modernise, warningsOfName } from "../../src/protocol/aliases.ts";
import { entryOf, isKey, keys, kindOf, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { encode, type Envelope } from "../../src/protocol/envelope.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import { keyAt, rootWords } from "../../src/protocol/layouts.ts";
import { parse } from "../../src/protocol/parse.ts";
import { entities, resultStatuses, statuses } from "../../src/protocol/statuses.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { envelopesOf } from "../kit/messages.ts";
import { ack, hear, put, refusalOf, rt } from "../kit/sent.ts";

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
const encoder = new TextEncoder();

/** A valid message of a key, changed, and what parse makes of it. */
function heard(key: Key, change: (body: JsonObject) => void, fits: (body: JsonObject) => boolean = () => true) {
  const [envelope] = fc.sample(
    envelopesOf(key).filter((given) => fits(given as unknown as JsonObject)),
    { numRuns: 1, seed: 1 },
  );
  const { subject, headers, bytes } = encode(envelope as Envelope<typeof key>, key, subjects);
  const body = JSON.parse(new TextDecoder().decode(bytes)) as JsonObject;
  const before = structuredClone(body);
  change(body);
  return { parsed: parse(subject, headers, encoder.encode(JSON.stringify(body)), { subjects }), before };
}

const part = (body: JsonObject, ...path: string[]): JsonObject =>
  path.reduce((place, field) => place[field] as JsonObject, body);

const oldNames: readonly (readonly [Key, ...string[]])[] = [
  ["command:WorkflowExecute", "WorkflowTrigger", "ExecuteWorkflow"],
  ["command:WorkflowPause", "PauseWorkflow"],
  ["command:WorkflowResume", "ResumeWorkflow"],
  ["command:WorkflowCancel", "CancelWorkflow"],
  ["command:TaskTrigger", "TriggerSpecificTask"],
  ["command:TaskExecute", "ExecuteTask"],
  ["command:TaskResume", "ResumeWaitingTask"],
  ["command:TaskCancel", "CancelTaskExecution", "CancelTaskInvocation"],
  ["command:ToolExecute", "ExecuteTool"],
  ["event:WorkflowExecutionPaused", "WorkflowExecutionWaitingStarted"],
  ["event:WorkflowExecutionResumed", "WorkflowExecutionWaitingEnded"],
  ["event:WorkflowExecutionSuccess", "WorkflowExecutionCompleted", "WorkflowInvocationSuccess"],
  ["event:WorkflowExecutionCanceled", "WorkflowExecutionCancelled", "WorkflowInvocationCancelled"],
  ["event:TaskScheduled", "TaskDispatched"],
  ["event:TaskWaitingStarted", "WaitingStarted"],
  ["event:TaskWaitingEnded", "TaskWaitingEnd", "TaskWaitingResumed", "WaitingEnded"],
  ["event:TaskWaitingTimedOut", "WaitingTimedOut"],
  ["event:TaskExecutionSuccess", "TaskExecutionResult", "TaskExecutionCompleted", "TaskInvocationCompleted"],
  ["event:AgentExecutionResult", "AgentExecutionSuccess", "AgentExecutionCompleted", "AgentInvocationResult"],
  ["event:ToolExecutionSuccess", "ToolExecutionCompleted"],
  ["event:AgentRuntimeRegistered", "AgentRuntimeStatus"],
  ["event:AgentRuntimeDeregistered", "AgentRuntimeStatus"],
  ["result:AgentExecutionResult", "AgentInvocationResult"],
  ["result:ToolExecutionResult", "ToolInvocationResult"],
];

describe("names", () => {
  test.each(oldNames.flatMap(([key, ...names]) => names.map((name) => [name, key] as const)))(
    "L2: %s is an old name of %s",
    (given, key) => {
      const { parsed, before } = heard(key, (body) => (part(body, "metadata")["message_type"] = given));
      expect(parsed.warnings).toEqual([{ code: "DEPRECATED_ALIAS", given, use: nameOf(key) }]);
      expect(parsed.envelope).toEqual(before);
    },
  );

  test("L2: AgentExecute is an old name without a warning, and only as it is", () => {
    const { parsed } = heard(
      "command:TriggerAgent",
      (body) => (part(body, "metadata")["message_type"] = "AgentExecute"),
    );
    expect(parsed.warnings).toEqual([]);
    expect(warningsOfName("command:TriggerAgent", "AgentExecute")).toEqual([]);
    expect(warningsOfName("command:TriggerAgent", "Agents")).toHaveLength(1);
  });

  test("L1: no old name of one message is the name of another of its kind", () => {
    const taken = keys.flatMap((key) =>
      (entryOf(key).aliases ?? []).filter(({ name }) => isKey(`${kindOf(key)}:${name}`)),
    );
    expect(taken).toEqual([]);
  });

  test.each(keys)("L1: the name of %s stands for itself, without a warning", (key) => {
    expect(keysNamed(nameOf(key))).toContain(key);
    expect(warningsOfName(key, nameOf(key))).toEqual([]);
  });

  test("a name nobody uses stands for nothing", () => {
    for (const name of ["", "toString", "__proto__", "agentexecute", "Agent"]) expect(keysNamed(name)).toEqual([]);
  });
});

describe("words of subjects", () => {
  test("L1: no old word is the word of a message, and no old root a root", () => {
    const taken = aliases.words.flatMap(({ root, given, ...alias }) =>
      entities.filter((entity) => (alias.entity ?? entity) === entity && keyAt(root, entity, given) !== undefined),
    );
    expect(taken).toEqual([]);
    expect(aliases.roots.filter(({ given }) => rootWords.has(given))).toEqual([]);
  });

  test("every old word leads to the word of a message", () => {
    for (const { root, use, ...alias } of aliases.words) {
      expect(entities.some((entity) => (alias.entity ?? entity) === entity && keyAt(root, entity, use))).toBe(true);
    }
  });
});

const withStatus = (status: string) => (body: JsonObject) => part(body, "payload")["status"] === status;

describe("statuses", () => {
  test.each<[Key, string, string]>([
    ["event:WorkflowExecutionSuccess", "COMPLETED", "SUCCESS"],
    ["event:TaskExecutionSuccess", "COMPLETED", "SUCCESS"],
    ["result:ToolExecutionResult", "COMPLETED", "SUCCESS"],
    ["event:AgentExecutionCanceled", "CANCELLED", "CANCELED"],
    ["event:TaskScheduled", "SCHEDULED", "PENDING"],
    ["event:TaskScheduled", "DISPATCHED", "PENDING"],
    ["event:TaskRetryScheduled", "RETRY_SCHEDULED", "PENDING"],
    ["event:WorkflowExecutionPaused", "WAITING", "PAUSED"],
  ])("L2: in %s the old status %s is %s", (key, given, use) => {
    const { parsed, before } = heard(key, (body) => (part(body, "payload")["status"] = given), withStatus(use));
    expect(parsed.warnings).toEqual([{ code: "DEPRECATED_ALIAS", given, use }]);
    expect(parsed.envelope).toEqual(before);
  });

  test("L1: a waiting task is waiting, not paused", () => {
    const { parsed } = heard("event:TaskWaitingStarted", () => undefined);
    expect(parsed.envelope.payload).toMatchObject({ status: "WAITING" });
    expect(parsed.warnings).toEqual([]);
  });

  test("L1: no old status is a status where it is replaced", () => {
    const taken = aliases.statuses.filter(({ given, ...alias }) =>
      [
        ...resultStatuses,
        ...entities.filter((entity) => (alias.entity ?? entity) === entity).flatMap((entity) => statuses[entity]),
      ].some((status: string) => status === given),
    );
    expect(taken).toEqual([]);
  });

  test("L3: the status of a message that has none is no status", () => {
    const { parsed } = heard("command:WorkflowExecute", (body) => (part(body, "payload")["status"] = "COMPLETED"));
    expect([parsed.warnings, parsed.dropped]).toEqual([[], 1]);
  });
});

/** Moves a field of a body to where it used to stand. */
const age =
  (from: readonly string[], to: readonly string[]) =>
  (body: JsonObject): void => {
    const source = part(body, ...from.slice(0, -1));
    part(body, ...to.slice(0, -1))[to.at(-1) ?? ""] = source[from.at(-1) ?? ""];
    delete source[from.at(-1) ?? ""];
  };

describe("fields", () => {
  test.each<[Key, string, string]>([
    ["event:TaskExecutionFailed", "payload.error", "payload.result.error"],
    ["event:TaskExecutionSuccess", "payload.output", "payload.result.output"],
    ["event:TaskExecutionSuccess", "payload.outputs", "payload.result.output"],
    ["command:TaskResume", "payload.resume_data", "payload.context.resume_data"],
    ["command:WorkflowExecute", "payload.context.trigger_input", "payload.context.input"],
    ["command:ToolExecute", "payload.context.attempt_number", "payload.context.attempt"],
    ["command:TaskCancel", "payload.context.cancelled_by", "payload.context.canceled_by"],
    ["event:AgentRuntimeDeregistered", "agent_runtime.runtime_id", "agent_runtime.exec_id"],
  ])("L2: in %s the old field %s is %s", (key, given, use) => {
    const { parsed, before } = heard(key, age(use.split("."), given.split(".")));
    expect(parsed.warnings).toEqual([{ code: "DEPRECATED_ALIAS", given, use }]);
    expect(parsed.envelope).toEqual(before);
    expect(parsed.dropped).toBe(0);
  });

  test("L2: an old field is found without the object it now stands in", () => {
    const { parsed, before } = heard("event:TaskExecutionFailed", (body) => {
      part(body, "payload")["error"] = part(body, "payload", "result")["error"];
      delete part(body, "payload")["result"];
    });
    expect([parsed.warnings.length, parsed.envelope]).toEqual([1, before]);
    const ofNull = heard("event:TaskExecutionFailed", (body) => {
      part(body, "payload")["error"] = part(body, "payload", "result")["error"];
      part(body, "payload")["result"] = null;
    });
    expect([ofNull.parsed.warnings.length, ofNull.parsed.envelope]).toEqual([1, ofNull.before]);
  });

  test("L2: an old field of null is nothing, as those write it who write every field", () => {
    const { parsed, before } = heard("result:AgentExecutionResult", (body) => {
      for (const field of ["output", "error"]) {
        part(body, "payload")[field] = part(body, "payload", "result")[field] ?? null;
      }
      delete part(body, "payload")["result"];
    });
    expect([parsed.warnings.length, parsed.envelope]).toEqual([2, before]);
  });

  test("L2: a field may stand for nothing: null is a value", () => {
    const { parsed } = heard("command:TaskResume", (body) => {
      delete part(body, "payload", "context")["resume_data"];
      part(body, "payload")["resume_data"] = null;
    });
    expect(parsed.envelope.payload).toMatchObject({ context: { resume_data: null } });
    expect(parsed.warnings).toHaveLength(1);
  });

  test("L3: an old field beside the new one is an unknown field", () => {
    const { parsed, before } = heard("command:TaskResume", (body) => {
      part(body, "payload")["resume_data"] = 99;
    });
    expect([parsed.envelope, parsed.warnings, parsed.dropped]).toEqual([before, [], 1]);
  });

  test.each<[Key, string]>([
    ["command:WorkflowExecute", "error"],
    ["event:TaskExecutionStarted", "output"],
    ["event:TaskExecutionFailed", "outputs"],
    ["event:TaskExecutionSuccess", "error"],
  ])("L3: %s has no place for %s, which is an unknown field there", (key, field) => {
    const { parsed, before } = heard(key, (body) => (part(body, "payload")[field] = { message: "x" }));
    expect([parsed.envelope, parsed.warnings, parsed.dropped]).toEqual([before, [], 1]);
  });

  test("L3: an old field is not moved into what is no object", () => {
    const body = { payload: { result: "x", output: {}, context: [] } };
    const before = structuredClone(body);
    expect(modernise("event:TaskExecutionSuccess", body)).toEqual([]);
    expect(body).toEqual(before);
  });
});

test.each(keys)("L1: a right message of %s is left as it is", (key) => {
  const property = fc.property(envelopesOf(key), (given) => {
    const body = structuredClone(given) as unknown as JsonObject;
    expect(modernise(key, body)).toEqual([]);
    expect(body).toEqual(given);
  });
  fc.assert(property, { numRuns: 20 });
});

test("L2: the error of an acknowledgment, which need not have one, may stand where it used to", () => {
  const error = { message: "busy", code: "EXECUTOR_BUSY" };
  const body = put(put(ack.body, "payload.status", "ERROR"), "payload.error", error);
  const { envelope, warnings } = hear({ ...ack, body });
  expect(envelope.payload).toMatchObject({ status: "ERROR", result: { error } });
  expect(warnings).toMatchObject([{ given: "payload.error", use: "payload.result.error" }]);
});

test("L1: a word that only begins like an old one is not replaced", () => {
  const subject = `compozy.events.agent.definitions.${rt}.registered`;
  expect(refusalOf(() => subjects.parse(subject)).details["why"]).toBe("misshapen_subject");
});
