// Whether a runtime that is told to end drains: it says so, takes nothing new, finishes what runs, and leaves.

import { type Bed, type Case, known } from "./bed.ts";
import { named } from "./cases-presence.ts";
import { ackOf, errorOf, orderAgent, resultOf, statusOf } from "./orders.ts";
import { at, type Heard } from "./stand.ts";

const hangMs = 1_500;
/** How long a runtime may take to leave once nothing runs. */
const leaveMs = 10_000;

async function leaving({ stand, target, process, agent }: Bed): Promise<void> {
  const { exec_id: runtimeId } = target.runtime;
  const runs = agent === known ? orderAgent(stand, target, known, { do: "hang", ms: hangMs }) : undefined;
  if (runs) await ackOf(stand, runs);
  const from = stand.heard.length;
  process?.stop();
  const isDraining = (one: Heard): Heard | undefined =>
    one.subject.endsWith(runtimeId) && at(one, "payload.context.draining") === true ? one : undefined;
  const draining = await stand.first(isDraining, stand.patienceMs, from);
  stand.judge(
    "drains",
    draining !== undefined,
    `a heartbeat with draining: true within ${stand.patienceMs} ms`,
    draining,
  );
  if (runs && draining) {
    const late = orderAgent(stand, target, known, { do: "echo", value: 1 });
    const refused = await ackOf(stand, late);
    const isRefused = refused === undefined || errorOf(refused).code === "AGENT_RUNTIME_BUSY";
    stand.judge("drain-refuses", isRefused, "CommandAck ERROR, AGENT_RUNTIME_BUSY, or nobody there", refused);
    const result = await resultOf(stand, runs);
    stand.judge("drain-finishes", statusOf(result) === "SUCCESS", "the result of what ran: SUCCESS", result);
  }
  const isFarewell = (one: Heard): Heard | undefined =>
    named(one) === "AgentRuntimeDeregistered" && at(one, "agent_runtime.exec_id") === runtimeId ? one : undefined;
  const farewell = await stand.first(isFarewell, leaveMs, from);
  const isRight = farewell?.flaw === undefined && at(farewell, "payload.context.reason") === "shutdown";
  stand.judge("farewell", farewell !== undefined && isRight, "AgentRuntimeDeregistered with reason shutdown", farewell);
  const code = await Promise.race([process?.ended, stand.wait(leaveMs).then(() => "still running")]);
  // Of a process that is not ours nothing is known but that it has gone.
  stand.judge("ends", code === 0 || code === null, "exit code 0", `it ended with ${String(code)}`);
}

export const leavingCases: readonly Case[] = [
  { name: "leaving", needs: ["process"], rules: ["drains", "farewell", "ends"], play: leaving },
  {
    name: "leaving while something runs",
    needs: ["process", "known agent"],
    rules: ["drain-refuses", "drain-finishes"],
    play: () => Promise.resolve(),
  },
];
