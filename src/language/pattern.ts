// Regular expressions whose time grows with the text and not beyond, whatever the pattern; loaded with the first.

import { createRequire } from "node:module";
import type { RE2JS } from "re2js";

const load = createRequire(import.meta.url);

const charsMax = 1_000;
const cacheMax = 200;
const cache = new Map<string, RE2JS>();

/** Written as RE2 has them, or as JavaScript has; what goes back in the text or looks around is in neither. */
export function patternOf(pattern: string, dialect: "RE2" | "JavaScript"): RE2JS {
  const key = `${dialect} ${pattern}`;
  const known = cache.get(key);
  if (known) return known;
  if (pattern.length > charsMax) {
    throw new Error(`a pattern has ${pattern.length} characters, at most ${charsMax} are allowed`);
  }
  const { RE2JS } = load("re2js") as typeof import("re2js");
  const compiled = RE2JS.compile(dialect === "RE2" ? pattern : RE2JS.translateRegExp(pattern));
  if (cache.size >= cacheMax) cache.clear();
  cache.set(key, compiled);
  return compiled;
}
