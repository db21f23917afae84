// YAML as a value, and where in the text each part of it stands.
//
// The value is made here and not by the package: so that what aliases unfold to is counted, keys that stand twice are
// found without comparing each to each, and a number that would lose digits is refused.

import { Alias, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, type YAMLMap } from "yaml";
import { clip } from "../protocol/refusal.ts";
import type { Path } from "./spec.ts";

/** What is wrong with the text itself, and at which of its characters. */
export type Flaw = { offset: number; code: string; message: string; hint?: string };
export type Source = {
  value: unknown;
  flaws: Flaw[];
  /** Where a part stands: the key itself, or the value; `inText` leads on into a text. */
  offsetOf(path: Path, aim: "key" | "value", inText?: number): number;
};

const nodesMax = 100_000;
const depthMax = 100;
const flawsMax = 10;

// What the package says is for whoever knows its grammar.
const words: Readonly<Record<string, { message: string; hint?: string; code?: string }>> = {
  TAB_AS_INDENT: { message: "a tab cannot indent", hint: "use spaces" },
  MULTIPLE_DOCS: { message: "a file holds one document, and this is a second one", hint: "make it a file of its own" },
  MULTIPLE_ANCHORS: { message: "a value can have only one anchor" },
  MULTIPLE_TAGS: { message: "a value can have only one tag" },
  NON_STRING_KEY: { message: "a key must be a text" },
  BLOCK_AS_IMPLICIT_KEY: {
    message: "a key with its value cannot stand here",
    hint: "put a text that has a colon and a space into quotes, and check the indentation",
  },
  BAD_INDENT: { message: "the indentation fits nothing above" },
  RESOURCE_EXHAUSTION: { message: "is nested too deep", code: "TOO_DEEP" },
};

export function readYaml(text: string): Source {
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false, stringKeys: true });
  const flaws = flawsOf(text, [...document.errors, ...document.warnings]);
  if (document.directives.yaml.version !== "1.2") {
    flaws.push({ offset: 0, code: "SYNTAX", message: "is written in an older YAML; only YAML 1.2 is read" });
  }
  const reader = new Reader(text, flaws);
  // What a broken text means is a guess: its flaws come first.
  const value = flaws.length > 0 || document.contents === null ? null : reader.valueOf(document.contents, 0);
  return { value, flaws, offsetOf: (path, aim, inText) => reader.offsetOf(document.contents, path, aim, inText) };
}

type Complaint = { code: string; message: string; pos: readonly [number, number] };

/** One for each line: what a line has wrong besides is mostly a consequence of the first. */
function flawsOf(text: string, complaints: readonly Complaint[]): Flaw[] {
  const lines = new Set<number>();
  const flaws: Flaw[] = [];
  for (const { code: given, message: said, pos } of complaints.toSorted((a, b) => a.pos[0] - b.pos[0])) {
    const [offset] = pos;
    const start = text.lastIndexOf("\n", offset - 1) + 1;
    if (lines.has(start) || flaws.length === flawsMax) continue;
    lines.add(start);
    const line = text.slice(start, text.indexOf("\n", start) < 0 ? undefined : text.indexOf("\n", start));
    const [, open] = /end with an? (.)/.exec(said) ?? [];
    const closed = open && {
      message: `a "${open === "]" ? "[" : "{"}" above is not closed by "${open}", or less indented`,
    };
    const { code = "SYNTAX", message = sentence(said), hint } = { ...words[given], ...closed };
    const quotes = line.includes("${{") ? "put a text that holds ${{ … }} into quotes" : hint;
    flaws.push({ offset, code, message, ...(quotes !== undefined && { hint: quotes }) });
  }
  const tooDeep = flaws.find(({ code }) => code === "TOO_DEEP");
  return tooDeep ? [tooDeep] : flaws;
}

const sentence = (message: string): string => clip(message.charAt(0).toLowerCase() + message.slice(1));

class Reader {
  readonly #text: string;
  readonly #flaws: Flaw[];
  readonly #anchors = new Map<string, Node>();
  readonly #meant = new Map<Alias, Node>();
  readonly #open = new Set<Node>();
  #nodes = 0;
  /** The outermost alias that is being written out. */
  #unfolding: Alias | undefined;

  constructor(text: string, flaws: Flaw[]) {
    this.#text = text;
    this.#flaws = flaws;
  }

  valueOf(node: Node | null, depth: number): unknown {
    if (node === null) return null;
    this.#nodes += 1;
    if (this.#nodes > nodesMax) return this.#flaw(node, "TOO_LARGE", `unfolds to more than ${nodesMax} values`);
    if (depth > depthMax) return this.#flaw(node, "TOO_DEEP", `is nested more than ${depthMax} deep`);
    if (isAlias(node)) return this.#unfold(node, depth);
    if (node.anchor !== undefined && this.#unfolding === undefined) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    const value = this.#plainOf(node, depth);
    this.#open.delete(node);
    return value;
  }

  #plainOf(node: Node, depth: number): unknown {
    if (isScalar(node)) return this.#scalar(node);
    if (isSeq(node)) {
      const list: unknown[] = [];
      for (const item of node.items) {
        if (this.#nodes > nodesMax) break;
        list.push(this.valueOf(item as Node, depth + 1));
      }
      return list;
    }
    return isMap(node) ? this.#object(node, depth) : null;
  }

  #object(map: YAMLMap, depth: number): unknown {
    const object: Record<string, unknown> = {};
    for (const pair of map.items) {
      if (this.#nodes > nodesMax) break;
      const key = keyOf(pair.key);
      const value = this.valueOf(pair.value as Node | null, depth + 1);
      if (Object.hasOwn(object, key)) {
        this.#flaw(pair.key as Node, "SYNTAX", `the key "${clip(key)}" stands twice in one object`);
      } else {
        // `__proto__` is a key like any other here, and is refused by whoever looks at keys.
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      }
    }
    return object;
  }

  #scalar(node: Scalar): unknown {
    const { value } = node;
    if (typeof value !== "number") return value;
    const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    if (isExact) return value;
    const written = clip(node.source ?? String(value));
    const isNone = !Number.isFinite(value) && !/\d/.test(written);
    const says = isNone ? `${written} is no number that JSON has` : `the number ${written} is too large to be exact`;
    this.#flaw(node, "BAD_VALUE", says);
    return value;
  }

  #unfold(alias: Alias, depth: number): unknown {
    const node = this.#meant.get(alias) ?? this.#anchors.get(alias.source);
    if (!node) return this.#flaw(alias, "SYNTAX", `there is no anchor "&${clip(alias.source)}" before this alias`);
    if (this.#open.has(node)) return this.#flaw(alias, "SYNTAX", `"*${clip(alias.source)}" stands within itself`);
    this.#meant.set(alias, node);
    const outer = this.#unfolding;
    this.#unfolding ??= alias;
    const value = this.valueOf(node, depth);
    this.#unfolding = outer;
    return value;
  }

  #flaw(node: Node, code: string, message: string): null {
    const isOnceOnly = code.startsWith("TOO_") && this.#flaws.some((flaw) => flaw.code === code);
    if (!isOnceOnly) this.#flaws.push({ offset: (this.#unfolding ?? node).range?.[0] ?? 0, code, message });
    return null;
  }

  offsetOf(root: Node | null, path: Path, aim: "key" | "value", inText = 0): number {
    let offset = root?.range?.[0] ?? 0;
    let node = root;
    for (const [index, step] of path.entries()) {
      if (isAlias(node)) node = this.#meant.get(node) ?? null;
      if (isSeq(node)) {
        node = (node.items[Number(step)] as Node | undefined) ?? null;
      } else if (isMap(node)) {
        const pair = node.items.find(({ key }) => keyOf(key) === step);
        if (!pair) return offset;
        const key = pair.key as Node;
        node = pair.value as Node | null;
        if (aim === "key" && index === path.length - 1) return key.range?.[0] ?? offset;
        offset = key.range?.[0] ?? offset;
      } else {
        return offset;
      }
      if (!node) return offset;
      // A value that is left out is shown by its key.
      const [from, to] = node.range ?? [offset, offset];
      if (to > from) offset = from;
    }
    return this.#within(node, offset, inText);
  }

  /** A place within a text, if the text stands in the file as it is. */
  #within(node: Node | null, offset: number, inText: number): number {
    if (inText === 0 || !isScalar(node) || typeof node.value !== "string") return offset;
    const start = offset + (node.type === "PLAIN" ? 0 : 1);
    return this.#text.startsWith(node.value, start) ? start + inText : offset;
  }
}

const keyOf = (key: unknown): string => (isScalar(key) ? String(key.value) : String(key));
