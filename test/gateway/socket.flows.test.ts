// Goal: conversations over a socket are the golden flows ws-1 to ws-6, frame for frame, and what they cause on the bus.
// Method: each flow with a real client before a listening gateway, over a troupe on a transport whose bytes are read;
// what the client sent and got and what went over the bus stand in one list, which is compared with the flow.

import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { memoryTransport } from "../../src/transport/memory.ts";
import { flowOf } from "../kit/flows.ts";
import { stopAll } from "./socket-bed.ts";
import { type Heard, mismatch, playFlow, type Scene, scenes, socketFlows, wrongWith } from "./socket-flows.ts";

afterEach(stopAll);

const inMemory = () => memoryTransport({ clock: systemClock(), random: randomFrom(1) });

describe.each(socketFlows)("$id", (flow) => {
  test(flow.title, async () => {
    const played = scenes[flow.id];
    expect(played, "the flow is played").toBeDefined();
    for (const scene of played ?? []) {
      expect(wrongWith(flow, scene, await playFlow(scene, inMemory()))).toBeNull();
    }
  });
});

test("the comparison finds a frame too many, one too few, and another order", async () => {
  const flow = flowOf("ws-1-start-agent");
  const [scene] = scenes["ws-1-start-agent"] ?? [];
  const heard = await playFlow(scene as Scene, inMemory());
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
