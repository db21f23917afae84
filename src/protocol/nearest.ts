// The known word that somebody most likely meant.

/** Whether so many wrong letters still make it likely that the word was meant. */
type IsNear = (edits: number, word: string) => boolean;

const isThird: IsNear = (edits, word) => edits <= Math.max(1, Math.floor(word.length / 3));

/** The word nearest to what was given, if one is near: a third of its letters may be wrong, if nothing else is said. */
export const nearest = (given: string, known: readonly string[], isNear: IsNear = isThird): string | undefined =>
  ranked(given, known).find(({ word, edits }) => isNear(edits, word))?.word;

/** All known words, those first that are most like what was given. */
export const nearestFirst = (given: string, known: readonly string[]): string[] =>
  ranked(given, known).map(({ word }) => word);

const ranked = (given: string, known: readonly string[]) =>
  known.map((word) => ({ word, edits: editsBetween(given, word) })).sort((a, b) => a.edits - b.edits);

/** Letters to insert, delete or replace; a bound from below where the lengths alone rule the word out. */
function editsBetween(given: string, word: string): number {
  const gap = Math.abs(given.length - word.length);
  if (gap > Math.max(3, word.length / 2)) return gap;
  let above = Array.from({ length: word.length + 1 }, (_, column) => column);
  for (const [row, letter] of given.split("").entries()) {
    const line = [row + 1];
    for (let column = 1; column <= word.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (word[column - 1] === letter ? 0 : 1);
      line.push(Math.min(replaced, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    above = line;
  }
  return above[word.length] ?? 0;
}
