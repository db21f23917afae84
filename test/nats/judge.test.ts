// Goal: the judge of what an outsider saw finds each kind of breach, and nothing where all is well.
// Method: a short conversation that is in order, and the same with one thing wrong.

import { expect, test } from "vitest";
import { type Evidence, type Heard, judge } from "../kit/wire-judge.ts";

const run = "019900aa-0000-7000-8000-000000000001";
const tool = "019900aa-0000-7000-8000-000000000002";
let messages = 0;

function event(entity: string, execId: string, name: string, status: string, second: number): Heard {
  messages += 1;
  const metadata = { message_id: String(messages), event_timestamp: `2026-11-21T09:00:0${second}.000Z` };
  const body = { metadata, workflow: { id: "w", exec_id: run }, payload: { status, context: { attempt: 1 } } };
  return { subject: `p.events.${entity}.instance.${execId}.${name}`, text: JSON.stringify(body) };
}

const begun = event("tool", tool, "started", "RUNNING", 1);
const done = event("tool", tool, "completed", "SUCCESS", 2);
const ended = event("workflow", run, "completed", "SUCCESS", 3);
const calm: Evidence = {
  heard: [begun, done, ended, done],
  asked: [{ execId: run, status: "SUCCESS" }],
  begun: [{ key: "one" }, { key: "two" }],
  statusOf: () => "SUCCESS",
};

test("it finds nothing where a message is said twice, and heard late", () => {
  expect(judge(calm)).toEqual([]);
  expect(judge({ ...calm, heard: [ended, done, begun] })).toEqual([]);
});

const breaches: readonly (readonly [string, Partial<Evidence>])[] = [
  ["I1", { heard: [begun, done] }],
  ["I2", { heard: [...calm.heard, event("tool", tool, "failed", "FAILED", 2)] }],
  ["I3", { heard: [...calm.heard, event("task", tool, "scheduled", "PENDING", 4)] }],
  ["I6", { statusOf: () => undefined }],
  ["I6", { statusOf: () => "FAILED" }],
  ["I10", { heard: [...calm.heard, { ...ended, text: ended.text.replace("SUCCESS", "success") }] }],
  ["I10", { begun: [{ key: "one" }, { key: "one" }] }],
  ["I12", { asked: [{ execId: run, status: null }] }],
];
test.each(breaches)("%s: it finds %j", (id, more) => {
  const findings = judge({ ...calm, ...more });
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatch(new RegExp(`^${id} `));
});
