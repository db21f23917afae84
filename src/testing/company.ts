// A company on the stage: charts and extras that together play a whole run. Who hears what stands in one table.

import { agentDispatch } from "../machines/agent-dispatch.ts";
import { agentRuntime } from "../machines/agent-runtime.ts";
import type { CueKey } from "../machines/cues.ts";
import { linear } from "../machines/plan.ts";
import { workflowExecution } from "../machines/workflow-execution.ts";
import type { Key, Message } from "../protocol/catalogue.ts";
import {
  acknowledge,
  beginCall,
  beginTask,
  dispatchTask,
  execute,
  perform,
  register,
  runtime,
  stop,
  type Told,
  type World,
} from "./extras.ts";
import { type Play, tasksIn } from "./play.ts";
import { openStage, type Stage, type Word } from "./stage.ts";

/** Something was said: by whom, and from which address. */
type Heard = { told: Told; by: string; from: string };
type Ear = (world: World, heard: Heard) => void;

/** What follows the kind of chart in an address: the execution it is about. */
const execIdIn = (address: string): string => address.slice(address.indexOf("/") + 1);

/** The word as the chart that is meant hears it: types are the catalogue's, checked where it was said. */
const as = <T>(told: Told): T => told as unknown as T;

const toWorkflow: Ear = ({ stage }, { told }) => void stage.tell(`workflow/${told.workflow?.exec_id}`, told);
const toRun: Ear = ({ stage, workflow }, { told }) => void stage.tell(`workflow/${workflow.exec_id}`, told);
const toTask: Ear = ({ stage }, { told }) => void stage.tell(`task/${told.task?.exec_id}`, told);
const toParent: Ear = ({ stage, parents }, { told, from }) => void stage.tell(parents.get(execIdIn(from)) ?? "", told);
const toCall: Ear = ({ stage }, { told }) => void stage.tell(`call/${(told.tool ?? told.agent)?.exec_id}`, told);
const toDispatch: Ear = ({ stage }, { told }) => void stage.tell(`dispatch/${told.agent?.exec_id}`, told);

/** A worker's word goes to the orchestrator; its own words about a task it does not hear again. */
const fromExecutor: Ear = (world, heard) => {
  if (heard.by === "TE") toTask(world, heard);
};

/** The caller hears that its callee began; the dispatcher and the task hear all, except what they said themselves. */
const ofCall: Ear = (world, heard) => {
  const { told, by } = heard;
  if (told.type.endsWith("Started")) toCall(world, heard);
  if (told.agent && !told.tool) toDispatch(world, heard);
  if (by !== "WO") toTask(world, heard);
};

const ears: { [key in Key | CueKey]?: Ear } = {
  "command:WorkflowExecute": (world, { told }) => {
    const { stage, play } = world;
    const address = `workflow/${told.workflow?.exec_id}`;
    if (stage.tell(address, told)) return;
    stage.enter(address, workflowExecution, "WO", {
      order: as<Message<"command:WorkflowExecute">>(told),
      graph: linear(play.tasks),
      timeoutMs: play.timeoutMs ?? 86_400_000,
      concludes: false,
      ...(play.problem && { problem: play.problem }),
    });
  },
  "command:WorkflowPause": toWorkflow,
  "command:WorkflowResume": toWorkflow,
  "command:WorkflowCancel": toWorkflow,
  "command:WorkflowSignal": (world, { told, by, from }) => {
    if (by === "TE") world.signalers.set(told.workflow?.exec_id ?? "", execIdIn(from));
    // A task that signals wants to know whether it was heard.
    const asked = by === "TE" ? { ...told, payload: { ...told.payload, reply_to_subject: "_INBOX.signal" } } : told;
    world.stage.tell(`workflow/${told.workflow?.exec_id}`, asked);
  },
  "command:TaskResume": toTask,
  "command:TaskCancel": (world, heard) => {
    if (heard.by !== "WO") toTask(world, heard);
    world.stage.tell(`attempt/${heard.told.task?.exec_id}`, heard.told);
  },
  "command:TaskExecute": (world, { told }) => execute(world, as(told)),
  "command:TriggerAgent": ({ stage, play }, { told }) => {
    const { agent } = told;
    if (play.dispatcher === false) stage.tell(`call/${agent?.exec_id}`, { type: "cue:NoResponder" });
    else
      stage.enter(`dispatch/${agent?.exec_id}`, agentDispatch, "AD", {
        order: as<Message<"command:TriggerAgent">>(told),
      });
  },
  "command:AgentCancel": toDispatch,
  "command:AgentRuntimeExecute": (world, { told }) => {
    if (!told.agent || !world.runtimeAlive) return;
    world.held.add(told.agent.exec_id);
    acknowledge(world, told);
    perform(world, "AR", told, told.agent);
  },
  "command:AgentRuntimeCancel": (world, { told }) => {
    if (!told.agent || !world.runtimeAlive) return;
    acknowledge(world, told);
    stop(world, "AR", told, told.agent);
  },
  "command:ToolExecute": (world, { told }) => {
    const { stage, play } = world;
    if (!told.tool) return;
    if (play.scripts[told.tool.id]) perform(world, "XE", told, told.tool);
    else stage.tell(`call/${told.tool.exec_id}`, { type: "cue:NoResponder" });
  },
  "command:ToolCancel": (world, { told }) => told.tool && stop(world, "XE", told, told.tool),

  "result:AgentExecutionResult": toCall,
  "result:ToolExecutionResult": toCall,
  "result:CommandAck": (world, heard) => {
    const { told, by } = heard;
    if (by === "AR") toDispatch(world, heard);
    const signaler = world.signalers.get(told.workflow?.exec_id ?? "");
    if (by === "WO" && signaler !== undefined) world.stage.tell(`attempt/${signaler}`, told);
  },

  "event:TaskScheduled": (world, { told }) => dispatchTask(world, told),
  "event:TaskRetryScheduled": (world, { told }) => dispatchTask(world, told),
  "event:TaskWaitingEnded": (world, { told }) => dispatchTask(world, told),
  "event:TaskExecutionStarted": fromExecutor,
  "event:TaskWaitingStarted": fromExecutor,
  "event:TaskExecutionSuccess": fromExecutor,
  "event:TaskExecutionFailed": fromExecutor,
  "event:TaskExecutionCanceled": (world, heard) => {
    world.stopped.add(heard.told.task?.exec_id ?? "");
    fromExecutor(world, heard);
  },
  "event:AgentExecutionStarted": ofCall,
  "event:AgentExecutionResult": ofCall,
  "event:AgentExecutionFailed": ofCall,
  "event:AgentExecutionCanceled": ofCall,
  "event:ToolExecutionStarted": ofCall,
  "event:ToolExecutionSuccess": ofCall,
  "event:ToolExecutionFailed": ofCall,
  "event:ToolExecutionCanceled": ofCall,
  "event:AgentRuntimeRegistered": ({ stage }, { told }) =>
    stage.enter("runtime", agentRuntime, "AD", { registration: as<Message<"event:AgentRuntimeRegistered">>(told) }),
  "event:AgentRuntimeDeregistered": ({ stage, held }, { told, by }) => {
    if (by !== "AD") stage.tell("runtime", told);
    else for (const execId of held) stage.tell(`dispatch/${execId}`, { type: "cue:RuntimeLost" });
  },
  "progress:AgentRuntimeHeartbeat": ({ stage }, { told }) => void stage.tell("runtime", told),

  "cue:SlotWanted": ({ stage }, { from }) => void stage.tell(from, { type: "cue:SlotGranted" }),
  "cue:BeginTask": (world, { told, from }) => beginTask(world, as(told), from),
  "cue:TaskEnded": toParent,
  "cue:PauseWanted": toParent,
  "cue:Broken": toParent,
  "cue:WaitOpened": toRun,
  "cue:WaitClosed": toRun,
  "cue:ParentEnded": toTask,
  "cue:Paused": toTask,
  "cue:Resumed": toTask,
  "cue:Wake": toTask,
  "cue:Call": (world, { told, from }) => beginCall(world, as(told), execIdIn(from)),
  "cue:EndCall": ({ stage }, { told }) => void stage.tell(`call/${told["exec_id"] as string}`, told),
  "cue:CallEnded": ({ stage, callers }, { told, from }) =>
    void stage.tell(`attempt/${callers.get(execIdIn(from))}`, told),
  "cue:ChooseRuntime": ({ stage, play }, { told, from }) => {
    const served = play.scripts[told["agent"] as unknown as string] !== undefined;
    stage.tell(from, served ? { type: "cue:RuntimeChosen", runtime } : { type: "cue:NoRuntime" });
  },
};

/** A stage on which a play is about to begin: `begin` says WorkflowExecute, the rest is up to whoever directs. */
export function rehearse(play: Play): { stage: Stage; workflow: { id: string; exec_id: string }; begin: () => void } {
  const hear = (word: Word, by: string, from: string): void =>
    ears[word.type as Key | CueKey]?.(world, { told: word as Told, by, from });
  const stage = openStage(hear);
  const workflow = { id: play.id, exec_id: stage.id() };
  const world: World = {
    stage,
    play,
    workflow,
    tasks: new Map(tasksIn(play.tasks).map((task) => [task.id, task])),
    calls: new Map(),
    stopped: new Set(),
    orders: new Map(),
    parents: new Map(),
    callers: new Map(),
    signalers: new Map(),
    held: new Set(),
    runtimeAlive: true,
    beats: 0,
  };
  const begin = (): void => {
    if (play.beats) register(world);
    const context = { input: {}, trigger_type: "api" };
    const payload = { reply_to_subject: `results.workflow.${workflow.exec_id}`, context };
    stage.say("API", { type: "command:WorkflowExecute", workflow, payload });
  };
  return { stage, workflow, begin };
}
