// Goal: with exactly the permissions that are printed each role and runtime does its part, and nothing beyond it.
// Method: a real server whose users have them; what is forbidden is tried, and its refusal is seen.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { layouts, type Layout } from "../../src/protocol/layouts.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { permissionsOfRole, permissionsOfRuntime, permittedRoles } from "../../src/runtime/permissions.ts";
import { type Definitions, type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { takeLease } from "../../src/transport/nats-lease.ts";
import { userText } from "../../src/transport/nats-permissions.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { openNats } from "../../src/transport/nats.ts";
import { uuid } from "../kit/bridged.ts";
import { silent } from "../kit/nats.ts";

const clock = systemClock();
const runtimes = [uuid(0xa1), uuid(0xa2)] as const;
const patient = { timeout: 10_000, interval: 10 };

const held: { server?: NatsServer; directory: string } = { directory: "" };
beforeAll(async () => {
  held.directory = mkdtempSync(join(tmpdir(), "troupe-permissions-"));
  const users = layouts.flatMap((layout) => {
    const namespace = { prefix: layout, layout };
    return [
      ...permittedRoles.map((role) =>
        userText(`user: ${layout}_${role}, password: word`, permissionsOfRole(role, namespace)),
      ),
      ...runtimes.map((id) =>
        userText(`user: "${layout}_${id}", password: word`, permissionsOfRuntime(id, namespace, false)),
      ),
      userText(`user: ${layout}_any, password: word`, permissionsOfRuntime(null, namespace, true)),
    ];
  });
  held.server = await startNatsServer({ directory: held.directory, clock, report: silent, users });
});
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});
afterAll(async () => {
  await held.server?.stop();
  rmSync(held.directory, { recursive: true, force: true });
});

const servers = (): string => held.server?.url() ?? "";

/** A plain client as such a user, and what the server says to it. */
async function client(user: string, inboxPrefix?: string) {
  const nc = await connect({
    servers: servers(),
    user,
    pass: "word",
    ...(inboxPrefix !== undefined && { inboxPrefix }),
  });
  ends.push(() => nc.close());
  const refusals: string[] = [];
  void (async () => {
    for await (const status of nc.status()) if (status.type === "error") refusals.push(status.error.message);
  })();
  return { nc, refusals };
}

async function operator(): Promise<NatsConnection> {
  const authenticator = held.server?.authenticator;
  const nc = await connect({ servers: servers(), ...(authenticator && { authenticator }) });
  ends.push(() => nc.close());
  return nc;
}

const retry = { max_attempts: 40, backoff: { initial: 100, factor: 1 } };
const definitions: Definitions = {
  workflows: [
    {
      id: "w",
      tasks: [
        { id: "ask", type: "agent", agent: "clerk", retry, next: "add" },
        { id: "add", type: "tool", tool: "adder", next: "rest" },
        { id: "rest", type: "wait", wait: { duration: 20 } },
      ],
    },
  ],
  agents: [{ id: "clerk", module: async (_input, { tool }) => ({ added: await tool("adder", {}) }) }],
  tools: [{ id: "adder", module: () => ({ sum: 5 }) }],
};

/** A component alone, on a connection with nothing but what its role may do; and what it complained of. */
async function member(role: string, layout: Layout, faults: string[]): Promise<Troupe> {
  const report = (level: string, message: string, fields: object): void => {
    if (level === "warn" || level === "error") faults.push(`${role}: ${message} ${JSON.stringify(fields)}`);
  };
  const transport = await openNats({
    server: { servers: servers(), user: `${layout}_${role}`, pass: "word" },
    clock,
    prefix: layout,
    layout,
    report,
    keeps: role === "orchestrator",
  });
  const opened = await troupe({
    ...definitions,
    prefix: layout,
    subjects: layout,
    transport,
    roles: [role],
    log: report,
  });
  await transport.settled();
  ends.push(async () => {
    await opened.stop({ graceMs: 0 });
    await transport.close();
  });
  return opened;
}

describe.each(layouts)("in the layout '%s'", (layout) => {
  const subjects = subjectCodec({ prefix: layout, layout });
  const correlation = uuid(0xc0);
  const addressed = (key: string, params: Record<string, string>): string =>
    subjects.build({ key, layout, params: { corr: correlation, ...params } } as Parameters<typeof subjects.build>[0]);

  test(
    "RP1: each role alone does its part of a run, and is refused nothing that it needs",
    { timeout: 60_000 },
    async () => {
      const faults: string[] = [];
      const members = [];
      for (const role of permittedRoles.filter((one) => one !== "monitoring"))
        members.push(await member(role, layout, faults));
      const { result } = (members[0] as Troupe).start("w", {});
      await result();
      expect(faults.filter((fault) => /permission/i.test(fault))).toEqual([]);
    },
  );

  test("RP1: the orchestrator may take its lease, and monitoring hears what is reported", async () => {
    const open = (role: string) =>
      openNats({
        server: { servers: servers(), user: `${layout}_${role}`, pass: "word" },
        clock,
        prefix: layout,
        layout,
        report: silent,
        keeps: role === "orchestrator",
      });
    const transport = await open("orchestrator");
    const link = await transport.dial("lease");
    const holder = { instance: "i", host: "h", pid: 1, store: "s", lock: "l" };
    const means = { link, prefix: layout, ttlMs: 5_000, holder, clock, elapsed: () => clock.now(), report: silent };
    const lease = await takeLease({ ...means, hasStore: () => true, standing: silent });
    await lease.giveBack();
    const ears = await open("monitoring");
    const heard: string[] = [];
    const faults: unknown[] = [];
    const line = ears.connect({ name: "m", onFault: (error) => void faults.push(error) });
    line.subscribe(subjects.patternOf({ whole: "rejected" }), ({ subject }) => void heard.push(subject), "monitoring");
    line.subscribe(subjects.patternOf({ whole: "events" }), ({ subject }) => void heard.push(subject));
    await ears.settled();
    const said = transport.connect({ name: "o", onFault: (error) => void faults.push(error) });
    const event = addressed("event:WorkflowExecutionStarted", { wfx: uuid(7) });
    await said.publish(`${layout}.rejected.invalid_envelope`, new TextEncoder().encode("{}"), { stored: true });
    await said.publish(event, new TextEncoder().encode("{}"), { stored: true });
    await vi.waitFor(
      () => expect(heard.toSorted()).toEqual([`${layout}.rejected.invalid_envelope`, event].toSorted()),
      patient,
    );
    expect(faults).toEqual([]);
    await link.nc.close();
    await Promise.all([transport.close(), ears.close()]);
  });

  test("RP1: the orchestrator may say what whoever asks it over HTTP has it say", () => {
    const { publish } = permissionsOfRole("orchestrator", { prefix: layout, layout });
    for (const key of ["command:WorkflowPause", "command:TaskResume", "command:TaskTrigger"] as const) {
      expect(publish).toContain(subjects.patternOf({ key }));
    }
  });

  test("RP1: what is not a role's own is refused, and that is said", async () => {
    const { nc, refusals } = await client(`${layout}_task-executor`);
    const forbidden = [
      addressed("command:WorkflowExecute", { wf: "w" }),
      addressed("event:WorkflowExecutionSuccess", { wfx: uuid(1) }),
      `$JS.API.STREAM.DELETE.${layout}_EVENTS`,
      `$KV.${layout}_LEASES.orchestrator`,
    ];
    for (const subject of forbidden) nc.publish(subject, "{}");
    await nc.flush();
    await vi.waitFor(() => expect(refusals).toHaveLength(forbidden.length), patient);
    for (const [at, subject] of forbidden.entries()) expect(refusals[at]).toContain(subject);
  });

  test("a forbidden publish of the transport is reported and counted, and a stored one fails", async () => {
    const forbidden: string[] = [];
    const transport = await openNats({
      server: { servers: servers(), user: `${layout}_task-executor`, pass: "word" },
      clock,
      prefix: layout,
      layout,
      report: silent,
      keeps: false,
      forbidden: (subject) => void forbidden.push(subject),
    });
    const faults: string[] = [];
    const connection = transport.connect({ name: "x", onFault: (error) => void faults.push(String(error)) });
    await transport.settled();
    const order = addressed("command:TaskExecute", { wf: "w", task: "t" });
    await connection.publish(order, new TextEncoder().encode("{}"));
    await vi.waitFor(() => expect(faults.join()).toMatch(/permissions violation/i), patient);
    expect(forbidden).toEqual([order]);
    const kept = connection.publish(
      addressed("event:WorkflowExecutionSuccess", { wfx: uuid(1) }),
      new TextEncoder().encode("{}"),
      {
        stored: true,
      },
    );
    await expect(kept).rejects.toMatchObject({ code: "COMMAND_TIMEOUT" });
    await transport.close();
  });

  test("RP2: a runtime takes its orders, and answers where they say", async () => {
    const [id] = runtimes;
    const { nc, refusals } = await client(`${layout}_${id}`, `_INBOX_${id}`);
    const order = addressed("command:AgentRuntimeExecute", { rt: id, agent: "clerk" });
    nc.subscribe(subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: id }), {
      callback: (_error, message) => {
        message.respond("taken");
        nc.publish(addressed("event:AgentExecutionStarted", { agentx: uuid(3) }), "{}");
        nc.publish(addressed("result:AgentExecutionResult", { agentx: uuid(3) }), "{}");
        nc.publish(`${layout}.heartbeats.agent_runtime.${id}`, "{}");
      },
    });
    await nc.flush();
    const dispatcher = await operator();
    const answer = await dispatcher.request(order, "{}", { timeout: 5_000 });
    expect(answer.string()).toBe("taken");
    // Its own questions are answered in its own inbox.
    dispatcher.subscribe(subjects.patternOf({ whole: "commands", entity: "tool" }), {
      callback: (_error, message) => void message.respond("sum"),
    });
    await dispatcher.flush();
    const tool = await nc.request(addressed("command:ToolExecute", { wf: "w", tool: "adder" }), "{}", {
      timeout: 5_000,
    });
    expect([tool.string(), refusals]).toEqual(["sum", []]);
  });

  test("RP2: it can neither hear what is for others nor speak as the orchestrator", async () => {
    const [id, other] = runtimes;
    const { nc, refusals } = await client(`${layout}_${id}`, `_INBOX_${id}`);
    const notHeard = [
      subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId: other }),
      subjects.patternOf({ kind: "result", entity: "agent" }),
      subjects.patternOf({ whole: "events" }),
      `_INBOX_${other}.>`,
      "_INBOX.>",
      `${layout}.>`,
      ">",
    ];
    const heard: string[] = [];
    for (const subject of notHeard)
      nc.subscribe(subject, { callback: (error, message) => void (error ?? heard.push(message.subject)) });
    const notSaid = [
      addressed("command:TaskExecute", { wf: "w", task: "t" }),
      addressed("event:WorkflowExecutionSuccess", { wfx: uuid(1) }),
      addressed("event:AgentRuntimeDeregistered", { rt: other }),
      `${layout}.heartbeats.agent_runtime.${other}`,
      addressed("command:AgentRuntimeExecute", { rt: other, agent: "clerk" }),
      `_INBOX_${other}.x`,
      `$JS.API.STREAM.NAMES`,
    ];
    for (const subject of notSaid) nc.publish(subject, "{}");
    await nc.flush();
    await vi.waitFor(() => expect(refusals).toHaveLength(notHeard.length + notSaid.length), patient);
    const dispatcher = await operator();
    for (const subject of [
      `_INBOX_${other}.x`,
      "_INBOX.x",
      addressed("result:AgentExecutionResult", { agentx: uuid(3) }),
    ]) {
      dispatcher.publish(subject, "secret");
    }
    await dispatcher.flush();
    await nc.flush();
    expect(heard).toEqual([]);
  });

  test("RP2: a runtime without a user of its own has an inbox, and hears none of the daemon's", async () => {
    const { nc, refusals } = await client(`${layout}_any`, `_INBOX_${runtimes[0]}`);
    const heard: string[] = [];
    nc.subscribe("*.*", { callback: (error, message) => void (error ?? heard.push(message.subject)) });
    nc.subscribe("_INBOX.*", { callback: (error, message) => void (error ?? heard.push(message.subject)) });
    // All of its orders, as the protocol has a runtime listen.
    const own = { whole: "commands", entity: "agent_runtime", runtimeId: runtimes[0] } as const;
    const orders: string[] = [];
    nc.subscribe(subjects.patternOf(own), { callback: (error, { subject }) => void (error ?? orders.push(subject)) });
    await nc.flush();
    await vi.waitFor(() => expect(refusals).toHaveLength(1), patient);
    const dispatcher = await operator();
    const order = addressed("command:AgentRuntimeExecute", { rt: runtimes[0], agent: "clerk" });
    for (const subject of ["_INBOX.x", `_INBOX_${runtimes[0]}.x`, order]) dispatcher.publish(subject, "x");
    await dispatcher.flush();
    await nc.flush();
    expect([heard, orders]).toEqual([[`_INBOX_${runtimes[0]}.x`], [order]]);
  });
});

test("an unknown role, and what is no id of a runtime, are refused with what there is", () => {
  const namespace = { prefix: "p", layout: "flow" } as const;
  expect(() => permissionsOfRole("task-executer", namespace)).toThrow(
    /did you mean 'task-executor'\?\): there are orchestrator/,
  );
  expect(() => permissionsOfRuntime("x", namespace, false)).toThrow(/is no id of a runtime/);
});
