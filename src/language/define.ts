// Definitions in TypeScript, typed from end to end: what a schema lets through is what a function of it is given.

import { dataOf, type Schema } from "./json-schema.ts";
import type { WrittenCallee } from "./callee.ts";
import type { AgentSpec, ProjectSpec, TaskSpec, ToolSpec, Value, WorkflowSpec } from "./spec.ts";
import type { Filled, Given } from "./typed.ts";

/** Carries the types of a workflow; it is never there. */
declare const types: unique symbol;

/** A workflow of which TypeScript knows what goes in, and what comes out. */
export type TypedWorkflow<Input = unknown, Output = unknown> = WorkflowSpec & {
  readonly [types]?: { readonly input: (given: Input) => void; readonly output: Output };
};

/** What comes out of a workflow: a value that is no object stands under `value`. */
export type OutputOf<Output> = unknown extends Output
  ? Readonly<Record<string, unknown>>
  : Output extends readonly unknown[] | string | number | boolean | null
    ? { readonly value: Output }
    : Output;

/** Agents and tools as YAML has them, or as `defineAgent` and `defineTool` give them. */
type WithCallees = {
  agents?: readonly (AgentSpec | WrittenCallee)[];
  tools?: readonly (ToolSpec | WrittenCallee)[];
};
type OwnWords = "input" | "output" | "tasks" | "result" | keyof WithCallees;

type Definition<In extends Schema, Out extends Schema> = Omit<WorkflowSpec, OwnWords> &
  WithCallees & {
    /** JSON Schema, or a schema of zod that can be written as one. */
    input?: In;
    output?: Out;
    tasks: readonly TaskSpec<Filled<In>>[];
    result?: Value<Filled<In>>;
  };

/** Types it; `troupe()` checks it. */
export const defineWorkflow = <const In extends Schema = true, const Out extends Schema = true>(
  definition: Definition<In, Out>,
): TypedWorkflow<Given<In>, Filled<Out>> => withData(definition as unknown as WorkflowSpec);

/** Types it, as the default export of `troupe.ts`; loading checks it. */
export const defineProject = (definition: Omit<ProjectSpec, keyof WithCallees> & WithCallees): ProjectSpec =>
  definition as ProjectSpec;

/** A workflow is data, and so are its schemas: those of zod are written as JSON Schema. */
export function withData(spec: WorkflowSpec): WorkflowSpec {
  const { input, output } = Object(spec) as { input?: unknown; output?: unknown };
  if (dataOf(input) === input && dataOf(output) === output) return spec;
  return { ...spec, input: dataOf(input), output: dataOf(output) } as WorkflowSpec;
}
