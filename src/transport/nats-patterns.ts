// Which subjects of streams a subscription hears: patterns held against patterns.

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
