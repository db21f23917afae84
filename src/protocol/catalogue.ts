// Every message of the protocol, once: name, subject, who says it to whom, how it travels, what it must carry.
//
// Types, validators, the subject codec, handlers, streams, documents and clients derive from this table. A key is
// `<kind>:<Name>`; `<x>` in a subject is a token, and a name that ends in x is an execution id.
//
// Invariants:
//   G1. Every row of the registry is here, with its subject, statuses, producer, consumers and aliases.
//   G2. No two entries share a subject pattern, and no alias of a kind names two messages of one subject.

import type { z } from "zod";
import { commands } from "./commands.ts";
import type { Entry, Kind } from "./entry.ts";
import { events } from "./events.ts";
import { notices } from "./notices.ts";
import type { Entity, ResultStatus, Status } from "./statuses.ts";

export const catalogue = { ...commands, ...events, ...notices } as const satisfies Record<`${Kind}:${string}`, Entry>;

export type Key = keyof typeof catalogue;
export const keys = Object.keys(catalogue) as Key[];
export const entryOf = (key: Key): Entry => catalogue[key];
export const isKey = (text: string): text is Key => Object.hasOwn(catalogue, text);

export const kindOf = (key: Key): Kind => catalogue[key].kind;
export const nameOf = (key: Key): string => key.slice(key.indexOf(":") + 1);

export type Payload<K extends Key> = z.infer<(typeof catalogue)[K]["payload"]>;

/** An entity by its ids, as sections name it. */
export type Section = { id?: string | undefined; exec_id?: string | undefined; name?: string | undefined };
type OwnSections<K extends Key> = (typeof catalogue)[K]["sections"];
export type SectionsOf<K extends Key> = {
  [E in keyof OwnSections<K>]: OwnSections<K>[E] extends z.ZodType ? z.infer<OwnSections<K>[E]> : never;
} & { [E in Entity]?: Section };

/** What is said or heard: the envelope without its metadata, and its key as `type`. */
export type Message<K extends Key = Key> = K extends Key
  ? { type: K } & SectionsOf<K> & { payload: Payload<K> }
  : never;

/** The status a message of this key may carry. */
export type StatusOf<K extends Key> = Payload<K> extends { status: infer S extends Status | ResultStatus } ? S : never;
