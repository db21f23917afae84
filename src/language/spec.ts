// What people write: workflows of tasks, agents and tools, in the shape that YAML and TypeScript share.
//
// Only shapes stand here; what is allowed in them is checked in check.ts, and what they mean is done in src/actors.

/** Milliseconds, or a text such as `250ms`, `30s`, `10m`, `2h`, `1d`. */
export type Duration = number | string;

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** What templates and functions see; which names there are depends on where they stand. */
export type Scope<Input = unknown> = {
  input: Input;
  tasks: Readonly<Record<string, { status: string; output?: unknown; error?: unknown }>>;
  /** Of the nearest `each`. */
  item?: unknown;
  index?: number;
  /** Of a wait's `match`. */
  signal?: { name: string; payload: unknown };
  error?: unknown;
  workflow: {
    id: string;
    exec_id: string;
    correlation_id: string;
    started_at: string;
    resume_data?: unknown;
    parent_exec_id?: string;
  };
  env?: Readonly<Record<string, string>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
  /** What `now()` gives: epoch milliseconds, fixed for each attempt of a task. */
  now?: number;
};

/** A value that may hold templates, or a function that makes it. */
export type Value<Input = unknown> =
  | string
  | number
  | boolean
  | null
  | readonly Value<Input>[]
  | { readonly [key: string]: Value<Input> }
  | Making<Input>;
/** Compared as methods are: its input has gone through the schema of the workflow. */
type Making<Input> = { make(scope: Scope<Input>): unknown }["make"];

export type Strategy = "all" | "fail_fast" | "best_effort" | "race";

export type RetrySpec = {
  max_attempts?: number;
  backoff?: { initial?: Duration; factor?: number; max?: Duration; jitter?: number };
  retry_on?: string[];
  never_on?: string[];
};

type AnyTask<Input> = {
  id: string;
  with?: Value<Input>;
  next?: string;
  on_error?: string | { codes?: string[]; next: string }[];
  timeout?: Duration;
  /** Over all attempts and the time between them. */
  total_timeout?: Duration;
  retry?: RetrySpec;
  start_timeout?: Duration;
  heartbeat?: Duration;
  pause_before?: string;
  /** Run if the workflow fails, times out or is canceled after this task succeeded; the last to succeed comes first. */
  undo?: TaskSpec<Input>[];
};

export type WaitSpec<Input = unknown> =
  | { signal: string; match?: Value<Input> }
  | { approval: string }
  | { duration: Duration }
  /** A time: ISO 8601, or epoch milliseconds. */
  | { until: Value<Input> };

export type TaskSpec<Input = unknown> = AnyTask<Input> &
  (
    | { type: "agent"; agent: string; action?: string }
    | { type: "tool"; tool: string }
    | { type: "wait"; wait: WaitSpec<Input> }
    | { type: "signal"; signal: string; to?: Value<Input> }
    /** `detached`: the run does not wait for it, and does not take it along when it ends. */
    | { type: "workflow"; workflow: string; detached?: boolean }
    | { type: "parallel"; branches: Record<string, TaskSpec<Input>[]>; strategy?: Strategy; max_concurrency?: number }
    | { type: "each"; items: Value<Input>; do: TaskSpec<Input>[]; strategy?: Strategy; max_concurrency?: number }
    | { type: "route"; cases: { when: Value<Input>; next: string }[]; default?: string }
  );

/** At most so many at once; with a `key`, for each of its values. */
export type ConcurrencySpec = {
  limit: number;
  key?: Value;
  /** How many may wait in line, all keys together; one more is refused. */
  queue_max?: number;
};
export type RunConcurrencySpec = ConcurrencySpec & { on_limit?: "queue" | "skip" | "cancel_oldest" };

/** At most so many begin within any such time; with a `key`, for each of its values. */
export type RateSpec = { limit: number; per: Duration; key?: Value };

/** What a run and all it calls may use up, and what happens then. */
export type BudgetSpec = { tokens?: number; cost?: number; time?: Duration; on_limit?: "fail" | "pause" };

export type Overlap = "skip" | "allow" | "buffer_one" | "cancel_other";

export type ScheduleSpec = {
  type: "schedule";
  cron: string;
  timezone?: string;
  overlap?: Overlap;
  /** How far back runs that were missed are made up for; without it they are not. */
  catch_up?: Duration;
  /** Each run begins this much later at most, by chance. */
  jitter?: Duration;
  with?: Value;
  enabled?: boolean;
};

export type WebhookSpec = {
  type: "webhook";
  path: string;
  verify?: { type: "hmac-sha256"; header: string; secret: string } | "none";
  when?: Value;
  with?: Value;
  /** What tells one delivery from another: the same again within a day starts nothing. */
  dedupe?: Value;
  enabled?: boolean;
};

export type TriggerSpec = ScheduleSpec | WebhookSpec;

/** JSON Schema 2020-12. */
export type JsonSchema = boolean | { readonly [keyword: string]: Json };

export type WorkflowSpec = {
  id: string;
  name?: string;
  description?: string;
  input?: JsonSchema;
  output?: JsonSchema;
  tasks: TaskSpec[];
  result?: Value;
  timeout?: Duration;
  /** How long undoing may take. */
  undo_timeout?: Duration;
  concurrency?: RunConcurrencySpec;
  rate?: RateSpec;
  /** A whole number from -100 to 100; whoever waits in line with a higher one begins first. */
  priority?: Value;
  /** Whoever waits in line takes turns by this value. */
  fair_by?: Value;
  budget?: BudgetSpec;
  triggers?: TriggerSpec[];
  /** What only this workflow sees; their ids are unique in the project all the same. */
  agents?: AgentSpec[];
  tools?: ToolSpec[];
};

/** What agents and tools share in a project file. */
type AnyCallee = {
  id: string;
  description?: string;
  input?: JsonSchema;
  output?: JsonSchema;
  timeout?: Duration;
  env?: string[];
  concurrency?: ConcurrencySpec;
  rate?: RateSpec;
  /** `false`: a call that comes again, after a crash or a timeout, does harm. */
  idempotent?: boolean;
};
export type Isolation = "inline" | "worker" | "process";

export type AgentSpec = AnyCallee &
  (
    | { kind: "module"; module: string; isolation?: Isolation }
    | {
        kind: "llm";
        model: string;
        instructions: string;
        tools?: string[];
        max_turns?: number;
        actions?: Record<string, { prompt: string; output?: JsonSchema }>;
      }
    | { kind: "command"; command: string[] }
    | { kind: "remote" }
  );

export type ToolSpec = AnyCallee &
  (
    | { kind: "module"; module: string; isolation?: Isolation }
    | { kind: "command"; command: string[]; isolation?: Isolation }
    | { kind: "http"; method?: string; url: string; headers?: Value; query?: Value; body?: Value }
    | { kind: "mcp"; server: string; tool: string }
    | { kind: "remote" }
  );

export type ProjectSpec = {
  version: 1;
  name: string;
  prefix?: string;
  subjects?: "flow" | "correlated";
  workflows?: string[];
  agents?: AgentSpec[];
  tools?: ToolSpec[];
  mcp?: Record<string, { command: string[] } | { url: string; headers?: Value }>;
  env?: string[];
  secrets?: string[];
  defaults?: { timeout?: Duration; retry?: RetrySpec };
  limits?: Record<string, number | string>;
  default_agent?: string;
  daemon?: Record<string, Json>;
  object_store?: Json;
};

// ── what is wrong with it ──

export type Path = readonly (string | number)[];

/** Something wrong in a definition: where in it, and in which words. A warning does not stop loading. */
export type Defect = {
  path: Path;
  code: string;
  message: string;
  hint?: string;
  severity: "error" | "warning";
  /** Where it stands within the text at the path. */
  offset?: number;
};

/** A defect, and where in which file it stands. */
export type Problem = Defect & { file: string; line: number; col: number };
