// What of a workflow is needed to check it, from definitions in TypeScript or from its file.

import type { AgentDefinition } from "../../agents/agent.ts";
import { withData } from "../../language/define.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import { parted } from "../../runtime/callees.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { ToolDefinition } from "../../tools/tool.ts";
import type { CalleeSpec } from "../check/trial.ts";
import { type Loaded, loadChecked } from "../findings/load.ts";
import { withScripts } from "../findings/stand-ins.ts";

export type CheckedDefinitions = {
  /** Workflows that it calls. Of a workflow in a project all are known. */
  workflows?: readonly WorkflowSpec[];
  /** Their schemas, limits and marks; what they do is stood in for. */
  agents?: readonly (AgentDefinition | CalleeSpec)[];
  tools?: readonly (ToolDefinition | CalleeSpec)[];
  /** What agents and tools answer in place of what their schemas allow: a value, a function, `{ answers, codes }`. */
  answers?: Readonly<Record<string, unknown>>;
};

/** A workflow by its definition, or by the path of its file. */
export async function checkable(workflow: WorkflowSpec | string, given: CheckedDefinitions): Promise<Loaded> {
  const loaded = typeof workflow === "string" ? await fromFile(workflow) : fromCode(workflow, given);
  return given.answers === undefined ? loaded : withScripts(loaded, given.answers, "answers");
}

async function fromFile(path: string): Promise<Loaded> {
  const loaded = await loadChecked(path, process.cwd());
  if (loaded.subject || loaded.flaws.length > 0) return loaded;
  const [first] = loaded.problems;
  throw new TroupeError("DEFINITION_INVALID", `'${path}' cannot be checked: ${first?.message ?? "it does not load"}`);
}

function fromCode(workflow: WorkflowSpec, { workflows = [], agents = [], tools = [] }: CheckedDefinitions): Loaded {
  const own = parted([workflow, ...workflows].map(withData));
  const [spec = workflow] = own.workflows;
  const byId = (list: readonly object[]): Map<string, CalleeSpec> =>
    new Map(list.map(played).map((one) => [one.id, one]));
  const subject = {
    spec,
    workflows: new Map(own.workflows.map((one) => [one.id, one])),
    agents: byId([...agents, ...own.agents]),
    tools: byId([...tools, ...own.tools]),
  };
  return {
    subject,
    cast: { workflows: own.workflows, agents: [...subject.agents.values()], tools: [...subject.tools.values()] },
    workflow: spec.id,
    flaws: [],
    problems: [],
    texts: new Map(),
    placeOf: () => undefined,
  };
}

/** Who runs it, and where, is nothing to a stand-in. */
function played(callee: object): CalleeSpec {
  const { kind: _kind, module: _module, handler: _handler, isolation: _where, ...spec } = callee as AgentDefinition;
  return spec as unknown as CalleeSpec;
}
