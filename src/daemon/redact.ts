// What may not stand in a line of the log, whoever wrote it: tokens of this daemon, and the values of secrets.
//
// Handlers' words are clean before they come here. This is for all else: what a module throws when it is loaded, a
// promise that nobody waited for, an address with a token in its query.

import { secretForm } from "../gateway/tokens.ts";

/** What stands where a token stood. */
const mark = "[token]";
const tokens = new RegExp(secretForm.source, "g");

export function openRedaction() {
  let redact = (text: string): string => text;
  return {
    line: (text: string): string => redact(text.includes("troupe_") ? text.replace(tokens, mark) : text),
    /** From now on the values that an engine knows are taken out, too. */
    know(given: (text: string) => string): void {
      redact = given;
    },
  };
}
