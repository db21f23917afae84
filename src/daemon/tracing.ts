// Distributed traces: what comes with a request goes along with its run, and where somebody listens, spans are made.
//
//   traceparent ─▶ run (in its first record) ─▶ every message, every handler           always, and nothing else is done
//   on disk: Started ─▶ span begins … Success, Failed, Canceled ─▶ span ends           if an OpenTelemetry SDK is there
//
// Spans are made of what is on disk, when it is: what a replay says again is no news, and makes none.
//
// Invariants:
//   TR1. Without an SDK nothing listens, and no trace is made up.
//   TR2. With one every execution of a traced run has one span, under that of what called it, and it ends.
//   TR3. So many spans are open, and no more: the oldest is ended for the next.

import type { Span } from "@opentelemetry/api";
import type { Trace } from "../protocol/envelope.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { version } from "../version.ts";

type Committed = Parameters<Parameters<Troupe["subscribe"]>[0]>[0];
type Word = Committed["said"][number]["word"];

export type Tracing = {
  /** The trace of a run that comes without one. */
  newTrace: () => Trace | undefined;
  watch(troupe: Pick<Troupe, "system">): () => void;
};

type Means = { now: () => number; openMax?: number };

const spansMax = 10_000;
const entities = ["tool", "agent", "task", "workflow"] as const;
const kindOf =
  /^event:(Workflow|Task|Agent|Tool)(?:Execution(Started|Success|Result|Failed|Canceled|TimedOut)|Dispatch(Failed))$/;

/** Nothing, if no SDK was registered before the start. */
export async function openTracing({ now, openMax = spansMax }: Means): Promise<Tracing | undefined> {
  if (!isThere()) return undefined;
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = await import("@opentelemetry/api");
  const tracer = trace.getTracer("troupe", version);
  const open = new Map<string, Span>();

  function begin(execId: string, name: string, word: Word, { trace: of, at, correlationId }: Committed): void {
    if (open.has(execId)) return;
    const above = ancestorsOf(word, execId).map((id) => open.get(id));
    const parent = above.find((span) => span !== undefined)?.spanContext() ?? contextOf(of);
    const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const attributes = { "troupe.exec_id": execId, "troupe.correlation_id": correlationId };
    open.set(execId, tracer.startSpan(name, { startTime: at, kind: SpanKind.INTERNAL, attributes }, context));
    if (open.size <= openMax) return;
    for (const oldest of open.keys()) return end(oldest, at, "more spans are open than are kept");
  }

  function end(execId: string, at: number, failure?: string): void {
    const span = open.get(execId);
    if (!span) return;
    open.delete(execId);
    if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span.end(at);
  }

  function hear(committed: Committed): void {
    for (const { word } of committed.said) {
      const own = ownOf(word);
      if (!own) continue;
      begin(own.execId, own.name, word, committed);
      if (own.how !== "Started") end(own.execId, committed.at, failureOf(word, own.how));
    }
  }

  return {
    newTrace() {
      const span = tracer.startSpan("troupe start", { kind: SpanKind.PRODUCER });
      const { traceId, spanId, traceFlags } = span.spanContext();
      span.end();
      return { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}` };
    },
    watch(troupe) {
      const off = troupe.system.subscribe(hear);
      return () => {
        off();
        // They go on in the next life, which cannot end these.
        for (const execId of Array.from(open.keys())) end(execId, now());
      };
    },
  };
}

/** Where the API of this major version keeps what was registered, in whichever copy of the package that was. */
const registry = Symbol.for("opentelemetry.js.api.1");

/** Looked up without the package: most daemons have no SDK, and need not read it. */
const isThere = (): boolean =>
  (Reflect.get(globalThis, registry) as { trace?: unknown } | undefined)?.trace !== undefined;

/** The execution that begins or ends by this, if it is an event of that kind. */
function ownOf(word: Word): { execId: string; name: string; how: string } | undefined {
  const [, kind = "", how, dispatch = ""] = kindOf.exec(word.type) ?? [];
  const entity = kind.toLowerCase() as (typeof entities)[number];
  const own = word[entity];
  return own?.exec_id === undefined
    ? undefined
    : { execId: own.exec_id, name: `${entity} ${own.id}`, how: how ?? dispatch };
}

/** Whoever was called comes before whoever called it. */
const ancestorsOf = (word: Word, execId: string): string[] =>
  entities.flatMap((entity) => word[entity]?.exec_id ?? []).filter((id) => id !== execId);

function contextOf({ traceparent }: Trace = {}) {
  const [, traceId = "", spanId = "", flags = "00"] = /^..-(.{32})-(.{16})-(..)/.exec(traceparent ?? "") ?? [];
  if (spanId === "") return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

function failureOf(word: Word, how: string): string | undefined {
  type Payload = { status?: string; result?: { error?: { code?: string; message?: string } } | null };
  const { status, result } = (word["payload"] ?? {}) as Payload;
  if (how === "Success" || (how === "Result" && status === "SUCCESS")) return undefined;
  const { code = how, message = "" } = result?.error ?? {};
  return message === "" ? code : `${code}: ${message}`;
}
