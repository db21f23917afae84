// What is answered about definitions, their charts, and who runs them when.

import { mermaidOfWorkflow } from "../language/mermaid.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { statechartOf } from "../language/statechart.ts";
import { chartDefinitions } from "../machines/definition.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Defined } from "../runtime/defined.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { given, singular } from "./answers-executions.ts";
import { linksOf } from "./answers-runs.ts";
import type { AnswersOf } from "./answers.ts";
import { pageOf } from "./page.ts";
import { scheduleOf } from "./shown.ts";

type Means = { troupe: Troupe };

const summaryOf = ({ kind, id, origin, file, definition, hash, tasks, workflow }: Defined) => ({
  id,
  entity: kind,
  description: typeof definition["description"] === "string" ? definition["description"] : null,
  origin,
  file,
  type: kind === "task" ? String(definition["type"]) : null,
  workflow,
  hash,
  triggers: Array.isArray(definition["triggers"]) ? (definition["triggers"] as Record<string, unknown>[]) : [],
  tasks,
});

const formats = {
  yaml: "yaml",
  yml: "yaml",
  json: "json",
  ts: "typescript",
  mts: "typescript",
  js: "typescript",
} as const;
function formatOf(file: string | null): "yaml" | "json" | "typescript" | null {
  const ending = file?.split(".").at(-1) ?? "";
  return Object.hasOwn(formats, ending) ? formats[ending as keyof typeof formats] : null;
}

const chartOf = (spec: WorkflowSpec, hash: string | null) => ({
  body: {
    id: spec.id,
    hash,
    statechart: { ...statechartOf(spec) } as Record<string, unknown>,
    mermaid: mermaidOfWorkflow(spec),
  },
});

const charts = [...chartDefinitions].map(([id, definition]) => ({ id, definition: { ...definition } }));

export function definitionAnswers({ troupe }: Means) {
  const kindOf = (entities: "workflows" | "tasks" | "agents" | "tools") => {
    const kind = singular[entities];
    if (kind !== "task") return kind;
    throw new TroupeError("INVALID_STATE", "a task is a part of its workflow: change that", { status: "part" });
  };
  const scheduleAt = (workflow: string, n: number) => {
    const found = troupe.schedules().find((one) => one.workflow === workflow && one.n === n);
    if (found) return found;
    throw new TroupeError("NOT_FOUND", `workflow '${workflow}' has no schedule ${n}`, { workflow, n });
  };

  return {
    listDefinitions: ({ params, query }) => ({
      body: pageOf(troupe.definitionsOf(singular[params.entities]).map(summaryOf), query),
    }),
    getDefinition({ params }) {
      const found = troupe.definition(singular[params.entities], params.id);
      const { definition, inputSchema, outputSchema, source, file } = found;
      return {
        body: {
          ...summaryOf(found),
          definition,
          input_schema: inputSchema,
          output_schema: outputSchema,
          source,
          format: formatOf(file),
        },
      };
    },
    async putDefinition({ params, body }) {
      const kind = kindOf(params.entities);
      const isNew = await troupe.putDefinition(kind, params.id, body);
      const location = `/api/${params.entities}/${params.id}/definition`;
      const summary = summaryOf(troupe.definition(kind, params.id));
      return isNew ? { status: 201, body: summary, headers: { location } } : { body: summary };
    },
    async deleteDefinition({ params }) {
      await troupe.deleteDefinition(kindOf(params.entities), params.id);
      return { status: 204, body: null };
    },
    validateDefinition({ params, body }) {
      const problems = troupe.problemsOf(kindOf(params.entities), body);
      return { body: { is_valid: problems.every(({ severity }) => severity !== "error"), problems } };
    },
    getChart({ params }) {
      const { definition, hash } = troupe.definition("workflow", params.id);
      return chartOf(definition as unknown as WorkflowSpec, hash);
    },
    async getExecutionChart({ params: { exec_id } }) {
      const spec = await troupe.workflowOf(exec_id);
      if (spec) return chartOf(spec, null);
      const message = `the definition that '${exec_id}' began with is no longer kept`;
      throw new TroupeError("WORKFLOW_NOT_FOUND", message, { exec_id });
    },
    listCharts: ({ query }) => ({ body: pageOf(charts, query) }),

    listRuntimes({ query }) {
      const all = troupe.runtimes().map(({ id, name, agents, inFlight, heardAt, lastError, ...rest }) => ({
        ...rest,
        exec_id: id,
        id: name,
        agents: [...agents],
        in_flight: inFlight,
        heard_at: new Date(heardAt).toISOString(),
        last_error: lastError && { ...lastError, at: new Date(lastError.at).toISOString() },
      }));
      return { body: pageOf(all, query) };
    },
    listSchedules: ({ query }) => ({ body: pageOf(troupe.schedules().map(scheduleOf), query) }),
    async triggerSchedule({ params: { workflow, n }, idempotencyKey }) {
      scheduleAt(workflow, n);
      const { execId, duplicate, accepted } = troupe.trigger(workflow, n, given({ idempotencyKey }));
      await accepted();
      const links = linksOf("workflows", execId);
      const status = duplicate ? troupe.get(execId).status : "PENDING";
      const body = { exec_id: execId, status, duplicate, links };
      return { status: 202, body, headers: { location: links["self"] ?? "" } };
    },
    pauseSchedule({ params: { workflow, n } }) {
      scheduleAt(workflow, n);
      return { body: scheduleOf(troupe.pauseSchedule(workflow, n)) };
    },
    resumeSchedule({ params: { workflow, n } }) {
      scheduleAt(workflow, n);
      return { body: scheduleOf(troupe.resumeSchedule(workflow, n)) };
    },
  } satisfies AnswersOf<
    | "listDefinitions"
    | "getDefinition"
    | "putDefinition"
    | "deleteDefinition"
    | "validateDefinition"
    | "getChart"
    | "getExecutionChart"
    | "listCharts"
    | "listRuntimes"
    | "listSchedules"
    | "triggerSchedule"
    | "pauseSchedule"
    | "resumeSchedule"
  >;
}
