// What is defined, for whoever asks: each definition as data, and where it is from.

import { prepare, type Sizes, type Workflow } from "../actors/definition.ts";
import { checkWorkflow } from "../language/check.ts";
import { dataOf } from "../language/json-schema.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { type ErrorCode, fromUnknown, TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import { checkArgument, object, oneOf, text } from "./arguments.ts";
import { defectsOfCallee } from "./callees.ts";
import type { openDefinitions } from "./definitions.ts";
import type { OpenedProject } from "./reload.ts";

const kinds = ["workflow", "task", "agent", "tool"] as const;
export type Kind = (typeof kinds)[number];
/** As people write it, as data. */
export type Definition = Readonly<Record<string, unknown>>;

/** One definition as it is shown. */
export type Defined = {
  kind: Kind;
  /** Of a task with its workflow: `<workflow>.<task>`. */
  id: string;
  origin: "file" | "stored" | "code";
  file: string | null;
  definition: Definition;
  /** Of a workflow. */
  hash: string | null;
  tasks: number | null;
  /** Of a task. */
  workflow: string | null;
};
export type WholeDefined = Defined & {
  source: string | null;
  inputSchema: unknown;
  outputSchema: unknown;
};
export type DefinitionProblem = { severity: "error" | "warning"; field: string; message: string };

type Means = {
  definitions: ReturnType<typeof openDefinitions>;
  sizes: Sizes;
  /** As it was read last. */
  project: () => OpenedProject | undefined;
  isStored: (kind: Exclude<Kind, "task">, id: string) => boolean;
};

const codes = {
  workflow: "WORKFLOW_NOT_FOUND",
  task: "TASK_NOT_FOUND",
  agent: "AGENT_NOT_FOUND",
  tool: "TOOL_NOT_FOUND",
} as const;

export function unknownDefinition(code: ErrorCode, kind: Kind, id: string, known: readonly string[]): TroupeError {
  const meant = nearest(id, known);
  const hint = meant === undefined ? "" : `; did you mean '${meant}'?`;
  return new TroupeError(code, `there is no ${kind} '${clip(id)}'${hint}`, { [kind]: clip(id) });
}

export function openDefined({ definitions, sizes, project, isStored }: Means) {
  const { workflows, agents, tools } = definitions;

  const fileOf = (kind: Kind, id: string): string | null => project()?.homes.get(`${kind}/${id}`) ?? null;

  function shown(kind: Exclude<Kind, "task">, id: string, definition: object): Defined {
    const file = fileOf(kind, id);
    const origin = file !== null ? "file" : isStored(kind, id) ? "stored" : "code";
    const data = asData(definition);
    return { kind, id, origin, file, definition: data, hash: null, tasks: null, workflow: null };
  }
  const workflowShown = ({ id, hash, spec, tasks }: Workflow): Defined => ({
    ...shown("workflow", id, spec),
    hash,
    tasks: tasks.size,
  });
  const tasksShown = (workflow: Workflow): Defined[] => {
    const { origin, file } = workflowShown(workflow);
    return [...workflow.tasks.values()].map(({ id, spec }) => ({
      kind: "task",
      id: `${workflow.id}.${id}`,
      origin,
      file,
      definition: asData(spec),
      hash: null,
      tasks: null,
      workflow: workflow.id,
    }));
  };

  function all(kind: Kind): Defined[] {
    if (kind === "workflow") return [...workflows.values()].map(workflowShown);
    if (kind === "task") return [...workflows.values()].flatMap(tasksShown);
    return [...(kind === "agent" ? agents : tools).values()].map((one) => shown(kind, one.id, one));
  }

  function find(kind: Kind, id: string): Defined {
    const known = all(kind);
    const isBare = kind === "task" && !id.includes(".");
    const found = known.filter((one) => (isBare ? one.id.endsWith(`.${id}`) : one.id === id));
    const [first, second] = found;
    if (!first)
      throw unknownDefinition(
        codes[kind],
        kind,
        id,
        known.map((one) => one.id),
      );
    if (!second) return first;
    const among = found.map((one) => one.id);
    const message = `'${id}' stands in several workflows: name one of ${among.join(", ")}`;
    throw new TroupeError("TASK_AMBIGUOUS", message, { among });
  }

  return {
    definitionsOf(kind: Kind): Defined[] {
      checkArgument("kind", kind, oneOf(kinds));
      return all(kind);
    },
    definition(kind: Kind, id: string): WholeDefined {
      checkArgument("kind", kind, oneOf(kinds));
      checkArgument("id", id, text);
      const found = find(kind, id);
      const { file, definition } = found;
      const source = file === null ? null : (project()?.files.get(file) ?? null);
      const { input = null, output = null } = definition;
      const isCallable = kind !== "task";
      return { ...found, source, inputSchema: isCallable ? input : null, outputSchema: isCallable ? output : null };
    },
    /** What is wrong with a definition, as far as it can be told without taking it over. */
    problemsOf(kind: Exclude<Kind, "task">, given: Definition): DefinitionProblem[] {
      checkArgument("kind", kind, oneOf(kinds.filter((one) => one !== "task")));
      checkArgument("definition", given, object);
      if (kind !== "workflow") {
        const defects = defectsOfCallee(given, kind);
        return defects.map((defect) => ({ severity: "error", field: defect.field, message: defect.message }));
      }
      // Agents may be served by runtimes elsewhere; tools have to be here.
      const defects = checkWorkflow(given, { sizes, tools });
      const problems = defects.map(({ severity, path, message, hint }): DefinitionProblem => ({
        severity,
        field: path.join("."),
        message: hint === undefined ? message : `${message}; ${hint}`,
      }));
      return problems.some(({ severity }) => severity === "error")
        ? problems
        : [...problems, ...unprepared(given, sizes)];
    },
  };
}

/** What only shows when it is made ready. */
function unprepared(given: Definition, sizes: Sizes): DefinitionProblem[] {
  try {
    prepare(given as unknown as WorkflowSpec, sizes);
    return [];
  } catch (error) {
    return [{ severity: "error", field: "", message: fromUnknown(error).message }];
  }
}

/** Without what is no data: functions stay in the program, and schemas are written as JSON Schema. */
function asData(definition: object): Definition {
  const entries = Object.entries(definition).map(([key, value]) => {
    return [key, key === "input" || key === "output" ? dataOf(value) : value instanceof URL ? value.href : value];
  });
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as Definition;
}
