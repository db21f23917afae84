// Goal: with every message on the wire, whatever the wire does ends every execution once, with a result or a code.
//
// Method: the transport loses, doubles and delays what is not stored, by a seed; the troupe is the real one.

import { describe, expect, it } from "vitest";
import { randomFrom } from "../../src/testing/random.ts";
import { facadeOf } from "../../src/testing/simulation/weather.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { entryOf } from "../../src/protocol/catalogue.ts";
import type { Connection, Transport } from "../../src/transport/transport.ts";
import { rest, stage, type Stage } from "../kit/bridged.ts";

const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
/** What a stream would deliver again until it is acknowledged. */
const isStored = (subject: string): boolean => {
  const { address } = subjects.parse(subject);
  return address !== null && entryOf(address.key).delivery === "stored";
};

type Harm = { lost: number; doubled: number; delayed: number };

function harmful(inner: Transport, harm: Harm, random: () => number, later: (ms: number, act: () => void) => void) {
  const chance = (of: number): boolean => random() < of;
  return {
    connect(options: Parameters<Transport["connect"]>[0]): Connection {
      const connection = inner.connect(options);
      const publish: Connection["publish"] = (subject, bytes, outgoing) => {
        const send = (): unknown => connection.publish(subject, bytes, outgoing);
        if (chance(harm.doubled)) send();
        if (!isStored(subject) && chance(harm.lost)) return undefined;
        if (chance(harm.delayed)) later(Math.trunc(random() * 3_000), send);
        else send();
        return undefined;
      };
      return { ...facadeOf(connection), publish };
    },
  };
}

const tool = (id: string) => ({ id, type: "tool" as const, tool: "look" });
const definitions = {
  agents: [{ id: "clerk", handler: (): { done: boolean } => ({ done: true }) }],
  tools: [{ id: "look", handler: (): { ok: boolean } => ({ ok: true }) }],
  workflows: [
    {
      id: "w",
      timeout: "10m",
      tasks: [
        { id: "ask", type: "agent" as const, agent: "clerk", timeout: "20s", retry: { max_attempts: 3 }, next: "all" },
        {
          id: "all",
          type: "parallel" as const,
          branches: { a: [tool("x")], b: [tool("y")] },
          timeout: "5m",
          next: "sub",
        },
        { id: "sub", type: "workflow" as const, workflow: "v", timeout: "5m" },
      ],
    },
    { id: "v", timeout: "5m", tasks: [tool("z")] },
  ],
};

async function storm(seed: number, harm: Harm) {
  const random = randomFrom(seed);
  let later: (ms: number, act: () => void) => void = () => undefined;
  const set: Stage = stage({ transport: (inner) => harmful(inner, harm, random, (ms, act) => later(ms, act)) });
  later = (ms, act) => void set.clock.alarm(set.clock.now() + ms, act);
  const troupe = await set.open({ ...definitions, wire: true });
  const handle = troupe.start("w", {});
  const end = await set.until(handle.result());
  // What the wire still holds, and what is forgotten by and by, comes to its end.
  await set.pass(120_000);
  return { end, troupe, handle, set };
}

describe("messages that all go over the wire", () => {
  it("lead to the same end and the same events as messages that do not", async () => {
    const eventsOf = async (wire: boolean) => {
      const set = stage();
      const troupe = await set.open({ ...definitions, wire });
      const handle = troupe.start("w", {});
      const end = await set.until(handle.result());
      const lines = await troupe.history(handle.execId);
      const types = lines.map(({ type }) => type).filter((type) => type.startsWith("event:"));
      return { status: end.status, output: end.output, types: types.toSorted() };
    };
    expect(await eventsOf(true)).toEqual(await eventsOf(false));
  });

  it("come twice each, and have one effect", async () => {
    const { end, troupe, handle } = await storm(1, { lost: 0, doubled: 1, delayed: 0 });
    expect(end.status).toBe("SUCCESS");
    const lines = await troupe.history(handle.execId);
    expect(lines.filter(({ disposition }) => disposition === "illegal")).toEqual([]);
    expect(lines.filter(({ type }) => type === "event:WorkflowExecutionSuccess")).toHaveLength(1);
  });

  it.each(Array.from({ length: 25 }, (_, seed) => seed + 1))(
    "are lost, doubled and late by seed %i, and every execution ends once",
    async (seed) => {
      const { end, troupe, set } = await storm(seed, { lost: 0.1, doubled: 0.2, delayed: 0.3 });
      expect(["SUCCESS", "FAILED", "TIMED_OUT"]).toContain(end.status);
      expect(troupe.stats()).toMatchObject({ collapsed: 0, parked: 0 });
      const { items } = await troupe.list({});
      const open = items.filter(
        ({ entity, status }) => entity !== "agent_runtime" && !/SUCCESS|FAILED|CANCELED|TIMED_OUT/.test(status),
      );
      expect(open.map(({ entity, id, status }) => `${entity} ${id} ${status}`)).toEqual([]);
      await rest();
      expect(set.log.filter(({ message }) => /step failed|could not be sent/.test(message))).toEqual([]);
    },
  );
});
