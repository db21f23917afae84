// How deep a JSON text may be nested: what is deeper could not be written into a record, or sent.

import { TroupeError } from "../protocol/errors.ts";
import { defaultBounds, depthOf } from "../protocol/json.ts";

// An envelope and a record put some levels around it.
const depthMax = defaultBounds.depthMax - 8;

export function checkDepth(text: string, what: string): void {
  // Shorter than that it cannot be too deep.
  if (text.length <= 2 * depthMax || depthOf(text) <= depthMax) return;
  throw new TroupeError("VALIDATION_FAILED", `${what} is nested more than ${depthMax} deep`, { max: depthMax });
}
