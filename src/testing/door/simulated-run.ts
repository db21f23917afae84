// A run in a simulation: what a test says to it, and how it stands.

import { isTerminal } from "../../protocol/statuses.ts";
import { TroupeError } from "../../protocol/errors.ts";
import type { JournalLine } from "../../actors/record.ts";
import type { End } from "../../runtime/desk.ts";
import type { Bundle } from "../../runtime/bundle.ts";
import type { Shown } from "../../runtime/questions.ts";
import type { Troupe } from "../../runtime/troupe.ts";
import type { CancelReport } from "../../runtime/commands.ts";

/** The simulation that it is in. */
export type Around = {
  rowOf(execId: string): { status: string } | undefined;
  ask<T>(question: (troupe: Troupe, key: string) => Promise<T>): Promise<T>;
  ended<R>(execId: string): Promise<End<R>>;
  history(execId: string): Promise<JournalLine[]>;
};

export class SimulatedRun<Output = Readonly<Record<string, unknown>>> {
  readonly execId: string;
  readonly #around: Around;

  constructor(execId: string, around: Around) {
    this.execId = execId;
    this.#around = around;
  }

  /** RUNNING, PAUSED, SUCCESS, FAILED, TIMED_OUT, CANCELED: as it is on disk. */
  get status(): string {
    return this.#around.rowOf(this.execId)?.status ?? "PENDING";
  }
  get isOver(): boolean {
    return isTerminal(this.status);
  }

  /** Lets time pass until it has ended; refuses where nothing is left that would end it. */
  result(): Promise<End<Output>> {
    return this.#around.ended(this.execId);
  }

  signal(name: string, payload: unknown = {}): Promise<void> {
    return this.#around.ask((troupe, idempotencyKey) => troupe.signal(this.execId, name, payload, { idempotencyKey }));
  }
  /** Gives a waiting task what it waits for: `answer("sign", { approved: true })`. */
  async answer(task: string, data: unknown): Promise<void> {
    const waiting = (await this.tasks()).find(({ id, status }) => id === task && status === "WAITING");
    if (!waiting) {
      const message = `no task '${task}' of '${this.execId}' waits: ${await this.why()}`;
      throw new TroupeError("INVALID_STATE", message, { task, exec_id: this.execId });
    }
    return this.#around.ask((troupe, idempotencyKey) => troupe.resume(waiting.execId, data, { idempotencyKey }));
  }
  pause(reason?: string): Promise<void> {
    return this.#around.ask((troupe, idempotencyKey) => troupe.pause(this.execId, reason, { idempotencyKey }));
  }
  resume(data?: unknown): Promise<void> {
    return this.#around.ask((troupe, idempotencyKey) => troupe.resume(this.execId, data, { idempotencyKey }));
  }
  cancel(reason?: string): Promise<CancelReport> {
    return this.#around.ask((troupe) => troupe.cancel(this.execId, reason));
  }

  /** In one line what it waits for. */
  why(): Promise<string> {
    return this.#around.ask(async (troupe) => troupe.why(this.execId));
  }
  /** Its tasks as they stand, the oldest first. */
  async tasks(): Promise<Shown[]> {
    return this.#around.ask(async (troupe) => {
      const all: Shown[] = [];
      for (let cursor: string | null | undefined; cursor !== null;) {
        const after = cursor === undefined ? {} : { after: cursor };
        const page = await troupe.list({ run: this.execId, entity: "task", order: "oldest", ...after });
        all.push(...page.items);
        ({ cursor } = page);
      }
      return all;
    });
  }
  /** What `troupe export` writes of it: for `replayHistory`, and to be looked at elsewhere. */
  export(): Promise<Bundle> {
    return this.#around.ask((troupe) => troupe.exportRun(this.execId));
  }
  /** Every message of it, in order: for `expectHistory`, and to be looked at. */
  history(): Promise<JournalLine[]> {
    return this.#around.history(this.execId);
  }
}
