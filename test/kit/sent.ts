// Good messages to be spoilt one field at a time, and what parse makes of them.

import { TroupeError } from "../../src/protocol/errors.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import { parse, type Parsed } from "../../src/protocol/parse.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";

export const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
export const encoder = new TextEncoder();
export const id = (n: number): string => `01999999-0000-7000-8000-${String(n).padStart(12, "0")}`;
export const [run, wfx, taskx, agentx, toolx, rt] = [id(1), id(2), id(3), id(4), id(5), id(6)];

export const metadata = {
  message_id: id(10),
  correlation_id: run,
  event_timestamp: "2026-11-21T09:00:02.000Z",
  source_component: "task.Executor:w1",
};
export const timeout = { timeout_duration_ms: 30_000 };

export const trigger = {
  subject: "compozy.commands.agent.refund.trigger.judge",
  body: {
    metadata: { ...metadata, message_type: "TriggerAgent" },
    workflow: { id: "refund", exec_id: wfx },
    task: { id: "decide", exec_id: taskx },
    agent: { id: "judge", exec_id: agentx },
    payload: { context: { attempt: 1, input: { claim: "late" }, timeout_config: timeout } },
  },
};
export const answer = {
  subject: `compozy.results.agent.${agentx}`,
  body: {
    metadata: { ...metadata, message_type: "AgentExecutionResult" },
    agent: { id: "judge", exec_id: agentx },
    payload: {
      status: "AGENT_ERROR",
      result: { error: { message: "no", code: "AGENT_ERROR" } },
      context: { attempt: 1 },
    },
  },
};

export type Sent = { subject: string; body: unknown; headers?: Record<string, string>; text?: string };
export const hear = ({ subject, body, headers = {}, text }: Sent): Parsed =>
  parse(subject, headers, encoder.encode(text ?? JSON.stringify(body)), { subjects });

/** A copy of a body with the value at a path replaced, or removed. */
export function put(body: object, path: string, value?: unknown): JsonObject {
  const copy = structuredClone(body) as JsonObject;
  const fields = path.split(".");
  const last = fields.pop() ?? "";
  const place = fields.reduce((at, field) => at[field] as JsonObject, copy);
  if (value === undefined) delete place[last];
  else place[last] = value;
  return copy;
}

export const refusalOf = (act: () => unknown): TroupeError => {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof TroupeError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was refused");
};
export const fieldsOf = ({ details }: TroupeError): string[] =>
  ((details["errors"] ?? []) as { field: string }[]).map(({ field }) => field);

export const spoilt = (path: string, value?: unknown): Sent => ({ ...trigger, body: put(trigger.body, path, value) });
export const log = {
  subject: `compozy.logs.task_executor.${run}.warn`,
  body: { metadata, payload: { log_level: "warn", message: "x", timestamp: metadata.event_timestamp, context: {} } },
};
export const dead = {
  subject: "compozy.rejected.invalid_subject",
  body: put(log.body, "payload.context", {
    code: "INVALID_SUBJECT",
    original_subject: "x",
    original_headers: {},
    original_body: "",
  }),
};
export const ack = {
  subject: `compozy.results.task.${taskx}`,
  body: { metadata, task: { exec_id: taskx }, payload: { status: "ACKNOWLEDGED", context: {} } },
};
export const relay = {
  subject: `compozy.commands.agent_runtime.${rt}.execute.judge`,
  body: {
    ...put(trigger.body, "payload.reply_to_subject", `compozy.results.agent.${agentx}`),
    metadata,
    agent_runtime: { exec_id: rt },
  },
};
export const correlated = { ...trigger, subject: `compozy.${run}.agent.commands.judge.trigger` };
export const direct = {
  subject: "compozy.commands.task._.trigger.judge",
  body: {
    metadata,
    task: { id: "judge", exec_id: taskx },
    payload: { context: { attempt: 1, input: 1, triggered_by: "ada", task_type: "tool" } },
  },
};
export const change = (sent: Sent, path: string, value?: unknown): Sent => ({
  ...sent,
  body: put(sent.body as object, path, value),
});
/** What is said of each field at fault. */
export const said = (sent: Sent): Record<string, string> => {
  const { details } = refusalOf(() => hear(sent));
  const errors = details["errors"] as { field: string; message: string }[];
  return Object.fromEntries(errors.map(({ field, message }) => [field, message]));
};
