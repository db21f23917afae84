// How a workflow execution gets in line, and in: what its definition says of that is worked out once, and recorded.

import { fromUnknown, toWire, type WireError } from "../protocol/errors.ts";
import { type Ear, execIdIn, type Host } from "./component.ts";
import type { Workflow } from "./definition.ts";
import { flowOf, hasFlow, type RunFlow } from "./flow-rules.ts";
import type { World } from "./world.ts";

type Admitted = string | null | { hash: string; problem: WireError };

/** Which definition a run has; and that the engine's own line is full, if it is and the run would have to wait. */
export function admitted({ definitions, slots }: World, id: string, isChild: boolean): Admitted {
  const workflow = definitions.workflows.get(id);
  if (!workflow) return null;
  // Where the definition has something to say, that is asked with it.
  const problem = hasFlow(workflow.spec) ? undefined : slots.refusal(isChild);
  return problem ? { hash: workflow.hash, problem } : workflow.hash;
}

export type Standing = { flow: RunFlow } | { problem: WireError };

/** What the definition of the run says of when it may begin. */
export function standingOf(host: Host, { spec }: Workflow, isChild: boolean): Standing | undefined {
  if (!hasFlow(spec)) return undefined;
  const { facts, id, correlationId } = host.run;
  return host.ask((): Standing => {
    const started_at = new Date(facts.startedAt).toISOString();
    const workflow = { id: spec.id, exec_id: id, correlation_id: correlationId, started_at };
    try {
      const flow = { ...flowOf(spec, { input: facts.input, tasks: {}, workflow }), ...(isChild && { isChild }) };
      const problem = host.world.slots.refusal(isChild, flow);
      return problem ? { problem } : { flow };
    } catch (thrown) {
      return { problem: toWire(fromUnknown(thrown)) };
    }
  });
}

/** The same before there is a run, for whoever wants to start one. */
export function refusalOf({ definitions, slots }: World, id: string, input: unknown): WireError | undefined {
  const workflow = definitions.workflows.get(id);
  if (!workflow || !hasFlow(workflow.spec)) return slots.refusal(false);
  const unknown = { id, exec_id: "", correlation_id: "", started_at: "" };
  try {
    return slots.refusal(false, flowOf(workflow.spec, { input, tasks: {}, workflow: unknown }));
  } catch {
    // What is wrong with its key is for the run to say.
    return undefined;
  }
}

/** Asked again when one that waited is granted a slot. */
export const slotWanted: Ear = (host, { from }) => {
  const { parent, flow } = host.run.facts;
  const answer = host.ask(() => host.world.slots.want(execIdIn(from), parent !== null, flow));
  if (answer === true) host.tell(from, { type: "cue:SlotGranted" });
  else if (answer !== false) host.tell(from, { type: "cue:Displaced", reason: answer.displaced });
};
