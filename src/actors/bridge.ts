// The bridge between the actor system of a process and a transport: what comes becomes inputs, what is said goes out.
//
//   transport ──▶ subscriptions ──▶ inbound ──▶ system.take
//   transport ◀── outbound ◀── committed ◀── system
//
// The connection has no echo: what the components of one process tell each other is not heard twice. A bridge that is
// a `wire` has one, and nothing is heard but what comes back: so that a search may lose, double and reorder each word.

import type { Connection, Transport } from "../transport/transport.ts";
import { catalogue, entryOf, type Key } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { defaultBounds } from "../protocol/json.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Component, Word } from "./component.ts";
import { newInbound } from "./inbound.ts";
import { envelopeBytes } from "./limits.ts";
import { newOutbound } from "./outbound.ts";
import { openOutbox } from "./outbox.ts";
import { newRefuser } from "./refuser.ts";
import { newRequests } from "./requests.ts";
import type { Said } from "./react.ts";
import { type Listening, subscriptionsOf } from "./subscriptions.ts";
import type { System, SystemParts } from "./system.ts";
import type { World } from "./world.ts";

export type BridgeParts = {
  transport: Transport;
  system: System;
  store: Pick<Store, "trouble" | "opened" | "read" | "note" | "setNote" | "row">;
  world: World;
  clock: Clock;
  subjects: SubjectCodec;
  components: readonly Component[];
  durability: "fsync" | "os" | "memory";
  isWire: boolean;
  report: SystemParts["report"];
  news: (news: { run: string; by: Code; word: Word }) => void;
  onForgotten: () => void;
};

export function openBridge(parts: BridgeParts) {
  const { transport, system, world, clock, subjects, isWire, report } = parts;
  const id = idOf(parts);
  const bounds = { ...defaultBounds, sizeBytesMax: world.limits.payloadBytes + envelopeBytes };
  const now = (): number => clock.now();
  const newId = (): string => system.id();
  const requests = newRequests();
  const fence = newFence(system);

  const connection = transport.connect({
    name: `troupe-${id}`,
    echo: isWire,
    onFault: (error, subject) => report("error", "a delivery failed", { subject, reason: fromUnknown(error).message }),
  });
  const outbound = newOutbound({
    ...parts,
    connection,
    id,
    bounds,
    requests,
    unanswered: (run, address) => system.take(run, { on: "cue", address, cue: { type: "cue:NoResponder" } }),
  });
  const refuser = newRefuser({ outbound, subjects, bounds, now, id: newId, report });
  const trouble = (): TroupeError | null => troubleOf(parts);
  const inbound = newInbound({
    ...parts,
    id,
    bounds,
    requests,
    outbound,
    refuser,
    now,
    trouble,
    onceKept: fence.onceKept,
    isSaidAgain: () => outbox.unheard(),
  });
  // What comes before the runs are back would find nobody.
  let early: (() => void)[] | null = [];
  listen(parts, connection, id, (listening, delivery) => {
    if (early) early.push(() => inbound.receive(listening, delivery));
    else inbound.receive(listening, delivery);
  });
  // A dispatcher may have given up the runtime of this process while it could not be reached.
  connection.onChange((isUp) => {
    if (!isUp) return outbox.lost();
    parts.onForgotten();
    outbox.back();
  });

  const outbox = openOutbox({ ...parts, send: outbound.committed });
  const off = system.subscribe((committed) => {
    for (const line of committed.said) warnOfLate(line, report);
    outbox.committed(committed);
    fence.release(committed.seq);
  });

  return {
    /** News of this process, for whoever hears them elsewhere; never before what was said earlier. */
    tell(run: string, by: Code, word: Word): void {
      const { correlationId = run, facts } = system.peek(run) ?? {};
      const said = { id: newId(), by, word, cause: null };
      const at = now();
      fence.onceKept(() => outbox.after(() => outbound.say(said, correlationId, at, false, facts?.trace)));
    },
    /** Where an answer to a message of this process may go that has no subject of its own. */
    inbox: (messageId: string): string => `_INBOX.${id}.${messageId}`,
    connected: () => connection.connected(),
    /** Says that something was refused that came another way. */
    refuse: refuser.note,
    /** What an earlier life of this process may not have sent. */
    resend: outbox.resend,
    /** The runs of before are back: from now on it is heard what comes, and first what has come. */
    begin(): void {
      const waited = early ?? [];
      early = null;
      for (const act of waited) act();
    },
    stats: () => ({
      behind: outbox.behind(),
      ...outbound.counts,
      ...inbound.counts,
      rejected: Object.fromEntries(refuser.counts),
    }),
    async close(): Promise<void> {
      off();
      outbox.close();
      outbound.close();
      await connection.close();
    },
  };
}

/** The same after a restart: what is answered to an earlier life finds this one. */
function idOf({ store, system }: BridgeParts): string {
  const known = store.note("bridge_id");
  if (known !== undefined) return known;
  const made = system.id();
  store.setNote("bridge_id", made);
  return made;
}

function listen(
  { components, subjects, world }: BridgeParts,
  connection: Connection,
  id: string,
  receive: Receive,
): void {
  const runtimeId = world.here.has("AR") ? (world.runtime?.exec_id ?? null) : null;
  // Acknowledgments of what was relayed to runtimes come here, and to nobody else.
  const inbox: Listening = { code: "AD", pattern: `_INBOX.${id}.*`, takes: () => true, refuses: "all" };
  for (const listening of [...subscriptionsOf(components, subjects, runtimeId), inbox]) {
    const { pattern, group, takes } = listening;
    const isPassing = !storedKeys.some((key) => takes(key));
    connection.subscribe(pattern, (delivery) => receive(listening, delivery), group, isPassing);
  }
}
const storedKeys = (Object.keys(catalogue) as Key[]).filter((key) => entryOf(key).delivery === "stored");
type Receive = ReturnType<typeof newInbound>["receive"];

/** Why no command can be taken now. */
function troubleOf({ system, store, world }: BridgeParts): TroupeError | null {
  const { mailbox } = world.limits;
  if (system.stats().waiting < mailbox) return store.trouble();
  return new TroupeError("RATE_LIMITED", `${mailbox} inputs wait for the disk; try again later`, {
    limit: "mailbox",
    max: mailbox,
  });
}

function warnOfLate({ foreign, disposition, word, id: message }: Said, report: SystemParts["report"]): void {
  if (foreign !== true || disposition !== "late") return;
  report("warn", "a message came too late", { code: "LATE_MESSAGE", key: word.type, message });
}

/** What is to come after what is not on disk yet. */
function newFence(system: System) {
  const waiting: { seq: number; act: () => void }[] = [];
  return {
    /** Acts once everything appended so far is on disk: at once, if it is. */
    onceKept(act: () => void): void {
      const { seq, committed } = system.stats();
      if (seq <= committed) act();
      else waiting.push({ seq, act });
    },
    release(seq: number): void {
      while (waiting[0] !== undefined && waiting[0].seq <= seq) waiting.shift()?.act();
    },
  };
}
