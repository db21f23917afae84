// How a run goes, from what is said in it: one tree of what was begun, and one line for each thing that happens.
//
//   rows, messages ─▶ nodes ─▶ lines of a tree, redrawn where there is a screen
//          └─▶ a line each, where there is none

import { isTerminal } from "../protocol/statuses.ts";
import type { Execution } from "./pick.ts";
import { dim, inStatus, lengthOf, markOf } from "./words.ts";

type Entity = "workflow" | "task" | "agent" | "tool";
type Section = { id?: string; exec_id?: string };
/** A message as it was recorded. */
export type Heard = { type: string; at: number; content: Record<string, unknown> };

type Wait = { signal?: string; approval?: string };
type Payload = {
  status?: string;
  result?: { error?: { code: string; message: string } } | null;
  context?: {
    attempt?: number;
    parent_exec_id?: string;
    wait?: Wait;
    reason?: string;
  };
};

type Node = {
  entity: Entity;
  id: string;
  execId: string;
  parent: string | null;
  status: string;
  attempt: number;
  startedAt: number;
  endedAt: number | null;
  note: string;
};

const keyOf = (entity: string, execId: string): string => `${entity} ${execId}`;

/** Of what a state event is, whose execution and how it stands; nothing of any other message. */
function stateIn({ type, content }: Heard) {
  const [, named = ""] = /^event:(Workflow|Task|Agent|Tool)(?!Runtime|Dispatch)/.exec(type) ?? [];
  const entity = named.toLowerCase() as Entity;
  const own = content[entity] as Section | undefined;
  const { status, result, context = {} } = (content["payload"] ?? {}) as Payload;
  if (named === "" || own?.exec_id === undefined || status === undefined) return undefined;
  const { wait, attempt = 1, reason } = context;
  const error = result?.error;
  const why = status === "WAITING" ? waitText(wait) : isTerminal(status) ? (reason ?? "") : "";
  const note = error ? `${error.code}: ${error.message}` : why;
  const called = (content["agent"] ?? content["task"] ?? content["workflow"]) as Section | undefined;
  const above =
    entity === "tool" ? called : ((entity === "agent" ? content["task"] : undefined) as Section | undefined);
  const parent = context.parent_exec_id ?? (above ?? (content["workflow"] as Section | undefined))?.exec_id ?? null;
  return { entity, id: own.id ?? "", execId: own.exec_id, status, attempt, note, parent };
}

/** The execution that contains or called it: a direct run and its first call have one id. */
function parentOf(nodes: ReadonlyMap<string, Node>, { entity, execId, parent }: Node): Node | undefined {
  const order: readonly Entity[] = entity === "tool" ? ["agent", "task"] : ["task", "workflow"];
  const own = keyOf(entity, execId);
  const keys = order.map((one) => keyOf(one, parent ?? "")).filter((key) => key !== own);
  return keys.map((key) => nodes.get(key)).find((one) => one !== undefined);
}

type Children = ReadonlyMap<Node | undefined, readonly Node[]>;

function linesBelow(parent: Node | undefined, children: Children, indent: string, now: number): string[] {
  const own = children.get(parent) ?? [];
  return own.flatMap((node, index) => {
    const isLast = index === own.length - 1;
    const branch = parent === undefined ? "" : isLast ? "└─ " : "├─ ";
    const deeper = parent === undefined ? "" : `${indent}${isLast ? "   " : "│  "}`;
    return [`${dim(indent + branch)}${textOf(node, now)}`, ...linesBelow(node, children, deeper, now)];
  });
}

/** Where there are too many lines, what went well is left out first, then what is oldest. */
function fitted(all: readonly string[], linesMax: number): readonly string[] {
  if (all.length <= linesMax) return all;
  const [first = "", ...rest] = all;
  let surplus = all.length - linesMax + 1;
  const kept = rest.filter((line) => !(line.includes("✔") && surplus-- > 0));
  const shown = kept.slice(Math.max(0, kept.length - (linesMax - 2)));
  return [first, dim(`   … ${rest.length - shown.length} more`), ...shown].slice(0, Math.max(linesMax, 1));
}

const waitText = (wait: Wait | undefined): string =>
  wait?.approval !== undefined
    ? `approval: ${wait.approval}`
    : wait?.signal !== undefined
      ? `signal '${wait.signal}'`
      : "";

export function newProgress() {
  const nodes = new Map<string, Node>();
  return {
    /** A row as it stands: where a follower begins. */
    take(row: Execution): void {
      const { entity, id, exec_id, parent, status, attempt, created_at, started_at, ended_at, error, about } = row;
      if (entity === "agent_runtime") return;
      const { code, message } = (error ?? {}) as { code?: string; message?: string };
      const { wait } = (about ?? {}) as { wait?: Wait };
      const waits = isTerminal(status) ? "" : waitText(wait);
      nodes.set(keyOf(entity, exec_id), {
        entity,
        id,
        execId: exec_id,
        parent,
        status,
        attempt,
        startedAt: Date.parse(started_at ?? created_at),
        endedAt: ended_at === null ? null : Date.parse(ended_at),
        note: code === undefined ? waits : `${code}: ${message}`,
      });
    },
    hear(heard: Heard): void {
      const state = stateIn(heard);
      if (!state) return;
      const key = keyOf(state.entity, state.execId);
      const before = nodes.get(key);
      const startedAt = before?.startedAt ?? heard.at;
      const endedAt = isTerminal(state.status) ? heard.at : null;
      nodes.set(key, { ...state, parent: before?.parent ?? state.parent, startedAt, endedAt });
    },
    /** As a tree. */
    lines(now: number, linesMax = Infinity): readonly string[] {
      const children = new Map<Node | undefined, Node[]>();
      for (const node of nodes.values()) {
        const parent = parentOf(nodes, node);
        const siblings = children.get(parent);
        if (siblings) siblings.push(node);
        else children.set(parent, [node]);
      }
      return fitted(linesBelow(undefined, children, "", now), linesMax);
    },
  };
}

const inOneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

function textOf({ entity, id, status, attempt, startedAt, endedAt, note }: Node, now: number): string {
  const kind = entity === "workflow" || entity === "task" ? "" : ` ${dim(entity)}`;
  const again = attempt > 1 ? ` ${dim(`attempt ${attempt}`)}` : "";
  const stands = status === "SUCCESS" ? "" : ` ${inStatus(status)}`;
  const long = status === "PENDING" ? "" : ` ${dim(lengthOf((endedAt ?? now) - startedAt))}`;
  return `${markOf(status)} ${id}${kind}${again}${stands}${long}${note === "" ? "" : ` ${dim(inOneLine(note))}`}`;
}

/** What happened, in one line: when, of what kind, which, and how it stands now. */
export function lineOf(heard: Heard, beganAt: number): string | undefined {
  const state = stateIn(heard);
  if (!state) return undefined;
  const { entity, id, status, attempt, note } = state;
  const time = `+${((heard.at - beganAt) / 1_000).toFixed(3)} s`;
  const again = attempt > 1 ? ` (attempt ${attempt})` : "";
  const said = note === "" ? "" : `  ${inOneLine(note)}`;
  return `${dim(time.padStart(11))}  ${entity.padEnd(8)}  ${inStatus(status)} ${id}${again}${said}`;
}

export const isStateOf = (heard: Heard, entity: string, execId: string): boolean => {
  const state = stateIn(heard);
  return state?.entity === entity && state.execId === execId && isTerminal(state.status);
};
