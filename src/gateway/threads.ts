// Threads: whatever is to run in one conversation runs in order; and what is known of conversations, from their runs.
//
//   want(turn) ─▶ conversation chart ─▶ begins · waits · refused         the chart is in memory, the runs on disk
//   an unknown thread ─▶ store: has it runs, and is one open? ─▶ chart
//
// Invariants:
//   TH1. The turns of a thread run one at a time and in order, also behind a run that was begun before a restart.
//   TH2. Whoever wants a turn is told once that it begins, or that it is refused.

import { assertSound } from "../machines/check.ts";
import { conversation, conversationStatuses } from "../machines/conversation.ts";
import { fire, type Life, type Step, start, step, type Timer } from "../machines/step.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import type { Report } from "../protocol/report.ts";
import { isTerminal } from "../protocol/statuses.ts";
import type { Troupe } from "../runtime/troupe.ts";

type Chart = typeof conversation;
type Row = Awaited<ReturnType<Troupe["list"]>>["items"][number];
type Turn = { begins: () => void; waits: (before: number) => void; refused: (error: TroupeError) => void };
type Thread = {
  id: string;
  life: Life<Chart>;
  turns: Map<string, Turn>;
  alarms: Map<string, () => void>;
  agentId: string | null;
};

/** The labels of a run in a thread: how the store knows whose it is. */
export const via = "conversation";
export type RunLabels = { via: string; session: string; thread: string; request: string };

/** The marks by which the newest run of a thread or session is found without a search. */
export const markOf = {
  thread: (id: string): string => `thread/${id}`,
  session: (id: string): string => `session/${id}`,
} as const;

/** How many runs are looked at for a list of threads, and shown of one. */
const runsMax = 5_000;
const turnsShown = 100;
const pageMax = 200;

export type Threads = ReturnType<typeof openThreads>;

export function openThreads(troupe: Troupe, report: Report) {
  assertSound(conversation, { conversation: conversationStatuses });
  const { clock } = troupe;
  const threads = new Map<string, Thread>();

  const runsOf = async (labels: Partial<RunLabels>, limit: number, status?: string[]): Promise<Row[]> => {
    const rows: Row[] = [];
    const query = { entity: "task" as const, labels: { via, ...labels }, ...(status && { status }) };
    for (let after: string | null | undefined; after !== null && rows.length < limit;) {
      const page = await troupe.list({ ...query, limit: pageMax, ...(after !== undefined && { after }) });
      rows.push(...page.items);
      after = page.cursor;
    }
    return rows.slice(0, limit);
  };
  const isOurs = (row: Row): boolean => row.createdAt > troupe.threadForgottenAt(row.labels?.["thread"] ?? "");

  // ── the chart ──

  function settle(thread: Thread, taken: Step<Chart>): void {
    thread.life = taken.life;
    for (const timer of taken.cancelled) dropAlarm(thread, timer);
    for (const timer of taken.armed) {
      const key = `${timer.id} ${timer.visit}`;
      thread.alarms.set(
        key,
        clock.alarm(timer.dueAt, () => {
          thread.alarms.delete(key);
          settle(thread, fire(conversation, thread.life, timer, troupe.system.stamp()));
        }),
      );
    }
    if (thread.life.snapshot.status === "done" && threads.get(thread.id) === thread) threads.delete(thread.id);
    for (const said of taken.messages) tellTurn(thread, said);
  }
  function dropAlarm(thread: Thread, { id, visit }: Timer): void {
    thread.alarms.get(`${id} ${visit}`)?.();
    thread.alarms.delete(`${id} ${visit}`);
  }
  function tellTurn(thread: Thread, said: Step<Chart>["messages"][number]): void {
    const turn = thread.turns.get(said.turn);
    if (!turn) return;
    try {
      if (said.type === "cue:TurnWaits") return turn.waits(said.before);
      if (said.type === "cue:TurnBegins") return turn.begins();
      thread.turns.delete(said.turn);
      turn.refused(said.why === "full" ? full(thread.id, turnsOf(thread)) : closed(thread.id));
    } catch (error) {
      report("error", "a turn of a thread failed", { thread: thread.id, reason: fromUnknown(error).message });
    }
  }
  const turnsOf = ({ life }: Thread): number => life.snapshot.context.line.length;

  function enter(id: string, turn: string | null, agentId: string | null): Thread {
    const begun = start(conversation, { turn }, troupe.system.stamp());
    const thread: Thread = { id, life: begun.life, turns: new Map(), alarms: new Map(), agentId };
    threads.set(id, thread);
    settle(thread, begun);
    return thread;
  }

  /** By the newest of its runs on disk, if there is one: that is open, or none is. */
  function find(id: string): Thread | undefined {
    const known = threads.get(id);
    if (known) return known;
    const newest = troupe.newestOf(markOf.thread(id));
    const row = newest === undefined ? undefined : troupe.get(newest);
    if (row?.labels?.["thread"] !== id || !isOurs(row)) return undefined;
    const isOpen = !isTerminal(row.status);
    const thread = enter(id, isOpen ? row.execId : null, row.id);
    if (isOpen) follow(id, row.execId);
    return thread;
  }
  /** Nobody here follows a run of before a restart: its end is waited for. */
  function follow(id: string, run: string): void {
    troupe.result(run).then(
      () => ended(id, run),
      (error: unknown) => {
        report("warn", "a run of a thread is not heard of any more", { run, reason: fromUnknown(error).message });
        ended(id, run);
      },
    );
  }

  function ended(id: string, turn: string): void {
    const thread = threads.get(id);
    if (!thread) return;
    thread.turns.delete(turn);
    settle(thread, step(conversation, thread.life, { type: "cue:TurnEnded", turn, ...troupe.system.stamp() }));
  }

  // ── what is shown ──

  const stateOf = (id: string): { status: string; queued: number } => {
    const thread = threads.get(id);
    if (!thread) return { status: "IDLE", queued: 0 };
    const { value, context } = thread.life.snapshot;
    return { status: value === "idle" ? "IDLE" : "BUSY", queued: context.line.length };
  };
  const time = (at: number): string => new Date(at).toISOString();

  /** A conversation by its runs, newest first. */
  function shown(id: string, runs: readonly Row[]) {
    const oldest = runs.at(-1);
    const times = runs.map(({ createdAt, endedAt }) => endedAt ?? createdAt);
    const isOpen = runs.some(({ status }) => !isTerminal(status));
    const state = stateOf(id);
    return {
      thread_id: id,
      agent_id: runs[0]?.id ?? threads.get(id)?.agentId ?? null,
      ...(isOpen ? { ...state, status: "BUSY" } : state),
      runs: runs.length,
      created_at: time(oldest?.createdAt ?? clock.now()),
      updated_at: time(Math.max(oldest?.createdAt ?? clock.now(), ...times)),
    };
  }
  async function turnOf(row: Row) {
    const [line] = await troupe.history(row.execId, { limit: 1 });
    const payload = line?.envelope["payload"] as { context?: { input?: unknown } } | undefined;
    const { output = null, error = null } = (row.result ?? {}) as { output?: unknown; error?: unknown };
    return {
      run_id: row.execId,
      status: row.status,
      request: payload?.context?.input ?? null,
      result: output,
      error: error ?? row.error ?? null,
      at: time(row.createdAt),
      ended_at: row.endedAt === null ? null : time(row.endedAt),
    };
  }

  return {
    ended,
    /** Which agent it is held with; undefined if there is no such thread. */
    agentOf: (id: string): string | null | undefined => find(id)?.agentId,
    /** Has its turn when those before it have ended. */
    want(id: string, run: string, agentId: string, turn: Turn): void {
      const thread = find(id) ?? enter(id, null, agentId);
      thread.agentId = agentId;
      thread.turns.set(run, turn);
      settle(thread, step(conversation, thread.life, { type: "cue:TurnWanted", turn: run, ...troupe.system.stamp() }));
    },
    /** The runs of a session, newest first. */
    async runsOfSession(session: string, limit: number): Promise<Row[]> {
      // Most sessions are new.
      return troupe.newestOf(markOf.session(session)) === undefined ? [] : runsOf({ session }, limit);
    },
    /** Those that talked last come first. */
    async list({ limit, after }: { limit: number; after?: string }) {
      const byThread = new Map<string, Row[]>();
      for (const row of (await runsOf({}, runsMax)).filter(isOurs)) {
        const id = row.labels?.["thread"] ?? "";
        byThread.set(id, [...(byThread.get(id) ?? []), row]);
      }
      const all = [...byThread].map(([id, runs]) => shown(id, runs));
      const key = (one: { updated_at: string; thread_id: string }): string => `${one.updated_at} ${one.thread_id}`;
      const sorted = all.sort((one, other) => (key(one) < key(other) ? 1 : -1));
      const rest = after === undefined ? sorted : sorted.filter((one) => key(one) < fromCursor(after));
      const items = rest.slice(0, limit);
      const last = items.at(-1);
      return { items, next_cursor: last && rest.length > limit ? toCursor(key(last)) : null };
    },
    /** With its newest turns, in the order in which they were. */
    async get(id: string) {
      const runs = (await runsOf({ thread: id }, runsMax)).filter(isOurs);
      if (runs.length === 0 && !threads.has(id)) throw notFound(id);
      const turns = await Promise.all(runs.slice(0, turnsShown).reverse().map(turnOf));
      return { ...shown(id, runs), turns };
    },
    /** Forgets the conversation; what ran in it stays among the executions. */
    remove(id: string): void {
      const thread = find(id);
      if (!thread) throw notFound(id);
      if (stateOf(id).status === "BUSY") {
        const message = `something runs in thread '${clip(id)}': wait for its end, or cancel it first`;
        throw new TroupeError("INVALID_STATE", message, { status: "BUSY" });
      }
      settle(thread, step(conversation, thread.life, { type: "cue:ThreadClosed", ...troupe.system.stamp() }));
      troupe.forgetThread(id);
    },
    stats: () => ({ threads: threads.size }),
    /** Nothing more begins: whoever waits is told. */
    close(): void {
      for (const thread of Array.from(threads.values())) {
        settle(thread, step(conversation, thread.life, { type: "cue:ThreadClosed", ...troupe.system.stamp() }));
      }
    },
  };
}

const toCursor = (key: string): string => Buffer.from(key).toString("base64url");
const fromCursor = (cursor: string): string => Buffer.from(cursor, "base64url").toString();

export const notFound = (id: string): TroupeError =>
  new TroupeError("THREAD_NOT_FOUND", `there is no thread '${clip(id)}': open it with start_agent or chat`, {
    thread_id: clip(id),
  });
const full = (id: string, waiting: number): TroupeError =>
  new TroupeError("THREAD_BUSY", `${waiting} messages wait in thread '${clip(id)}' already; try again later`, {
    limit: "turnsMax",
    max: waiting,
  });
const closed = (id: string): TroupeError =>
  new TroupeError("INVALID_STATE", `thread '${clip(id)}' was closed before the turn of this message`, {
    status: "CLOSED",
  });
