// What people hand in as content: JSON values within their size, and labels.

import { checkDepth } from "../actors/depth.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isObject } from "../protocol/json.ts";
import { refused } from "./arguments.ts";

export type Labels = Readonly<Record<string, string>>;

const nameCharsMax = 64;
const valueCharsMax = 256;

/** As JSON, so that what is recorded is what was given. */
export function checkedContent(content: unknown, bytesMax: number, what = "what was given"): unknown {
  let text: string | undefined;
  try {
    text = JSON.stringify(content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TroupeError("VALIDATION_FAILED", `${what} is no JSON value: ${reason}`, {}, { cause: error });
  }
  if (text === undefined) {
    throw new TroupeError("VALIDATION_FAILED", `${what} is no JSON value but a ${typeof content}`);
  }
  checkDepth(text, what);
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return JSON.parse(text);
  throw new TroupeError("PAYLOAD_TOO_LARGE", `${what} has ${bytes} bytes, at most ${bytesMax} are allowed`, {
    limit: "payloadBytes",
    max: bytesMax,
    bytes,
  });
}

export function checkedLabels(labels: Labels | undefined, max: number): Labels | undefined {
  if (labels === undefined) return undefined;
  if (!isObject(labels)) {
    throw new TroupeError("VALIDATION_FAILED", "labels must be an object of texts");
  }
  const entries = Object.entries(labels);
  const errors = entries.flatMap(([name, value]) => {
    const isName = name.length > 0 && name.length <= nameCharsMax;
    if (isName && typeof value === "string" && value.length <= valueCharsMax) return [];
    const message = isName
      ? `must be a text of at most ${valueCharsMax} characters`
      : "is no name of 1 to 64 characters";
    return [{ field: `labels.${name.slice(0, nameCharsMax)}`, message }];
  });
  if (errors.length > 0) throw refused("these labels cannot be", errors);
  if (entries.length <= max) return Object.fromEntries(entries);
  throw new TroupeError("VALIDATION_FAILED", `${entries.length} labels were given, at most ${max} are allowed`, {
    limit: "labelsMax",
    max,
  });
}
