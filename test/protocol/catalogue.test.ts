// Goal: the catalogue is the protocol's registry, row for row.
// Method: the registry transcribed by hand and compared.

import { z } from "zod";
import { describe, expect, test } from "vitest";
import { catalogue, entryOf, isKey, keys, kindOf, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { entities, resultStatuses, statuses } from "../../src/protocol/statuses.ts";

// key | subject | by > to | delivery, reply | statuses | required, c. for context | aliases; * for a silent one
const commands = `
  WorkflowExecute | commands.workflow.execute.<wf> | API SC WO > WO | stored CommandAck
    | - | c.input c.trigger_type | WorkflowTrigger ExecuteWorkflow
  WorkflowPause | commands.workflow.pause.<wfx> | API > WO | stored CommandAck
    | - | c.reason c.paused_by | PauseWorkflow
  WorkflowResume | commands.workflow.resume.<wfx> | API > WO | stored CommandAck
    | - | c.resumed_by | ResumeWorkflow
  WorkflowCancel | commands.workflow.cancel.<wfx> | API WO > WO | stored CommandAck
    | - | c.reason c.canceled_by | CancelWorkflow
  WorkflowSignal | commands.workflow.signal.<wfx> | API TE > WO | stored CommandAck | - | c.signal | -
  TaskTrigger | commands.task.<wf>.trigger.<task> | API GW > WO | stored CommandAck
    | - | c.input c.triggered_by | TriggerSpecificTask
  TaskExecute | commands.task.<wf>.execute.<task> | TD > TE | request CommandAck | - | @order | ExecuteTask
  TaskResume | commands.task.<wf>.resume.<taskx> | API > WO | stored CommandAck
    | - | c.resume_data c.resumed_by | ResumeWaitingTask
  TaskCancel | commands.task.<wf>.cancel.<taskx> | API GW WO > WO TE | stored CommandAck
    | - | c.cause c.reason c.canceled_by | CancelTaskExecution
  TriggerAgent | commands.agent.<wf>.trigger.<agent> | TE > AD | request AgentExecutionResult
    | - | c.input c.timeout_config | AgentExecute*
  AgentCancel | commands.agent.<wf>.cancel.<agentx> | TE API WO > AD | core CommandAck
    | - | c.cause c.reason c.canceled_by | -
  ToolExecute | commands.tool.<wf>.execute.<tool> | TE AR > XE | request ToolExecutionResult
    | - | c.input c.timeout_config | ExecuteTool
  ToolCancel | commands.tool.<wf>.cancel.<toolx> | TE AR WO > XE | core | - | c.cause c.reason | -
  AgentRuntimeExecute | commands.agent_runtime.<rt>.execute.<agent> | AD > AR | request CommandAck
    | - | c.input c.timeout_config | -
  AgentRuntimeCancel | commands.agent_runtime.<rt>.cancel.<agentx> | AD > AR | request CommandAck
    | - | c.cause c.reason | -
`;

const results = `
  AgentExecutionResult | results.agent.<agentx> | AR AD > TE | core
    | SUCCESS AGENT_ERROR FAILURE ERROR | result | -
  ToolExecutionResult | results.tool.<toolx> | XE > TE AR | core | SUCCESS TOOL_ERROR FAILURE ERROR | result | -
  CommandAck | results.<entity>.<execx> | WO TE AR AD > issuer | core | ACKNOWLEDGED ERROR | - | -
`;

// W T A U R stand for events.<entity>.instance.<exec_id>. All are stored, and five components receive every one.
const events = `
  WorkflowExecutionStarted | W.started | WO > | - | RUNNING | c.input c.trigger_type | -
  WorkflowExecutionPaused | W.paused | WO > | -
    | PAUSED | c.reason c.paused_by | WorkflowExecutionWaitingStarted
  WorkflowExecutionResumed | W.resumed | WO > | -
    | RUNNING | duration_ms c.resumed_by | WorkflowExecutionWaitingEnded
  WorkflowExecutionSuccess | W.completed | WO > | - | SUCCESS | result duration_ms | WorkflowExecutionCompleted
  WorkflowExecutionFailed | W.failed | WO > | - | FAILED | result | -
  WorkflowExecutionCanceled | W.canceled | WO > | - | CANCELED | c.reason c.canceled_by | -
  WorkflowExecutionTimedOut | W.timed_out | WO > | - | TIMED_OUT | result duration_ms c.timeout_config | -
  TaskScheduled | T.scheduled | WO > TD | - | PENDING | @order | TaskDispatched
  TaskExecutionStarted | T.started | TE WO > | - | RUNNING | - | -
  TaskWaitingStarted | T.waiting_started | TE > | -
    | WAITING | c.reason c.timeout_config c.wait | WaitingStarted
  TaskWaitingEnded | T.waiting_ended | WO > TD | -
    | RUNNING | duration_ms c.resume_data | TaskWaitingEnd TaskWaitingResumed WaitingEnded
  TaskWaitingTimedOut | T.waiting_timed_out | WO > | - | TIMED_OUT | result duration_ms | WaitingTimedOut
  TaskRetryScheduled | T.retry_scheduled | WO > TD | - | PENDING | @order c.delay_ms c.original_error | -
  TaskExecutionSuccess | T.completed | TE WO > | -
    | SUCCESS | result duration_ms | TaskExecutionResult TaskExecutionCompleted
  TaskExecutionFailed | T.failed | TE WO > | - | FAILED | result c.retry_policy | -
  TaskExecutionCanceled | T.canceled | TE WO > TD | - | CANCELED | c.reason | -
  TaskExecutionTimedOut | T.timed_out | WO > | - | TIMED_OUT | result c.timeout_config c.retry_policy | -
  AgentExecutionStarted | A.started | AR > AD | - | RUNNING | - | -
  AgentExecutionResult | A.completed | TE > AD | -
    | SUCCESS FAILED | agent_execution_status result duration_ms | AgentExecutionSuccess AgentExecutionCompleted
  AgentExecutionFailed | A.failed | TE WO > AD | - | FAILED | result | -
  AgentDispatchFailed | A.dispatch_failed | AD > | - | FAILED | result | -
  AgentExecutionCanceled | A.canceled | TE > AD | - | CANCELED | c.reason | -
  ToolExecutionStarted | U.started | XE > | - | RUNNING | - | -
  ToolExecutionSuccess | U.completed | TE AR > | - | SUCCESS | result duration_ms | ToolExecutionCompleted
  ToolExecutionFailed | U.failed | TE AR WO > | - | FAILED | result | -
  ToolExecutionCanceled | U.canceled | TE AR > | - | CANCELED | c.reason | -
  AgentRuntimeRegistered | R.registered | AR > AD | -
    | REGISTERED | c.heartbeat_ms c.lease_ms | AgentRuntimeStatus
  AgentRuntimeDeregistered | R.deregistered | AR AD > AD AR | - | DEREGISTERED | c.reason | AgentRuntimeStatus
`;

const progress = `
  AgentThinking | progress.agent.<agentx>.thinking | AR > GW | core | - | c.seq c.text | -
  AgentToken | progress.agent.<agentx>.token | AR > GW | core | - | c.seq c.text | -
  AgentStep | progress.agent.<agentx>.step | AR > GW | core | - | c.seq c.step | -
  TaskStep | progress.task.<taskx>.step | TE > WO | core | - | c.seq c.step | -
  ToolStep | progress.tool.<toolx>.step | XE > GW | core | - | c.seq c.step | -
  AgentRuntimeHeartbeat | heartbeats.agent_runtime.<rt> | AR > AD | core | - | c.seq c.in_flight | -
`;

const logs = `
  LogEmitted | logs.<component>.<corr>.<level> | any > MON | stored | - | log_level message timestamp | -
  MessageRejected | rejected.<reason> | any > MON | stored
    | - | log_level message timestamp c.code c.original_subject c.original_headers c.original_body | -
`;

const subjectRoots = { W: "workflow", T: "task", A: "agent", U: "tool", R: "agent_runtime" } as const;
const targets = { W: "<wfx>", T: "<taskx>", A: "<agentx>", U: "<toolx>", R: "<rt>" } as const;
const watchers = ["SM", "MON", "API", "GW", "WO"];
const order = ["c.task_type", "c.input", "c.timeout_config", "c.retry_policy"];

type Row = {
  key: string;
  subject: string;
  by: string[];
  to: string[];
  delivery: string;
  reply: string | undefined;
  statuses: string[];
  required: string[];
  aliases: string[];
};

const words = (cell = ""): string[] => (cell === "-" ? [] : cell.split(" "));
const sorted = (list: readonly string[]): string[] => list.toSorted();

function rowsOf(kind: string, text: string): Row[] {
  const lines = text
    .trim()
    .replaceAll(/\n\s+\|/g, " |")
    .split("\n");
  return lines.map((line) => {
    const [name, subject = "", who = "", delivery = "", statusCell, required, aliases] = line.trim().split(" | ");
    const [by, to] = who.split(" >").map((cell) => words(cell.trim() || "-"));
    const [how = "", reply] = delivery.split(" ");
    return {
      key: `${kind}:${name}`,
      subject: subject.replace(/^([WTAUR])\./, (_, root: keyof typeof targets) => {
        return `events.${subjectRoots[root]}.instance.${targets[root]}.`;
      }),
      by: sorted(by ?? []),
      to: sorted(kind === "event" ? [...watchers, ...(to ?? [])] : (to ?? [])),
      delivery: kind === "event" ? "stored" : how,
      reply: reply === undefined ? undefined : `result:${reply}`,
      statuses: words(statusCell),
      required: sorted(words(required).flatMap((field) => (field === "@order" ? order : [field]))),
      aliases: sorted(words(aliases)),
    };
  });
}

const registry = [
  ...rowsOf("command", commands),
  ...rowsOf("result", results),
  ...rowsOf("event", events),
  ...rowsOf("progress", progress),
  ...rowsOf("log", logs),
];

function fieldsOf(schema: z.ZodType): [string, z.ZodType][] {
  return schema instanceof z.ZodObject ? Object.entries(schema.shape as Record<string, z.ZodType>) : [];
}

const contextOf = (payload: z.ZodType): z.ZodType => {
  const context = new Map(fieldsOf(payload)).get("context") ?? z.never();
  // Where nothing is required in it, it may be absent and is empty then.
  return context instanceof z.ZodDefault ? (context.unwrap() as z.ZodType) : context;
};
const mustBe = ([, schema]: [string, z.ZodType]): boolean => !schema.safeParse(undefined).success;
// Statuses have a column of their own, and attempts are required everywhere but in the exceptions tested below.
const apart = ["status", "context", "c.attempt"];

function requiredOf(payload: z.ZodType): string[] {
  const own = fieldsOf(payload).filter(mustBe);
  const inContext = fieldsOf(contextOf(payload)).filter(mustBe);
  const names = [...own.map(([name]) => name), ...inContext.map(([name]) => `c.${name}`)];
  return sorted(names.filter((name) => !apart.includes(name)));
}

function statusesOf(payload: z.ZodType): string[] {
  const status = new Map(fieldsOf(payload)).get("status");
  return status instanceof z.ZodEnum ? status.options.map(String) : [];
}

function rowOf(key: Key): Row {
  const { subject, by, to, delivery, reply, payload, aliases = [] } = entryOf(key);
  return {
    key,
    subject,
    by: sorted(by),
    to: sorted(to),
    delivery,
    reply,
    statuses: statusesOf(payload),
    required: requiredOf(payload),
    aliases: sorted(aliases.map(({ name, silent }) => (silent === true ? `${name}*` : name))),
  };
}

describe("the catalogue", () => {
  test("G1: it holds exactly the messages of the registry", () => {
    expect(sorted(keys)).toEqual(sorted(registry.map(({ key }) => key)));
  });

  test.each(registry.map((row) => [row.key, row] as const))("G1: %s is as the registry has it", (key, row) => {
    expect(isKey(key) && rowOf(key)).toEqual(row);
  });

  test("G1: every task, agent and tool message carries its attempt, but for what may come from outside", () => {
    const without = keys.filter((key) => {
      const attempt = new Map(fieldsOf(contextOf(entryOf(key).payload))).get("attempt");
      const { entity } = entryOf(key);
      const numbered = entity === "task" || entity === "agent" || entity === "tool" || attempt !== undefined;
      return numbered && (attempt === undefined || attempt.safeParse(undefined).success);
    });
    expect(sorted(without)).toEqual([
      "command:AgentCancel",
      "command:AgentRuntimeCancel",
      "command:TaskCancel",
      "command:TaskResume",
      "command:ToolCancel",
      "result:CommandAck",
    ]);
  });

  test("G1: events and results carry statuses that their entity can have, and nothing else carries one", () => {
    for (const key of keys) {
      const { kind, entity, payload } = entryOf(key);
      const known: readonly string[] = kind === "event" && entity !== null ? statuses[entity] : resultStatuses;
      const own = statusesOf(payload);
      expect(own.length > 0, key).toBe(kind === "event" || kind === "result");
      expect(
        own.filter((status) => !known.includes(status)),
        key,
      ).toEqual([]);
    }
  });

  test("G1: a message requires the section of its own entity", () => {
    for (const key of keys) {
      const { entity, sections } = entryOf(key);
      for (const named of Object.keys(sections)) expect(entities, key).toContain(named);
      if (entity !== null) expect(Object.keys(sections), key).toContain(entity);
    }
  });

  test("a key is the kind and the name, and what it replies with is a result", () => {
    for (const key of keys) {
      const { kind, reply } = entryOf(key);
      expect(`${kind}:${nameOf(key)}`).toBe(key);
      expect(kindOf(key)).toBe(kind);
      if (reply !== undefined) expect(isKey(reply) && kindOf(reply), key).toBe("result");
    }
  });

  test("what every object inherits is no key", () => {
    for (const name of ["toString", "constructor", "__proto__", "", "TriggerAgent", "command:"]) {
      expect(isKey(name), name).toBe(false);
    }
  });
});

const pattern = (key: Key): string[] => entryOf(key).subject.replaceAll(/<\w+>/g, "*").split(".");
const overlap = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((token, at) => token === "*" || other[at] === "*" || token === other[at]);

const pairs = keys.flatMap((one, at) => keys.slice(at + 1).map((other) => [one, other] as const));

describe("names and subjects", () => {
  test("G2: no two messages share a subject; an acknowledgment takes the results of all other entities", () => {
    const shared = pairs.filter(([one, other]) => overlap(pattern(one), pattern(other)));
    expect(shared).toEqual([
      ["result:AgentExecutionResult", "result:CommandAck"],
      ["result:ToolExecutionResult", "result:CommandAck"],
    ]);
  });

  test("G2: an old name stands for one message, or its messages differ in their subjects", () => {
    const spelled = keys.flatMap((key) => (entryOf(key).aliases ?? []).map(({ name }) => ({ key, name })));
    for (const { key, name } of spelled) {
      expect(isKey(`${kindOf(key)}:${name}`), name).toBe(false);
      const same = spelled.filter((other) => other.name === name && kindOf(other.key) === kindOf(key));
      expect(new Set(same.map((other) => entryOf(other.key).subject)).size, name).toBe(same.length);
    }
    expect(spelled.length).toBeGreaterThan(20);
  });
});

test("the catalogue is the sum of its parts", () => {
  expect(Object.keys(catalogue)).toEqual(keys);
});
