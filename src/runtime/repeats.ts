// A command that comes again with its key is not said again: it is answered as it was, also after a restart.
//
//   key and run ─▶ message id ─▶ in the journal? its answer ─ else ─▶ say it
//
// Nothing is kept for that: what was said, and what was answered, stands in the journal of the run.
//
// Invariants:
//   RP1. A command with a key is said once to a run, however often and wherever it is asked for.
//   RP2. The same key for other content is refused.

import { createHash } from "node:crypto";
import type { Word } from "../actors/component.ts";
import { journalOf } from "../actors/record.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Store } from "../store/store.ts";
import type { Rule } from "./arguments.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** What goes beside a command. */
export type Once = {
  /** Does it once: the same key is answered as it was, and is refused for other content. */
  idempotencyKey?: string;
};

const keyCharsMax = 256;
export const keyRule: Rule = {
  is: (key) => typeof key === "string" && key !== "" && key.length <= keyCharsMax,
  says: `must be a text of 1 to ${keyCharsMax} characters`,
};

const recordsAtOnce = 200;

export function openRepeats(store: Store) {
  /** What is said at this moment, by its message id. */
  const underway = new Map<string, { content: string; answer: Promise<Word> }>();

  /** What the journal says was answered, if it was said. */
  async function saidBefore(run: string, id: string): Promise<{ content: string; answer: Word } | undefined> {
    let content: string | undefined;
    for (let afterSeq = 0; ;) {
      const records = await store.read({ run, afterSeq, limit: recordsAtOnce });
      const last = records.at(-1);
      if (!last) return undefined;
      afterSeq = last.seq;
      for (const { envelope, type } of records.flatMap(journalOf)) {
        const { message_id, causation_id } = envelope.metadata;
        if (message_id === id) content = contentOf(type, envelope["payload"] as Payload);
        else if (content !== undefined && causation_id === id && type === "result:CommandAck") {
          return { content, answer: { type, ...envelope } as unknown as Word };
        }
      }
    }
  }

  return {
    async once(
      { key, run, type, context }: { key: string; run: string; type: string; context: object },
      say: (id: string) => Promise<Word>,
    ): Promise<Word> {
      const id = uuidOf(run, key);
      const content = contentOf(type, { context });
      const now = underway.get(id);
      if (now) return same(key, content, now.content, now.answer);
      const answer = (async () => {
        const before = await saidBefore(run, id);
        return before ? same(key, content, before.content, before.answer) : say(id);
      })();
      underway.set(id, { content, answer });
      try {
        return await answer;
      } finally {
        underway.delete(id);
      }
    },
  };
}

type Payload = { context: object };
const contentOf = (type: string, { context }: Payload): string => fingerprintOf([type, context]);

function same<T>(key: string, content: string, before: string, answer: T): T {
  if (content === before) return answer;
  throw new TroupeError("IDEMPOTENCY_CONFLICT", `the key '${key}' was used for another command to this execution`);
}

function uuidOf(run: string, key: string): string {
  const hash = createHash("sha256").update(run).update("\0").update(key).digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}
