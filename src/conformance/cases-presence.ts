// Whether a runtime is there as the protocol wants it: it registers, beats, and comes back when it was given up.

import type { Message } from "../protocol/catalogue.ts";
import { isObject } from "../protocol/json.ts";
import type { Bed, Case } from "./bed.ts";
import { at, type Heard, type Stand, textAt } from "./stand.ts";

const isRegistration =
  (runtimeId: string) =>
  (one: Heard): Heard | undefined =>
    named(one) === "AgentRuntimeRegistered" && at(one, "agent_runtime.exec_id") === runtimeId ? one : undefined;

/** By its own word, also where the rest of it is wrong: that is what is to be found. */
export const named = (one: Heard): string => textAt(one, "metadata.message_type");

const isBeat =
  (runtimeId: string) =>
  (one: Heard): Heard | undefined =>
    one.subject.includes(".heartbeats.") && one.subject.endsWith(runtimeId) ? one : undefined;

export const forget = (stand: Stand, runtime: { id: string; exec_id: string }): string =>
  stand.send(
    {
      type: "event:AgentRuntimeDeregistered",
      agent_runtime: runtime,
      payload: { status: "DEREGISTERED", result: null, context: { reason: "lease_expired" } },
    } as Message,
    { source: "AD", correlationId: runtime.exec_id },
  );

async function registration({ stand, target }: Bed): Promise<void> {
  const { runtime } = target;
  const from = stand.heard.length;
  const before = stand.heard.find((one) => isRegistration(runtime.exec_id)(one) !== undefined);
  forget(stand, runtime);
  const again = await stand.first(isRegistration(runtime.exec_id), stand.patienceMs, from);
  stand.judge("registers-again", again !== undefined, `AgentRuntimeRegistered within ${stand.patienceMs} ms`);
  const said = before ?? again;
  if (!said) return void stand.judge("registers", false, "AgentRuntimeRegistered of this runtime");
  const subject = stand.pattern({ key: "event:AgentRuntimeRegistered", params: { rt: runtime.exec_id } });
  const isRight = said.flaw === undefined && (said.subject === subject || subject.includes("*"));
  stand.judge("registers", isRight, `a well-formed AgentRuntimeRegistered on ${subject}`, said);
  judgeCapabilities(stand, said);
}

function judgeCapabilities(stand: Stand, said: Heard): void {
  const capabilities = at(said, "agent_runtime.capabilities");
  const { agents, max_concurrent_executions: max } = isObject(capabilities) ? capabilities : {};
  const isWhole = Array.isArray(agents) && agents.length > 0 && Number.isInteger(max) && Number(max) >= 1;
  stand.judge("capabilities", isWhole, "capabilities with agents[] and max_concurrent_executions of 1 or more", said);
  const [beat, lease] = [at(said, "payload.context.heartbeat_ms"), at(said, "payload.context.lease_ms")];
  const isLonger = typeof beat === "number" && typeof lease === "number" && lease > beat;
  stand.judge("terms", isLonger, "lease_ms greater than heartbeat_ms", said);
}

/** A beat that is late by half an interval was missed. */
const lateBy = 1.5;

async function beating({ stand, target }: Bed): Promise<void> {
  const { runtime, heartbeatMs } = target;
  const from = stand.heard.length;
  const one = await stand.first(isBeat(runtime.exec_id), heartbeatMs * lateBy, from);
  const after = one ? stand.heard.indexOf(one) + 1 : from;
  const two = one && (await stand.first(isBeat(runtime.exec_id), heartbeatMs * lateBy, after));
  const expected = `a beat every ${heartbeatMs} ms, as it says`;
  if (!one || !two) return void stand.judge("beats", false, expected, `none for ${heartbeatMs * lateBy} ms`);
  stand.judge("beats", two.flaw === undefined, expected, two);
  const [first, second] = [at(one, "payload.context.seq"), at(two, "payload.context.seq")];
  const isGrowing = typeof first === "number" && typeof second === "number" && second > first;
  stand.judge("beats-count", isGrowing, `a seq above ${String(first)}`, two);
}

export const presence: readonly Case[] = [
  {
    name: "registration",
    needs: [],
    rules: ["registers", "capabilities", "terms", "registers-again"],
    play: registration,
  },
  { name: "heartbeats", needs: [], rules: ["beats", "beats-count"], play: beating },
];
