// Goal: on a real NATS server the golden flows are said as they stand in flows.yaml, by components in processes apart.
//
// Method: each component in a process of its own, an account of the server for each scene, and a plain client of NATS
// that listens on everything. Clocks stand until all is quiet, so that timers of minutes cost nothing.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { type Layout, layouts } from "../../src/protocol/layouts.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { scenes } from "../kit/flow-scenes.ts";
import { flowOf } from "../kit/flows.ts";
import { silent } from "../kit/nats.ts";
import { playOnNats, roleProcess, type RoleProcess } from "../kit/nats-stage.ts";
import { compared } from "../kit/recorder.ts";
import { allRoles } from "../kit/virtual-troupe.ts";

const directory = mkdtempSync(join(tmpdir(), "troupe-flows-"));
const company = new Map<string, RoleProcess>();
let server: NatsServer;

const plays = layouts.flatMap((layout) =>
  Object.entries(scenes)
    .filter(([, { isForClients }]) => isForClients !== true || layout === "flow")
    .map(([id]) => ({ id, layout, title: flowOf(id).title })),
);
const accountOf = (id: string, layout: Layout): string => `${id}-${layout}`;

beforeAll(async () => {
  const accounts = plays.map(({ id, layout }) => {
    const name = accountOf(id, layout);
    return `${name}: { jetstream: enabled, users: [{ user: ${name}, password: ${name} }] }`;
  });
  const extra = `accounts {\n${accounts.join("\n")}\n}`;
  server = await startNatsServer({ directory, clock: systemClock(), report: silent, extra });
  for (const role of allRoles.slice(1)) company.set(role, roleProcess());
});
afterAll(async () => {
  await Promise.all([...company.values()].map((one) => one.end()));
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const declined: Readonly<Record<string, string>> = { "workflow-9-resume-not-waiting": "INVALID_STATE" };
const isRefusal = (id: string): boolean => id.startsWith("bus-") || id === "workflow-11-declined";

describe.concurrent("over NATS", () => {
  test.for(plays)("$id in the layout $layout: $title", async ({ id, layout }) => {
    const flow = flowOf(id);
    const name = accountOf(id, layout);
    const seat = { servers: server.url(), user: name, pass: name };
    await playOnNats(id, layout, seat, company, ({ lines, isWhole, troupe, answers, errors }) => {
      const { problem, bindings } = compared(flow, lines, layout);
      expect(problem).toBeNull();
      const ended = Object.keys(flow.then).map((entity) => [entity, troupe.get(bindings.get(entity) ?? "").status]);
      expect(Object.fromEntries(ended)).toEqual(flow.then);
      expect(answers).toEqual(answers.map(() => declined[id] ?? "well"));
      for (const [index, { cause, word }] of isWhole ? lines.entries() : []) {
        const isSaid = cause === null || lines.slice(0, index).some((line) => line.id === cause);
        expect(isSaid, `${word.type} was caused by ${cause}`).toBe(true);
      }
      if (!isRefusal(id)) expect(errors).toEqual([]);
    });
  });
});

test("no process of a component complained", () => {
  expect([...company.values()].map((one) => one.said())).toEqual([...company.values()].map(() => ""));
});
