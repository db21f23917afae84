// The client of a simulation: makes its moves at whatever process is there, and writes down what it was told.

import { createHmac } from "node:crypto";
import type { Word } from "../../actors/component.ts";
import type { Committed } from "../../actors/system.ts";
import type { Handle } from "../../runtime/desk.ts";
import type { Delivery } from "../../runtime/webhooks.ts";
import { fromUnknown } from "../../protocol/errors.ts";
import { isTerminal } from "../../protocol/statuses.ts";
import { hookHeader, hookSecret } from "./draw-triggers.ts";
import type { Life } from "./life.ts";
import type { Move } from "./scenario.ts";
import { newTries } from "./tries.ts";

/** A request, and what came of it. */
export type Asked = {
  what: string;
  life: number;
  at: number;
  /** How long an answer may take; null where it comes with the end of an execution. */
  withinMs: number | null;
  execId: string | null;
  key: string | null;
  answer: { at: number; told: unknown } | { at: number; code: string; message: string } | null;
  /** What was delivered to a webhook. */
  delivery?: Extract<Move, { do: "deliver" }>;
  /** Its process ended before there was an answer. */
  isLost: boolean;
};

/** An acknowledgment comes within five seconds, or an error that says it did not. */
const ackMs = 5_000;
/** A cancel is answered with its report. */
const cancelMs = 20_000 + ackMs;

type Order = { run: string; by: "API"; word: Word; id: string; correlationId: string };

export function newClient(now: () => number) {
  const asked: Asked[] = [];
  const executions: string[] = [];
  /** Commands that were said, to be delivered once more. */
  const orders: Order[] = [];
  const tries = newTries();

  function note(life: Life, what: string, about: Partial<Asked> & Pick<Asked, "withinMs">): Asked {
    const one = { what, life: life.number, at: now(), execId: null, key: null, answer: null, isLost: false, ...about };
    asked.push(one);
    return one;
  }
  function follow(one: Asked, life: Life, answer: Promise<unknown>): void {
    const isHeard = (): boolean => one.answer === null && !one.isLost && !life.isOver();
    answer.then(
      (told) => {
        if (isHeard()) one.answer = { at: now(), told };
      },
      (error: unknown) => {
        if (isHeard()) refuse(one, error);
      },
    );
  }
  function refuse(one: Asked, thrown: unknown): void {
    const { code, message } = fromUnknown(thrown);
    one.answer = { at: now(), code, message };
  }

  function begin(life: Life, what: string, key: string | null, start: () => Handle): Asked {
    const one = note(life, what, { withinMs: null, key });
    try {
      const { execId, result } = start();
      one.execId = execId;
      if (!executions.includes(execId)) executions.push(execId);
      follow(one, life, result());
    } catch (error) {
      refuse(one, error);
    }
    return one;
  }
  function command(life: Life, what: string, execId: string, withinMs: number, say: () => Promise<unknown>): void {
    follow(note(life, what, { withinMs, execId }), life, say());
  }

  function partsOf(life: Life, run: string, isWanted: (entity: string, status: string) => boolean): string[] {
    const parts = [...(life.troupe.system.run(run)?.executions.values() ?? [])];
    return parts.filter(({ entity, status }) => isWanted(entity, status)).map(({ execId }) => execId);
  }

  function make(life: Life, move: Move): void {
    const { troupe } = life;
    if (move.do === "start") {
      const options = {
        ...(move.key !== null && { idempotencyKey: move.key }),
        ...(move.labels > 0 && { labels: labelsOf(move.labels) }),
      };
      const items = Array.from({ length: 1 + (move.at % 4) }, (_, index) => index);
      const input = { n: move.n, flag: move.n === 1, other: executions[0] ?? "nobody", items };
      const one = begin(life, `start ${move.workflow}`, move.key, () => troupe.start(move.workflow, input, options));
      const code = one.answer && "code" in one.answer ? one.answer.code : null;
      tries.note("labelsMax", troupe.limits.labelsMax, move.labels, code);
      return;
    }
    if (move.do === "execute") {
      const { at: _at, do: _do, ...what } = move;
      begin(life, "execute", null, () => troupe.startOne(what, { n: 1 }));
      return;
    }
    if (move.do === "repeat") {
      const order = orders[move.of % Math.max(1, orders.length)];
      if (order) troupe.system.tell(order.run, order.by, order.word, order);
      return;
    }
    if (move.do === "deliver") {
      // It waits for the disk, however long that is in trouble.
      const about = { withinMs: Infinity, delivery: move };
      return follow(note(life, `deliver ${move.path}`, about), life, troupe.receive(deliveryOf(move)));
    }
    if (move.do === "listen" || move.do === "define") return tries.make(life, move, undefined);
    const execId = executions[move.of % Math.max(1, executions.length)];
    if (execId === undefined) return;
    if (move.do === "look" || move.do === "fork") return tries.make(life, move, execId);
    const [part = execId, ...others] =
      move.do === "approve"
        ? partsOf(life, execId, (entity, status) => entity === "task" && status === "WAITING")
        : move.do === "cancel part"
          ? partsOf(life, execId, (entity, status) => ["task", "agent"].includes(entity) && !isTerminal(status))
          : [];
    if (move.do === "signal")
      command(life, "signal", execId, ackMs, () => troupe.signal(execId, move.name, { n: move.n }));
    else if (move.do === "pause") command(life, "pause", execId, ackMs, () => troupe.pause(execId));
    else if (move.do === "resume") command(life, "resume", execId, ackMs, () => troupe.resume(execId));
    else if (move.do === "approve")
      command(life, "approve", part, ackMs, () => troupe.resume(part, { approved: true }));
    else {
      const target = move.do === "cancel part" ? ([part, ...others][move.part % (others.length + 1)] ?? part) : execId;
      command(life, move.do, target, cancelMs, () => troupe.cancel(target));
    }
  }

  return {
    make,
    asked,
    tried: tries.tried,
    executions,
    /** What it hears of a process. */
    heard({ run, correlationId, said }: Committed): void {
      for (const { id, by, word } of said) {
        if (by === "API" && repeatable.has(word.type)) orders.push({ run, by, word, id, correlationId });
      }
    },
    /** Resumes whatever is paused, and raises its budget, so that all can end. */
    async resumeAll(life: Life): Promise<void> {
      const { items } = await life.troupe.list({ entity: "workflow", status: ["PAUSED"] });
      for (const { execId } of items) command(life, "resume", execId, ackMs, () => life.troupe.resume(execId, plenty));
    },
    /** A process is gone, and with it whatever it had not answered. */
    lose(life: number): void {
      for (const one of asked) if (one.life === life && one.answer === null) one.isLost = true;
    },
  };
}

const plenty = { budget: { tokens: 1_000_000, cost: 1_000_000, time: "10h" } };

function deliveryOf({ path, delivery, n, isSigned }: Extract<Move, { do: "deliver" }>): Delivery {
  const body = Buffer.from(JSON.stringify({ delivery, n, flag: n === 1, other: "nobody", items: [1] }));
  const secret = isSigned ? hookSecret.value : "another";
  return { path, body, headers: { [hookHeader]: createHmac("sha256", secret).update(body).digest("hex") } };
}

const labelsOf = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`label ${index}`, "some"]));

const repeatable: ReadonlySet<string> = new Set([
  "command:WorkflowExecute",
  "command:TaskTrigger",
  "command:WorkflowCancel",
  "command:TaskCancel",
]);
