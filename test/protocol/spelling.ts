// Finds messages that code spells and that the catalogue does not hold.

import { entryOf, isKey, keys, nameOf } from "../../src/protocol/catalogue.ts";

const names = new Set(keys.map(nameOf));
const oldNames = new Set(keys.flatMap((key) => (entryOf(key).aliases ?? []).map(({ name }) => name)));

const wordsOf = (name: string): string[] => name.match(/[A-Z][a-z]+/g) ?? [];
const known = [...names, ...oldNames].map(wordsOf);

// A name of two words or more that begins and ends as messages do, or might.
const heads = new Set([...known.map((words) => words[0]), "Start", "Stop", "Run", "Signal"]);
const likely = "Cancelled Finished Done Error Begun Progress Reply Request Accepted Retried".split(" ");
const tails = new Set([...known.map((words) => words.at(-1)), ...likely]);

function looksLikeMessage(name: string): boolean {
  const words = wordsOf(name);
  return words.length > 1 && words.join("") === name && heads.has(words[0]) && tails.has(words.at(-1));
}

// Whatever stands between quotes: double ones on one line, backticks over many, single ones around a single word.
const quoted = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|'[\w:.-]+'/g;

// A key, or the beginning of some: in startsWith("event:Tool"), in /^event:Tool/, before a hole in a template.
const keyLike = /(startsWith\(["'`]|\/\^)?\b((?:command|result|event|progress|log):[A-Z]\w*)\b(\$\{)?/g;

/** Each misspelt key or name, behind the path it stands in. */
export function misspellings(path: string, text: string): string[] {
  const keyed = [...text.matchAll(keyLike)].filter(([, opened, key = "", left]) => {
    const isBeginning = opened !== undefined || left !== undefined;
    return !(isKey(key) || (isBeginning && keys.some((held) => held.startsWith(key))));
  });
  const strings = [...text.matchAll(quoted)].map(([string]) => string);
  const named = strings.flatMap((string) => [...string.matchAll(/(?<![\w:])[A-Z][A-Za-z]+\b/g)].map(([name]) => name));
  const isHeld = (name: string): boolean => names.has(name) || (oldNames.has(name) && path.startsWith("src/protocol/"));
  const wrong = [...keyed.map(([, , key]) => key), ...named.filter((name) => looksLikeMessage(name) && !isHeld(name))];
  return [...new Set(wrong)].map((found) => `${path}: ${found}`);
}
