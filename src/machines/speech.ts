// What charts hear and say: protocol messages and cues, each with the stamp of the step that carries it.

import type { Key, Message } from "../protocol/catalogue.ts";
import type { WireError } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";
import { isObject } from "../protocol/json.ts";
import type { Cue, CueKey } from "./cues.ts";
import type { Stamp } from "./step.ts";

/** An event of a chart: messages and cues, stamped. */
export type Hears<K extends Key | CueKey> = (K extends Key ? Message<K> : K extends CueKey ? Cue<K> : never) & Stamp;

/** What a chart emits. `to` is a reply subject, where the message does not go to its own subject. */
export type Says<K extends Key | CueKey> = K extends Key
  ? Message<K> & { to?: string }
  : K extends CueKey
    ? Cue<K>
    : never;

/** What came of something. */
export type Outcome = { output: Data } | { error: WireError };

/** Results carry objects: another value v travels as {"value": v}, nothing as {}. */
export function asData(value: unknown): Data {
  if (value === undefined) return {};
  return isObject(value) ? (value as Data) : { value };
}

/** The outcome inside a result or event that ended something. */
export function outcomeOf(
  result: { output?: Data | undefined; error?: WireError | undefined } | null | undefined,
): Outcome {
  if (result?.error) return { error: result.error };
  return { output: result?.output ?? {} };
}

/** How long it took until now. A clock that was set back meanwhile makes it nothing, not less. */
export const lasted = (since: number, { at }: Stamp): number => Math.max(0, at - since);

/** The transitions of a state that hears these and does nothing, on purpose; `why` shows in its document. */
export function ignoring<K extends Key | CueKey>(why: "late" | "duplicate" | "early" | "not mine", ...keys: K[]) {
  return Object.fromEntries(keys.map((key) => [key, { description: why }])) as { [key in K]: { description: string } };
}
