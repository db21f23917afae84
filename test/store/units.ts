// Units to append, numbered as the log wants them, and what must be there when a number of them is on the disk.

import fc from "fast-check";
import type { LogRecord, Row, RunState, Store, Unit } from "../../src/store/store.ts";

/** What a unit is about; numbers come when it is appended. */
export type Plan = {
  run: string;
  records: number;
  lines: number;
  state: RunState["state"];
  rows: readonly { name: string; status: string }[];
  checkpoint: boolean;
  size: number;
};

export const plan = (more: Partial<Plan> = {}): Plan => ({
  run: "run-1",
  records: 1,
  lines: 2,
  state: "waiting",
  rows: [{ name: "a", status: "STARTED" }],
  checkpoint: false,
  size: 10,
  ...more,
});

const statuses = ["STARTED", "RUNNING", "SUCCESS"];
export const anyPlan: fc.Arbitrary<Plan> = fc.record({
  run: fc.constantFrom("run-1", "run-2", "run-3"),
  records: fc.integer({ min: 1, max: 3 }),
  lines: fc.integer({ min: 0, max: 3 }),
  state: fc.constantFrom<RunState["state"]>("busy", "waiting", "ended", "parked"),
  rows: fc.array(fc.record({ name: fc.constantFrom("a", "b", "c"), status: fc.constantFrom(...statuses) }), {
    maxLength: 3,
  }),
  checkpoint: fc.boolean(),
  size: fc.constantFrom(0, 10, 5_000),
});

/** Everything that was appended, in order, and its numbers. */
export class Script {
  readonly units: Unit[] = [];
  seq = 0;
  line = 0;

  /** The next unit. */
  next(given: Plan): Unit {
    const records: LogRecord[] = Array.from({ length: given.records }, () => {
      this.seq += 1;
      const body = JSON.stringify({ seq: this.seq, fill: "ä".repeat(given.size) });
      const record = {
        seq: this.seq,
        run: given.run,
        at: 1_000 + this.seq,
        line: this.line + 1,
        lines: given.lines,
        body,
      };
      this.line += given.lines;
      return record;
    });
    const dueAt = given.state === "waiting" ? 9_000 - this.seq : null;
    const checkpoint = { run: given.run, seq: this.seq, body: `checkpoint at ${this.seq}` };
    const unit: Unit = {
      records,
      runs: [{ run: given.run, state: given.state, dueAt, at: 1_000 + this.seq }],
      rows: given.rows.map(({ name, status }) => rowOf(given.run, name, status, this.seq)),
      ...(given.checkpoint && { checkpoints: [checkpoint] }),
      keys: [{ key: `key-${given.run}`, execId: given.run, fingerprint: `${this.seq}`, expiresAt: 50_000 }],
    };
    this.units.push(unit);
    return unit;
  }

  appendTo(store: Store, ...plans: readonly Plan[]): void {
    for (const given of plans) store.append(this.next(given));
  }

  /** Forgets what a crash took; gives false if what is left is not a whole number of units. */
  cutTo(seq: number): boolean {
    const kept = this.units.findIndex((unit) => (unit.records.at(-1)?.seq ?? 0) > seq);
    if (kept !== -1) this.units.length = kept;
    const last = this.units.flatMap((unit) => unit.records).at(-1);
    this.seq = last?.seq ?? 0;
    this.line = last === undefined ? 0 : last.line + last.lines - 1;
    return this.seq === seq;
  }

  /** What is to be found once all of it is committed. */
  expected() {
    const records = this.units.flatMap((unit) => unit.records);
    const rows = new Map(this.units.flatMap((unit) => unit.rows.map((row) => [row.execId, row])));
    const states = new Map(this.units.flatMap((unit) => unit.runs.map((state) => [state.run, state])));
    const checkpoints = new Map(
      this.units.flatMap((unit) => (unit.checkpoints ?? []).map((checkpoint) => [checkpoint.run, checkpoint])),
    );
    const keys = new Map(this.units.flatMap((unit) => (unit.keys ?? []).map((key) => [key.key, key])));
    const loads = [...states.values()].map((state) => {
      const checkpoint = checkpoints.get(state.run) ?? null;
      const tail = records.filter(({ run, seq }) => run === state.run && seq > (checkpoint?.seq ?? 0));
      return { checkpoint, tail, state };
    });
    return {
      records,
      rows: [...rows.values()].sort(byPlace),
      loads: loads.sort(byRun),
      keys: [...keys.values()].sort(byKey),
    };
  }
}

/** What is found. */
export async function foundIn(store: Store, expected: ReturnType<Script["expected"]>) {
  return {
    records: await store.read({ limit: 100_000 }),
    rows: (await store.find({ order: "oldest", limit: 100_000 })).rows,
    loads: expected.loads.map(({ state: { run } }) => store.load(run)),
    keys: expected.keys.map(({ key }) => store.key(key, 40_000)),
  };
}

export const rowOf = (run: string, name: string, status: string, seq: number): Row => ({
  execId: `${run}-${name}`,
  entity: name === "a" ? "workflow" : "task",
  id: `definition-${name}`,
  run,
  parent: name === "a" ? null : `${run}-a`,
  status,
  attempt: seq,
  correlationId: `correlation-${run}`,
  createdAt: 1_000 + (run.codePointAt(4) ?? 0) + Number(name === "c"),
  endedAt: status === "SUCCESS" ? 2_000 + seq : null,
  errorCode: status === "RUNNING" ? "TASK_FAILED" : null,
  text: `${run} Ärger mit ${name}`,
  labels: name === "b" ? { 'team "x"': "blue", tier: "1" } : null,
  body: JSON.stringify({ seq }),
});

type Named = { createdAt: number; execId: string };
const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other));
const byPlace = (one: Named, other: Named): number =>
  one.createdAt - other.createdAt || compare(one.execId, other.execId);
const byRun = (one: { state: RunState }, other: { state: RunState }): number => compare(one.state.run, other.state.run);
const byKey = (one: { key: string }, other: { key: string }): number => compare(one.key, other.key);

/** The same for all processes. */
export const planAt = (index: number): Plan =>
  plan({
    run: `run-${index % 5}`,
    records: 1 + (index % 3),
    lines: index % 4,
    rows: [{ name: index % 2 === 0 ? "a" : "b", status: index % 3 === 0 ? "SUCCESS" : "RUNNING" }],
    checkpoint: index % 11 === 0,
    size: index % 6 === 0 ? 3_000 : 100,
  });
