// The conversations of the golden flows ws-1 to ws-6 before a listening gateway, and how they are held against a flow.
//
// What the client sent and got and what its troupe said on the bus stand in one list, in the order in which they were.

import { catalogue, isKey } from "../../src/protocol/catalogue.ts";
import type { Options } from "../../src/runtime/options.ts";
import type { Troupe } from "../../src/runtime/troupe.ts";
import type { Transport } from "../../src/transport/transport.ts";
import { type Expected, type Flow, flows } from "../kit/flows.ts";
import { tapped } from "../kit/tapped-transport.ts";
import type { Line } from "../kit/virtual-troupe.ts";
import { clerk, type Client, echo, type Frame, openBed, orders, slow } from "./socket-bed.ts";

export type Heard = { frame: Frame } | { line: Line };
export type Scene = { first: object; direct: (client: Client, send: (frame: object) => void) => Promise<unknown> };

export const served = { agents: [clerk, echo, { ...slow, timeout: "1s" }], tools: [orders] };

/** Provoked as the flow says; ends once nothing more can come. `ready`: whoever has to be there before it begins is. */
export async function playFlow(
  { first, direct }: Scene,
  inner: Transport,
  { roles, ready }: Pick<Options, "roles"> & { ready?: (troupe: Troupe) => Promise<unknown> } = {},
): Promise<Heard[]> {
  const heard: Heard[] = [];
  const transport = tapped(inner, (line) => void heard.push({ line }));
  const { client, t } = await openBed({ transport, ...served, ...(roles && { roles }) });
  await ready?.(t);
  const one = await client();
  const send = (frame: object): void => {
    heard.push({ frame: frame as Frame });
    one.send(frame);
  };
  one.socket.on("message", (text: Buffer) => heard.push({ frame: JSON.parse(text.toString()) as Frame }));
  heard.length = 0;
  send(first);
  await direct(one, send);
  // Everything that was said before this answer has been said.
  one.send({ type: "ping", id: "last" });
  await one.of("pong", "last");
  await t.stop({ graceMs: 0 });
  return heard;
}

const completed = (client: Client): Promise<unknown> => client.of("agent_completed", "r1");
const start = { id: "r1", type: "start_agent", user_request: "A7", thread_id: "t9" };
const old = { id: "r1", agent_type: "echo", session_id: "t9", data: { query: "hi" } };

export const scenes: Readonly<Record<string, readonly Scene[]>> = {
  "ws-1-start-agent": [{ first: { ...start, agent_id: "clerk" }, direct: completed }],
  "ws-2-unknown-type": [
    { first: { id: "r1", type: "run_agent", user_request: "hi" }, direct: (client) => client.of("error", "r1") },
  ],
  "ws-3-deprecated-alias": [
    { first: { ...old, type: "agent_execute" }, direct: completed },
    { first: { ...old, type: "execute_agent" }, direct: completed },
  ],
  "ws-4-missing-field": [
    { first: { id: "r1", type: "start_agent", agent_id: "echo" }, direct: (client) => client.of("error", "r1") },
  ],
  "ws-5-cancel": [
    {
      first: { ...start, agent_id: "slow" },
      async direct(client, send) {
        const { run_id } = await client.of("agent_started", "r1");
        send({ id: "r2", type: "cancel", run_id });
        await completed(client);
      },
    },
  ],
  "ws-6-agent-timeout": [{ first: { ...start, agent_id: "slow" }, direct: completed }],
};

// ── comparing ──

const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, step) => (inner as Record<string, unknown> | undefined)?.[step], value);

type Told = { status?: string; result?: { error?: { code?: string } } | null; context?: { code?: string } };

function fits(heard: Heard, { kind, type, by, status, code, match = {} }: Expected): boolean {
  const literals = Object.entries(match).filter(([, value]) => !String(value).startsWith("{"));
  if ("frame" in heard) {
    const { frame } = heard;
    const isOf = kind === "frame" && frame.type === type;
    const told = frame["code"] ?? at(frame, "error.code");
    const fields = literals.every(([path, value]) => at(frame, path) === value);
    return isOf && (status === undefined || frame["status"] === status) && (code ?? told) === told && fields;
  }
  const { word } = heard.line;
  const payload = (word["payload"] ?? {}) as Told;
  const told = payload.result?.error?.code ?? payload.context?.code;
  const isOf = word.type === `${kind}:${type}` && heard.line.by === by;
  return isOf && (status === undefined || payload.status === status) && (code === undefined || code === told);
}

const entityOf = (heard: Heard): string => {
  if ("frame" in heard) return "frame";
  const { type } = heard.line.word;
  return isKey(type) ? (catalogue[type].entity ?? (type.startsWith("log:") ? "log" : "")) : "";
};
const told = (heard: Heard | undefined): string => {
  if (!heard) return "nothing";
  return "frame" in heard ? `frame ${JSON.stringify(heard.frame)}` : `${heard.line.by} ${heard.line.word.type}`;
};
const isAck = ({ type }: Expected): boolean => type === "CommandAck";
const isWordOf = (heard: Heard, { kind, type }: Expected): boolean =>
  "line" in heard && heard.line.word.type === `${kind}:${type}`;

/** What is wrong, as a sentence; null if it is the flow. Frames take their time: they follow what is listed before. */
export function mismatch({ messages, scope }: Flow, all: readonly Heard[]): string | null {
  const concerned = all.filter((heard) => {
    if ("line" in heard && heard.line.word.type.startsWith("progress:")) return false;
    if ("frame" in heard && ["pong", "ping"].includes(heard.frame.type)) return false;
    return scope.includes(entityOf(heard)) || messages.some((one) => !isAck(one) && isWordOf(heard, one));
  });
  for (const expected of messages.filter(isAck)) {
    if (!all.some((heard) => fits(heard, expected))) return `nobody acknowledged ${expected.subject}`;
  }
  const placed = new Map<Expected, number>();
  for (const isOfSocket of [false, true]) {
    const open = concerned.filter((heard) => "frame" in heard === isOfSocket);
    const wanted = messages.filter((one) => !isAck(one) && (one.kind === "frame") === isOfSocket);
    for (let next = 0; next < wanted.length;) {
      const { group } = wanted[next] as Expected;
      const size = group === undefined ? 1 : wanted.slice(next).filter((one) => one.group === group).length;
      const block = wanted.slice(next, next + size);
      next += size;
      for (let first = open[0]; first && block.length > 0; first = open[0]) {
        const place = block.findIndex((one) => fits(first as Heard, one));
        if (place === -1) break;
        placed.set(block[place] as Expected, all.indexOf(first));
        block.splice(place, 1);
        open.shift();
      }
      const missing = block.find(({ optional }) => optional !== true);
      if (missing) return `expected ${missing.by} ${missing.kind}:${missing.type}, but ${told(open[0])} came`;
    }
    if (open[0]) return `nothing more was expected, but ${told(open[0])} came`;
  }
  for (const [frame, at] of placed) {
    if (frame.kind !== "frame" || frame.by === "CLIENT" || frame.group !== undefined) continue;
    const early = messages.slice(0, messages.indexOf(frame)).find((one) => (placed.get(one) ?? -1) > at);
    if (early) return `${frame.type} came before ${early.type}`;
  }
  return null;
}

/** What is wrong with one way to play a flow, as a sentence; null if nothing is. */
export function wrongWith(flow: Flow, scene: Scene, heard: readonly Heard[]): string | null {
  // What holds for one old type holds for the other.
  const [first, ...rest] = flow.messages as [Expected, ...Expected[]];
  const { type } = scene.first as Frame;
  const problem = mismatch({ ...flow, messages: [{ ...first, type }, ...rest] }, heard);
  if (problem !== null) return problem;
  const trigger = heard.flatMap((one) => ("line" in one ? [one.line] : [])).find(isTrigger);
  const isTriggered = flow.messages.some((one) => one.type === "TaskTrigger");
  if (isTriggered !== (trigger !== undefined)) return `a task was ${trigger ? "" : "not "}triggered`;
  if (!trigger) return null;
  const runs = heard.flatMap((one) => ("frame" in one ? [one.frame["run_id"] ?? []].flat() : []));
  if (runs.some((run) => run !== trigger.word.task?.exec_id)) return `the frames name ${JSON.stringify(runs)}`;
  return /^compozy\.commands\.task\._\.trigger\.(?:clerk|echo|slow)$/.test(String(trigger.word.to))
    ? null
    : `it was triggered at ${trigger.word.to}`;
}

const isTrigger = ({ word }: Line): boolean => word.type === "command:TaskTrigger";

export const socketFlows = flows.filter(({ id }) => id.startsWith("ws-"));
