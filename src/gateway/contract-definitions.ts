// The operations on what is defined: workflows, tasks, agents and tools, their charts, schedules and runtimes.

import { z } from "zod";
import { paths } from "./contract-paths.ts";
import { route } from "./contract-route.ts";
import { accepted, anyId, data, definitionId, entities, execId, listOf, paging, runtime, schedule } from "./shapes.ts";

const tags = ["definitions"] as const;
const nullableText = z.string().nullable();

const definitionSummary = z
  .object({
    id: z.string(),
    entity: z.enum(["workflow", "task", "agent", "tool"]),
    description: nullableText,
    origin: z.enum(["file", "stored", "code"]).meta({
      description:
        "read from a file, put over HTTP, or handed in by the program; only what was put can be changed here",
    }),
    file: nullableText.meta({ description: "the file it was read from, from the folder of the project" }),
    type: nullableText.meta({ description: "of a task: what kind of task it is" }),
    workflow: nullableText.meta({ description: "of a task: its workflow" }),
    hash: nullableText.meta({ description: "of a workflow: changes whenever what it does changes" }),
    triggers: z.array(data).meta({ description: "of a workflow: schedules and webhooks" }),
    tasks: z.int().nullable().meta({ description: "of a workflow: how many tasks it has" }),
  })
  .meta({ id: "DefinitionSummary" });
const wholeDefinition = z
  .object({
    ...definitionSummary.shape,
    definition: data.meta({ description: "as it would be put" }),
    input_schema: z.unknown().meta({ description: "JSON Schema of its input, or null" }),
    output_schema: z.unknown().meta({ description: "JSON Schema of its output, or null" }),
    source: nullableText.meta({ description: "the text of its file" }),
    format: z.enum(["yaml", "json", "typescript"]).nullable().meta({ description: "what its file is written in" }),
  })
  .meta({ id: "Definition" });

const definitionProblem = z.object({
  severity: z.enum(["error", "warning"]),
  field: z.string().meta({ description: "where in the definition" }),
  message: z.string(),
});
const chart = z
  .object({
    id: z.string(),
    hash: nullableText,
    statechart: data.meta({ description: "the definition of an XState machine, for tools that show them" }),
    mermaid: z.string(),
  })
  .meta({ id: "Chart" });

const place = z.strictObject({ entities, id: anyId });
const ofSchedule = z.strictObject({
  workflow: definitionId,
  n: z.int().min(0).meta({ description: "its place among the schedules of the workflow" }),
});

export const definitionRoutes = {
  listDefinitions: route(paths.listDefinitions, {
    summary: "What is defined",
    scope: "read",
    tags,
    params: z.strictObject({ entities }),
    query: paging,
    answers: { 200: listOf(definitionSummary) },
  }),
  getDefinition: route(paths.getDefinition, {
    summary: "One definition, with the text of its file",
    scope: "read",
    tags,
    params: place,
    answers: { 200: wholeDefinition },
  }),
  putDefinition: route(paths.putDefinition, {
    summary: "Defines a workflow, an agent or a tool, or replaces it for runs that begin from now on",
    description: "It is kept, and is there again after a restart. What was loaded from a file is refused with 409.",
    scope: "admin",
    tags,
    params: place,
    body: data,
    answers: { 200: definitionSummary, 201: definitionSummary },
  }),
  deleteDefinition: route(paths.deleteDefinition, {
    summary: "Takes a definition away; refused while it has active runs",
    scope: "admin",
    tags,
    params: place,
    answers: { 204: z.null() },
  }),
  validateDefinition: route(paths.validateDefinition, {
    summary: "Says what is wrong with a definition, and changes nothing",
    scope: "read",
    tags,
    params: z.strictObject({ entities }),
    body: data,
    answers: { 200: z.object({ is_valid: z.boolean(), problems: z.array(definitionProblem) }) },
  }),
  getChart: route(paths.getChart, {
    summary: "A workflow as a statechart",
    scope: "read",
    tags,
    params: z.strictObject({ id: definitionId }),
    answers: { 200: chart },
  }),
  getExecutionChart: route(paths.getExecutionChart, {
    summary: "The workflow that an execution began with, as a statechart",
    scope: "read",
    tags,
    params: z.strictObject({ exec_id: execId }),
    answers: { 200: chart },
  }),
  listCharts: route(paths.listCharts, {
    summary: "The charts that every execution goes through",
    scope: "read",
    tags,
    query: paging,
    answers: { 200: listOf(z.object({ id: z.string(), definition: data })) },
  }),

  listRuntimes: route(paths.listRuntimes, {
    summary: "Who runs agents, here and elsewhere",
    scope: "read",
    tags: ["runtimes"],
    query: paging,
    answers: { 200: listOf(runtime) },
  }),
  listSchedules: route(paths.listSchedules, {
    summary: "The schedules of all workflows, as they stand",
    scope: "read",
    tags: ["schedules"],
    query: paging,
    answers: { 200: listOf(schedule) },
  }),
  triggerSchedule: route(paths.triggerSchedule, {
    summary: "Begins a run now, as if the schedule were due",
    scope: "run",
    tags: ["schedules"],
    params: ofSchedule,
    answers: { 202: accepted },
  }),
  pauseSchedule: route(paths.pauseSchedule, {
    summary: "Lets a schedule begin nothing more until it is resumed",
    scope: "run",
    tags: ["schedules"],
    params: ofSchedule,
    answers: { 200: schedule },
  }),
  resumeSchedule: route(paths.resumeSchedule, {
    summary: "Lets a schedule go on with what becomes due from now on",
    scope: "run",
    tags: ["schedules"],
    params: ofSchedule,
    answers: { 200: schedule },
  }),
};
