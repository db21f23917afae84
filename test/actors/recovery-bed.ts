// A troupe that lives several lives on one disk: it is killed when told to, and opened again on what was left.
//
//   disk ──life 1──▶ killed at its n-th append ──life 2──▶ … ──▶ everything ended
//
// Time stands still unless all is quiet; then it jumps to whatever is due next. A dead process does nothing: what it
// appends, begins or is answered after its death goes nowhere.

import type { AgentDefinition } from "../../src/agents/agent.ts";
import type { Limits } from "../../src/actors/limits.ts";
import { journalOf, type JournalLine } from "../../src/actors/record.ts";
import type { WorkflowSpec } from "../../src/language/spec.ts";
import { isTerminal } from "../../src/protocol/statuses.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { type Disk, makeDisk, type MemoryStore, openMemory } from "../../src/store/memory.ts";
import type { Row, Store } from "../../src/store/store.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { virtualClock, type VirtualClock } from "../../src/testing/virtual-clock.ts";
import type { ToolDefinition } from "../../src/tools/tool.ts";
import { settled } from "../kit/passing.ts";

const beganAt = 1_790_000_000_000;
const dayMs = 86_400_000;

/** Where a life ends: after so many appends, with the last of them on the disk or not. Nobody is told either way. */
export type Death = { append: number; isWritten: boolean };

export type Life = { troupe: Troupe; clock: VirtualClock; store: Store; isDead(): boolean; appends(): number };
export type Begun = { handler: string; workflow: string; life: number; isCanceled: boolean };

export type Bed = {
  disk: Disk;
  begun: Begun[];
  logged: string[];
  /** Which start was told to be on disk, as which execution, by its key. */
  acknowledged: Map<string, string>;
  open(death?: Death): Promise<Life>;
};

export type Options = {
  seed?: number;
  limits?: Partial<Limits>;
  workflows?: readonly WorkflowSpec[];
  disk?: Disk;
};

export function makeBed({ seed = 1, limits = {}, workflows = company, disk = makeDisk() }: Options = {}): Bed {
  const begun: Begun[] = [];
  const logged: string[] = [];
  const acknowledged = new Map<string, string>();
  let now = beganAt;
  let lives = 0;

  async function open(death?: Death): Promise<Life> {
    lives += 1;
    const life = lives;
    const clock = virtualClock(now);
    const inner = openMemory({ disk });
    const { store, isDead, appends } = mortal(inner, death);
    const note = (handler: string, execId: string): void => {
      const run = inner.runOf(execId) ?? "";
      const lines = (disk.runs.get(run)?.records ?? []).flatMap(journalOf);
      const isCanceled = lines.some(({ type }) => type === "command:WorkflowCancel");
      begun.push({ handler, workflow: lines[0] ? idOf(lines[0]) : "", life, isCanceled });
    };
    const guarded =
      (name: string, work: AgentDefinition["handler"]): AgentDefinition["handler"] =>
      (input, context) => {
        if (isDead()) return never();
        note(name, context.execId);
        return work?.(input, context);
      };
    const opened = await troupe({
      store,
      clock,
      random: randomFrom(seed * 1_000 + life),
      // What has ended is to be there when it is looked at.
      limits: { retentionMs: 1_000 * dayMs, ...limits },
      workflows,
      agents: agents.map((agent) => ({ ...agent, handler: guarded(agent.id, agent.handler) }) as AgentDefinition),
      tools: tools.map((tool) => ({ ...tool, handler: guarded(tool.id, tool.handler as never) }) as ToolDefinition),
      log: (level, message, fields) => {
        if (!isDead() && level !== "debug") logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
      },
    });
    opened.subscribe(({ said }) => {
      for (const { word } of said) {
        if (word.type !== "command:WorkflowExecute" || word.to !== undefined) continue;
        const { labels } = (word["payload"] as { context: { labels?: { key?: string } } }).context;
        if (labels?.key !== undefined) acknowledged.set(labels.key, word.workflow?.exec_id ?? "");
      }
    });
    const tick = clock.now;
    Object.assign(clock, { now: () => (now = tick()) });
    return { troupe: opened, clock, store, isDead, appends };
  }
  return { disk, begun, logged, acknowledged, open };
}

/** A store whose process dies at an append. */
export function mortal(inner: MemoryStore, death: Death | undefined) {
  let appended = 0;
  let dead = false;
  const append: Store["append"] = (unit) => {
    if (dead) return;
    appended += 1;
    inner.append(unit);
    if (appended !== death?.append) return;
    dead = true;
    inner.crash({ whole: inner.pending() - (death.isWritten ? 0 : 1) });
  };
  const setNote: Store["setNote"] = (name, value) => dead || inner.setNote(name, value);
  const own: Record<PropertyKey, unknown> = { append, setNote };
  const store = new Proxy(inner, {
    get(target, name) {
      if (name in own) return own[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { store: store as Store, isDead: () => dead, appends: () => appended };
}

const never = (): Promise<never> => new Promise(() => undefined);

// ── those who work, and what they do ──

const agents: { id: string; handler: AgentDefinition["handler"] }[] = [
  { id: "clerk", handler: (input) => ({ answer: input }) },
  { id: "billed", handler: () => ({ usage: { tokens: 3, cost: 0.1 } }) },
  { id: "scout", handler: async (_input, { tool }) => ({ found: await tool("look", { where: "there" }) }) },
  {
    id: "sleeper",
    handler: (_input, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("told to stop")))),
  },
  {
    id: "cynic",
    handler: () => {
      throw Object.assign(new Error("no"), { code: "NO_WAY" });
    },
  },
];
const tools: { id: string; handler: ToolDefinition["handler"] }[] = [
  { id: "look", handler: async (input) => ({ seen: input }) },
  {
    id: "third-time",
    handler: (_input, { attempt }) => {
      if (attempt < 3) throw Object.assign(new Error("not yet"), { code: "NOT_YET" });
      return { attempt };
    },
  },
];

const retry = { max_attempts: 3, backoff: { initial: "1s", factor: 2 } };

/** Each shows another way to wait, to fail or to be many. */
export const company: readonly WorkflowSpec[] = [
  { id: "agent", tasks: [{ id: "ask", type: "agent", agent: "clerk", with: { q: "${{ input.q }}" } }] },
  { id: "tool", tasks: [{ id: "try", type: "tool", tool: "third-time", retry }] },
  {
    id: "signaled",
    tasks: [
      { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "2h", next: "ask" },
      { id: "ask", type: "agent", agent: "clerk", with: { given: "${{ tasks.wait.output }}" } },
    ],
  },
  {
    id: "unsignaled",
    tasks: [
      { id: "wait", type: "wait", wait: { signal: "go" }, timeout: "2h", on_error: "ask" },
      { id: "ask", type: "agent", agent: "clerk" },
    ],
  },
  {
    id: "patient",
    timeout: "90d",
    tasks: [
      { id: "wait", type: "wait", wait: { duration: "60d" }, timeout: "70d", next: "ask" },
      { id: "ask", type: "tool", tool: "look" },
    ],
  },
  {
    id: "wide",
    tasks: [
      {
        id: "all",
        type: "parallel",
        branches: {
          one: [{ id: "one", type: "agent", agent: "clerk" }],
          two: [{ id: "two", type: "tool", tool: "third-time", retry }],
          three: [{ id: "three", type: "wait", wait: { duration: "10m" }, timeout: "1h" }],
        },
      },
    ],
  },
  {
    id: "items",
    tasks: [
      {
        id: "each",
        type: "each",
        items: ({ input }) => [1, Object(input).q, 3],
        max_concurrency: 2,
        strategy: "best_effort",
        do: [
          { id: "try", type: "tool", tool: "third-time", retry, next: "inner" },
          {
            id: "inner",
            type: "each",
            items: "${{ [item, index] }}",
            do: [
              { id: "no", type: "agent", agent: "cynic", on_error: "look" },
              { id: "look", type: "tool", tool: "look", with: { item: "${{ item }}", of: "${{ error.task }}" } },
            ],
            next: "alarm",
          },
          { id: "alarm", type: "wait", wait: { until: "${{ 1790000600000 + index * 1000 }}" } },
        ],
      },
    ],
  },
  {
    id: "matched",
    tasks: [
      {
        id: "wait",
        type: "wait",
        wait: { signal: "go", match: "${{ signal.payload.by == 'hand' }}" },
        timeout: "2h",
        next: "letter",
      },
      { id: "letter", type: "workflow", workflow: "agent", detached: true, with: { q: 5 } },
    ],
  },
  {
    id: "parent",
    tasks: [
      { id: "child", type: "workflow", workflow: "agent", with: { q: 2 }, next: "after" },
      { id: "after", type: "tool", tool: "look" },
    ],
  },
  {
    id: "paused",
    tasks: [
      { id: "before", type: "tool", tool: "look", next: "after" },
      { id: "after", type: "agent", agent: "clerk", pause_before: "look first" },
    ],
  },
  { id: "calling", tasks: [{ id: "ask", type: "agent", agent: "scout" }] },
  {
    id: "recovering",
    tasks: [
      { id: "ask", type: "agent", agent: "cynic", on_error: "instead", next: "instead" },
      { id: "instead", type: "tool", tool: "look", with: { why: "${{ error.code }}" } },
    ],
  },
  { id: "canceled", tasks: [{ id: "ask", type: "agent", agent: "sleeper", timeout: "1h" }] },
];

// ── what happens to them ──

/** Whatever needs no time has happened. */
export async function settle({ troupe: it }: Life): Promise<void> {
  for (let last = -1; last !== it.stats().seq;) {
    last = it.stats().seq;
    await settled();
  }
}

const ofWorkflow = ({ entity }: Row): boolean => entity === "workflow";

/** Whoever stands outside starts, signals, resumes, cancels. Gives whether there was anything to do. */
function poke(
  { troupe: it }: Life,
  { disk, acknowledged }: Bed,
  starts: readonly string[],
  nudged: Set<string>,
): boolean {
  const before = nudged.size;
  for (const [index, workflow] of starts.entries()) {
    const key = `${workflow} ${index}`;
    if (nudged.has(key) || acknowledged.has(key)) continue;
    nudged.add(key);
    const { execId, duplicate } = it.start(workflow, { q: index }, { idempotencyKey: key, labels: { key } });
    // A key that is on disk tells its holder as much as the news of the commit would have.
    if (duplicate && disk.keys.has(key)) acknowledged.set(key, execId);
  }
  for (const { execId, id, status } of [...disk.rows.values()].filter(ofWorkflow)) {
    const tasks = [...disk.rows.values()].filter((row) => row.run === execId);
    const isWaiting = tasks.some((row) => row.entity === "task" && row.status === "WAITING");
    const isAtWork = tasks.some((row) => row.entity === "agent" && row.status === "RUNNING");
    const nudge = `${id} ${execId} ${status}`;
    if (nudged.has(nudge)) continue;
    // What is asked and not answered before the end is asked again in the next life.
    const ask = (act: () => Promise<unknown>): void => {
      nudged.add(nudge);
      act().catch(() => undefined);
    };
    if (status === "PAUSED") ask(() => it.resume(execId));
    if (["signaled", "matched"].includes(id) && isWaiting) ask(() => it.signal(execId, "go", { by: "hand" }));
    if (id === "canceled" && isAtWork) ask(() => it.cancel(execId));
  }
  return nudged.size > before;
}

const allEnded = ({ disk }: Bed, count: number): boolean => {
  const roots = [...disk.rows.values()].filter(ofWorkflow);
  return roots.length >= count && roots.every(({ status }) => isTerminal(status)) && liveOf(disk).length === 0;
};
const liveOf = (disk: Disk) =>
  [...disk.runs.values()].flatMap(({ state }) => (state?.state === "ended" ? [] : [state]));

/** Lives until everything has ended, or until the process is dead. */
export async function play(bed: Bed, life: Life, starts: readonly string[]): Promise<void> {
  const nudged = new Set<string>();
  for (let turn = 0; turn < 400; turn++) {
    await settle(life);
    if (life.isDead()) return;
    if (poke(life, bed, starts, nudged)) continue;
    if (allEnded(bed, new Set(starts).size)) return;
    const due = Math.min(...liveOf(bed.disk).map((state) => state?.dueAt ?? Infinity));
    const { clock } = life;
    // Nothing is written of an agent that is told to stop, of an answer that is awaited: a second at a time.
    const next = Math.min(Math.max(due - clock.now(), 0), 100 * dayMs);
    clock.jump(Number.isFinite(next) ? next : 1_000);
    clock.advanceTo(clock.now());
  }
  throw new Error(`it does not end: ${JSON.stringify(life.troupe.stats())} ${bed.logged.join("; ")}`);
}

/** Opens, dies as told, and goes on until everything has ended. */
export async function playThrough(bed: Bed, starts: readonly string[], deaths: readonly Death[]): Promise<Life> {
  for (const death of [...deaths, undefined]) {
    const life = await bed.open(death);
    await play(bed, life, starts);
    if (!life.isDead()) return life;
  }
  throw new Error("the last life has no death");
}

// ── what is left to look at ──

export const linesOf = ({ log }: Disk): JournalLine[] => log.flatMap(journalOf);

const idOf = ({ envelope }: JournalLine): string => String((envelope["workflow"] as { id?: string } | undefined)?.id);

/** How workflows and tasks stand at the end, whatever their ids are. */
export function standing({ rows }: Disk): string[] {
  const shown = [...rows.values()].filter(({ entity }) => entity === "workflow" || entity === "task");
  return shown.map(({ entity, id, status, attempt }) => `${entity} ${id} ${status} ${attempt}`).sort();
}

/** Of each execution and attempt, how many events said that it ended, and how many of them were taken. */
export function endingsOf(disk: Disk): Map<string, { applied: number; all: number }> {
  const endings = new Map<string, { applied: number; all: number }>();
  for (const { type, envelope, disposition } of linesOf(disk)) {
    const entity = /^event:(Workflow|Task|Agent|Tool)(?:Execution|Waiting)/.exec(type)?.[1]?.toLowerCase();
    if (entity === undefined) continue;
    const { status, context } = envelope["payload"] as { status: string; context: { attempt?: number } };
    const own = envelope[entity] as { exec_id: string };
    if (!isTerminal(status)) continue;
    const key = `${entity} ${own.exec_id}#${context.attempt ?? 0}`;
    const found = endings.get(key) ?? { applied: 0, all: 0 };
    endings.set(key, { applied: found.applied + Number(disposition === "applied"), all: found.all + 1 });
  }
  return endings;
}
