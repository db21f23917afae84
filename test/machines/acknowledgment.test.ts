// Goal: a command that asked for an answer gets one that fits the protocol, and nobody else does.
// Method: arbitrary valid commands of every kind; examples of each answer.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accept, type CommandKey, decline, declineIn } from "../../src/machines/acknowledgment.ts";
import { silence } from "../../src/machines/step.ts";
import { catalogue, entryOf, keys, kindOf, type Message } from "../../src/protocol/catalogue.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { messagesOf } from "../kit/messages.ts";

type Ack = Message<"result:CommandAck"> & { to: string };
type Asking = Message<CommandKey> & { payload: { reply_to_subject?: string; context: { attempt?: number } } };

const relay = "command:AgentRuntimeExecute";
const commands = keys.filter((key): key is CommandKey => kindOf(key) === "command");
const answered = commands.filter((key) => key !== relay);
const { sections: _sections, payload } = catalogue["result:CommandAck"];

const asking = (key: CommandKey, reply_to_subject = "_INBOX.1"): fc.Arbitrary<Asking> =>
  messagesOf(key).map((message) => {
    const told = message as Asking;
    return { ...told, payload: { ...told.payload, reply_to_subject } } as Asking;
  });

const execIdIn = (message: object, entity: string | null): unknown =>
  (message as Record<string, { exec_id?: string } | undefined>)[entity ?? ""]?.exec_id;

const cancel = {
  type: "command:AgentCancel",
  workflow: { id: "refund", exec_id: "01900000-0000-7000-8000-000000000001" },
  task: { id: "decide", exec_id: "01900000-0000-7000-8000-000000000002" },
  agent: { id: "clerk", exec_id: "01900000-0000-7000-8000-000000000003" },
  payload: {
    reply_to_subject: "_INBOX.1",
    context: { attempt: 2, cause: "requested", reason: "stop", canceled_by: "ada" },
  },
} as const satisfies Message<"command:AgentCancel">;

describe("a command that asks for an answer", () => {
  test.each(answered)("%s is answered to its reply subject, about its own entity, in the protocol's form", (key) => {
    const property = fc.property(asking(key), (command) => {
      const { entity } = entryOf(key);
      const answers = [accept(command), decline(command, "INVALID_STATE", "not now"), declineIn(command, "PAUSED")];
      for (const answer of answers as unknown as Ack[]) {
        expect(answer).toMatchObject({ type: "result:CommandAck", to: "_INBOX.1" });
        expect(payload.safeParse(answer.payload).error).toBeUndefined();
        expect(execIdIn(answer, entity)).toBe(execIdIn(command, entity));
        expect(answer.payload.context.attempt).toBe(
          entity === "workflow" ? undefined : command.payload.context.attempt,
        );
      }
    });
    fc.assert(property, { numRuns: 50 });
  });

  test.each(answered.filter((key) => !["agent", "tool"].includes(entryOf(key).entity ?? "")))(
    "%s is answered with sections that give the subject of its entity's results",
    (key) => {
      const codec = subjectCodec({ prefix: "compozy", layout: "flow" });
      const origin = { correlation_id: cancel.agent.exec_id, source_component: "workflow.Orchestrator" };
      const property = fc.property(asking(key), (command) => {
        const { to: _to, ...answer } = accept(command) as unknown as Ack;
        const { entity } = entryOf(key);
        expect(codec.subjectOf(answer, origin)).toBe(`compozy.results.${entity}.${String(execIdIn(command, entity))}`);
      });
      fc.assert(property, { numRuns: 50 });
    },
  );

  test("hears that it was taken, about its entity alone, and of what else there is to know", () => {
    const ack = {
      type: "result:CommandAck",
      agent: cancel.agent,
      to: "_INBOX.1",
      payload: { status: "ACKNOWLEDGED", result: null, context: { attempt: 2 } },
    };
    expect(accept(cancel)).toEqual(ack);
    const noChange = { ...ack, payload: { ...ack.payload, context: { attempt: 2, no_change: true } } };
    expect(accept(cancel, { no_change: true })).toEqual(noChange);
  });

  test("about a task names its workflow, about a workflow the workflow alone", () => {
    const { workflow, task, agent, payload } = cancel;
    const ofTask = accept({ type: "command:TaskCancel", workflow, task, agent, payload } as Message);
    expect(ofTask).toMatchObject({ workflow, task });
    expect(ofTask).not.toHaveProperty("agent");
    expect(accept({ type: "command:TaskCancel", task, payload } as Message)).not.toHaveProperty("workflow");
    const ofWorkflow = accept({ type: "command:WorkflowCancel", workflow, task, payload } as Message);
    expect(ofWorkflow).toMatchObject({ workflow, payload: { context: {} } });
    expect(ofWorkflow).not.toHaveProperty("task");
  });

  test("about the run of an agent at a runtime names both", () => {
    const agent_runtime = { exec_id: "01900000-0000-7000-8000-000000000009" };
    const { agent, payload } = cancel;
    const ack = accept({ type: "command:AgentRuntimeCancel", agent, agent_runtime, payload } as Message);
    expect(ack).toMatchObject({ agent, agent_runtime });
  });

  test("C13: of an unknown execution, or of one that has ended, is declined with the code that says so", () => {
    const declined = (error: object) => ({
      type: "result:CommandAck",
      agent: cancel.agent,
      to: "_INBOX.1",
      payload: { status: "ERROR", result: { error }, context: { attempt: 2 } },
    });
    const unknown = { code: "EXECUTION_NOT_FOUND", message: "no such execution", details: {} } as const;
    expect(decline(cancel, unknown.code, unknown.message)).toEqual(declined(unknown));
    const details = { status: "CANCELED" };
    const ended = { code: "INVALID_STATE", message: "not possible while CANCELED", details };
    expect(declineIn(cancel, "CANCELED")).toEqual(declined(ended));
  });
});

describe("nobody is answered", () => {
  test.each(commands)("where %s names no reply subject", (key) => {
    const property = fc.property(asking(key), ({ payload: { reply_to_subject: _none, ...payload }, ...command }) => {
      const silent = { ...command, payload };
      expect([accept(silent), decline(silent, "INVALID_STATE", "not now")]).toEqual([silence, silence]);
    });
    fc.assert(property, { numRuns: 20 });
  });

  test("where a relay names the subject of the agent's result, which is not where its acknowledgment goes", () => {
    const property = fc.property(asking(relay), (command) => {
      expect(accept(command)).toBe(silence);
    });
    fc.assert(property, { numRuns: 20 });
  });

  test("who gave no command", () => {
    const { agent } = cancel;
    const reply = { reply_to_subject: "_INBOX.1", status: "RUNNING", context: { attempt: 1 } };
    const event = { type: "event:AgentExecutionStarted", agent, payload: reply };
    expect(accept(event)).toBe(silence);
    expect(decline({ type: "xstate.after.relayAck" }, "COMMAND_TIMEOUT", "late")).toBe(silence);
  });
});
