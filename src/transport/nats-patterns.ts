// Which subjects of streams a subscription hears: patterns held against patterns.

import type { StreamPlan } from "./nats-streams.ts";

/** Whether whatever matches the narrow pattern matches the wide one. */
export function covers(wide: string, narrow: string): boolean {
  const [wides, narrows] = [wide.split("."), narrow.split(".")];
  for (const [index, token] of wides.entries()) {
    if (token === ">") return narrows.length > index;
    const other = narrows[index];
    if (other === undefined || other === ">") return false;
    if (token !== "*" && token !== other) return false;
  }
  return wides.length === narrows.length;
}

/** Of the subjects of a stream, those that a subscription to the pattern hears. */
export const heardOf = (pattern: string, subjects: readonly string[]): string[] =>
  subjects.some((subject) => covers(subject, pattern))
    ? [pattern]
    : subjects.filter((subject) => covers(pattern, subject));

/** What streams hold of what a subscription hears, and give to it. */
export function heldFor(
  streams: readonly StreamPlan[],
  pattern: string,
  group: string | undefined,
  isPassing: boolean,
) {
  return streams.flatMap(({ name, subjects, retention }) => {
    const filters = isPassing ? [] : heardOf(pattern, subjects);
    // Of a work queue a message is for one: who only listens hears it as it passes by.
    return filters.length > 0 && (group !== undefined || retention === "limits") ? [{ name, filters }] : [];
  });
}
