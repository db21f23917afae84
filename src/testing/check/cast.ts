// A project made ready to be played: checked and prepared once, however often it is played.

import { agentDispatcher } from "../../actors/agent-dispatcher.ts";
import type { Component, Ear } from "../../actors/component.ts";
import { prepare, type Workflow } from "../../actors/definition.ts";
import { hasFlow } from "../../actors/flow-rules.ts";
import { type Limits, withLimits } from "../../actors/limits.ts";
import { type Ears, earsOf } from "../../actors/react.ts";
import { toolExecutor } from "../../actors/tool-executor.ts";
import type { Definitions, World } from "../../actors/world.ts";
import type { AgentDefinition } from "../../agents/agent.ts";
import { durationOf } from "../../language/duration.ts";
import { schemaOf } from "../../language/json-schema.ts";
import type { JsonSchema, TaskSpec, WorkflowSpec } from "../../language/spec.ts";
import type { Message } from "../../protocol/catalogue.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { isObject } from "../../protocol/json.ts";
import { parted } from "../../runtime/callees.ts";
import { componentsOf } from "../../runtime/roles.ts";
import type { ToolDefinition } from "../../tools/tool.ts";
import { comparedIn } from "./compared.ts";
import { neededOutput, readsOfOutput } from "./needs.ts";
import { plainOf, variantsOf } from "./shapes.ts";
import type { CalleeSpec, Cast } from "./trial.ts";
import { tasksOf } from "./ways.ts";

export type Order = Message<"command:AgentRuntimeExecute"> | Message<"command:ToolExecute">;
/** Which call the world is being asked about. */
export type Asking = { run: string; order: Order | Message<"command:TriggerAgent"> } | null;
/** A world that is told of whom it is asked something. */
export type StageWorld = World & { stage: { asking: Asking } };

export type Company = {
  workflows: ReadonlyMap<string, WorkflowSpec>;
  prepared: ReadonlyMap<string, Workflow>;
  agents: ReadonlyMap<string, CalleeSpec>;
  tools: ReadonlyMap<string, CalleeSpec>;
  definitions: Definitions;
  limits: Limits;
  components: readonly Component[];
  ears: Ears;
  /** No definition says anything of who may begin when. */
  isUnlimited: boolean;
  /** What a stand-in answers when nothing else is planned; the same every time. */
  plainAnswer(kind: "agent" | "tool", id: string): unknown;
  /** What a stand-in may answer: the plain answer first, then those at which something may tip over. */
  answers(kind: "agent" | "tool", id: string): readonly unknown[];
  /** The task of a workflow, wherever in it that stands. */
  taskOf(workflow: string, task: string): TaskSpec | undefined;
};

/** A loop that goes round so often goes on for ever, as far as stand-ins can tell. */
const passesMax = 50;

export function prepareCast(cast: Cast, limits: Limits = withLimits({ stepsMax: passesMax })): Company {
  const own = parted(cast.workflows);
  const agents = byId([...(cast.agents ?? []), ...own.agents]);
  const tools = byId([...(cast.tools ?? []), ...own.tools]);
  const prepared = new Map(own.workflows.map((spec) => [spec.id, prepare(spec, limits)] as const));
  const workflows = new Map(own.workflows.map((spec) => [spec.id, spec] as const));
  const hashes = new Map([...prepared.values()].map((workflow) => [workflow.hash, workflow] as const));
  const tasks = new Map(
    own.workflows.map((spec) => [spec.id, new Map(tasksOf(spec).map((task) => [task.id, task]))] as const),
  );
  checkTools(tasks, tools);
  const definitions: Definitions = {
    workflows: prepared,
    // Nobody asks for their handlers: the stand-ins do the work.
    agents: agents as ReadonlyMap<string, unknown> as ReadonlyMap<string, AgentDefinition>,
    tools: tools as ReadonlyMap<string, unknown> as ReadonlyMap<string, ToolDefinition>,
    byHash: (hash) => hashes.get(hash),
    holdsCode: () => false,
  };
  const components = componentsOf({}).map(attentive);
  const plain = new Map<string, unknown>();
  const outputs = new Map<string, unknown>();
  // What answers are like: by the schema, or as far as the workflows read them.
  const outputSchema = (kind: "agent" | "tool", id: string): unknown => {
    const key = `${kind} ${id}`;
    const schema = (kind === "agent" ? agents : tools).get(id)?.output ?? outputs.get(key);
    if (schema !== undefined) return schema;
    const needed = neededOutput(workflows.values(), kind, id);
    outputs.set(key, needed);
    return needed;
  };
  const plainAnswer = (kind: "agent" | "tool", id: string): unknown => {
    const key = `${kind} ${id}`;
    if (!plain.has(key)) plain.set(key, plainAnswerOf(outputSchema(kind, id)));
    return plain.get(key);
  };
  return {
    workflows,
    prepared,
    agents,
    tools,
    definitions,
    limits,
    components,
    ears: earsOf(components, true),
    isUnlimited:
      own.workflows.every((spec) => !hasFlow(spec)) &&
      [...agents.values(), ...tools.values()].every(({ concurrency, rate }) => (concurrency ?? rate) === undefined),
    plainAnswer,
    answers(kind, id) {
      const compared = comparedIn(plainAnswer(kind, id), readsOfOutput(workflows.values(), kind, id));
      return variantsOf(outputSchema(kind, id), compared);
    },
    taskOf: (workflow, task) => tasks.get(workflow)?.get(task),
  };
}

/** Where nobody asks for any field something is there all the same: an agent that gives nothing has failed. */
function plainAnswerOf(schema: unknown): unknown {
  const answer = plainOf(schema);
  const isEmpty = isObject(answer) && Object.keys(answer).length === 0;
  return isEmpty && !schemaOf(schema as JsonSchema).check(something).errors ? something : answer;
}
const something = { ok: true };

function byId(specs: readonly CalleeSpec[]): Map<string, CalleeSpec> {
  return new Map(
    specs.map((spec) => {
      const { timeout } = spec;
      const ms = timeout === undefined ? spec.timeoutMs : durationOf(timeout, "timeout", () => undefined);
      return [spec.id, { ...spec, ...(ms !== undefined && { timeoutMs: ms }) }];
    }),
  );
}

/** Agents may be served elsewhere, and a workflow that is not there fails when it is called: a tool has to be here. */
function checkTools(tasks: ReadonlyMap<string, ReadonlyMap<string, TaskSpec>>, tools: Company["tools"]): void {
  for (const [workflow, own] of tasks) {
    for (const task of own.values()) {
      if (task.type !== "tool" || tools.has(task.tool)) continue;
      const message = `task '${task.id}' of '${workflow}' calls tool '${task.tool}', which is not defined: define it`;
      throw new TroupeError("TOOL_NOT_FOUND", message, { task: task.id, tool: task.tool });
    }
  }
}

/** The component, and before the world is asked for a place, it is told for whom. */
function attentive(component: Component): Component {
  const { hears } = component;
  if (component.code === agentDispatcher.code) {
    return { ...component, hears: { ...hears, "cue:ChooseRuntime": askingFor(hears["cue:ChooseRuntime"]) } };
  }
  if (component.code !== toolExecutor.code) return component;
  const execute: Ear = (host, heard) => {
    (host.world as StageWorld).stage.asking = { run: host.run.id, order: heard.word as unknown as Order };
    hears["command:ToolExecute"]?.(host, heard);
  };
  const wanted = askingFor(hears["cue:RoomWanted"]);
  return { ...component, hears: { ...hears, "command:ToolExecute": execute, "cue:RoomWanted": wanted } };
}

const askingFor =
  (inner: Ear | undefined): Ear =>
  (host, heard) => {
    const { order } = (host.actor(heard.from)?.life.snapshot.context ?? {}) as { order?: Order };
    (host.world as StageWorld).stage.asking = order ? { run: host.run.id, order } : null;
    inner?.(host, heard);
  };
