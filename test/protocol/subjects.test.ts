// Subjects say what they should, in both layouts, and nothing else can get into one.
//
// Method: the rules written out once more as examples, and properties over generated addresses, messages and tokens.

import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import { keys, type Key, type Message } from "../../src/protocol/catalogue.ts";
import { unwrap, type Envelope } from "../../src/protocol/envelope.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { layouts, type Address, type Params } from "../../src/protocol/layouts.ts";
import { contradictions, subjectCodec } from "../../src/protocol/subjects.ts";
import { addressesOf, everyForm, paramsOf } from "../kit/addresses.ts";
import { envelopesOf, hostileTokens } from "../kit/messages.ts";
import { id, refusalOf } from "../kit/sent.ts";

const prefix = "compozy";
const codecs = {
  flow: subjectCodec({ prefix, layout: "flow" }),
  correlated: subjectCodec({ prefix, layout: "correlated" }),
};
const { flow, correlated } = codecs;

const [c, x, r] = [id(1), id(2), id(3)];

// [key, its tokens, flow, correlated]; c is the correlation id.
const forms: readonly (readonly [key: Key, params: Record<string, string>, flow: string, correlated: string])[] = [
  [
    "command:WorkflowExecute",
    { wf: "refund" },
    "commands.workflow.execute.refund",
    `${c}.workflow.commands.refund.execute`,
  ],
  ["command:WorkflowSignal", { wfx: x }, `commands.workflow.signal.${x}`, `${c}.workflow.commands.${x}.signal`],
  [
    "command:TaskTrigger",
    { wf: "_", task: "judge" },
    "commands.task._.trigger.judge",
    `${c}.task.commands.judge.trigger`,
  ],
  [
    "command:TaskCancel",
    { wf: "refund", taskx: x },
    `commands.task.refund.cancel.${x}`,
    `${c}.task.commands.${x}.cancel`,
  ],
  [
    "command:TriggerAgent",
    { wf: "refund", agent: "judge" },
    "commands.agent.refund.trigger.judge",
    `${c}.agent.commands.judge.trigger`,
  ],
  ["command:ToolExecute", { wf: "_", tool: "mail" }, "commands.tool._.execute.mail", `${c}.tool.commands.mail.execute`],
  [
    "command:AgentRuntimeExecute",
    { rt: r, agent: "judge" },
    `commands.agent_runtime.${r}.execute.judge`,
    `${c}.agent_runtime.commands.${r}.execute`,
  ],
  [
    "command:AgentRuntimeCancel",
    { rt: r, agentx: x },
    `commands.agent_runtime.${r}.cancel.${x}`,
    `${c}.agent_runtime.commands.${r}.cancel`,
  ],
  ["result:AgentExecutionResult", { agentx: x }, `results.agent.${x}`, `${c}.agent.results.${x}`],
  [
    "result:CommandAck",
    { entity: "agent_runtime", execx: r },
    `results.agent_runtime.${r}`,
    `${c}.agent_runtime.results.${r}`,
  ],
  [
    "event:TaskRetryScheduled",
    { taskx: x },
    `events.task.instance.${x}.retry_scheduled`,
    `${c}.task.events.${x}.retry_scheduled`,
  ],
  [
    "event:AgentRuntimeRegistered",
    { rt: r },
    `events.agent_runtime.instance.${r}.registered`,
    `${c}.agent_runtime.events.${r}.registered`,
  ],
  ["progress:AgentToken", { agentx: x }, `progress.agent.${x}.token`, `${c}.agent.progress.${x}.token`],
  [
    "log:LogEmitted",
    { component: "task_executor", corr: c, level: "warn" },
    `logs.task_executor.${c}.warn`,
    `${c}.task_executor.logs.warn`,
  ],
  ["progress:AgentRuntimeHeartbeat", { rt: r }, `heartbeats.agent_runtime.${r}`, `heartbeats.agent_runtime.${r}`],
  ["log:MessageRejected", { reason: "invalid_subject" }, "rejected.invalid_subject", "rejected.invalid_subject"],
];

describe("the two layouts", () => {
  test.each(forms)("%s with %j is %s", (key, params, inFlow, inCorrelated) => {
    expect(flow.build({ key, layout: "flow", params } as Address)).toBe(`${prefix}.${inFlow}`);
    expect(flow.parse(`${prefix}.${inFlow}`)).toEqual({ address: { key, layout: "flow", params }, warnings: [] });
    const { address } = flow.parse(`${prefix}.${inCorrelated}`);
    expect(address?.key).toBe(key);
    expect({ corr: c, ...params }).toMatchObject(address?.params ?? {});
    expect(flow.build(address as Address)).toBe(`${prefix}.${inCorrelated}`);
  });

  test("the parameters of an address are known by its key", () => {
    expectTypeOf<Params<"command:TriggerAgent">>().toEqualTypeOf<{ wf: string; agent: string }>();
    // @ts-expect-error a heartbeat does not name its run
    const address: Address = { key: "progress:AgentRuntimeHeartbeat", layout: "correlated", params: { corr: c } };
    expect(address.key).toBe("progress:AgentRuntimeHeartbeat");
  });
});

describe("build and parse", () => {
  test.each(everyForm)("S1: parse gives back what build was given, for %s in the layout %s", (key, layout) => {
    const property = fc.property(addressesOf(key, layout), (address) => {
      const heard = codecs[layout].parse(codecs[layout].build(address));
      expect(heard).toEqual({ address, warnings: [] });
    });
    fc.assert(property, { numRuns: 100 });
  });

  test.each(everyForm)("S2: build gives back what parse was given, for %s in the layout %s", (key, layout) => {
    const property = fc.property(addressesOf(key, layout), (address) => {
      const subject = codecs[layout].build(address);
      const other = layout === "flow" ? correlated : flow;
      expect(other.build(other.parse(subject).address as Address)).toBe(subject);
    });
    fc.assert(property, { numRuns: 30 });
  });

  test.each([
    [`commands.workflow.trigger.refund`, `commands.workflow.execute.refund`, "trigger", "execute"],
    [`${c}.workflow.commands.refund.trigger`, `${c}.workflow.commands.refund.execute`, "trigger", "execute"],
    [`${c}.task.cmds.${x}.cancel`, `${c}.task.commands.${x}.cancel`, "cmds", "commands"],
    [`${c}.task.evts.${x}.started`, `${c}.task.events.${x}.started`, "evts", "events"],
    [`events.tool.instance.${x}.success`, `events.tool.instance.${x}.completed`, "success", "completed"],
    [`events.agent.instance.${x}.cancelled`, `events.agent.instance.${x}.canceled`, "cancelled", "canceled"],
    [`events.task.instance.${x}.dispatched`, `events.task.instance.${x}.scheduled`, "dispatched", "scheduled"],
    [
      `events.task.instance.${x}.waiting_resumed`,
      `events.task.instance.${x}.waiting_ended`,
      "waiting_resumed",
      "waiting_ended",
    ],
    [
      `events.workflow.instance.${x}.waiting_started`,
      `events.workflow.instance.${x}.paused`,
      "waiting_started",
      "paused",
    ],
    [
      `events.workflow.instance.${x}.waiting_ended`,
      `events.workflow.instance.${x}.resumed`,
      "waiting_ended",
      "resumed",
    ],
    [
      `events.agent.definition.${r}.registered`,
      `events.agent_runtime.instance.${r}.registered`,
      "events.agent.definition",
      "events.agent_runtime.instance",
    ],
  ])("S2: %s is an old form of %s", (given, canonical, word, use) => {
    const { address, warnings } = flow.parse(`${prefix}.${given}`);
    expect(flow.build(address as Address)).toBe(`${prefix}.${canonical}`);
    expect(warnings).toEqual([{ code: "DEPRECATED_ALIAS", given: word, use }]);
  });

  test("S2: the agent action execute is an old form without a warning", () => {
    const { address, warnings } = flow.parse(`${prefix}.commands.agent.refund.execute.judge`);
    expect(flow.build(address as Address)).toBe(`${prefix}.commands.agent.refund.trigger.judge`);
    expect(warnings).toEqual([]);
  });

  test("S2: both old forms of one subject are told of", () => {
    const { warnings } = flow.parse(`${prefix}.${c}.task.evts.${x}.success`);
    expect(warnings.map(({ given }) => given)).toEqual(["evts", "success"]);
  });
});

describe("hostile tokens", () => {
  const places = everyForm.flatMap(([key, layout]) =>
    paramsOf(key, layout).map((param) => [key, layout, param] as const),
  );
  test.each(places)("S3: no hostile text stands in a subject of %s in the layout %s as %s", (key, layout, param) => {
    const property = fc.property(addressesOf(key, layout), hostileTokens, (address, hostile) => {
      const spoiled = { ...address, params: { ...address.params, [param]: hostile } } as Address;
      const { code, details } = refusalOf(() => codecs[layout].build(spoiled));
      expect(code).toBe("INVALID_ID");
      expect(details).toMatchObject({ why: "bad_id", errors: [{ field: param }] });
      expect(JSON.stringify(details).length).toBeLessThan(1_000);
    });
    fc.assert(property, { numRuns: 40 });
  });

  test.each([undefined, null, 7, { toString: () => "refund" }, ["refund"]])("S3: %j is no token", (token) => {
    const params = { wf: token as string, agent: "judge" };
    expect(refusalOf(() => flow.build({ key: "command:TriggerAgent", layout: "flow", params })).code).toBe(
      "INVALID_ID",
    );
  });

  test("S3: what only inherits its token has none", () => {
    const params = Object.create({ wf: "refund", agent: "judge" }) as Params<"command:TriggerAgent">;
    expect(refusalOf(() => flow.build({ key: "command:TriggerAgent", layout: "flow", params })).code).toBe(
      "INVALID_ID",
    );
  });

  test.each<[Key, Record<string, string>]>([
    ["command:WorkflowExecute", { wf: "_" }],
    ["command:WorkflowExecute", { wf: "executions" }],
    ["command:TriggerAgent", { wf: "refund", agent: "_" }],
    ["command:TriggerAgent", { wf: "refund", agent: "__proto__" }],
    ["command:TriggerAgent", { wf: "constructor", agent: "judge" }],
    ["command:TaskTrigger", { wf: "_", task: "prototype" }],
    ["command:TriggerAgent", { wf: "x".repeat(65), agent: "judge" }],
    ["command:TaskCancel", { wf: "refund", taskx: "decide" }],
    ["command:TaskCancel", { wf: "refund", taskx: x.toUpperCase().replace("8", "A") }],
    ["result:CommandAck", { entity: "agent", execx: x }],
    ["result:CommandAck", { entity: "tool", execx: x }],
    ["log:LogEmitted", { component: "Task", corr: c, level: "warn" }],
    ["log:LogEmitted", { component: "a".repeat(65), corr: c, level: "warn" }],
    ["log:LogEmitted", { component: "task", corr: c, level: "fatal" }],
    ["log:MessageRejected", { reason: "INVALID_ID" }],
    // The upper case of a dotless i is I.
    ["log:MessageRejected", { reason: "\u0131nvalid_id" }],
  ])("S3: %s has no subject with %j", (key, params) => {
    expect(refusalOf(() => flow.build({ key, layout: "flow", params } as unknown as Address)).code).toBe("INVALID_ID");
  });

  test("S3: a hostile text is no prefix, and neither is a word that begins a subject", () => {
    const prefixes = fc.oneof(
      hostileTokens,
      fc.constantFrom("commands", "heartbeats", "rejected", "_INBOX", `_INBOX_${r}`),
    );
    fc.assert(
      fc.property(prefixes, fc.constantFrom(...layouts), (hostile, layout) => {
        const { code, details } = refusalOf(() => subjectCodec({ prefix: hostile, layout }));
        expect([code, details["errors"]]).toMatchObject(["INVALID_ID", [{ field: "prefix" }]]);
      }),
    );
  });
});

describe("foreign subjects", () => {
  test.each([
    ["", "malformed_subject"],
    ["compozy", "unknown_root"],
    ["compozy.", "malformed_subject"],
    ["compozy..workflow.execute.refund", "malformed_subject"],
    ["compozy.commands.workflow.execute.*", "malformed_subject"],
    ["compozy.commands.>", "malformed_subject"],
    ["compozy.commands.workflow.execute.re fund", "malformed_subject"],
    ["compozy.commands.workflow.execute.re\u0000fund", "malformed_subject"],
    ["compozy.commands.workflow.execute.refund\n", "malformed_subject"],
    ["other.commands.workflow.execute.refund", "foreign_prefix"],
    ["compozy2.commands.workflow.execute.refund", "foreign_prefix"],
    ["_INBOX", "foreign_prefix"],
    ["_INBOXES.a", "foreign_prefix"],
    ["_INBOX_judge.a", "foreign_prefix"],
    [`_INBOX_${r}`, "foreign_prefix"],
    [`x_INBOX.a`, "foreign_prefix"],
    ["compozy.command.workflow.execute.refund", "unknown_root"],
    [`compozy.${c.toUpperCase().replace("8", "A")}.workflow.commands.refund.execute`, "unknown_root"],
    ["compozy.commands", "misshapen_subject"],
    [`compozy.${c}`, "misshapen_subject"],
    [`compozy.${c}.task`, "misshapen_subject"],
    ["compozy.commands.workflow.execute", "misshapen_subject"],
    ["compozy.commands.workflow._.execute.refund", "misshapen_subject"],
    ["compozy.commands.agent.trigger.judge", "misshapen_subject"],
    ["compozy.commands.actor.refund.trigger.judge", "misshapen_subject"],
    [`compozy.results.agent.${x}.more`, "misshapen_subject"],
    [`compozy.events.task.definition.${x}.started`, "misshapen_subject"],
    [`compozy.${c}.task.results.${x}.more`, "misshapen_subject"],
    [`compozy.${c}.heartbeats.agent_runtime.${r}`, "misshapen_subject"],
    ["compozy.commands.agent.re!fund.trigger.judge", "bad_token"],
    ["compozy.commands.agent.executions.trigger.judge", "bad_token"],
    ["compozy.commands.agent.refund.trigger._", "bad_token"],
    ["compozy.commands.agent.refund.trigger.__proto__", "bad_token"],
    ["compozy.commands.agent.refund.explode._", "bad_token"],
    ["compozy.commands.agent.refund.cancel.judge", "bad_token"],
    ["compozy.commands.agent_runtime.r1.execute.judge", "bad_token"],
    ["compozy.commands.workflow.execute._", "bad_token"],
    ["compozy.results.workflow.refund", "bad_token"],
    ["compozy.events.task.instance.decide.started", "bad_token"],
    [`compozy.logs.Task.${c}.warn`, "bad_token"],
    [`compozy.logs.task.${c}.fatal`, "bad_token"],
    ["compozy.rejected.because", "bad_token"],
    ["compozy.heartbeats.agent_runtime.r1", "bad_token"],
  ])("S4: %j is refused as INVALID_SUBJECT, %s", (subject, why) => {
    const { code, details } = refusalOf(() => flow.parse(subject));
    expect([code, details["why"]]).toEqual(["INVALID_SUBJECT", why]);
  });

  test.each([
    ["commands.agent.refund.explode.judge", "explode", ["trigger", "cancel"], undefined],
    ["commands.agent.refund.triger.judge", "triger", ["trigger", "cancel"], "trigger"],
    ["commands.tool.refund.trigger.mail", "trigger", ["execute", "cancel"], undefined],
    [`events.tool.instance.${x}.dispatched`, "dispatched", ["started", "completed", "failed", "canceled"], undefined],
    [`progress.workflow.${x}.step`, "step", [], undefined],
    [`${c}.agent_runtime.progress.${x}.step`, "step", [], undefined],
  ])("S4: %s is refused as UNKNOWN_MESSAGE_TYPE", (subject, given, known, nearest) => {
    const { code, details } = refusalOf(() => flow.parse(`${prefix}.${subject}`));
    expect(code).toBe("UNKNOWN_MESSAGE_TYPE");
    expect(details).toEqual({ why: "unknown_subject", given, known, nearest });
  });

  test("S4: whatever the text, it is an address or a refusal", () => {
    const token = fc.oneof(
      fc.string({ maxLength: 8 }),
      hostileTokens,
      fc.constantFrom("commands", "agent", "events", "_", x, c),
    );
    const property = fc.property(fc.array(token, { maxLength: 8 }), fc.boolean(), (tokens, known) => {
      const subject = [...(known ? [prefix] : []), ...tokens].join(".");
      try {
        const { address } = flow.parse(subject);
        expect(address === null ? subject : flow.build(address)).toBe(subject);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(TroupeError);
        expect(["INVALID_SUBJECT", "UNKNOWN_MESSAGE_TYPE"]).toContain((thrown as TroupeError).code);
        expect(JSON.stringify((thrown as TroupeError).details).length).toBeLessThan(2_000);
      }
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  test.each(["_INBOX.a", "_INBOX.a.b.c", `_INBOX_${r}.a`])("S4: %s is an inbox and names no message", (subject) => {
    expect(flow.parse(subject)).toEqual({ address: null, warnings: [] });
  });
});

describe("the subject of a message", () => {
  const everyKey = keys.flatMap((key) => layouts.map((layout) => [key, layout] as const));
  test.each(everyKey)("S5: the subject of %s in the layout %s names the message's own executions", (key, layout) => {
    const property = fc.property(envelopesOf(key), (given) => {
      const envelope = given as Envelope<typeof key>;
      const subject = codecs[layout].subjectOf(unwrap(envelope, key), envelope.metadata);
      const { address, warnings } = flow.parse(subject);
      expect([address?.key, warnings]).toEqual([key, []]);
      expect(contradictions(address as Address, envelope as unknown as Record<string, unknown>)).toEqual([]);
    });
    fc.assert(property, { numRuns: 20 });
  });

  const origin = { correlation_id: c, source_component: "task.Executor:w1" };
  const says = (message: object, from = origin): string => flow.subjectOf(message as Message, from);
  const ack = { type: "result:CommandAck", payload: { status: "ACKNOWLEDGED", context: {} } };
  const refund = { id: "refund", exec_id: id(7) };
  const decide = { id: "decide", exec_id: id(8) };
  const judge = { id: "judge", exec_id: id(9) };

  test("S5: an acknowledgment goes to the innermost execution that it names", () => {
    expect(says({ ...ack, workflow: refund })).toBe(`${prefix}.results.workflow.${id(7)}`);
    expect(says({ ...ack, workflow: refund, task: decide })).toBe(`${prefix}.results.task.${id(8)}`);
    expect(says({ ...ack, workflow: refund, agent: judge, agent_runtime: { exec_id: r } })).toBe(
      `${prefix}.results.agent_runtime.${r}`,
    );
  });

  test("S5: an acknowledgment to an agent or tool has no subject but an inbox", () => {
    expect(refusalOf(() => says({ ...ack, workflow: refund, task: decide, agent: judge })).code).toBe("INVALID_ID");
    expect(refusalOf(() => says({ ...ack, task: decide, tool: judge })).code).toBe("INVALID_ID");
  });

  test("S5: a run without a workflow has the scope _, and one whose workflow is half named has no subject", () => {
    const trigger = { type: "command:TriggerAgent", agent: judge, payload: {} };
    expect(says(trigger)).toBe(`${prefix}.commands.agent._.trigger.judge`);
    expect(says({ ...trigger, workflow: { id: "refund" } })).toBe(`${prefix}.commands.agent.refund.trigger.judge`);
    const { details } = refusalOf(() => says({ ...trigger, workflow: { exec_id: id(7) } }));
    expect(details["errors"]).toMatchObject([{ field: "workflow.id" }]);
  });

  test("S5: a log line goes under its component in snake case", () => {
    const line = { type: "log:LogEmitted", payload: { log_level: "warn", context: {} } };
    expect(says(line)).toBe(`${prefix}.logs.task_executor.${c}.warn`);
    expect(says(line, { ...origin, source_component: "agent.Runtime" })).toBe(`${prefix}.logs.agent_runtime.${c}.warn`);
    expect(refusalOf(() => says(line, { ...origin, source_component: "a b" })).code).toBe("INVALID_ID");
  });

  test("S5: a contradiction names the field and what the subject says", () => {
    const { address } = flow.parse(`${prefix}.commands.agent.refund.trigger.judge`);
    const body = { workflow: { id: "other" }, agent: { id: "judge" } };
    expect(contradictions(address as Address, body)).toEqual([
      { field: "workflow.id", message: 'the subject says "refund"' },
    ]);
    expect(contradictions(address as Address, {}).map(({ field }) => field)).toEqual(["workflow.id", "agent.id"]);
  });
});
