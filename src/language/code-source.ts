// Where in the text of a TypeScript module a part of its definition stands, as far as it is written out there.
//
// No compiler: brackets, texts and comments are told apart, and objects and lists are followed from the default export
// on. Whatever is computed is shown by the last place on the way to it that was found.

import type { Path } from "./spec.ts";

type Entry = { key: string; at: number; value: number };

const blank = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/y;
const word = /[A-Za-z_$][\w$]*(?:\s*\.\s*[A-Za-z_$][\w$]*)*/y;
const quoted = /"(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*'/y;
const keyForm = /([A-Za-z_$][\w$]*|\d+)|"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'/y;

export function offsetInCode(text: string, path: Path, aim: "key" | "value", inText = 0): number {
  let at = start(text);
  let shown = at;
  for (const [index, step] of path.entries()) {
    at = opened(text, at, step);
    if (text[at] === "[" || text[at] === "(") {
      const item = typeof step === "number" ? itemsOf(text, at)[step] : undefined;
      if (item === undefined) return shown;
      at = shown = item;
    } else {
      const entry = text[at] === "{" ? entriesOf(text, at).find(({ key }) => key === step) : undefined;
      if (!entry) return shown;
      at = shown = entry.value;
      if (aim === "key" && index === path.length - 1) return entry.at;
    }
  }
  const isPlain =
    inText > 0 && /["'`]/.test(text[shown] ?? "") && !text.slice(shown, shown + inText + 1).includes("\\");
  return isPlain ? Math.min(text.length, shown + 1 + inText) : shown;
}

/** The value of the default export; of a name, the value that it was given. */
function start(text: string): number {
  const found = /^[ \t]*export\s+default\s+/m.exec(text);
  if (!found) return 0;
  const at = found.index + found[0].length;
  const name = /^([A-Za-z_$][\w$]*)\s*;?\s*$/m.exec(text.slice(at).split("\n", 1)[0] ?? "")?.[1];
  if (name === undefined) return at;
  const given = new RegExp(
    `^[ \\t]*(?:export\\s+)?(?:const|let|var)\\s+${name.replaceAll("$", "\\$")}\\b[^=\\n]*=\\s*`,
    "m",
  );
  const made = given.exec(text);
  return made ? made.index + made[0].length : at;
}

/** The bracket that a step goes into: that of an object or list, also where it is the argument of a call. */
function opened(text: string, from: number, step: string | number): number {
  let at = after(text, from, blank);
  for (let end = after(text, at, word); end > at; end = after(text, at, word)) {
    const call = after(text, end, blank);
    if (text[call] !== "(") return at;
    const inside = after(text, call + 1, blank);
    // A list may be written as the arguments of a call.
    if (typeof step === "number" && text[inside] !== "[") return call;
    at = inside;
  }
  return at;
}

const after = (text: string, at: number, form: RegExp): number => {
  form.lastIndex = at;
  return form.test(text) ? form.lastIndex : at;
};

const isClosing = (letter: string | undefined): boolean => letter === ")" || letter === "]" || letter === "}";

/** Where each item of a list begins; nothing behind a spread, whose length is not known. */
function itemsOf(text: string, open: number): number[] {
  const items: number[] = [];
  for (let at = after(text, open + 1, blank); at < text.length && !isClosing(text[at]);) {
    if (text.startsWith("...", at)) return items;
    items.push(at);
    at = next(text, at);
  }
  return items;
}

function entriesOf(text: string, open: number): Entry[] {
  const entries: Entry[] = [];
  for (let at = after(text, open + 1, blank); at < text.length && !isClosing(text[at]); at = next(text, at)) {
    keyForm.lastIndex = at;
    const found = keyForm.exec(text);
    if (!found) continue;
    const colon = after(text, keyForm.lastIndex, blank);
    const key = found[1] ?? found[2] ?? found[3] ?? "";
    entries.push({ key, at, value: text[colon] === ":" ? after(text, colon + 1, blank) : at });
  }
  return entries;
}

/** Where what follows the next comma of this bracket begins, or the bracket's end. */
function next(text: string, from: number): number {
  let depth = 0;
  for (let at = after(text, from, blank); at < text.length; at = after(text, at, blank)) {
    const letter = text[at] ?? "";
    if (depth === 0 && letter === ",") return after(text, at + 1, blank);
    if (/[)\]}]/.test(letter) && depth === 0) return at;
    if (/[([{]/.test(letter)) depth += 1;
    if (/[)\]}]/.test(letter)) depth -= 1;
    at = letter === "`" ? endOfTemplate(text, at) : Math.max(at + 1, after(text, at, quoted));
  }
  return text.length;
}

function endOfTemplate(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "`") return at + 1;
    else if (text.startsWith("${", at)) at = endOfBrace(text, at + 1) - 1;
  }
  return text.length;
}

function endOfBrace(text: string, open: number): number {
  let at = after(text, open + 1, blank);
  // A comma, or a bracket that nobody opened, is passed over: each turn leads on.
  while (at < text.length && text[at] !== "}") at = /[,)\]]/.test(text[at] ?? "") ? at + 1 : next(text, at);
  return at + 1;
}
