// What can go wrong, once: the table of codes, the one error class, and its two converters.
//
// Whether a failure may be retried, which HTTP status and which exit code it means is looked up by code, never
// guessed from a class or a message.
//
// Invariants:
//   E1. Every code of the protocol is in the table, and nothing else is.
//   E2. fromUnknown takes any thrown value and never throws; toWire never carries a stack.

/** Exit codes of the command line: an execution failed, the call was wrong, nobody answered. */
export const exits = { failed: 1, usage: 2, unreachable: 3 } as const;

type Row = {
  readonly summary: string;
  /** By whom the code is given: component codes of the protocol, or a word. */
  readonly by: string;
  readonly retry: boolean;
  /** The status when an HTTP request, or the execution it waited for, ends so; null for mere warnings. */
  readonly http: number | null;
  readonly exit: 1 | 2 | 3;
};

const refused = (summary: string, by: string, http: number): Row => ({ summary, by, http, retry: false, exit: 2 });
const failed = (summary: string, by: string, http: number): Row => ({ summary, by, http, retry: false, exit: 1 });
const passing = (summary: string, by: string, http: number): Row => ({ summary, by, http, retry: true, exit: 1 });
const unanswered = (summary: string, by: string, http: number): Row => ({ summary, by, http, retry: false, exit: 3 });
const warning = (summary: string): Row => ({ summary, by: "any", http: null, retry: false, exit: 1 });

export const errors = {
  UNKNOWN_MESSAGE_TYPE: refused("no message of the protocol has this name or subject", "receiver", 400),
  MESSAGE_TYPE_MISMATCH: refused("the message's name contradicts its subject", "receiver", 400),
  INVALID_ENVELOPE: refused("not JSON, or metadata or an entity section is wrong", "receiver", 400),
  INVALID_SUBJECT: refused("the subject does not follow the grammar", "codec", 400),
  INVALID_ID: refused("an id does not follow the grammar", "codec", 400),
  VALIDATION_FAILED: refused("the content breaks its schema; details.errors lists each field", "any", 422),
  PAYLOAD_TOO_LARGE: refused("the message is over the size limit", "producer", 413),
  MAX_DELIVERIES: failed("delivered again and again in vain", "consumer", 500),
  EXEC_ID_CONFLICT: refused("the execution id is already used for other content", "WO", 409),
  IDEMPOTENCY_CONFLICT: refused("the idempotency key is already used for other content", "API", 409),
  INVALID_STATE: refused("not possible in the current state; details.status names it", "WO AD", 409),
  WORKFLOW_NOT_FOUND: refused("no workflow has this id", "API WO", 404),
  TASK_NOT_FOUND: refused("no task has this id", "API WO", 404),
  AGENT_NOT_FOUND: refused("no agent has this id", "API GW AD", 404),
  TOOL_NOT_FOUND: refused("no tool has this id", "API XE", 404),
  EXECUTION_NOT_FOUND: refused("no execution has this id", "API WO AD", 404),
  THREAD_NOT_FOUND: refused("no conversation has this thread id", "GW", 404),
  NOT_FOUND: refused("nothing is at this path", "API", 404),
  TASK_AMBIGUOUS: refused("the task id stands in several workflows; name it as workflow.task", "API", 409),
  DEFINITION_IN_USE: refused("the definition has active runs", "API", 409),
  DEFINITION_INVALID: refused("the definition has defects; details.errors lists them", "API", 422),
  UNAUTHENTICATED: refused("no valid token was given", "API GW", 401),
  FORBIDDEN: refused("the token does not allow this, or the request came from elsewhere", "API GW", 403),
  RATE_LIMITED: refused("too many requests; try again later", "API GW", 429),
  THREAD_BUSY: refused("the conversation already has its limit of queued messages", "API GW", 429),
  REPLAY_UNAVAILABLE: refused("the last seen id is too old to replay from", "API GW", 410),
  NO_RESPONDER: unanswered("nobody serves this command", "issuer", 503),
  COMMAND_TIMEOUT: unanswered("the command was not acknowledged in time", "issuer", 504),
  DAEMON_UNREACHABLE: unanswered("no daemon answers at this address", "client", 503),
  API_TIMEOUT: failed("no terminal event came within the deadline and its grace", "API GW", 504),
  EXECUTOR_BUSY: failed("the task executor has no free slot", "TE", 503),
  AGENT_RUNTIME_BUSY: failed("the agent runtime has no free slot", "AR", 503),
  AGENT_ERROR: passing("the agent's own logic failed", "AR", 502),
  TOOL_ERROR: passing("the tool's own logic failed", "XE", 502),
  AGENT_RUNTIME_LOST: passing("the runtime died during the run", "AD", 502),
  AGENT_INVOCATION_TIMEOUT: passing("the agent did not answer in time", "caller", 504),
  TOOL_INVOCATION_TIMEOUT: passing("the tool did not answer in time", "caller", 504),
  AGENT_DISPATCH_FAILED: passing("no runtime could take the agent; details.reason says why", "AD TE", 503),
  TOOL_DISPATCH_FAILED: passing("nobody could take the tool call; details.reason says why", "caller", 503),
  AGENT_CANCELED: failed("the agent was canceled apart from its task", "AR", 409),
  TOOL_CANCELED: failed("the tool was canceled apart from its task", "XE", 409),
  SIGNAL_NOT_DELIVERED: failed("the target refused the signal", "TE", 409),
  TOOL_INPUT_INVALID: failed("the tool's input breaks its schema", "XE", 422),
  TOOL_OUTPUT_INVALID: failed("the tool's output breaks its schema", "XE", 502),
  TASK_TIMEOUT: passing("the task ran over its time", "WO", 504),
  TASK_HEARTBEAT_LOST: passing("the task's executor fell silent", "WO", 504),
  TASK_START_TIMEOUT: passing("no executor took the task in time", "WO", 503),
  WAIT_TIMEOUT: failed("what the task waited for did not come in time", "WO", 504),
  WORKFLOW_EXECUTION_TIMEOUT: failed("the workflow ran over its deadline", "WO", 504),
  CALLER_LOST: failed("the caller of this agent or tool vanished", "WO", 500),
  TASK_FAILED: failed("a task failed the workflow; details name it", "WO", 500),
  CHILD_FAILED: failed("the strategy's children did not succeed; details.failed lists them", "WO", 500),
  NO_ROUTE: failed("no case of the route was true and it has no default", "WO", 500),
  EXPRESSION_ERROR: failed("an expression could not be evaluated", "WO", 500),
  STEP_LIMIT: failed("a task ran more often than max_steps allows", "WO", 500),
  BUDGET_EXCEEDED: failed("the run used more than its budget allows; details name the budget", "WO", 500),
  UNDO_TIMEOUT: failed("what the run had done was not undone in time", "WO", 504),
  STORE_UNAVAILABLE: passing("the store cannot be used at present; details.reason says why", "any", 503),
  INTERNAL_ERROR: passing("something unexpected; a defect of the engine", "any", 500),
  DEPRECATED_ALIAS: warning("an old name was used; `use` gives the new one"),
  DEPRECATED_MESSAGE_TYPE: warning("an old frame type was used; `use` gives the new one"),
  LATE_MESSAGE: warning("a message came after its execution had ended; it was recorded and not applied"),
} as const satisfies Record<string, Row>;

export type ErrorCode = keyof typeof errors;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errors, code);
export const errorRow = (code: ErrorCode): Row => errors[code];

/** What a callee may use as its own code. */
export const calleeCodePattern = /^[A-Z][A-Z0-9_]{0,63}$/;

export type Details = Readonly<Record<string, unknown>>;
export type WireError = { message: string; code: ErrorCode; details?: Details | undefined };

export class TroupeError extends Error {
  readonly code: ErrorCode;
  readonly details: Details;

  constructor(code: ErrorCode, message: string, details: Details = {}, options?: ErrorOptions) {
    super(message, options);
    this.name = "TroupeError";
    this.code = code;
    this.details = details;
  }
}

/** As it goes into `payload.result.error`. */
export const toWire = (error: TroupeError): WireError => ({
  message: error.message,
  code: error.code,
  details: error.details,
});

// Checked by shape and not by class: two copies of this package in one process have two classes.
const isTroupeError = (value: unknown): value is TroupeError =>
  value instanceof Error &&
  value.name === "TroupeError" &&
  "code" in value &&
  typeof value.code === "string" &&
  isErrorCode(value.code) &&
  "details" in value &&
  typeof value.details === "object" &&
  value.details !== null;

/** Any thrown value as the one error class; what is not ours is an INTERNAL_ERROR with the original as cause. */
export function fromUnknown(thrown: unknown): TroupeError {
  try {
    if (isTroupeError(thrown)) return thrown;
    const message = String(thrown instanceof Error ? thrown.message : thrown);
    return new TroupeError("INTERNAL_ERROR", message, {}, { cause: thrown });
  } catch {
    // A thrown value may throw whenever it is looked at: by a getter, a proxy, a toString. Nothing can be quoted then.
    return new TroupeError("INTERNAL_ERROR", "a value that cannot be printed was thrown", {}, { cause: thrown });
  }
}
