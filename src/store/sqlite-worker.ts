// The thread of the one writer: commits groups, tries again while the disk refuses, and answers questions in between.
//
//   groups ─▶ transaction ─▶ committed         a question is answered slice by slice, and groups that come in
//              └ refused ─▶ trouble ─250 ms─┐   between two slices go first
//              ▲────────────────────────────┘

import { backup } from "node:sqlite";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { connect, databaseFault } from "./database.ts";
import { fromUnknown, type TroupeError } from "../protocol/errors.ts";
import type { Group } from "./group.ts";
import { type Answering, openQuestions } from "./questions.ts";
import { sealOf, type SealKey } from "./seal.ts";
import type { Query, Row, Store } from "./store.ts";
import { openTailMark } from "./tail-mark.ts";
import { openWriter } from "./writer.ts";

export type WorkerOptions = {
  file: string;
  mark: string;
  blobBytes: number;
  groupUnits: number;
  pagesMax: number | null;
  keys: readonly SealKey[];
};

export type Question =
  | { ask: "find"; query: Query }
  | { ask: "count"; query: Parameters<Store["count"]>[0]; by: Parameters<Store["count"]>[1] }
  | { ask: "read"; from: Parameters<Store["read"]>[0] }
  | { ask: "prune"; endedBefore: number; max: number }
  | { ask: "beginRows" }
  | { ask: "addRows"; rows: readonly Row[] }
  | { ask: "endRows"; isWhole: boolean }
  | { ask: "backup"; file: string }
  | { ask: "close" };
/** What the thread hears. */
export type Order = { group: Group } | { number: number; question: Question };
/** What the thread says; an error is told as its parts, since no class survives the way. */
export type ToldError = { code: TroupeError["code"]; message: string; details: TroupeError["details"] };
export type Told =
  | { committed: number; groups: number; units: number }
  | { trouble: ToldError | null }
  | { number: number; answer: unknown }
  | { number: number; refusal: ToldError };

const retryMs = 250;
/** So many runs are forgotten in one commit at the least, and at the most as many for each that ends in it. */
const runsPerSlice = 64;
const runsPerEnded = 2;
const backupPages = 1_000;

const port = parentPort ?? notAThread();
const { file, mark, blobBytes, groupUnits, pagesMax, keys } = workerData as WorkerOptions;
const seal = sealOf(keys);
const writing = connect(file);
if (pagesMax !== null) writing.exec(`pragma max_page_count = ${pagesMax}`);
const reading = connect(file, { readOnly: true });
const writer = openWriter(writing, blobBytes, seal);
const questions = openQuestions(file, reading, seal);
const tailMark = openTailMark(mark);

let committed = Number(writing.prepare("select seq from meta").get()?.["seq"]);
/** What came and is not written yet: as much of it as may goes into the next commit. */
let waiting: Group[] = [];
/** What is to be forgotten, a part of it in each commit: a disk that takes in keeps letting go. */
let forgetting: { endedBefore: number; left: number; gone: number; isOver: boolean } | undefined;
let refused = false;
let isOpen = true;
const asked: Asked[] = [];

function notAThread(): never {
  throw new Error("this file is the main file of a worker thread");
}

const tell = (told: Told): void => port.postMessage(told);
const partsOf = (error: unknown): ToldError => {
  const isOurs = error instanceof Error && error.name === "TroupeError";
  const { code, message, details } = fromUnknown(isOurs ? error : databaseFault(file, error));
  return { code, message, details };
};

function commit(): void {
  while (commitNext());
}

function commitNext(): boolean {
  const groups = nextGroups();
  const last = groups.at(-1);
  if (last === undefined) return false;
  try {
    tailMark.write(committed, last.seq);
    write(groups);
  } catch (error) {
    refused = true;
    tell({ trouble: partsOf(error) });
    void again();
    return false;
  }
  if (refused) tell({ trouble: null });
  refused = false;
  tellCommitted(groups, last);
  return true;
}

/** Writes the groups, if there are any, and forgets some of what is to be forgotten. */
function write(groups: readonly Group[]): void {
  const { endedBefore, left, isOver } = forgetting ?? nothingToForget;
  if (isOver) return void writer.write(groups);
  const ended = groups.reduce((sum, group) => sum + group.ended, 0);
  const max = Math.min(left, runsPerSlice + runsPerEnded * ended);
  const gone = writer.write(groups, { endedBefore, max });
  if (forgetting) {
    const isLast = gone < max || gone === left;
    forgetting = { endedBefore, left: left - gone, gone: forgetting.gone + gone, isOver: isLast };
  }
}
const nothingToForget = { endedBefore: 0, left: 0, isOver: true };

/** The first, and as many more as a commit may hold. */
function nextGroups(): Group[] {
  let units = 0;
  const end = waiting.findIndex(({ units: more }, place) => {
    units += more;
    return place > 0 && units > groupUnits;
  });
  return end < 0 ? waiting : waiting.slice(0, end);
}

function tellCommitted(groups: readonly Group[], { seq }: Group): void {
  committed = seq;
  const units = groups.reduce((sum, group) => sum + group.units, 0);
  tell({ committed, groups: groups.length, units });
  waiting = waiting.slice(groups.length);
}

async function again(): Promise<void> {
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  await Atomics.waitAsync(nothing, 0, 0, retryMs).value;
  if (isOpen) commit();
}

function* prune(endedBefore: number, max: number): Answering<number> {
  forgetting = { endedBefore, left: max, gone: 0, isOver: max < 1 };
  try {
    while (!forgetting.isOver) {
      const { gone } = forgetting;
      yield;
      // No commit took any of it along.
      if (forgetting.gone === gone && !forgetting.isOver) write([]);
    }
    return forgetting.gone;
  } finally {
    forgetting = undefined;
  }
}

// The copy is of one moment, however long it takes and whatever is written meanwhile; a part of it is never at its
// place.
async function copyTo(target: string): Promise<void> {
  const source = connect(file, { readOnly: true });
  const part = `${target}.part`;
  try {
    source.exec("begin");
    source.prepare("select seq from meta").get();
    // Its owner's alone before anything is in it.
    writeFileSync(part, "", { mode: 0o600 });
    await backup(source, part, { rate: backupPages });
    renameSync(part, target);
  } finally {
    source.close();
    rmSync(part, { force: true });
  }
}

function close(): void {
  isOpen = false;
  try {
    const last = waiting.at(-1);
    if (last !== undefined) {
      writer.write(waiting);
      tellCommitted(waiting, last);
    }
    tailMark.write(committed, committed);
  } catch {
    // The trouble has been said and is still there. The mark stays as it is, so the next start says what is missing.
  }
  tailMark.close();
  reading.close();
  writing.close();
}

function* answerTo(question: Exclude<Question, { ask: "backup" }>): Answering<unknown> {
  switch (question.ask) {
    case "find":
      return yield* questions.find(question.query);
    case "count":
      return yield* questions.count(question.query, question.by);
    case "read":
      return yield* questions.read(question.from);
    case "prune":
      return yield* prune(question.endedBefore, question.max);
    case "beginRows":
      return writer.beginRows();
    case "addRows":
      return writer.addRows(question.rows);
    case "endRows":
      return writer.endRows(question.isWhole);
    case "close":
      return close();
  }
}

function hear(order: Order): void {
  if ("group" in order) return void waiting.push(order.group);
  const { number, question } = order;
  if (question.ask !== "backup") {
    asked.push({ number, answering: answerTo(question), isPatient: question.ask === "prune" });
    return;
  }
  copyTo(question.file).then(
    () => tell({ number, answer: undefined }),
    (error: unknown) => tell({ number, refusal: partsOf(error) }),
  );
}

function hearAll(): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    hear(next.message as Order);
  }
  if (!refused) commit();
}

/** One question after the other: they share a connection, and the snapshot it sees. Forgetting gives way to them. */
function answerAll(): void {
  for (let next = nextAsked(); next !== undefined; next = nextAsked()) {
    const { number, answering } = next;
    try {
      let step = answering.next();
      for (; step.done !== true; step = answering.next()) {
        hearAll();
        if (next.isPatient && asked.length > 0) break;
      }
      if (step.done === true) tell({ number, answer: step.value });
      else asked.push(next);
    } catch (error) {
      tell({ number, refusal: partsOf(error) });
    }
  }
}
type Asked = { number: number; answering: Answering<unknown>; isPatient: boolean };
const nextAsked = (): Asked | undefined => {
  const place = asked.findIndex(({ isPatient }) => !isPatient);
  return asked.splice(Math.max(0, place), 1)[0];
};

port.on("message", (order: Order) => {
  hear(order);
  if ("group" in order) hearAll();
  answerAll();
});
