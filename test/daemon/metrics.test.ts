// Goal: what is measured is what happened, by names of which there are few.
// Method: a troupe in virtual time runs, fails and retries; the page is read as Prometheus reads it.

import { expect, test } from "vitest";
import { metricRows, openMetrics } from "../../src/daemon/metrics.ts";
import { openBed } from "../runtime/bed.ts";

const workflows = [
  { id: "good", tasks: [{ id: "ask", type: "agent" as const, agent: "clerk" }] },
  {
    id: "bad",
    tasks: [
      { id: "ask", type: "agent" as const, agent: "thief", retry: { max_attempts: 3, backoff: { initial: "1s" } } },
    ],
  },
  { id: "waits", tasks: [{ id: "sleep", type: "wait" as const, wait: { duration: "1h" } }] },
];
const agents = [
  { id: "clerk", handler: () => ({ done: true }) },
  {
    id: "thief",
    handler: () => {
      throw new Error("caught");
    },
  },
];

/** By name and labels: every sample of the page. */
const samplesOf = (page: string): Map<string, number> =>
  new Map(
    page
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );

async function measured() {
  const bed = await openBed({ workflows, agents });
  let isReady = true;
  const metrics = openMetrics({ isReady: () => isReady, now: bed.clock.now });
  const off = metrics.watch(bed.t);
  return {
    ...bed,
    metrics,
    off,
    setReady: (to: boolean) => void (isReady = to),
    samples: async () => samplesOf((await metrics.page()).text),
  };
}

test("MX2: what begins, ends and is retried is counted once, by kind and how it ended", async () => {
  const { t, pass, samples } = await measured();
  t.start("good");
  t.start("good");
  t.start("bad");
  t.start("waits");
  await pass(60_000);
  const seen = await samples();
  const of = (name: string): number | undefined => seen.get(`troupe_${name}`);
  expect({
    started: of('started_total{entity="workflow"}'),
    good: of('ended_total{entity="workflow",status="SUCCESS"}'),
    bad: of('ended_total{entity="workflow",status="FAILED"}'),
    agents: of('ended_total{entity="agent",status="SUCCESS"}'),
    thieves: of('ended_total{entity="agent",status="FAILED"}'),
    retries: of("retries_total"),
    running: of('executions{status="RUNNING"}'),
    done: of('executions{status="SUCCESS"}'),
    slots: of('at_work{kind="workflow"}'),
    trouble: of("store_trouble"),
  }).toEqual({
    started: 4,
    good: 2,
    bad: 1,
    agents: 2,
    thieves: 3,
    retries: 2,
    running: 1,
    done: 2,
    slots: 1,
    trouble: 0,
  });
  expect(of("records_total")).toBeGreaterThan(10);
  expect(of("commit_seconds_count")).toBe(of("records_total"));
});

test("MX1: no label is an id of anything that comes and goes", async () => {
  const { t, pass, metrics } = await measured();
  const { execId } = t.start("good");
  await pass(1_000);
  const { text, contentType } = await metrics.page();
  expect(contentType).toContain("text/plain");
  expect(text).not.toContain(execId);
  expect(text).not.toContain("good");
  const labels = new Set(
    [...text.matchAll(/^troupe_\w+\{([^}]*)\}/gm)].flatMap(([, all = ""]) => all.match(/\w+(?==)/g) ?? []),
  );
  const known = new Set<string>([...Object.values(metricRows).flatMap((row) => [...row.labels]), "le"]);
  expect([...labels].filter((label) => !known.has(label))).toEqual([]);
});

test("what the doors say is counted, also before the page was ever asked for", async () => {
  const { metrics, samples } = await measured();
  const { answered, refused, connected, frame } = metrics.doors;
  answered("GET", "/api/health", 200, 12);
  refused("UNAUTHENTICATED");
  refused("UNAUTHENTICATED");
  connected("websocket", 1);
  connected("websocket", 1);
  connected("websocket", -1);
  frame("in", "chat");
  const seen = await samples();
  expect(seen.get('troupe_http_seconds_count{method="GET",route="/api/health",status="200"}')).toBe(1);
  expect(seen.get('troupe_http_seconds_sum{method="GET",route="/api/health",status="200"}')).toBeCloseTo(0.012);
  expect(seen.get('troupe_rejected_total{reason="UNAUTHENTICATED"}')).toBe(2);
  expect(seen.get('troupe_connections{kind="websocket"}')).toBe(1);
  expect(seen.get('troupe_frames_total{direction="in",type="chat"}')).toBe(1);
  // Asked for again, nothing is counted twice.
  expect((await samples()).get('troupe_rejected_total{reason="UNAUTHENTICATED"}')).toBe(2);
});

test("it says whether the daemon is ready, how late the loop is, and which release this is", async () => {
  const { setReady, samples } = await measured();
  expect((await samples()).get("troupe_ready")).toBe(1);
  setReady(false);
  const seen = await samples();
  expect(seen.get("troupe_ready")).toBe(0);
  expect(seen.has("nodejs_eventloop_lag_seconds")).toBe(true);
  expect([...seen.keys()].some((name) => name.startsWith("troupe_info{version="))).toBe(true);
});

test("a troupe that is no longer watched is no longer counted", async () => {
  const { t, pass, off, samples } = await measured();
  off();
  t.start("good");
  await pass(1_000);
  expect((await samples()).get('troupe_started_total{entity="workflow"}')).toBeUndefined();
});
