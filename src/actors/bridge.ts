// The bridge between the actor system of a process and a transport: what comes becomes inputs, what is said goes out.
//
//   transport ──▶ subscriptions ──▶ inbound ──▶ system.take
//   transport ◀── outbound ◀── committed ◀── system
//
// The connection has no echo: what the components of one process tell each other is not heard twice. A bridge that is
// a `wire` has one, and nothing is heard but what comes back: so that a search may lose, double and reorder each word.

import type { Delivery, Transport } from "../transport/transport.ts";
import { catalogue, entryOf, type Key } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { defaultBounds } from "../protocol/json.ts";
import { objectStoreOf } from "../protocol/references.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import type { Component, Word } from "./component.ts";
import { newContents } from "./contents.ts";
import { newEndpoints } from "./endpoints.ts";
import { newInbound } from "./inbound.ts";
import { envelopeBytes } from "./limits.ts";
import { newOutbound } from "./outbound.ts";
import { openOutbox } from "./outbox.ts";
import { newRefuser } from "./refuser.ts";
import { newRequests } from "./requests.ts";
import type { Said } from "./react.ts";
import { besideRemoteTools, type Listening, subscriptionsOf } from "./subscriptions.ts";
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
  /** What is larger than this does not fit into a message. */
  inlineBytes: number;
  report: SystemParts["report"];
  news: (news: { run: string; by: Code; word: Word }) => void;
  onForgotten: () => void;
};

export function openBridge(parts: BridgeParts) {
  const { transport, system, world, clock, subjects, isWire, report } = parts;
  const id = idOf(parts);
  const bounds = { ...defaultBounds, sizeBytesMax: parts.inlineBytes + envelopeBytes };
  const now = (): number => clock.now();
  const newId = (): string => system.id();
  const requests = newRequests(world.limits);
  const fence = newFence(system);
  const contents = newContents({
    objects: transport.objects,
    store: objectStoreOf(subjects.prefix),
    limits: world.limits,
    clock,
    depthMax: bounds.depthMax,
    report,
  });

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
    contents,
    unanswered: (run, address) => system.take(run, { on: "cue", address, cue: { type: "cue:NoResponder" } }),
  });
  const refuser = newRefuser({ outbound, subjects, bounds, now, id: newId, report });
  const endpoints = newEndpoints(parts.components, refuser.refused);
  const trouble = (): TroupeError | null => troubleOf(parts);
  const inbound = newInbound({
    ...parts,
    id,
    bounds,
    requests,
    outbound,
    contents,
    refuser,
    now,
    trouble,
    onceKept: fence.onceKept,
    isSaidAgain: () => outbox.unheard(),
  });
  // What comes before the runs are back would find nobody.
  let early: (() => void)[] | null = [];
  const listened = new Map<string, { unsubscribe(): void }>();
  function listen(listening: Listening): { unsubscribe(): void } {
    const { pattern, group, takes } = listening;
    const isPassing = !storedKeys.some((key) => takes(key));
    const counted = endpoints.add(listening);
    const hear = (delivery: Delivery): void => {
      const receive = (): void => counted(() => inbound.receive(listening, delivery));
      if (early) early.push(receive);
      else receive();
    };
    return connection.subscribe(pattern, hear, group, isPassing);
  }
  /** What is new is heard before what is over is not. */
  function listenToAll(): void {
    const wanted = new Map(listeningsOf(parts, id).map((one) => [`${one.code} ${one.group} ${one.pattern}`, one]));
    for (const [name, one] of wanted) if (!listened.has(name)) listened.set(name, listen(one));
    for (const [name, { unsubscribe }] of listened) {
      if (wanted.has(name)) continue;
      listened.delete(name);
      unsubscribe();
    }
  }
  listenToAll();
  // A dispatcher may have given up the runtime of this process while it could not be reached.
  let isCut = false;
  let reconnects = 0;
  connection.onChange((isUp) => {
    const wasCut = isCut;
    isCut = !isUp;
    if (isCut) return outbox.lost();
    // What is reached for the first time has lost nothing.
    if (!wasCut) return;
    reconnects += 1;
    parts.onForgotten();
    outbox.back();
  });

  const outbox = openOutbox({ ...parts, isReachable: () => connection.connected(), send: outbound.committed });
  const off = system.subscribe((committed) => {
    for (const line of committed.said) warnOfLate(line, report);
    outbox.committed(committed);
    fence.release(committed.seq);
  });

  return {
    /** Who this process is to others, also after a restart; what lives in it, and what that hears. */
    presence: () => ({
      id,
      roles: parts.components.map(({ role }) => role),
      runtime: world.runtime,
      endpoints: endpoints.all(),
    }),
    /** News of this process, for whoever hears them elsewhere; never before what was said earlier. */
    tell(run: string, by: Code, word: Word): void {
      const { correlationId = run, facts } = system.peek(run) ?? {};
      const said = { id: newId(), by, word, cause: null };
      const at = now();
      fence.onceKept(() => outbox.after(() => void outbound.say(said, correlationId, at, false, facts?.trace)));
    },
    /** Where an answer to a message of this process may go that has no subject of its own. */
    inbox: (messageId: string): string => `_INBOX.${id}.${messageId}`,
    connected: () => connection.connected(),
    /** Says that something was refused that came another way. */
    refuse: refuser.note,
    /** Definitions have changed, and with them perhaps whose tools are whose. */
    renew: listenToAll,
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
      held: outbox.held(),
      connected: connection.connected(),
      reconnects,
      ...outbound.counts,
      ...inbound.counts,
      rejected: Object.fromEntries(refuser.counts),
    }),
    /** The store is about to close, and may still take its last: that leaves, and is not noted. */
    endNotes: outbox.endNotes,
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

function listeningsOf({ components, subjects, world }: BridgeParts, id: string): Listening[] {
  const runtimeId = world.here.has("AR") ? (world.runtime?.exec_id ?? null) : null;
  // Acknowledgments of what was relayed to runtimes come here, and to nobody else.
  const inbox: Listening = { code: "AD", pattern: `_INBOX.${id}.*`, takes: () => true, refuses: "all" };
  const all = subscriptionsOf(components, subjects, runtimeId);
  return [...besideRemoteTools(all, subjects, world.definitions.tools), inbox];
}
const storedKeys = (Object.keys(catalogue) as Key[]).filter((key) => entryOf(key).delivery === "stored");

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
