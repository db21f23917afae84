// The engine's clients: each has something done, and does what a client does when the engine dies: asks again.
//
// What a client wants survives the engine, so a start that was not answered is asked again under the same key, and
// an execution that was accepted is watched again until it ends.

import { setTimeout as after } from "node:timers/promises";
import type { End } from "../../src/runtime/desk.ts";
import { type Life, Lost, Refused } from "./life.ts";
import type { openLedger } from "./ledger.ts";

export type Intent = {
  key: string;
  workflow: string;
  input: { n: number; key: string };
  execId: string | null;
  end: End | null;
  endedAt: number | null;
};

/** How each workflow has to end. */
const endings: Readonly<Record<string, string>> = {
  one: "SUCCESS",
  three: "SUCCESS",
  retried: "SUCCESS",
  doomed: "FAILED",
  rescued: "SUCCESS",
  parallel: "SUCCESS",
  signaled: "SUCCESS",
  timed: "SUCCESS",
  paused: "SUCCESS",
  canceled: "CANCELED",
  late: "FAILED",
  nested: "SUCCESS",
};
const kinds = Object.keys(endings);

/** Refusals after which the same may be asked again. */
const passing: ReadonlySet<string> = new Set(["RATE_LIMITED", "COMMAND_TIMEOUT"]);
const againMs = 50;

type Means = {
  ledger: ReturnType<typeof openLedger>;
  random: () => number;
  /** What was found wrong. */
  find: (finding: string) => void;
};

type Counts = { refused: number; duplicates: number };

/** Asks until it is answered with more than a passing refusal. */
async function ask(
  { counts, life }: { counts: Counts; life: Life },
  request: Parameters<Life["ask"]>[0],
  isLast = (_code: string): boolean => false,
): Promise<unknown> {
  for (;;) {
    try {
      return await life.ask(request);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // A full disk, and an engine that is stopping, refuse what is new: it is asked again later.
      const isClosing = error.code === "INVALID_STATE" && error.message.includes("stop");
      const isFull = error.message.includes("no room to write");
      if (!isClosing && !isFull && !passing.has(error.code)) {
        if (isLast(error.code)) return null;
        throw error;
      }
      counts.refused += 1;
      await after(againMs);
    }
  }
}

/** What a workflow of this kind needs from outside to end. */
async function act(
  engine: { counts: Counts; life: Life },
  { random }: Means,
  workflow: string,
  execId: string,
): Promise<void> {
  // What was not answered in an earlier life may be done already.
  const isDone = (code: string): boolean => code === "INVALID_STATE";
  if (workflow === "signaled") {
    await after(random() * 100);
    await ask(engine, { ask: "signal", execId, name: "go" }, isDone);
  } else if (workflow === "canceled") {
    await after(random() * 100);
    await ask(engine, { ask: "cancel", execId }, isDone);
  } else if (workflow === "paused") {
    await ask(engine, { ask: "pause", execId }, isDone);
    await after(random() * 100);
    await ask(engine, { ask: "resume", execId }, isDone);
  }
}

/** The same key for something else is refused. */
async function conflict(engine: { counts: Counts; life: Life }, { find }: Means, intent: Intent): Promise<void> {
  const { key, workflow, input } = intent;
  const other = { ...input, n: -1 };
  const isRefused = (code: string): boolean => code === "IDEMPOTENCY_CONFLICT";
  const answer = await ask(engine, { ask: "start", workflow, input: other, key }, isRefused);
  if (answer !== null) find(`I10 ${key} was accepted for other content`);
}

function judge({ key, workflow, input }: Intent, end: End, find: Means["find"]): void {
  if (end.status !== endings[workflow]) find(`I1 ${key} (${workflow}) ended as ${JSON.stringify(end)}`);
  if (end.status === "SUCCESS" && end.output?.["n"] !== input.n) find(`I6 ${key} gave ${JSON.stringify(end.output)}`);
}

export function openClients(means: Means) {
  const { ledger, random, find } = means;
  const intents: Intent[] = [];
  const open = new Set<Intent>();
  const counts: Counts = { refused: 0, duplicates: 0 };

  function wish(): Intent {
    const n = intents.length;
    const key = `key-${n}`;
    const workflow = random() < 0.3 ? "one" : (kinds[Math.trunc(random() * kinds.length)] as string);
    const intent: Intent = { key, workflow, input: { n, key }, execId: null, end: null, endedAt: null };
    intents.push(intent);
    open.add(intent);
    return intent;
  }

  async function start(life: Life, intent: Intent): Promise<void> {
    const { workflow, input, key } = intent;
    const answer = await ask({ counts, life }, { ask: "start", workflow, input, key });
    const { execId, duplicate } = answer as { execId: string; duplicate: boolean };
    if (duplicate) counts.duplicates += 1;
    if (intent.execId !== null && intent.execId !== execId) {
      find(`I10 ${key} is ${intent.execId} and ${execId}`);
    }
    if (intent.execId === null) ledger.write({ what: "accepted", key, execId, at: Date.now() });
    intent.execId = execId;
  }

  function ended(intent: Intent, end: End): void {
    ledger.write({ what: "ended", key: intent.key, end, at: Date.now() });
    Object.assign(intent, { end, endedAt: Date.now() });
    open.delete(intent);
    judge(intent, end, find);
  }

  /** Brings one wish as far as this life of the engine allows. */
  async function pursue(life: Life, intent: Intent): Promise<void> {
    const isImpatient = random() < 0.1;
    if (intent.execId === null) {
      await Promise.all([start(life, intent), ...(isImpatient ? [start(life, intent)] : [])]);
    }
    const { execId } = intent;
    if (execId === null) return;
    await ask({ counts, life }, { ask: "watch", execId });
    await act({ counts, life }, means, intent.workflow, execId);
    ended(intent, await life.end(execId));
    if (random() < 0.05) await start(life, intent);
    if (random() < 0.02) await conflict({ counts, life }, means, intent);
  }

  async function attempt(life: Life, intent: Intent): Promise<boolean> {
    try {
      await pursue(life, intent);
      return true;
    } catch (error) {
      if (error instanceof Lost) return false;
      const { execId, key, workflow } = intent;
      const isForgotten = error instanceof Refused && error.code === "EXECUTION_NOT_FOUND";
      find(`${isForgotten ? "I6" : "I12"} ${key} (${workflow}, ${execId}): ${String(error)}`);
      open.delete(intent);
      return true;
    }
  }

  return {
    intents,
    open,
    counts,
    /** What was begun in earlier lives goes on. */
    takeUp: (life: Life): Promise<unknown> => Promise.all([...open].map((intent) => attempt(life, intent))),
    /** So many clients, one thing after the other each, until the life ends. */
    work: (life: Life, count: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: count }, async () => {
          while (await attempt(life, wish())) await after(random() * 5);
        }),
      ),
  };
}
