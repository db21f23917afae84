// Who hears a subject: values under patterns, found token by token.
//
// Invariants:
//   S1. match(subject) gives the values of exactly the patterns it fits: `*` one token, `>` one or more at the end.
//   S2. What is removed is gone, and its branch with it: a trie without values is as small as a new one.

import { clip, refusal } from "../protocol/refusal.ts";

class Branch<Value> {
  readonly below = new Map<string, Branch<Value>>();
  /** Under the pattern that ends here. */
  readonly here = new Set<Value>();
  /** Under the pattern that ends here with `>`. */
  readonly rest = new Set<Value>();

  isBare(): boolean {
    return this.below.size === 0 && this.here.size === 0 && this.rest.size === 0;
  }
}

const pattern = /^(?:(?:\*|[^\s*>.\p{Cc}]+)\.)*(?:[*>]|[^\s*>.\p{Cc}]+)$/u;

export class SubjectTrie<Value> {
  readonly #root = new Branch<Value>();

  isEmpty(): boolean {
    return this.#root.isBare();
  }

  add(given: string, value: Value): void {
    if (!pattern.test(given)) {
      const says = `nothing can subscribe to "${clip(given)}": an empty token, a blank, or a wildcard out of place`;
      throw refusal("malformed_subject", says);
    }
    const tokens = given.split(".");
    const open = tokens.at(-1) === ">";
    let branch = this.#root;
    for (const token of open ? tokens.slice(0, -1) : tokens) {
      let next = branch.below.get(token);
      if (next === undefined) branch.below.set(token, (next = new Branch()));
      branch = next;
    }
    (open ? branch.rest : branch.here).add(value);
  }

  remove(given: string, value: Value): void {
    this.#removeFrom(this.#root, given.split("."), 0, value);
  }

  #removeFrom(branch: Branch<Value>, tokens: readonly string[], index: number, value: Value): void {
    const token = tokens[index];
    if (token === undefined) branch.here.delete(value);
    else if (token === ">") branch.rest.delete(value);
    else {
      const next = branch.below.get(token);
      if (next === undefined) return;
      this.#removeFrom(next, tokens, index + 1, value);
      if (next.isBare()) branch.below.delete(token);
    }
  }

  match(subject: string): Value[] {
    const found: Value[] = [];
    collect(this.#root, subject.split("."), 0, found);
    return found;
  }
}

function collect<Value>(branch: Branch<Value>, tokens: readonly string[], index: number, found: Value[]): void {
  const token = tokens[index];
  if (token === undefined) {
    for (const value of branch.here) found.push(value);
    return;
  }
  for (const value of branch.rest) found.push(value);
  const named = branch.below.get(token);
  if (named !== undefined) collect(named, tokens, index + 1, found);
  const any = branch.below.get("*");
  if (any !== undefined) collect(any, tokens, index + 1, found);
}
