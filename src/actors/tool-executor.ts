// The tool executor: runs the handlers of tools in this process.

import type { Cue } from "../machines/cues.ts";
import { handlerRun } from "../machines/handler-run.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import { checkedBy } from "../tools/tool.ts";
import { as, type Component, type Host } from "./component.ts";

type Order = Message<"command:ToolExecute">;

const handlerAt = (execId: string): string => `handler/${execId}`;

function problemOf({ world, run }: Host, { tool, payload }: Order): WireError | null {
  const definition = world.definitions.tools.get(tool.id);
  if (!definition) return { code: "TOOL_NOT_FOUND", message: `there is no tool '${tool.id}'`, details: {} };
  if (world.handlers.running("tool") >= world.limits.tools) {
    return {
      code: "TOOL_DISPATCH_FAILED",
      message: `${world.limits.tools} tools are at work, and no more may be`,
      details: { reason: "all_busy", limit: "tools", max: world.limits.tools },
    };
  }
  const { errors } = checkedBy(definition.input, structuredClone(payload.context.input));
  if (!errors) {
    world.handlers.reserve("tool", run.id, handlerAt(tool.exec_id));
    return null;
  }
  const listed = errors.map(({ field, message }) => `${field}: ${message}`).join("; ");
  return {
    code: "TOOL_INPUT_INVALID",
    message: `the input of tool '${tool.id}' is wrong: ${listed}`,
    details: { errors },
  };
}

export const toolExecutor: Component = {
  role: "tool-executor",
  code: "XE",
  group: "tool-executor",
  hears: {
    "command:ToolExecute": (host, { word }) => {
      const order = as<Order>(word);
      const address = handlerAt(order.tool.exec_id);
      if (host.tell(address, word)) return;
      const problem = host.ask(() => problemOf(host, order));
      host.enter(address, handlerRun, "XE", { order, ...(problem && { problem }) });
    },
    "command:ToolCancel": (host, { word }) => void host.tell(handlerAt(word.tool?.exec_id ?? ""), word),
    "cue:Perform": (host, { from }) => host.effect(() => host.world.handlers.perform(host.run.id, from)),
    "cue:Abort": (host, { word, from }) => {
      const { cause, reason } = as<Cue<"cue:Abort">>(word);
      host.effect(() => host.world.handlers.abort(host.run.id, from, cause, reason));
    },
  },
};
