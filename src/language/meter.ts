// How much one evaluation of an expression may do: its work is counted, and ends with an error when it is too much.
//
// Evaluation is synchronous, so there is one meter, wound up anew for each. Whoever swallows errors, such as `||` or
// `exists`, does not get round it: once it has run out everything metered fails, and at last the whole expression.

/** Under a second on a slow machine. */
const workMax = 2_000_000;
/** What a macro may walk, and what a list may grow to. */
const itemsMax = 100_000;
/** Of a text that an expression makes, and of all texts of its result together. */
const charsMax = 1_048_576;

let left = 0;
// Why the evaluation was ended. It may be thrown a million times on the way out: it is made once.
let ended: Error | null = null;

export function wind(): void {
  left = workMax;
  ended = null;
}

/** Fails if this evaluation was ended before, whoever has caught the error since. */
export function spend(units: number): void {
  if (ended !== null) throw ended;
  left -= units;
  if (left < 0) refuse("it takes too much work");
}

export function refuse(reason: string): never {
  throw (ended ??= new Error(reason));
}

export function countItems(count: number): void {
  spend(1);
  if (count > itemsMax) refuse(`a list has ${count} items, at most ${itemsMax} are allowed`);
}

export function countChars(count: number): void {
  spend(count >> 6);
  if (count > charsMax) refuse(`a text has ${count} characters, at most ${charsMax} are allowed`);
}

/** Pays for looking at each letter of a text, or each byte; anything else is not looked into. */
export function payFor(value: unknown): void {
  const length = typeof value === "string" || value instanceof Uint8Array ? value.length : 0;
  spend(1 + (length >> 3));
}
