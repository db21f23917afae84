// Goal: a part of a definition in TypeScript is found in the text where it is written out, and near it where it is not.
// Method: modules with a mark where the part stands; and any text with any path, which must give a place in the text.

import fc from "fast-check";
import { expect, test } from "vitest";
import { offsetInCode } from "../../src/language/code-source.ts";
import type { Path } from "../../src/language/spec.ts";

/** The mark ‸ stands before what is looked for, and is no part of the text. */
function found(marked: string, path: Path, aim: "key" | "value" = "value", inText?: number): string {
  const text = marked.replace("‸", "");
  const at = offsetInCode(text, path, aim, inText);
  return `${text.slice(0, at)}‸${text.slice(at)}`;
}

test.each<[string, string, Path, ("key" | "value")?, number?]>([
  ["a value", 'export default { id: ‸"a" };', ["id"]],
  ["a key", 'export default { ‸id: "a" };', ["id"], "key"],
  ["an item of a list", "export default { tasks: [1, { a: 1, b: [2] }, ‸3] };", ["tasks", 2]],
  ["inside a call", 'export default defineWorkflow({ id: ‸"a" });', ["id"]],
  [
    "an argument of a call that makes a list",
    "export default { tasks: sequence({}, { id: ‸5 }) };",
    ["tasks", 1, "id"],
  ],
  ["a list inside a call", "export default { tasks: sequence([{}, { id: ‸5 }]) };", ["tasks", 1, "id"]],
  ["behind comments", "export default { /* { */ id /* : */ : // }\n ‸7 };", ["id"]],
  ["behind texts with brackets", "export default { a: '}', b: \"]\", c: `${{ a: '}' }.a}}`, id: ‸7 };", ["id"]],
  ["a key in quotes", 'export default { "a-b": 1, ‸"c-d": 2 };', ["c-d"], "key"],
  ["a short property", "export default { a, ‸id, b };", ["id"]],
  ["of a name", "const spec: Spec = {\n  id: ‸7,\n};\nexport default spec;\n", ["id"]],
  ["of an exported name", "export const spec = define({ id: ‸7 });\nexport default spec\n", ["id"]],
  ["a place in a text", 'export default { a: "x ${{ ‸b }}" };', ["a"], "value", 6],
  ["not in a text with escapes", 'export default { a: ‸"\\n ${{ b }}" };', ["a"], "value", 6],
  ["what is missing, by what it is missing in", "export default { tasks: [‸{ id: 1 }] };", ["tasks", 0, "type"]],
  ["what is computed, by what computes it", "export default { tasks: ‸made(), id: 1 };", ["tasks", 0, "id"]],
  ["behind a spread, by the list", "export default { tasks: ‸[...more, { id: 1 }] };", ["tasks", 1, "id"]],
  ["in no module at all", "‸const a = 1;", ["id"]],
])("%s", (_what, marked, path, aim, inText) => {
  expect(found(marked, path, aim, inText)).toBe(marked);
});

test("any text and any path give a place in the text", () => {
  const piece = fc.constantFrom(
    "export default ",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "`",
    "${",
    "'",
    '"',
    ",",
    ":",
    "a",
    "...",
    "/*",
    "//",
    "\n",
    "\\",
  );
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  const path = fc.array(fc.oneof(fc.constantFrom("a", "b"), fc.nat(3)), { maxLength: 4 });
  fc.assert(
    fc.property(text, path, fc.nat(5), (given, steps, inText) => {
      for (const aim of ["key", "value"] as const) {
        const at = offsetInCode(`export default ${given}`, steps, aim, inText);
        expect(at >= 0 && at <= given.length + 15).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});
