// The agent dispatcher: finds a runtime for each agent execution, relays its order and cancel, watches that it lives.

import { agentDispatch } from "../machines/agent-dispatch.ts";
import { answerEnded, answerUnknown } from "../machines/answers.ts";
import type { Cue } from "../machines/cues.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Status } from "../protocol/statuses.ts";
import { as, type Component, type Ear, execIdIn, type Host, type Word } from "./component.ts";
import type { Room } from "./flow-calls.ts";
import type { Choice } from "./registry.ts";
import { placeAt } from "./state-manager.ts";
import type { World } from "./world.ts";

const dispatchAt = (execId: string): string => `dispatch/${execId}`;

type RuntimeWord = Parameters<World["registry"]["hear"]>[0];
const toRegistry: Ear = ({ world }, { word }) => world.registry.hear(as<RuntimeWord>(word));

const toDispatch: Ear = (host, { word }) => {
  if (word.tool !== undefined) return;
  noteError(host, word);
  host.tell(dispatchAt(word.agent?.exec_id ?? ""), word);
};

/** Whoever has the agent is known only as long as it is dispatched. */
function noteError({ world, at }: Host, { agent, payload }: Word): void {
  const { result } = payload as { result?: { error?: WireError } | null };
  if (agent && result?.error) world.registry.failed(agent.exec_id, result.error, at);
}

/** A runtime, if the limits of the agent let it begin. */
function choose({ world, run, actor }: Host, id: string, except: readonly string[], address: string): Choice | Shut {
  const dispatch = actor(address);
  if (!dispatch) throw new Error(`'${address}' wants a runtime, and is not there`);
  const { order } = dispatch.life.snapshot.context as { order: Message<"command:TriggerAgent"> };
  const { input } = order.payload.context;
  const execId = order.agent.exec_id;
  const room = world.calls.want({ kind: "agent", id, execId, input, run: run.id, address });
  if (room && room.is !== "room") return room;
  const choice = world.registry.choose(id, except);
  if (room && choice.is === "chosen") world.calls.begin(execId);
  return choice;
}
type Shut = Exclude<Room, { is: "room" }>;

export const agentDispatcher: Component = {
  role: "agent-dispatcher",
  code: "AD",
  group: "agent-dispatcher",
  hears: {
    "command:TriggerAgent": (host, { word }) => {
      const order = as<Message<"command:TriggerAgent">>(word);
      const address = dispatchAt(order.agent.exec_id);
      // The same order twice: it is under way.
      if (!host.actor(address)) host.enter(address, agentDispatch, "AD", { order });
    },
    "command:AgentCancel": (host, { word }) => {
      const command = as<Message<"command:AgentCancel">>(word);
      const { exec_id } = command.agent;
      if (host.tell(dispatchAt(exec_id), word)) return;
      const known = host.run.executions.get(placeAt("agent", exec_id, command.task?.exec_id));
      host.say("AD", known ? answerEnded(known.status as Status<"agent">, command) : answerUnknown(command));
    },
    "result:CommandAck": (host, { word, by }) => {
      if (by === "AD" || !word.agent) return;
      noteError(host, word);
      host.tell(dispatchAt(word.agent.exec_id), word);
    },
    "event:AgentExecutionStarted": toDispatch,
    "event:AgentExecutionResult": toDispatch,
    "event:AgentExecutionFailed": toDispatch,
    "event:AgentExecutionCanceled": toDispatch,

    "event:AgentRuntimeRegistered": toRegistry,
    "progress:AgentRuntimeHeartbeat": toRegistry,
    "event:AgentRuntimeDeregistered": (host, heard) => {
      if (heard.by !== "AD") toRegistry(host, heard);
    },

    "cue:ChooseRuntime": (host, { word, from }) => {
      const { agent, except } = as<Cue<"cue:ChooseRuntime">>(word);
      const { registry } = host.world;
      const choice = host.ask(() => choose(host, agent, except, from));
      const place = { run: host.run.id, address: from };
      if (choice.is === "line") return void host.tell(from, { type: "cue:InLine" });
      if (choice.is === "refused") return void host.tell(from, { type: "cue:NoRuntime", error: choice.error });
      if (choice.is === "none") return void host.tell(from, { type: "cue:NoRuntime" });
      if (choice.is === "busy") {
        registry.wait(agent, execIdIn(from), place);
        return void host.tell(from, { type: "cue:AllBusy" });
      }
      registry.take(choice.runtime.exec_id, execIdIn(from), place);
      host.tell(from, { type: "cue:RuntimeChosen", runtime: choice.runtime });
    },
  },
};
