// How each golden flow is provoked through the door of the library, in virtual time; and which are not, and why.

import type { Options } from "../../src/runtime/troupe.ts";
import type { Scene } from "./scene.ts";
import { agentScenes } from "./scenes/agent.ts";
import { busScenes } from "./scenes/bus.ts";
import { taskScenes } from "./scenes/task.ts";
import { toolScenes } from "./scenes/tool.ts";
import { workflowScenes } from "./scenes/workflow.ts";
import { newClock, type VirtualTroupe, virtualTroupe } from "./virtual-troupe.ts";

export const scenes: Readonly<Record<string, Scene>> = {
  ...agentScenes,
  ...taskScenes,
  ...toolScenes,
  ...workflowScenes,
  ...busScenes,
};

/** Plays a scene to its end and gives the stage, still open. */
export async function playScene(
  { given = () => ({}), direct, watchMs = 20_000, processes }: Scene,
  options: Pick<Options, "subjects" | "wire"> & Pick<Scene, "processes"> = {},
): Promise<VirtualTroupe> {
  const clock = newClock();
  const stage = await virtualTroupe({ ...given(clock), ...options, ...(processes && { processes }), clock });
  await direct(stage);
  await stage.pass(watchMs);
  return stage;
}

/** Flows that are not played, each with the reason. */
export const leftOut: Readonly<Record<string, string>> = {
  "ws-1-start-agent": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
  "ws-2-unknown-type": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
  "ws-3-deprecated-alias": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
  "ws-4-missing-field": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
  "ws-5-cancel": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
  "ws-6-agent-timeout": "is played before a listening gateway, in test/gateway/socket.flows.test.ts",
};
