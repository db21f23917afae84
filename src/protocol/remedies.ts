// What whoever meets an error can do next, by its code: for problems over HTTP, and for the command line.

import type { ErrorCode } from "./errors.ts";

const remedies: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNKNOWN_MESSAGE_TYPE: "use one of the known types; GET /api/message-types lists them",
  INVALID_ENVELOPE: "send JSON, with the header `content-type: application/json`",
  INVALID_ID: "execution ids are lower-case UUIDs; ids of definitions have letters, digits, _ and -",
  VALIDATION_FAILED: "mend the fields that details.errors names",
  PAYLOAD_TOO_LARGE: "send less, or keep the content elsewhere and send where it is; over NATS, set `object_store`",
  EXEC_ID_CONFLICT: "take another execution id",
  IDEMPOTENCY_CONFLICT: "take another key, or send what was sent with this one",
  INVALID_STATE: "look at how it stands: `troupe why <exec_id>` says what it waits for",
  WORKFLOW_NOT_FOUND: "`troupe validate` says what is wrong with a file; GET /api/workflows lists what is defined",
  TASK_NOT_FOUND: "name it as workflow.task; GET /api/tasks lists what is defined",
  AGENT_NOT_FOUND: "GET /api/agents lists what is defined, GET /api/runtimes who runs it",
  TOOL_NOT_FOUND: "GET /api/tools lists what is defined",
  EXECUTION_NOT_FOUND: "`troupe list` shows which there are; what has ended is kept for a time only",
  THREAD_NOT_FOUND: "GET /api/threads lists which there are; start_agent begins one",
  NOT_FOUND: "GET /api/ says what is here, /swagger.ui shows every operation",
  TASK_AMBIGUOUS: "name it as workflow.task",
  DEFINITION_IN_USE: "wait until its runs have ended, or cancel them",
  DEFINITION_INVALID: "mend what details.errors lists",
  UNAUTHENTICATED: "send `Authorization: Bearer <token>`; `troupe token create` makes one",
  FORBIDDEN: "use a token that may do this; `troupe token create --scope` says what it may",
  RATE_LIMITED: "come again a little later, with the same Idempotency-Key",
  THREAD_BUSY: "wait for an answer before the next message",
  REPLAY_UNAVAILABLE: "begin anew without a last id, and ask for how things stand",
  NO_RESPONDER: "start a process that has this role; `troupe runtimes` shows who is there",
  COMMAND_TIMEOUT: "look whether it was done, then come again with the same Idempotency-Key",
  DAEMON_UNREACHABLE: "start it with `troupe up`, or say where it is with --url",
  AGENT_ERROR: "look at what the agent said: `troupe events <exec_id>`; `troupe retry` begins it again",
  TOOL_ERROR: "look at what the tool said: `troupe events <exec_id>`; `troupe retry` begins it again",
  TASK_FAILED: "details name the task; once its cause is mended, `troupe retry <exec_id> --from <task>`",
  STEP_LIMIT: "look for a loop without an end, or raise max_steps",
  BUDGET_EXCEEDED: "raise the budget of the workflow, or give it less to do",
  STORE_UNAVAILABLE: "mend what the message says of the disk, then come again with the same Idempotency-Key",
  INTERNAL_ERROR: "this is a defect: the log has the rest, under the same correlation id",
};

/** Nothing, where the error itself says all there is to say. */
export const remedyFor = (code: ErrorCode): string | undefined => remedies[code];
