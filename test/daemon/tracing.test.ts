// Goal: where somebody listens, every execution is one span, in its place and with how it ended; else nothing happens.
// Method: a provider of spans that writes them down is registered the way an SDK does it.

import {
  context,
  type Context,
  type Span,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { afterEach, describe, expect, test } from "vitest";
import { openTracing } from "../../src/daemon/tracing.ts";
import { type Bed, openBed } from "../runtime/bed.ts";

type Made = {
  name: string;
  id: string;
  traceId: string;
  parent: string | undefined;
  from: number;
  to?: number;
  status?: SpanStatus;
};

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const given = { traceparent: `00-${traceId}-${spanId}-01` };

/** An SDK, as far as the API knows of it. */
function register(): Made[] {
  const made: Made[] = [];
  const startSpan = (name: string, options: SpanOptions = {}, at: Context = context.active()): Span => {
    const parent = trace.getSpanContext(at);
    const id = String(made.length + 1).padStart(16, "0");
    const one: Made = {
      name,
      id,
      traceId: parent?.traceId ?? "1".repeat(32),
      parent: parent?.spanId,
      from: Number(options.startTime ?? 0),
    };
    made.push(one);
    const span = trace.wrapSpanContext({ traceId: one.traceId, spanId: id, traceFlags: 1 });
    return Object.assign(span, {
      setStatus: (status: SpanStatus) => Object.assign(one, { status }) && span,
      end: (time: number) => void (one.to = Number(time)),
    });
  };
  const tracer = { startSpan, startActiveSpan: () => undefined } as unknown as Tracer;
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  return made;
}

afterEach(() => trace.disable());

const workflows = [
  { id: "w", tasks: [{ id: "ask", type: "agent" as const, agent: "clerk" }] },
  { id: "bad", tasks: [{ id: "ask", type: "agent" as const, agent: "thief" }] },
];
const tools = [{ id: "look", handler: () => ({ seen: 1 }) }];
const agents = [
  {
    id: "clerk",
    handler: async (_input: unknown, { tool }: { tool: (id: string, input: unknown) => Promise<unknown> }) => ({
      seen: await tool("look", {}),
    }),
  },
  {
    id: "thief",
    handler: () => {
      throw Object.assign(new Error("caught"), { code: "CAUGHT" });
    },
  },
];

async function traced() {
  const made = register();
  const tracing = await openTracing({ now: () => 0 });
  if (!tracing) throw new Error("the provider was not found");
  const bed: Bed = await openBed({ workflows, agents, tools, trace: tracing.newTrace });
  return { ...bed, made, off: tracing.watch(bed.t) };
}

test("TR1: without an SDK nothing listens, and no trace is made up", async () => {
  expect(await openTracing({ now: () => 0 })).toBeUndefined();
});

describe("with an SDK", () => {
  test("TR2: each execution is one span under that of its caller, from when it began to when it ended", async () => {
    const { t, pass, made } = await traced();
    t.start("w", {}, { trace: given });
    await pass(1_000);
    const nameOf = new Map(made.map(({ id, name }) => [id, name]));
    expect(made.map(({ name, parent }) => [name, nameOf.get(parent ?? "") ?? parent])).toEqual([
      ["workflow w", spanId],
      ["task ask", "workflow w"],
      ["agent clerk", "task ask"],
      ["tool look", "agent clerk"],
    ]);
    expect(made.every((span) => span.traceId === traceId && span.to !== undefined && span.to >= span.from)).toBe(true);
    expect(made.every((span) => span.from > 0 && span.status === undefined)).toBe(true);
  });

  test("TR2: what fails says so, with its code", async () => {
    const { t, pass, made } = await traced();
    t.start("bad", {}, { trace: given });
    await pass(1_000);
    expect(made.map(({ name, status }) => [name, status?.code])).toEqual(
      ["workflow bad", "task ask", "agent thief"].map((name) => [name, SpanStatusCode.ERROR]),
    );
    expect(made.at(-1)?.status?.message).toContain("caught");
  });

  test("TR2: a start that brings no trace begins one, which its handlers are told", async () => {
    const { t, pass, made } = await traced();
    t.startOne({ agent: "clerk" });
    await pass(1_000);
    const [start, task] = made;
    expect(start).toMatchObject({ name: "troupe start", parent: undefined });
    expect(task).toMatchObject({ name: "task clerk", parent: start?.id, traceId: start?.traceId });
  });

  test("TR2: what is open when the daemon stops ends with it", async () => {
    const held = { id: "held", handler: () => new Promise(() => undefined) };
    const made = register();
    const tracing = await openTracing({ now: () => 1 });
    const { t, pass } = await openBed({ agents: [held] });
    const off = tracing?.watch(t);
    t.startOne({ agent: "held" }, {}, { trace: given });
    await pass(1_000);
    expect(made.filter(({ to }) => to === undefined).length).toBeGreaterThan(0);
    off?.();
    expect(made.filter(({ to }) => to === undefined)).toEqual([]);
  });

  test("TR3: so many spans are open, and no more: the oldest is ended for the next", async () => {
    const held = { id: "held", handler: () => new Promise(() => undefined) };
    const made = register();
    const { t, pass } = await openBed({ agents: [held] });
    (await openTracing({ now: () => 0, openMax: 3 }))?.watch(t);
    for (let run = 0; run < 6; run++) t.startOne({ agent: "held" }, {}, { trace: given });
    await pass(1_000);
    expect(made.length).toBeGreaterThan(5);
    expect(made.filter(({ to }) => to === undefined)).toHaveLength(3);
  });
});
