// What this process asked over the transport, and what it was asked: by that, answers find who waits for them.
//
// It is in memory, and bounded: after a restart, or past the bound, an answer is found by the ids in it, or its command
// runs into the time that every chart has for it.

import type { Warning } from "../protocol/fields.ts";
import type { Word } from "./component.ts";
import type { Limits } from "./limits.ts";

/** A command that left: the chart that said it, and what it was about. */
export type Asked = { run: string; from: string; id: string; about: Partial<Word> };
/** A command that came: where its acknowledgment goes if the chart does not say, and which old words it used. */
export type Asking = { reply: string | undefined; warnings: readonly Warning[] };
/** An answer as it left. */
export type Answer = { subject: string; bytes: Uint8Array; headers: Readonly<Record<string, string>> };

const keptMax = 20_000;

export type Requests = ReturnType<typeof newRequests>;

/** `answersBytes`: what answers may take of memory. */
export function newRequests({ answersBytes }: Pick<Limits, "answersBytes">) {
  const asked = new Map<string, Asked>();
  const asking = new Map<string, Asking>();
  const answered = new Map<string, Answer>();
  let bytes = 0;
  return {
    /** A command leaves; it is found by its id, by where its answer goes, and by whom it is for. */
    ask(names: readonly (string | undefined)[], request: Asked): void {
      for (const name of names) if (name !== undefined && name !== "") keep(asked, name, request);
    },
    asked: (name: string | undefined): Asked | undefined => (name === undefined ? undefined : asked.get(name)),
    /** A command comes. */
    take: (id: string, request: Asking): void => keep(asking, id, request),
    asking: (id: string | null): Asking | undefined => (id === null ? undefined : asking.get(id)),
    /** The command was answered; whoever sends it again is answered the same. */
    answer(id: string, answer: Answer): void {
      bytes += answer.bytes.byteLength - (answered.get(id)?.bytes.byteLength ?? 0);
      answered.delete(id);
      answered.set(id, answer);
      for (const [oldest, given] of answered) {
        if (answered.size <= keptMax && bytes <= answersBytes) return;
        answered.delete(oldest);
        bytes -= given.bytes.byteLength;
      }
    },
    answered: (id: string): Answer | undefined => answered.get(id),
  };
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= keptMax) return;
  for (const oldest of map.keys()) return void map.delete(oldest);
}
