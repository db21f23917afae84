// Plays the daemon against a runtime of any language, case after case, and gives a verdict on each rule.
//
// Invariants:
//   CO1. Every rule has a verdict: kept, broken, or not tried and why.
//   CO2. A case that breaks off leaves what it has not judged untried, and the next is played.

import type { Clock } from "../actors/clock.ts";
import { entryOf } from "../protocol/catalogue.ts";
import { headerNames } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isObject } from "../protocol/json.ts";
import type { Layout } from "../protocol/layouts.ts";
import type { Connection } from "../transport/transport.ts";
import { agentCases } from "./cases-agent.ts";
import { leavingCases } from "./cases-leaving.ts";
import { forget, named, presence } from "./cases-presence.ts";
import { refusalCases } from "./cases-refusal.ts";
import { toolCases } from "./cases-tool.ts";
import { type Bed, type Case, known, lack } from "./bed.ts";
import { type RuleId, rules, type Verdicts } from "./rules.ts";
import { at, type Heard, openStand, type Stand, type Target } from "./stand.ts";
import type { UnderTest } from "./under-test.ts";

export type Wanted = {
  connection: Connection;
  clock: Clock;
  prefix: string;
  layout?: Layout;
  /** The name or id of the runtime; without it, the first that is heard of. */
  runtime?: string | undefined;
  agent?: string | undefined;
  tool?: string | undefined;
  process?: UnderTest | undefined;
  patienceMs?: number;
  /** How long to look for the runtime. */
  findMs?: number;
  /** The rules to try; without it, all. */
  only?: readonly RuleId[] | undefined;
};

export type Outcome = {
  runtime: { id: string; exec_id: string; language: string | undefined; version: string | undefined };
  agent: string | undefined;
  tool: string | undefined;
  verdicts: Verdicts;
};

const defaults = { layout: "flow" as Layout, patienceMs: 2_000, findMs: 12_000 };

/** What is said too often comes right after what is said rightly. */
const quietMs = 500;

/** Leaving comes last: after it nothing can be tried. */
const cases: readonly Case[] = [...presence, ...agentCases, ...refusalCases, ...toolCases, ...leavingCases];

/** Listens at once; `start` begins the runtime, if it is to be begun by the test. */
export async function examine(wanted: Wanted, start?: () => UnderTest): Promise<Outcome> {
  const { connection, clock, prefix, layout, patienceMs, findMs, only } = { ...defaults, ...wanted };
  const stand = openStand({ connection, clock, prefix, layout, patienceMs });
  const process = start?.() ?? wanted.process;
  const said = await find(stand, wanted.runtime, findMs, process);
  const target = targetOf(said);
  const agent = wanted.agent ?? (target.agents.includes(known) ? known : target.agents.find((id) => id !== "*"));
  const bed: Bed = { stand, target, agent, tool: wanted.tool, process };
  const isAsked = ({ rules: tried }: Case): boolean => !only || tried.some((rule) => only.includes(rule));
  for (const one of cases.filter(isAsked)) await play(bed, one);
  await stand.wait(quietMs);
  judgeAll(bed);
  for (const rule of Object.keys(rules) as RuleId[]) {
    const isMeant = !only || only.includes(rule);
    stand.untried(rule, isMeant ? "nothing came that it could be seen by" : "it was not asked for");
  }
  const { language, version } = capabilitiesOf(said);
  const runtime = { ...target.runtime, language: textOf(language), version: textOf(version) };
  return { runtime, agent, tool: wanted.tool, verdicts: Object.fromEntries(stand.verdicts) as Verdicts };
}

async function play(bed: Bed, { name, needs, rules: tried, play: act }: Case): Promise<void> {
  const because = lack(bed, needs);
  if (because === undefined) {
    try {
      await act(bed);
    } catch (error) {
      const { message } = fromUnknown(error);
      for (const rule of tried) bed.stand.untried(rule, `the case '${name}' broke off: ${message}`);
    }
  }
  for (const rule of tried) bed.stand.untried(rule, because ?? "what it needs was not kept: see above");
}

/** The runtime beats, or registers when it is told that it was forgotten. */
async function find(stand: Stand, wanted: string | undefined, ms: number, process?: UnderTest): Promise<Heard> {
  const isWanted = (one: Heard): boolean => {
    const [id, execId] = [at(one, "agent_runtime.id"), at(one, "agent_runtime.exec_id")];
    return execId !== undefined && (wanted === undefined || wanted === id || wanted === execId);
  };
  const isRegistered = (one: Heard): Heard | undefined =>
    named(one) === "AgentRuntimeRegistered" && isWanted(one) ? one : undefined;
  const isSeen = (one: Heard): Heard | undefined =>
    named(one) === "AgentRuntimeHeartbeat" && isWanted(one) ? one : isRegistered(one);
  const ended = process?.ended.then((code) => `it ended with ${code}: ${process.said().trim()}`);
  const seen = await Promise.race([stand.first(isSeen, ms), ...(ended ? [ended] : [])]);
  if (typeof seen === "string") {
    throw new TroupeError("NO_RESPONDER", `the runtime did not come up: ${seen}`, { reason: "ended" });
  }
  if (!seen) {
    const who = wanted === undefined ? "no runtime" : `no runtime '${wanted}'`;
    const message = `${who} was heard of within ${ms} ms: neither a registration nor a beat under this prefix`;
    const fix = "look at the address, the prefix, the layout of subjects, and whether it may publish";
    throw new TroupeError("NO_RESPONDER", message, { reason: "no_runtime", fix });
  }
  if (named(seen) === "AgentRuntimeRegistered") return seen;
  const { id, exec_id } = seen.body["agent_runtime"] as { id: string; exec_id: string };
  const from = stand.heard.length;
  forget(stand, { id, exec_id });
  return (await stand.first(isRegistered, stand.patienceMs, from)) ?? seen;
}

function targetOf(said: Heard): Target {
  const { id, exec_id } = said.body["agent_runtime"] as { id: string; exec_id: string };
  const { agents, max_concurrent_executions: max } = capabilitiesOf(said);
  const heartbeatMs = at(said, "payload.context.heartbeat_ms");
  return {
    runtime: { id, exec_id },
    agents: Array.isArray(agents) ? agents.map(String) : [],
    max: typeof max === "number" ? max : 1,
    heartbeatMs: typeof heartbeatMs === "number" ? heartbeatMs : usualHeartbeatMs,
  };
}
const usualHeartbeatMs = 5_000;
const capabilitiesOf = (said: Heard): Readonly<Record<string, unknown>> => {
  const capabilities = at(said, "agent_runtime.capabilities");
  return isObject(capabilities) ? capabilities : {};
};
const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

// ── what holds for every message ──

/** A clock may be wrong by so much. */
const clockMs = 300_000;
const utc = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

function judgeAll({ stand, target }: Bed): void {
  const ids = new Map<unknown, string>();
  const ends = new Map<string, string>();
  for (const one of stand.heard) {
    const isOfRuntime = one.subject.includes(target.runtime.exec_id);
    if (!isOfRuntime && !stand.isOurs(one)) continue;
    judgeMessage(stand, one);
    const id = at(one, "metadata.message_id");
    const before = ids.get(id);
    // Said again it is the same message; another one with the same id would be dropped.
    stand.judge(
      "message-ids",
      before === undefined || before === one.text,
      "a message_id that no other message has",
      one,
    );
    ids.set(id, one.text);
    judgeEnd(stand, ends, one);
  }
}

function judgeMessage(stand: Stand, one: Heard): void {
  const warnings = one.parsed?.warnings.map(({ given, use }) => `${given} instead of ${use}`) ?? [];
  const isRight = one.flaw === undefined && warnings.length === 0;
  const expected = warnings.length > 0 ? `no old words (${warnings.join("; ")})` : "a message of the protocol";
  stand.judge("well-formed", isRight, expected, one);
  if (!isObject(one.body["metadata"])) return;
  const {
    message_id: id,
    correlation_id: correlation,
    event_timestamp: time,
    source_component: source,
  } = one.body["metadata"];
  const { headers } = one;
  stand.judge("message-ids", headers[headerNames.messageId] === id, `the header Nats-Msg-Id: ${String(id)}`, one);
  const isHeader = headers[headerNames.correlationId] === correlation;
  stand.judge("correlation-header", isHeader, `the header Troupe-Correlation-Id: ${String(correlation)}`, one);
  const isNow = typeof time === "string" && utc.test(time) && Math.abs(Date.parse(time) - one.at) < clockMs;
  stand.judge("timestamps", isNow, "the time of now, such as 2026-11-21T09:00:00.000Z", one);
  const speaker = String(source).split(":", 1)[0] ?? "";
  const isTool = one.parsed !== undefined && !entryOf(one.parsed.key).by.some((by) => by === "AR" || by === "any");
  const wanted = isTool ? ["tool.Executor"] : ["agent.Runtime", "tool.Executor"];
  stand.judge("source", wanted.includes(speaker), wanted.join(" or "), one);
}

/** A result, and after it nothing of that run but the same result again. */
function judgeEnd(stand: Stand, ends: Map<string, string>, one: Heard): void {
  const key = one.parsed?.key;
  if (key === undefined || key.startsWith("log:")) return;
  const entity = key.includes(":Agent") && !key.includes("Runtime") ? "agent" : undefined;
  const execId = entity && at(one, `${entity}.exec_id`);
  if (typeof execId !== "string") return;
  const end = ends.get(execId);
  const id = String(at(one, "metadata.message_id"));
  stand.judge("answers-once", end === undefined || end === id, "nothing more of a run after its result", one);
  if (key === "result:AgentExecutionResult") ends.set(execId, id);
}
