// Places in the body of a message, where the fuzzer changes something.

import { isObject, type JsonObject } from "../../src/protocol/json.ts";
import type { Draft, Expectation, Random, Sample } from "./case.ts";

/** Changes a draft and says what must come of it; nothing is answered where there was nothing to change. */
export type BodyMutation = (draft: Draft, random: Random, corpus: readonly Sample[]) => Expectation | undefined;

export type Place = { in: JsonObject; name: string };

/** Every field of every object, however deep the lists between them. */
export function placesIn(value: unknown): Place[] {
  const places: Place[] = [];
  const open: unknown[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) open.push(...next.slice(0, 100));
    if (!isObject(next)) continue;
    for (const name of Object.keys(next)) {
      places.push({ in: next, name });
      if (typeof next[name] === "object" && next[name] !== null) open.push(next[name]);
    }
  }
  return places;
}

export function change(draft: Draft, random: Random, how: (place: Place) => void): void {
  const places = placesIn(draft.body);
  if (places.length > 0) how(random.pick(places));
}

/** The objects whose fields the protocol itself names. */
export function structure({ body }: Draft): JsonObject[] {
  const payload = isObject(body["payload"]) ? body["payload"] : {};
  const parts = [body, ...Object.values(body), payload["context"]];
  return parts.filter(isObject);
}

export const objectAt = (body: JsonObject, path: readonly string[]): JsonObject | undefined =>
  path.reduce<JsonObject | undefined>((place, field) => {
    const next = place?.[field];
    return isObject(next) ? next : undefined;
  }, body);

/** One open field to put anything into, if the message has one. */
export function openField(draft: Draft): Place | undefined {
  const context = objectAt(draft.body, ["payload", "context"]);
  const result = objectAt(draft.body, ["payload", "result"]);
  if (isObject(result?.["output"])) return { in: result, name: "output" };
  return context?.["input"] === undefined ? undefined : { in: context, name: "input" };
}

/** Whether a part of the message is people's own data. */
export const isOpen = (draft: Draft, part: JsonObject): boolean =>
  part === objectAt(draft.body, ["payload", "context", "input"]);

export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-/;
export const otherId = (random: Random): string =>
  `ffffffff-ffff-7fff-8fff-${String(random.below(1e9)).padStart(12, "0")}`;
