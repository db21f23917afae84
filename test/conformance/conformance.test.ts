// Goal: the kit finds nothing at a runtime that is right, and names what is wrong at one that is not.
//
// Method: the runtime of `troupe/serve` is tried whole; then with one flaw each, put between it and the server.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { examine, type Outcome } from "../../src/conformance/conformance.ts";
import { type RuleId, rules } from "../../src/conformance/rules.ts";
import { textOf } from "../../src/conformance/verdict-report.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import type { UnderTest } from "../../src/conformance/under-test.ts";
import type { Delivery } from "../../src/transport/transport.ts";
import { serveBed } from "../serve/bed.ts";
import { type Flaw, nameOf, openFlawed, type Said } from "./flawed.ts";

const bed = serveBed();
const clock = systemClock();
const quick = { agents: 3, heartbeatMs: 500, leaseMs: 3_000, graceMs: 10_000 };

type Trying = { only?: readonly RuleId[]; agent?: string; layout?: "flow" | "correlated" };

async function tried(flaw: Flaw, { only, layout = "flow", ...more }: Trying = {}): Promise<Outcome> {
  const prefix = `kit-${randomUUID().slice(0, 8)}`;
  const transport = await bed.nats.open(prefix, { layout });
  const connection = transport.connect({ name: "kit", onFault: () => undefined });
  await transport.settled();
  const options = { ...bed.signIn(prefix), limits: quick, subjects: layout };
  const ended = Promise.withResolvers<number>();
  let stop = (): void => ended.resolve(0);
  void openFlawed(options, flaw).then((opened) => {
    stop = () => void opened.stop();
    return opened.ended.then(() => ended.resolve(0));
  });
  const process: UnderTest = { stop: () => stop(), ended: ended.promise, said: () => "", kill: () => undefined };
  try {
    return await examine({ connection, clock, prefix, layout, tool: "conformance", process, only, ...more });
  } finally {
    stop();
    await transport.close();
  }
}

describe.each(["flow", "correlated"] as const)("a runtime that is right, in the layout %s", (layout) => {
  test("CO1: has every rule kept, and none left out", async () => {
    const outcome = await tried({}, { layout });
    expect(
      textOf(outcome)
        .split("\n")
        .filter((line) => !line.startsWith("✓")),
    ).toEqual([
      expect.stringContaining("runtime flawed"),
      "agent conformance, tool conformance",
      "",
      "",
      `${Object.keys(rules).length} rules kept, 0 broken, 0 not tried`,
    ]);
  });
});

// ── one flaw each ──

const metadata = ({ body }: Said): JsonObject => body["metadata"] as JsonObject;
const payload = ({ body }: Said): JsonObject => body["payload"] as JsonObject;
const context = (said: Said): JsonObject => (payload(said)["context"] ?? {}) as JsonObject;
const lost = (...names: string[]): Flaw => ({ says: (said) => (names.includes(String(nameOf(said))) ? [] : [said]) });
/** Changes what fits before it leaves. */
const changed = (fits: (said: Said) => boolean, change: (said: Said) => void): Flaw => ({
  says(said) {
    if (fits(said)) change(said);
    return [said];
  },
});
const named =
  (...names: string[]) =>
  (said: Said): boolean =>
    names.includes(String(nameOf(said)));
const every = (): boolean => true;
const isOk = (said: Said): boolean => nameOf(said) === "CommandAck" && payload(said)["status"] === "ACKNOWLEDGED";
const isNotOk = (said: Said): boolean => nameOf(said) === "CommandAck" && payload(said)["status"] === "ERROR";

let registrations = 0;
let beats = 0;

type Case = readonly [does: string, breaks: RuleId, how: Flaw, only: readonly RuleId[]];
const flaws: readonly Case[] = [
  ["never acknowledges", "acknowledges", lost("CommandAck"), ["acknowledges"]],
  [
    "acknowledges after it has begun",
    "acknowledges-first",
    { lateMs: (said) => (isOk(said) ? 100 : 0) },
    ["acknowledges"],
  ],
  [
    "acknowledges what it has not understood",
    "unknown-command",
    changed(isNotOk, (said) => Object.assign(payload(said), { status: "ACKNOWLEDGED", result: null })),
    ["unknown-command"],
  ],
  ["refuses without a dead letter", "unknown-command-kept", lost("MessageRejected"), ["unknown-command"]],
  ["does not say that it begins", "starts", lost("AgentExecutionStarted"), ["starts"]],
  ["never thinks", "thinks", lost("AgentThinking"), ["thinks"]],
  [
    "forgets what caused its messages",
    "causation",
    changed(every, (said) => delete metadata(said)["causation_id"]),
    ["causation"],
  ],
  [
    "begins a correlation of its own",
    "correlation-kept",
    changed(named("AgentExecutionStarted"), (said) => {
      metadata(said)["correlation_id"] = randomUUID();
      said.headers["Troupe-Correlation-Id"] = String(metadata(said)["correlation_id"]);
    }),
    ["correlation-kept"],
  ],
  [
    "counts attempts from 0",
    "attempt-kept",
    changed(named("AgentExecutionResult"), (said) => void (context(said)["attempt"] = 2)),
    ["attempt-kept"],
  ],
  [
    "drops the sections of the run",
    "sections-kept",
    changed(named("AgentExecutionResult"), ({ body }) => delete body["workflow"]),
    ["sections-kept"],
  ],
  ["sends no Nats-Msg-Id", "message-ids", changed(every, ({ headers }) => delete headers["Nats-Msg-Id"]), ["starts"]],
  [
    "sends no correlation header",
    "correlation-header",
    changed(every, ({ headers }) => delete headers["Troupe-Correlation-Id"]),
    ["starts"],
  ],
  [
    "gives the time of its own zone",
    "timestamps",
    changed(every, (said) => void (metadata(said)["event_timestamp"] = "2026-11-21T10:00:00.000+01:00")),
    ["starts"],
  ],
  [
    "speaks as somebody else",
    "source",
    changed(named("AgentExecutionStarted"), (said) => void (metadata(said)["source_component"] = "agent.Dispatcher")),
    ["starts"],
  ],
  ["drops the trace", "trace", changed(every, ({ headers }) => delete headers["traceparent"]), ["trace"]],
  [
    "uses old words",
    "well-formed",
    changed(named("AgentExecutionStarted"), (said) => void (metadata(said)["message_type"] = "AgentInvocationStarted")),
    ["starts"],
  ],
  [
    "answers twice",
    "answers-once",
    {
      says(said) {
        if (nameOf(said) !== "AgentExecutionResult") return [said];
        const id = randomUUID();
        const body = { ...said.body, metadata: { ...metadata(said), message_id: id } };
        return [said, { ...said, headers: { ...said.headers, "Nats-Msg-Id": id }, body }];
      },
    },
    ["answers"],
  ],
  [
    "makes texts of values",
    "answers-exactly",
    changed(named("AgentExecutionResult"), (said) => {
      const { output } = payload(said)["result"] as JsonObject;
      if (output !== undefined) payload(said)["result"] = { output: { echo: JSON.stringify(output) } };
    }),
    ["answers"],
  ],
  [
    "takes nothing for something",
    "empty",
    changed(named("AgentExecutionResult"), (said) => {
      const { error } = payload(said)["result"] as { error?: { details: { cause_code?: string } } };
      if (error?.details.cause_code === "EMPTY_RESULT")
        Object.assign(payload(said), { status: "SUCCESS", result: { output: {} } });
    }),
    ["empty"],
  ],
  [
    "keeps its agents' codes to itself",
    "fails",
    changed(named("AgentExecutionResult"), (said) => {
      const { error } = payload(said)["result"] as { error?: { details: JsonObject } };
      if (error) error.details = {};
    }),
    ["fails"],
  ],
  [
    "does not tell a duplicate",
    "repeat-acknowledged",
    changed(isOk, (said) => delete context(said)["duplicate"]),
    ["repeat-acknowledged"],
  ],
  ["runs a repeated order again", "repeat-runs-once", { hears: (delivery) => [again(delivery)] }, ["repeat-runs-once"]],
  [
    "says that it takes more than it does",
    "over-capacity",
    changed(named("AgentRuntimeRegistered"), ({ body }) => {
      const { capabilities } = body["agent_runtime"] as { capabilities: JsonObject };
      capabilities["max_concurrent_executions"] = quick.agents + 1;
    }),
    ["over-capacity"],
  ],
  [
    "beats as if it were idle",
    "beats-in-flight",
    changed(named("AgentRuntimeHeartbeat"), (said) => void (context(said)["in_flight"] = 0)),
    ["beats-in-flight"],
  ],
  [
    "beats too seldom",
    "beats",
    { says: (said) => (nameOf(said) === "AgentRuntimeHeartbeat" && (beats += 1) % 4 !== 0 ? [] : [said]) },
    ["beats"],
  ],
  [
    "counts its beats no further",
    "beats-count",
    changed(named("AgentRuntimeHeartbeat"), (said) => void (context(said)["seq"] = 1)),
    ["beats-count"],
  ],
  [
    "registers once and never again",
    "registers-again",
    { says: (said) => (nameOf(said) === "AgentRuntimeRegistered" && (registrations += 1) > 1 ? [] : [said]) },
    ["registers-again"],
  ],
  [
    "does not hear cancels",
    "cancel-acknowledged",
    { hears: (delivery) => (delivery.subject.includes(".cancel.") ? [] : [delivery]) },
    ["cancel-acknowledged"],
  ],
  ["answers who has given it up", "cancel-silent", { hears: (delivery) => [requested(delivery)] }, ["cancel-silent"]],
  [
    "does not report its calls of tools",
    "tool-reported",
    lost("ToolExecutionSuccess", "ToolExecutionFailed"),
    ["tool-reported"],
  ],
  ["leaves the tools that it has called at work", "tool-canceled", lost("ToolCancel"), ["tool-canceled"]],
  ["begins tools in silence", "tool-starts", lost("ToolExecutionStarted"), ["tool-starts"]],
  ["leaves without a word", "farewell", lost("AgentRuntimeDeregistered"), ["farewell"]],
  [
    "does not say that it drains",
    "drains",
    changed(named("AgentRuntimeHeartbeat"), (said) => delete context(said)["draining"]),
    ["drains"],
  ],
];

/** A repeated order as a new one: what a runtime that remembers nothing would take it for. */
const seen = new Map<string, number>();
function again(delivery: Delivery): Delivery {
  if (!delivery.subject.includes(".agent_runtime.") || !delivery.subject.includes(".execute.")) return delivery;
  const body = JSON.parse(new TextDecoder().decode(delivery.bytes)) as JsonObject;
  const section = body["agent"] as { exec_id: string } | undefined;
  if (!section) return delivery;
  const times = (seen.get(section.exec_id) ?? 0) + 1;
  seen.set(section.exec_id, times);
  if (times > 1) section.exec_id = randomUUID();
  return { ...delivery, headers: {}, bytes: new TextEncoder().encode(JSON.stringify(body)) };
}
const requested = (delivery: Delivery): Delivery => ({
  ...delivery,
  bytes: new TextEncoder().encode(new TextDecoder().decode(delivery.bytes).replace('"timed_out"', '"requested"')),
});

describe("a runtime that", () => {
  test.concurrent.each(flaws)("%s breaks %s", async (_does, breaks, how, only) => {
    const { verdicts } = await tried(how, { only });
    expect(verdicts[breaks]).toMatchObject({ is: "broken", expected: expect.any(String), came: expect.any(String) });
  });
});

test("CO2: what a case that breaks off has not judged is untried, and the next is played", async () => {
  // No order can be made for it.
  const { verdicts } = await tried({}, { agent: "no id", only: ["answers", "tool-answers"] });
  const because = expect.stringMatching(/^the case 'an order' broke off: .* is not a definition id$/);
  expect(verdicts["answers"]).toEqual({ is: "untried", because });
  expect(verdicts["tool-answers"]).toEqual({ is: "kept" });
  expect(verdicts["tool-input"]).toEqual({ is: "untried", because: "it was not asked for" });
});
