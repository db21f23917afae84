// Goal: what was on disk when a process died leaves at its next start, and what was answered does not.
//
// Method: one process whose components reach each other over the transport alone. It dies at each of its appends in
// turn, with the append on disk and nothing of it sent. How many there are is counted in a life without a death.

import { describe, expect, test } from "vitest";
import { openOutbox } from "../../src/actors/outbox.ts";
import type { Options } from "../../src/runtime/options.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { facadeOf } from "../../src/testing/simulation/weather.ts";
import type { Connection, Transport } from "../../src/transport/transport.ts";
import { at, jsonOf, rest, type Stage, stage } from "../kit/bridged.ts";
import { mortal } from "./recovery-bed.ts";

const workflows: NonNullable<Options["workflows"]> = [
  {
    id: "w",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", next: "look" },
      { id: "look", type: "tool", tool: "look", with: { seen: "${{ tasks.ask.output.n }}" } },
    ],
  },
];

type Played = { appends: number; status: string; events: string[]; begun: string[]; resent: string[] };

/** `diesAfter`: dies when all is done. */
async function play(deathAt?: number, diesAfter = false): Promise<Played> {
  const set: Stage = stage();
  const begun: string[] = [];
  const disk = makeDisk();
  const death = deathAt === undefined ? undefined : { append: deathAt, isWritten: true };
  const { store, appends, isDead } = mortal(openMemory({ disk }), death);
  const handler = (name: string, output: unknown) => (): unknown => {
    begun.push(name);
    return output;
  };
  const options = {
    workflows,
    agents: [{ id: "clerk", handler: handler("clerk", { n: 1 }) }],
    tools: [{ id: "look", handler: handler("look", { ok: true }) }],
    wire: true,
  };
  const first = await set.open({ ...options, store });
  const { execId } = first.start("w", {});
  await set.pass(100);
  const isOver = isDead() || diesAfter;
  if (isOver) await set.cut(0);
  const heard = set.watch("compozy.commands.>");
  const next = isOver
    ? await set.open({ ...options, store: openMemory({ disk: isDead() ? disk : disk.copy() }) })
    : first;
  // Well within every time of the charts: whatever ends it has been sent, and not given up.
  await set.pass(900);
  const lines = await next.history(execId);
  const events = lines.filter(({ type, disposition }) => type.startsWith("event:") && disposition === "applied");
  const shown = next.get(execId);
  const resent = heard.map(({ subject }) => subject);
  return { appends: appends(), status: shown?.status ?? "", events: events.map(({ type }) => type), begun, resent };
}

describe("a process that dies with something unsent", () => {
  test("J1: sends it at its next start, wherever it died", async () => {
    const calm = await play();
    expect(calm).toMatchObject({ status: "SUCCESS", begun: ["clerk", "look"] });
    // The first is the registration of its own runtime.
    for (let append = 2; append <= calm.appends; append++) {
      const { status, events } = await play(append);
      expect({ append, status, events }).toEqual({ append, status: "SUCCESS", events: calm.events });
    }
  });

  test("J2: sends no command again that was answered, or whose execution has ended", async () => {
    const { status, begun, resent } = await play(undefined, true);
    expect({ status, begun, resent }).toEqual({ status: "SUCCESS", begun: ["clerk", "look"], resent: [] });
  });
});

/** A transport that cannot be reached for a while. */
function cuttable(inner: Transport) {
  let isCut = false;
  const away = (): TroupeError => new TroupeError("NO_RESPONDER", "the server cannot be reached");
  const listeners: ((isUp: boolean) => void)[] = [];
  return {
    cut: (is: boolean): void => {
      isCut = is;
      for (const listener of listeners) listener(!is);
    },
    transport: {
      connect(options): Connection {
        const connection = inner.connect(options);
        return {
          ...facadeOf(connection),
          connected: () => !isCut,
          onChange: (listener) => void listeners.push(listener),
          publish(subject, bytes, outgoing) {
            if (!isCut) return connection.publish(subject, bytes, outgoing);
            if (outgoing?.stored === true) return Promise.reject(away());
            throw away();
          },
        };
      },
    } satisfies Transport,
  };
}

test("J3: what cannot leave for a while leaves afterwards, in the order of the log, and nothing is lost", async () => {
  let cut: (is: boolean) => void = () => undefined;
  const set = stage({
    transport: (inner) => {
      const made = cuttable(inner);
      cut = made.cut;
      return made.transport;
    },
  });
  const tasks = [
    { id: "first", type: "wait" as const, wait: { signal: "go" }, timeout: "1h", next: "second" },
    { id: "second", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" },
  ];
  const t = await set.open({ workflows: [{ id: "waits", tasks }] });
  const { execId, result } = t.start("waits");
  await set.pass(100);
  const heard = set.watch("compozy.events.>");
  cut(true);
  await t.signal(execId, "go");
  await set.pass(30_000);
  expect(heard).toEqual([]);
  expect(set.log.filter(({ message }) => message.startsWith("what is on disk cannot leave"))).toHaveLength(1);
  expect(t.stats().bridge?.behind).toBeGreaterThan(0);
  cut(false);
  await t.signal(execId, "go");
  expect(await set.until(result())).toMatchObject({ status: "SUCCESS" });
  await set.pass(2_000);
  expect(t.stats().bridge?.behind).toBe(0);
  const said = (await t.history(execId)).filter(({ type }) => type.startsWith("event:"));
  const all = said.map(({ envelope }) => envelope.metadata["message_id"]);
  // The runtime of this process says that it is there again, too.
  const ids = heard.map((one) => at(jsonOf(one), "metadata.message_id") as string).filter((id) => all.includes(id));
  expect(ids).toEqual(all.slice(-ids.length));
  expect(ids.length).toBeGreaterThan(4);
});

test("J4: over a slow transport only so many records are on their way, and all leave in the end", async () => {
  const held: (() => void)[] = [];
  let most = 0;
  let isSlow = false;
  const slow = (inner: Transport): Transport => ({
    connect(options): Connection {
      const connection = inner.connect(options);
      return {
        ...facadeOf(connection),
        publish(subject, bytes, outgoing) {
          const kept = connection.publish(subject, bytes, outgoing);
          if (!isSlow || outgoing?.stored !== true) return kept;
          return new Promise<void>((resolve) => (most = Math.max(most, held.push(resolve))));
        },
      };
    },
  });
  const set = stage({ transport: slow });
  const naps = { id: "naps", tasks: [{ id: "nap", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" }] };
  const t = await set.open({ workflows: [naps] });
  const heard = set.watch("compozy.events.workflow.>");
  isSlow = true;
  const runs = Array.from({ length: 3_000 }, () => t.start("naps").execId);
  await set.pass(100);
  const { behind = 0, published = 0 } = t.stats().bridge ?? {};
  expect(behind).toBeGreaterThan(2_000);
  // A thousand records, of five kept words each.
  expect(most).toBeLessThan(6_000);
  await set.pass(5_000);
  expect(t.stats().bridge?.published).toBe(published);
  isSlow = false;
  for (const arrive of held.splice(0)) arrive();
  await set.pass(5_000);
  expect(t.stats().bridge?.behind).toBe(0);
  const started = new Set(heard.map((one) => at(jsonOf(one), "workflow.exec_id")));
  expect(runs.filter((run) => !started.has(run))).toEqual([]);
});

test("J5: what has left when the store closes is noted before, and what leaves later is not", async () => {
  const clock = virtualClock(0);
  const notes: string[] = [];
  let isClosed = false;
  const store = {
    opened: () => ({ seq: 0, records: 0, cut: null }),
    note: () => "0",
    setNote(_name: string, value: string): void {
      if (isClosed) throw new Error("the store is closed");
      notes.push(value);
    },
    read: () => Promise.resolve([]),
    row: () => undefined,
  } as unknown as Parameters<typeof openOutbox>[0]["store"];
  const arrivals: (() => void)[] = [];
  const send = (): Promise<void> => new Promise((arrive) => arrivals.push(arrive));
  const outbox = openOutbox({ store, clock, isReachable: () => true, send, report: () => undefined });
  const committed = (seq: number): void => outbox.committed({ seq } as Parameters<typeof outbox.committed>[0]);
  const arrive = async (): Promise<void> => {
    arrivals.shift()?.();
    await rest();
  };
  committed(1);
  committed(2);
  await arrive();
  outbox.endNotes();
  isClosed = true;
  await arrive();
  clock.advance(10_000);
  expect(notes).toEqual(["1"]);
  outbox.close();
});

test("J5: a process that stops in order has noted all that has left", async () => {
  const set = stage();
  const store = openMemory();
  const close = store.close.bind(store);
  const noted: (string | undefined)[] = [];
  store.close = () => {
    noted.push(store.note("left_seq"));
    return close();
  };
  const naps = { id: "naps", tasks: [{ id: "nap", type: "wait" as const, wait: { signal: "go" }, timeout: "1h" }] };
  const t = await set.open({ workflows: [naps], store });
  await set.pass(5_000);
  t.start("naps");
  await rest();
  const { seq } = t.stats();
  await set.until(t.stop({ graceMs: 0 }));
  expect(Number(noted[0])).toBeGreaterThanOrEqual(seq);
});
