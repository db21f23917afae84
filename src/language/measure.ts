// Whether a value is small, shallow and free of circles, so that whoever walks it comes to an end.

import { isPlainObject } from "../protocol/json.ts";
import type { Note } from "./defects.ts";
import type { Path } from "./spec.ts";

const depthMax = 100;
const nodesMax = 200_000;

type Step = { value: object; path: Path; above: readonly object[] };

/** Objects of a class (a schema, a URL) are left to whoever knows them. */
const isPlain = (value: unknown): value is object => Array.isArray(value) || isPlainObject(value);

/** Whether it may be walked; if not, why is noted. */
export function isMeasured(root: unknown, note: Note): boolean {
  const open: Step[] = isPlain(root) ? [{ value: root, path: [], above: [] }] : [];
  let nodes = 0;
  let isWell = true;
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    const { value, path, above } = step;
    nodes += 1;
    if (above.includes(value)) {
      note(path, "BAD_VALUE", "contains itself");
      isWell = false;
      continue;
    }
    if (above.length > depthMax) {
      note(path, "TOO_DEEP", `is nested more than ${depthMax} deep`);
      return false;
    }
    const entries = Object.entries(value);
    nodes += entries.length;
    if (nodes > nodesMax) {
      note([], "TOO_LARGE", `has more than ${nodesMax} values, aliases written out`);
      return false;
    }
    const within = [...above, value];
    for (const [key, inner] of entries) {
      const at = [...path, Array.isArray(value) ? Number(key) : key];
      if (key === "__proto__") {
        note(at, "UNKNOWN_KEY", 'no key may be "__proto__"');
        isWell = false;
      }
      if (isPlain(inner)) open.push({ value: inner, path: at, above: within });
    }
  }
  return isWell;
}
