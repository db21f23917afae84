// Every key of the language, once: what it may hold, what it stands for if it is left out, and what it means.
//
// The checker walks this table, and the JSON Schema that editors use is made from it. What one key has to do with
// another (ways between tasks, references, times that contradict each other) is not in it: see check.ts.

import { retry } from "./grammar-tasks.ts";
import { block, choice, count, duration, flag, id, type Key, type Keys, type Kind, list, name } from "./kinds.ts";
import { object, period, prose, schema, template, text, value } from "./kinds.ts";

const concurrencyKeys: Keys = {
  limit: { kind: count, required: true, says: "How many at once; with a `key`, for each of its values." },
  key: { kind: value, says: "A template over `input`: the limit holds for each of its values." },
  queue_max: {
    kind: { is: "number", least: 0, whole: true },
    says: "How many may wait in line, all keys together; one more is refused.",
  },
};
const concurrency: Key = { kind: object(concurrencyKeys), says: "At most so many at once; the others wait in line." };
const rate: Key = {
  kind: object({
    limit: { kind: count, required: true, says: "How many may begin within any such time." },
    per: { kind: period, required: true, says: "The time, such as `1s` or `1m`." },
    key: { kind: value, says: "A template over `input`: the rate holds for each of its values." },
  }),
  says: "At most so many begin within any such time; the others wait.",
};

export const trigger: Kind = {
  is: "tagged",
  thing: "trigger",
  by: "type",
  keys: {
    with: { kind: value, says: "The input of the run; of a webhook, the body without it." },
    enabled: { kind: flag, default: true, says: "Whether it starts anything." },
  },
  each: {
    schedule: {
      cron: { kind: text("cron"), required: true, says: "Five fields, or six with seconds first." },
      timezone: { kind: text("timezone"), default: "UTC", says: "An IANA time zone, such as `Europe/Paris`." },
      overlap: {
        kind: choice("skip", "allow", "buffer_one", "cancel_other"),
        default: "skip",
        says: "What happens when the run before is still at work.",
      },
      catch_up: { kind: duration, says: "How far back runs that were missed are made up for. Without it, none are." },
      jitter: { kind: duration, says: "Each run begins this much later at most, by chance." },
    },
    webhook: {
      path: { kind: id, required: true, says: "Unique in the project: `POST /api/hooks/<path>`." },
      verify: {
        kind: {
          is: "one",
          of: [
            { when: "text", kind: choice("none") },
            {
              when: ["type", "header", "secret"],
              kind: object({
                type: { kind: choice("hmac-sha256"), required: true, says: "How the body is signed." },
                header: { kind: text("header"), required: true, says: "The header that holds the signature." },
                secret: { kind: text("variable"), required: true, says: "The name of the secret it is signed with." },
              }),
            },
          ],
        },
        says: "How a delivery is verified: `{type: hmac-sha256, header, secret}`, or `none`.",
      },
      when: { kind: { is: "value", gives: "boolean" }, says: "A filter: if it is false, nothing is started." },
      dedupe: { kind: value, says: "What tells deliveries apart: the same again within a day starts nothing." },
    },
  },
};

/** What every agent and tool has, whatever its kind. */
export const callee: Keys = {
  id: { kind: id, required: true, says: "Its name, unique in the project." },
  description: { kind: prose, says: "What it does." },
  input: { kind: schema, says: "JSON Schema of what it is given." },
  output: { kind: schema, says: "JSON Schema of what it gives." },
  timeout: { kind: period, says: "For its tasks that set none." },
  env: { kind: list(text("variable")), says: "Names of the environment values and secrets that it may use." },
  concurrency,
  rate,
  idempotent: {
    kind: flag,
    default: true,
    says: "Whether a call that comes again does no harm; `troupe check` shows where one that is not may come twice.",
  },
};
const module: Key = {
  kind: text("module"),
  required: true,
  says: "Path of a module and its export, `./tools/orders.ts#find`; without `#`, its default export.",
};
const command: Key = {
  kind: list(template, 1),
  required: true,
  says: "The program and its arguments; input as JSON on stdin, output as JSON on stdout.",
};
const isolation = (otherwise: string): Key => ({
  kind: choice("inline", "worker", "process"),
  default: otherwise,
  says: "Where the function runs: this thread, a worker thread, or a process.",
});

export const agent: Kind = {
  is: "tagged",
  thing: "agent",
  by: "kind",
  keys: callee,
  each: {
    module: { module, isolation: isolation("inline") },
    llm: {
      model: { kind: text("model"), required: true, says: "`provider:model`." },
      instructions: { kind: template, required: true, says: "What the model is told first." },
      tools: { kind: list(id), says: "The tools that the model may use." },
      max_turns: { kind: count, default: 10, says: "How often the model may be asked in one run." },
      actions: {
        kind: {
          is: "map",
          names: "id",
          of: object({
            prompt: { kind: template, required: true, says: "What the model is asked to do." },
            output: { kind: schema, says: "JSON Schema of its answer." },
          }),
        },
        says: "What a task may ask for by `action`.",
      },
    },
    command: { command },
    remote: {},
  },
};

export const tool: Kind = {
  is: "tagged",
  thing: "tool",
  by: "kind",
  keys: callee,
  each: {
    module: { module, isolation: isolation("worker") },
    command: { command, isolation: isolation("process") },
    http: {
      method: { kind: text("method"), default: "GET", says: "The HTTP method." },
      url: { kind: template, required: true, says: "The address." },
      headers: { kind: value, says: "Headers by name." },
      query: { kind: value, says: "Parameters of the query by name." },
      body: { kind: value, says: "The body, sent as JSON." },
    },
    mcp: {
      server: { kind: id, required: true, says: "A server under `mcp` of the project." },
      tool: { kind: name, required: true, says: "The name of the tool there." },
    },
    remote: {},
  },
};

const calleeLists: Keys = {
  agents: { kind: list(agent), says: "Agents." },
  tools: { kind: list(tool), says: "Tools." },
};

export const workflow: Keys = {
  id: { kind: id, required: true, says: "Its name, unique in the project." },
  name: { kind: prose, says: "A title for people." },
  description: { kind: prose, says: "What it is for." },
  input: {
    kind: schema,
    says: "JSON Schema 2020-12 of the input, checked before the start; `default`s are filled in.",
  },
  output: { kind: schema, says: "JSON Schema 2020-12 of the result, checked at the end." },
  tasks: { kind: block, required: true, says: "The tasks; the first is the entry." },
  result: { kind: value, says: "The output of the run. Without it, the output of the task that ended last." },
  timeout: { kind: period, default: "24h", says: "The deadline of the run; time spent paused does not count." },
  undo_timeout: { kind: period, default: "1h", says: "How long undoing may take." },
  concurrency: {
    kind: object({
      ...concurrencyKeys,
      on_limit: {
        kind: choice("queue", "skip", "cancel_oldest"),
        default: "queue",
        says: "What happens to a run that is one too many.",
      },
    }),
    says: "How many runs may be at work at once.",
  },
  rate,
  priority: { kind: value, says: "A whole number from -100 to 100; of those in line, the highest begins first." },
  fair_by: { kind: value, says: "A template over `input`: those in line take turns by its value." },
  budget: {
    kind: object({
      tokens: { kind: { is: "number", least: 0, whole: true }, says: "The most tokens." },
      cost: { kind: { is: "number", least: 0 }, says: "The most that it may cost." },
      time: { kind: period, says: "The longest that it may take, waits included." },
      on_limit: { kind: choice("fail", "pause"), default: "fail", says: "What happens at the limit." },
    }),
    says: "What a run, and all that it calls, may use up.",
  },
  triggers: { kind: list(trigger), says: "What starts it by itself: schedules and webhooks." },
  agents: { kind: list(agent), says: "Agents that only this workflow sees." },
  tools: { kind: list(tool), says: "Tools that only this workflow sees." },
};

export const project: Keys = {
  version: { kind: choice(1), required: true, says: "The version of the language." },
  name: { kind: id, required: true, says: "The project's name." },
  prefix: { kind: text("prefix"), default: "compozy", says: "What every subject begins with." },
  subjects: { kind: choice("flow", "correlated"), default: "flow", says: "Which of the two layouts subjects have." },
  workflows: {
    kind: list(text("glob")),
    default: ["workflows/*.yaml", "workflows/*.ts"],
    says: "Globs of workflow files, from the folder of the project; one workflow for each file.",
  },
  ...calleeLists,
  mcp: {
    kind: {
      is: "map",
      names: "id",
      of: {
        is: "one",
        of: [
          { when: ["command"], kind: object({ command }) },
          {
            when: ["url", "headers"],
            kind: object({
              url: { kind: template, required: true, says: "The address of the server." },
              headers: { kind: value, says: "Headers by name." },
            }),
          },
        ],
      },
    },
    says: "MCP servers by id: `{command}` or `{url, headers}`.",
  },
  env: { kind: list(text("variable")), says: "Names of environment values that definitions may use." },
  secrets: {
    kind: list(text("variable")),
    says: "Names of secrets that definitions may use; values never stand here.",
  },
  defaults: {
    kind: object({
      timeout: { kind: period, says: "The `timeout` of agent, tool and signal tasks that set none." },
      retry: { kind: retry, says: "The `retry` of agent, tool and signal tasks that set none." },
    }),
    says: "For tasks that set none.",
  },
  limits: {
    kind: object({
      max_payload: { kind: { is: "size" }, default: "960KiB", says: "The most bytes of one input, output or signal." },
      concurrency: { kind: count, default: 10_000, says: "Executions in flight, waiting ones included." },
      max_steps: { kind: count, default: 1_000, says: "Executions of one task within one run." },
    }),
    says: "Limits of the engine.",
  },
  default_agent: { kind: id, says: "The agent of frames and triggers that name none." },
  daemon: { kind: { is: "map", of: { is: "json" }, names: "prose" }, says: "Options of `troupe up`, in snake case." },
  object_store: { kind: { is: "json" }, says: "The store for large outputs." },
};
