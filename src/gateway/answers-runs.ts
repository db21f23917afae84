// What begins executions, and what is said to those under way.

import { errorRow, type ErrorCode, isErrorCode, TroupeError } from "../protocol/errors.ts";
import { traceIdOf, traceOf } from "../protocol/envelope.ts";
import type { Handle, Start } from "../runtime/desk.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { given, searchOf, shownAt } from "./answers-executions.ts";
import type { AnswersOf, Asked } from "./answers.ts";
import { checkAgent } from "./known-agents.ts";
import { executionOf, reportOf } from "./shown.ts";

type Means = {
  troupe: Troupe;
  /** From then on nobody is kept waiting. */
  closing: AbortSignal;
};

type Entities = "workflows" | "tasks" | "agents" | "tools";

const waitMsUnlessSaid = 30_000;
const takenMs = 1_000;

/** Where to go on from an execution. */
export function linksOf(entities: Entities, execId: string): Record<string, string> {
  const self = `/api/${entities}/executions/${execId}`;
  const steered = entities === "tools" ? {} : { cancel: `${self}/cancel` };
  return { self, status: `${self}/status`, history: `${self}/history`, stream: `${self}/stream`, ...steered };
}

/** What goes with a start: the engine records all of it. */
function startOf({
  correlationId,
  idempotencyKey,
  headers,
}: Pick<Asked, "correlationId" | "idempotencyKey" | "headers">) {
  const trace = traceOf(headers);
  return {
    correlationId,
    ...given({ idempotencyKey }),
    ...(traceIdOf(trace) !== undefined && { trace }),
  };
}

/** Whichever is first: the end, or that nobody waits any longer. */
async function within<T>(
  promise: Promise<T>,
  waitMs: number,
  { troupe: { clock }, closing }: Means,
): Promise<T | undefined> {
  // Whoever no longer waits is not told of its failure.
  promise.catch(() => undefined);
  if (waitMs === 0 || closing.aborted) return undefined;
  let leave = (): void => undefined;
  const over = new Promise<undefined>((resolve) => {
    const close = (): void => resolve(undefined);
    const cancel = clock.alarm(clock.now() + waitMs, close);
    closing.addEventListener("abort", close);
    leave = () => {
      cancel();
      closing.removeEventListener("abort", close);
    };
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    leave();
  }
}

type Begun = Pick<Asked<"executeWorkflow">, "params" | "body" | "correlationId" | "idempotencyKey" | "headers">;
type Resumed = Pick<Asked<"resumeTask">, "params" | "body" | "idempotencyKey">;

export function runAnswers(means: Means) {
  const { troupe } = means;
  const { clock } = troupe;
  function begin(entities: Entities, asked: Begun): Handle {
    const { input, labels } = asked.body;
    const options: Start = { ...startOf(asked), ...given({ labels }) };
    const { id } = asked.params;
    if (entities === "workflows") return troupe.start(id, input, options);
    if (entities === "agents") checkAgent(troupe, id);
    const what = entities === "agents" ? { agent: id } : entities === "tools" ? { tool: id } : { task: id };
    return troupe.startOne(what, input, options);
  }

  async function accepted(entities: Entities, { execId, duplicate, accepted: onDisk }: Handle) {
    await taken(execId, onDisk());
    const status = duplicate ? troupe.get(execId).status : "PENDING";
    const links = linksOf(entities, execId);
    const body = { exec_id: execId, status, duplicate, links };
    return { status: 202, body, headers: { location: links["self"] ?? "" } };
  }

  /** Waits until it is on disk; while nothing can be written nobody is kept waiting, nor told that it was taken. */
  async function taken(execId: string, onDisk: Promise<void>): Promise<void> {
    const isTaken = onDisk.then(() => true);
    for (let isOver = false; !isOver;) {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const cancel = clock.alarm(clock.now() + takenMs, () => resolve(false));
      isOver = await Promise.race([isTaken, promise]);
      cancel();
      const trouble = isOver ? null : troupe.trouble();
      if (!trouble) continue;
      const message = `whether '${execId}' was taken is not known yet: ${trouble.message}`;
      throw new TroupeError(trouble.code, message, { ...trouble.details, exec_id: execId });
    }
  }

  const beginAsync = (entities: Entities) => (asked: Begun) => accepted(entities, begin(entities, asked));

  const beginSync = (entities: Entities) => async (asked: Begun & { query: { wait_ms?: number | undefined } }) => {
    const handle = begin(entities, asked);
    const end = await within(handle.result(), asked.query.wait_ms ?? waitMsUnlessSaid, means);
    if (!end) return accepted(entities, handle);
    // What ended before its call began has no row of that kind: then the run itself is shown.
    const execution = executionOf(
      await shownAt(troupe, entities, handle.execId).catch(() => troupe.get(handle.execId)),
    );
    if (end.status === "SUCCESS") {
      const { result, status } = executionOf(troupe.get(handle.execId));
      return {
        status: 200,
        body: { ...execution, result, status },
        headers: { location: linksOf(entities, handle.execId)["self"] ?? "" },
      };
    }
    throw endedBadly(end, execution);
  };

  const acknowledged = (entities: Entities, exec_id: string) => ({
    status: 202,
    body: { exec_id, status: "ACKNOWLEDGED" as const, links: linksOf(entities, exec_id) },
  });

  const cancel =
    (entities: "workflows" | "tasks" | "agents") =>
    async ({ params: { exec_id }, body, query }: Pick<Asked<"cancelExecution">, "params" | "body" | "query">) => {
      await shownAt(troupe, entities, exec_id);
      const waitMs = query.wait_ms ?? 0;
      const said = acknowledged(entities, exec_id);
      const report = waitMs > 0 ? await within(troupe.cancel(exec_id, body.reason), waitMs, means) : undefined;
      const changed = report ? report.changed : waitMs > 0 ? true : await troupe.requestCancel(exec_id, body.reason);
      const links = { ...said.body.links, report: `/api/${entities}/executions/${exec_id}/cancel-report` };
      return { ...said, body: { ...said.body, changed, report: report ? reportOf(report) : null, links } };
    };

  const resume =
    (entities: "workflows" | "tasks") =>
    async ({ params: { exec_id }, body, idempotencyKey }: Resumed) => {
      await shownAt(troupe, entities, exec_id);
      await troupe.resume(exec_id, body.resume_data, given({ idempotencyKey }));
      return acknowledged(entities, exec_id);
    };

  return {
    executeWorkflow: beginSync("workflows"),
    executeWorkflowAsync: beginAsync("workflows"),
    executeAgent: beginSync("agents"),
    executeAgentAsync: beginAsync("agents"),
    executeTool: beginSync("tools"),
    executeToolAsync: beginAsync("tools"),
    triggerTask: beginSync("tasks"),
    triggerTaskAsync: beginAsync("tasks"),

    async pauseExecution({ params: { exec_id }, body, idempotencyKey }) {
      await troupe.pause(exec_id, body.reason, given({ idempotencyKey }));
      return acknowledged("workflows", exec_id);
    },
    resumeExecution: resume("workflows"),
    resumeTask: resume("tasks"),
    cancelExecution: cancel("workflows"),
    cancelTask: cancel("tasks"),
    cancelAgent: cancel("agents"),
    async signalExecution({ params: { exec_id }, body, idempotencyKey }) {
      await troupe.signal(exec_id, body.name, body.payload, given({ idempotencyKey }));
      return acknowledged("workflows", exec_id);
    },

    async retryExecution({ params: { exec_id }, body, idempotencyKey }) {
      const { from, input, definition } = body;
      const key = given({ idempotencyKey });
      if (from === undefined && (input !== undefined || definition !== undefined)) {
        const fields = Object.keys(given({ input, definition }));
        const errors = fields.map((field) => ({ field, message: "needs `from`: the task to begin at" }));
        throw new TroupeError("VALIDATION_FAILED", "what is retried as a whole is retried as it was", { errors });
      }
      const { execId, retryOf } =
        from === undefined
          ? await troupe.retry(exec_id, key)
          : await troupe.retryFrom(exec_id, from, { ...given({ input, definition }), ...key });
      await troupe.accepted(execId);
      return again(execId, { retry_of: retryOf });
    },
    async forkExecution({ params: { exec_id }, body: { from, input, definition, labels }, idempotencyKey }) {
      const options = { from, ...given({ input, definition, labels, idempotencyKey }) };
      const { execId, forkOf } = await troupe.fork(exec_id, options);
      await troupe.accepted(execId);
      return again(execId, { fork_of: forkOf });
    },
    async cancelMany({ body: { where, reason } }) {
      const { matched, canceled, failed } = await troupe.cancelAll(whereOf(where), reason);
      return { body: { matched, canceled: canceled.map(reportOf), failed: failed.map(errorOf) } };
    },
    async retryMany({ body: { where }, idempotencyKey }) {
      const { matched, retried, failed } = await troupe.retryAll(whereOf(where), given({ idempotencyKey }));
      await Promise.all(retried.map(({ execId }) => troupe.accepted(execId)));
      const begun = retried.map(({ execId, retryOf }) => again(execId, { retry_of: retryOf }).body);
      return { body: { matched, retried: begun, failed: failed.map(errorOf) } };
    },
  } satisfies AnswersOf<
    | "executeWorkflow"
    | "executeWorkflowAsync"
    | "executeAgent"
    | "executeAgentAsync"
    | "executeTool"
    | "executeToolAsync"
    | "triggerTask"
    | "triggerTaskAsync"
    | "pauseExecution"
    | "resumeExecution"
    | "resumeTask"
    | "cancelExecution"
    | "cancelTask"
    | "cancelAgent"
    | "signalExecution"
    | "retryExecution"
    | "forkExecution"
    | "cancelMany"
    | "retryMany"
  >;
}

function again<O extends object>(exec_id: string, of: O) {
  const links = linksOf("workflows", exec_id);
  return { status: 202, body: { exec_id, ...of, links }, headers: { location: links["self"] ?? "" } };
}

const errorOf = ({ execId, code, message }: { execId: string; code: string; message: string }) => ({
  exec_id: execId,
  code,
  message,
});

type Where = Asked<"cancelMany">["body"]["where"];
function whereOf({ labels, ...rest }: Where) {
  return { ...searchOf(rest), ...given({ labels }) };
}

type BadEnd = Awaited<ReturnType<Handle["result"]>>;

/** The end that a request waited for and that is no success: the status follows from its code. */
function endedBadly({ execId, status, error }: BadEnd, execution: object): TroupeError {
  const { code, message, details = {} } = error ?? { code: "INVALID_STATE", message: `'${execId}' was canceled` };
  const known: ErrorCode = isErrorCode(code) && errorRow(code).http !== null ? code : "INTERNAL_ERROR";
  return new TroupeError(known, message, { ...details, exec_id: execId, status, execution });
}
