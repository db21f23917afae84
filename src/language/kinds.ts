// What a key of the language may hold: the kinds of values, and short names for the frequent ones.

import type { Json } from "./spec.ts";

/** What a text has to look like; the rules are in check-texts.ts. */
export type Form =
  | "id"
  | "name"
  | "prose"
  | "code"
  | "variable"
  | "cron"
  | "timezone"
  | "model"
  | "glob"
  | "prefix"
  | "method"
  | "header"
  | "module";

export type Kind =
  | { is: "text"; form: Form }
  | { is: "boolean" }
  | { is: "number"; least: number; most?: number; whole?: true }
  | { is: "duration"; above?: true }
  | { is: "size" }
  | { is: "choice"; of: readonly (string | number)[] }
  /** A value that may hold templates; `text`: only a text may. */
  | { is: "value"; gives?: "boolean" | "list"; text?: true }
  | { is: "schema" }
  | { is: "json" }
  | { is: "list"; of: Kind; least?: number }
  | { is: "map"; of: Kind; names: Form; least?: number }
  | { is: "object"; keys: Keys }
  /** Exactly one of the ways to say it. */
  | { is: "one"; of: readonly Way[] }
  /** One of its keys says which others it has. */
  | { is: "tagged"; thing: string; by: string; keys: Keys; each: Readonly<Record<string, Keys>> }
  | { is: "block" };

/** A way to say something: taken if the value has one of its keys, or is of its kind. */
export type Way = { when: "text" | "list" | readonly string[]; kind: Kind };
/** `only`: the tags of the objects that have it. */
export type Key = { kind: Kind; says: string; required?: true; default?: Json; only?: readonly string[] };
export type Keys = Readonly<Record<string, Key>>;

export const text = (form: Form): Kind => ({ is: "text", form });
export const id = text("id");
export const prose = text("prose");
export const name = text("name");
export const flag: Kind = { is: "boolean" };
export const duration: Kind = { is: "duration" };
export const period: Kind = { is: "duration", above: true };
export const count: Kind = { is: "number", least: 1, whole: true };
export const value: Kind = { is: "value" };
export const template: Kind = { is: "value", text: true };
export const schema: Kind = { is: "schema" };
export const block: Kind = { is: "block" };
export const codes: Kind = { is: "list", of: text("code"), least: 1 };
export const list = (of: Kind, least = 0): Kind => ({ is: "list", of, least });
export const choice = (...of: (string | number)[]): Kind => ({ is: "choice", of });
export const object = (keys: Keys): Kind => ({ is: "object", keys });
