// The tool executor: runs the handlers of tools in this process.

import type { Cue } from "../machines/cues.ts";
import { handlerRun } from "../machines/handler-run.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { isElsewhere } from "../tools/tool.ts";
import { as, type Component, type Host } from "./component.ts";
import type { Room } from "./flow-calls.ts";
import type { World } from "./world.ts";

type Order = Message<"command:ToolExecute">;

const handlerAt = (execId: string): string => `handler/${execId}`;

type Waits = { waits: true };
type Elsewhere = { elsewhere: true };

/** Why it cannot be run; or that its own limits say when, and it is to ask them; or that it runs elsewhere. */
function problemOf({ world, run }: Host, { tool, payload }: Order): WireError | Waits | Elsewhere | null {
  const definition = world.definitions.tools.get(tool.id);
  if (!definition) return { code: "TOOL_NOT_FOUND", message: `there is no tool '${tool.id}'`, details: {} };
  if (isElsewhere(definition)) return { elsewhere: true };
  const hasLimits = definition.concurrency !== undefined || definition.rate !== undefined;
  const busy = hasLimits ? undefined : busyIn(world);
  if (busy) return busy;
  const { errors } = schemaOf(definition.input).check(payload.context.input);
  if (!errors && hasLimits) return { waits: true };
  if (!errors) {
    world.handlers.reserve("tool", run.id, handlerAt(tool.exec_id));
    return null;
  }
  return { code: "TOOL_INPUT_INVALID", ...wrong(`the input of tool '${tool.id}'`, errors) };
}

function busyIn({ handlers, limits }: World): WireError | undefined {
  if (handlers.running("tool") < limits.tools) return undefined;
  return {
    code: "TOOL_DISPATCH_FAILED",
    message: `${limits.tools} tools are at work, and no more may be`,
    details: { reason: "all_busy", limit: "tools", max: limits.tools },
  };
}

/** Whether a tool with limits may begin now. */
function roomFor({ world, run, actor }: Host, address: string): Room {
  const handler = actor(address);
  if (!handler) throw new Error(`'${address}' wants room, and is not there`);
  const { order } = handler.life.snapshot.context as { order: Order };
  const { id, exec_id: execId } = order.tool;
  const { input } = order.payload.context;
  const room = world.calls.want({ kind: "tool", id, execId, input, run: run.id, address }) ?? { is: "room" };
  if (room.is !== "room") return room;
  const error = busyIn(world);
  if (error) return { is: "refused", error };
  world.handlers.reserve("tool", run.id, address);
  world.calls.begin(execId);
  return room;
}

export const toolExecutor: Component = {
  role: "tool-executor",
  code: "XE",
  group: "tool-executor",
  hears: {
    "command:ToolExecute": (host, { word, run }) => {
      const order = as<Order>(word);
      const address = handlerAt(order.tool.exec_id);
      if (host.tell(address, word)) return;
      const given = host.ask(() => problemOf(host, order));
      if (given && "elsewhere" in given) return;
      const more = {
        ...(given && ("waits" in given ? given : { problem: given })),
        ...(run === "" && { isRemote: true }),
      };
      host.enter(address, handlerRun, "XE", { order, ...more });
    },
    "command:ToolCancel": (host, { word }) => void host.tell(handlerAt(word.tool?.exec_id ?? ""), word),
    // It may be asked again: whoever waited is told that there is room.
    "cue:RoomWanted": (host, { from }) => {
      const room = host.ask(() => roomFor(host, from));
      if (room.is === "line") return;
      host.tell(from, { type: "cue:RoomGranted", ...(room.is === "refused" && { problem: room.error }) });
    },
    "cue:Perform": (host, { from }) => host.effect(() => host.world.handlers.perform(host.run.id, from)),
    "cue:Abort": (host, { word, from }) => {
      const { cause, reason } = as<Cue<"cue:Abort">>(word);
      host.effect(() => host.world.handlers.abort(host.run.id, from, cause, reason));
    },
  },
};
