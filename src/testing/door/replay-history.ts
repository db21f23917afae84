// Recorded runs against changed definitions: whether each would have said the same, and where it would have differed.
//
//   records of an exported run ─▶ the engine reacts to each again, with the new definition ─▶ the first that says else
//
// Nothing is called and nothing is sent: what agents, tools and the world answered stands in the records. What the log
// keeps as an answer may also be one of the definition (whom a task calls, what a schema says): such an answer is told
// from one of the world by asking the old definition too, and asked anew.
//
// Invariants:
//   R1. With the definition that a run had, it is the same; what cannot be told is refused, and never called the same.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { type Limits, withLimits } from "../../actors/limits.ts";
import { type Ears, nameOf, react } from "../../actors/react.ts";
import { replayOf, saidOf } from "../../actors/record.ts";
import type { Handlers } from "../../actors/handlers.ts";
import { inertWorld } from "../../actors/replay.ts";
import { newRun, type Run } from "../../actors/run.ts";
import type { Ear, Host, Word } from "../../actors/component.ts";
import type { Workflow } from "../../actors/definition.ts";
import type { WorkflowSpec } from "../../language/spec.ts";
import { fromUnknown, TroupeError } from "../../protocol/errors.ts";
import { isObject } from "../../protocol/json.ts";
import { type Bundle, checkedBundle } from "../../runtime/bundle-format.ts";
import type { LogRecord } from "../../store/store.ts";
import { type Company, prepareCast } from "../check/cast.ts";
import type { Hands } from "../check/hands.ts";
import { newPlaces } from "../check/places.ts";
import { plainWorld } from "../check/plain-world.ts";
import type { Cast } from "../check/trial.ts";
import { tasksOf } from "../check/ways.ts";
import { checkable, type CheckedDefinitions } from "./checkable.ts";

export type ReplayOptions = Omit<CheckedDefinitions, "answers"> & {
  /** As it is now: its definition, or the path of its file. */
  workflow: WorkflowSpec | string;
  /** As workflows were, where the file does not say: what holds functions is not in it. */
  before?: readonly WorkflowSpec[];
  /** Those under which it was recorded, if they were not the usual ones. */
  limits?: Partial<Limits>;
};

export type Divergence = {
  /** The run, which may be one that the exported one called, and what it is of. */
  run: string;
  workflow: string;
  /** Which of its records, counted from 1, and when that was. */
  record: number;
  at: number;
  /** What the run heard: a message, a timer, a cue. */
  heard: string;
  /** The task that what differs is about, if it is about one. */
  task?: string;
  /** What it said, and what it would say now: `command:TriggerAgent ship (agent packer)`, or nothing more. */
  expected: string;
  got: string;
  /** Where the two differ, if they are the same kind of message. */
  where?: { path: string; expected: unknown; got: unknown };
};
export type HistoryReplay = {
  same: boolean;
  runs: number;
  /** How many were the same. */
  records: number;
  divergence?: Divergence;
  /** All of it in words, for a test to show. */
  says: string;
};

/** The file of `troupe export`, or what stands in it. */
export async function replayHistory(
  recorded: string | URL | object,
  { workflow, before = [], limits = {}, ...given }: ReplayOptions,
): Promise<HistoryReplay> {
  const isFile = typeof recorded === "string" || recorded instanceof URL;
  const bundle = checkedBundle(isFile ? read(recorded) : recorded);
  const { cast } = await checkable(workflow, given);
  const now = new Set(cast.workflows.map(({ id }) => id));
  const old = oldIn(bundle, before);
  const others = old.filter(({ id }) => !now.has(id));
  if (others.length === old.length) {
    const ids = old.map(({ id }) => id).join(", ") || "no workflow";
    const message = `the file holds runs of ${ids}, and none of those is given`;
    throw new TroupeError("WORKFLOW_NOT_FOUND", message, { given: [...now] });
  }
  const company = (workflows: readonly WorkflowSpec[]): Company =>
    companyOf({ ...cast, workflows }, withLimits(limits));
  // What was called beside it and is not given is as it was.
  const outcome = replayed(bundle, company(old), company([...cast.workflows, ...others]));
  return { ...outcome, same: !outcome.divergence, says: textOf(outcome) };
}

/** The definitions that the runs had. */
function oldIn({ definitions }: Bundle, before: readonly WorkflowSpec[]): WorkflowSpec[] {
  const given = new Map(before.map((spec) => [spec.id, spec]));
  return definitions.map(({ id, spec }) => {
    const found = given.get(id) ?? (spec as WorkflowSpec | null);
    if (found) return found;
    const message = `the file does not hold workflow '${id}' as it was, for it has functions: give it as \`before\``;
    throw new TroupeError("WORKFLOW_NOT_FOUND", message, { workflow: id });
  });
}

function read(path: string | URL): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    const message = `'${String(path)}' cannot be read as an exported run: ${fromUnknown(error).message}`;
    throw new TroupeError("VALIDATION_FAILED", message, {}, { cause: error });
  }
}

/** Tools that nobody defines are there all the same: what they answered stands in the records. */
function companyOf(cast: Cast, limits: Limits): Company {
  const known = new Set((cast.tools ?? []).map(({ id }) => id));
  const named = cast.workflows.flatMap(tasksOf).flatMap((task) => (task.type === "tool" ? [task.tool] : []));
  const missing = [...new Set(named)].filter((id) => !known.has(id)).map((id) => ({ id }));
  return prepareCast({ ...cast, tools: [...(cast.tools ?? []), ...missing] }, limits);
}

// ── the records, again ──

type Outcome = Pick<HistoryReplay, "runs" | "records" | "divergence">;

/** Both definitions hear every record: the one that it had has to do what is written there, or nothing can be told. */
function replayed(bundle: Bundle, then: Company, now: Company): Outcome {
  const [old, anew] = [playerOf(bundle, then), playerOf(bundle, now)];
  let records = 0;
  for (const { run, records: all } of bundle.runs) {
    for (const [index, { at, body }] of all.entries()) {
      const record = { seq: index + 1, run, at, line: 0, lines: 0, body: JSON.stringify(body) };
      const { input, answers } = replayOf(record);
      const workflow = bundle.executions.find(({ exec_id }) => exec_id === run)?.id ?? "";
      const place = { run, workflow, record: index + 1, at, heard: nameOf(input) };
      const lives: unknown[] = [];
      const before = old(record, (live) => {
        lives.push(live);
        return answers[lives.length - 1];
      });
      if (before) throw untold({ ...place, ...before }, bundle);
      let asked = 0;
      // What only the world could answer is as it was; what the definitions answer otherwise is otherwise.
      const after = anew(record, (live) => {
        const place = asked++;
        return place < lives.length && isDeepStrictEqual(live, lives[place]) ? answers[place] : live;
      });
      if (after) return { runs: bundle.runs.length, records, divergence: { ...place, ...after } };
      records += 1;
    }
  }
  return { runs: bundle.runs.length, records };
}

type Difference = Pick<Divergence, "task" | "expected" | "got" | "where">;
/** Chooses an answer, by what it would be of the definitions alone. */
type Choose = (live: unknown) => unknown;

/** The runs of a file, of which each reacts to its records with these definitions. */
function playerOf({ definitions }: Bundle, company: Company) {
  const runs = new Map<string, Run>();
  const ids = new Map(definitions.map(({ id, hash }) => [hash, id]));
  // A run asks for its definition by the hash that it had: it is given the one of that name.
  const byHash = (hash: string): Workflow | undefined =>
    company.prepared.get(ids.get(hash) ?? "") ?? company.definitions.byHash(hash);
  const known = { ...company, definitions: { ...company.definitions, byHash } };
  const depthOf = (run: string): number => runs.get(run)?.facts.depth ?? 1;
  const still = { places: newPlaces(nothing, nothing), plannedAt: nothing, refused: nothing, depthOf };
  const world = inertWorld(plainWorld(known, { hands: { handlers: nobody, act: () => false } as Hands, ...still }));

  return (record: LogRecord, choose: Choose): Difference | undefined => {
    const { input, seed, said, correlationId } = replayOf(record);
    const run = runs.get(record.run) ?? newRun(record.run, correlationId);
    runs.set(record.run, run);
    const before = JSON.parse(said) as Said[];
    try {
      const reaction = react(world, askedBy(company.ears, choose), run, input, { at: record.at, seed });
      run.seq = record.seq;
      run.heardAt = record.at;
      return differenceOf(before, JSON.parse(JSON.stringify(saidOf(reaction, input))) as Said[]);
    } catch (error) {
      const [first] = before;
      return { ...about(first), expected: saidText(first), got: `nothing: ${fromUnknown(error).message}` };
    }
  };
}

const nothing = (): undefined => undefined;
/** Nobody is at work in a replay. */
const nobody: Handlers = {
  running: () => 0,
  reserve: nothing,
  release: nothing,
  perform: nothing,
  abort: nothing,
  abandon: nothing,
  called: nothing,
  stop: nothing,
  isIdle: () => true,
};

/** The same ears, but what they ask of the world somebody else answers. Answers are JSON, as the log keeps them. */
function askedBy({ messages, cues, ...ears }: Ears, choose: Choose): Ears {
  const asking =
    (ear: Ear): Ear =>
    (host, heard) => {
      const ask = (answer: () => unknown): unknown =>
        host.ask(() => choose((JSON.parse(JSON.stringify([answer()])) as unknown[])[0]));
      ear({ ...host, ask: ask as Host["ask"] }, heard);
    };
  return {
    ...ears,
    messages: new Map([...messages].map(([key, all]) => [key, all.map(asking)])),
    cues: new Map([...cues].map(([key, ear]) => [key, asking(ear)])),
  };
}

/** What is written down of a message: by whom, the message, its cause, and what became of it. */
type Said = [by: string, word: Word, cause: string | null, disposition?: string];

function differenceOf(before: readonly Said[], anew: readonly Said[]): Difference | undefined {
  for (let index = 0; index < Math.max(before.length, anew.length); index++) {
    const [expected, got] = [before[index], anew[index]];
    const where = differing(expected, got, []);
    if (!where) continue;
    const isSameKind = expected?.[1].type === got?.[1].type && expected !== undefined;
    return {
      ...about(expected ?? got),
      expected: saidText(expected),
      got: saidText(got),
      // Whatever has another name in the record is of no interest: its place in the message is.
      ...(isSameKind && { where: { ...where, path: where.path.replace(/^1\./, "") } }),
    };
  }
  return undefined;
}

const about = (said: Said | undefined): Pick<Divergence, "task"> => {
  const id = said?.[1].task?.id;
  return id === undefined ? {} : { task: id };
};

function saidText(said: Said | undefined): string {
  if (!said) return "nothing more";
  const { type, task, agent, tool } = said[1];
  const callee = agent ? ` (agent ${agent.id})` : tool ? ` (tool ${tool.id})` : "";
  return `${type}${task ? ` ${task.id}` : ""}${callee}`;
}

/** The first place at which two values of JSON differ. */
function differing(expected: unknown, got: unknown, path: readonly (string | number)[]): Divergence["where"] {
  const both = (isObject(expected) && isObject(got)) || (Array.isArray(expected) && Array.isArray(got));
  if (!both) return Object.is(expected, got) ? undefined : { path: path.join("."), expected, got };
  const [one, other] = [expected as Record<string, unknown>, got as Record<string, unknown>];
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
    const found = differing(one[key], other[key], [...path, key]);
    if (found) return found;
  }
  return undefined;
}

// ── in words ──

function textOf({ runs, records, divergence }: Outcome): string {
  const counts = `${records} record${records === 1 ? "" : "s"} of ${runs} run${runs === 1 ? "" : "s"}`;
  if (!divergence) return `the same: ${counts}`;
  const { run, workflow, record, heard, task, expected, got, where } = divergence;
  const place = where ? `\n  ${where.path}: ${JSON.stringify(where.expected)} became ${JSON.stringify(where.got)}` : "";
  const at = `record ${record} of '${run}' (${workflow}), on ${heard}${task === undefined ? "" : `, task '${task}'`}`;
  return `another course after ${counts}: ${at}\n  it said   ${expected}\n  and would ${got}${place}`;
}

function untold(divergence: Divergence, { troupe }: Bundle): TroupeError {
  const message = `the run is not the same with its own definition either (record ${divergence.record}, expected `;
  const hint = `give agents, tools and limits as they were, and the release that recorded it (${troupe})`;
  return new TroupeError("INVALID_STATE", `${message}${divergence.expected}, got ${divergence.got}): ${hint}`);
}
