// Goal: conversations over a socket are the golden flows ws-1 to ws-6, frame for frame, and what they cause on the bus.
// Method: each flow with a real client before a listening gateway, over a troupe on a transport whose bytes are read;
// what the client sent and got and what went over the bus stand in one list, which is compared with the flow.

import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { catalogue, isKey } from "../../src/protocol/catalogue.ts";
import { type Expected, type Flow, flowOf, flows } from "../kit/flows.ts";
import { tappedTransport } from "../kit/tapped-transport.ts";
import type { Line } from "../kit/virtual-troupe.ts";
import { clerk, type Client, echo, type Frame, openBed, orders, slow, stopAll } from "./socket-bed.ts";

afterEach(stopAll);

type Heard = { frame: Frame } | { line: Line };
type Scene = { first: object; direct: (client: Client, send: (frame: object) => void) => Promise<unknown> };

/** Provoked as the flow says; ends once nothing more can come. */
async function playFlow({ first, direct }: Scene): Promise<Heard[]> {
  const heard: Heard[] = [];
  const transport = tappedTransport(systemClock(), (line) => void heard.push({ line }));
  const agents = [clerk, echo, { ...slow, timeout: "1s" }];
  const { client, t } = await openBed({ transport, agents, tools: [orders] });
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

const scenes: Readonly<Record<string, readonly Scene[]>> = {
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
function mismatch({ messages, scope }: Flow, all: readonly Heard[]): string | null {
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

describe.each(flows.filter(({ id }) => id.startsWith("ws-")))("$id", (flow) => {
  test(flow.title, async () => {
    const played = scenes[flow.id];
    expect(played, "the flow is played").toBeDefined();
    for (const scene of played ?? []) {
      const heard = await playFlow(scene);
      // What holds for one old type holds for the other.
      const [first, ...rest] = flow.messages as [Expected, ...Expected[]];
      const { type } = scene.first as Frame;
      expect(mismatch({ ...flow, messages: [{ ...first, type }, ...rest] }, heard)).toBeNull();
      const trigger = heard.flatMap((one) => ("line" in one ? [one.line] : [])).find(isTrigger);
      if (!flow.messages.some(({ type }) => type === "TaskTrigger")) expect(trigger).toBeUndefined();
      else {
        const runs = heard.flatMap((one) => ("frame" in one ? [one.frame["run_id"] ?? []].flat() : []));
        expect(new Set(runs)).toEqual(new Set([trigger?.word.task?.exec_id]));
        expect(trigger?.word.to).toMatch(/^compozy\.commands\.task\._\.trigger\.(?:clerk|echo|slow)$/);
      }
    }
  });
});

const isTrigger = ({ word }: Line): boolean => word.type === "command:TaskTrigger";

test("the comparison finds a frame too many, one too few, and another order", async () => {
  const flow = flowOf("ws-1-start-agent");
  const [scene] = scenes["ws-1-start-agent"] ?? [];
  const heard = await playFlow(scene as Scene);
  const isFrame = (type: string) => (one: Heard) => "frame" in one && one.frame.type === type;
  const last = heard.findLast(isFrame("agent_completed")) as Heard;
  expect(mismatch(flow, [...heard, last])).toMatch(/^nothing more was expected/);
  expect(
    mismatch(
      flow,
      heard.filter((one) => !isFrame("tool_completed")(one)),
    ),
  ).toMatch(/tool_completed, but/);
  expect(mismatch(flow, [last, ...heard.filter((one) => one !== last)])).toMatch(/^expected CLIENT frame:start_agent/);
});
