// What a handler returned or threw, as data: whatever it is, it can be recorded and sent.

import { checkDepth } from "./depth.ts";
import { asData } from "../machines/speech.ts";
import { calleeCodePattern, fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Data } from "../protocol/fields.ts";
import type { Redactor } from "./redact.ts";

/** An error in a message is for people to read: more than this nobody does. */
const messageCharsMax = 4_096;
const detailsCharsMax = 65_536;

export type Thrown = { message: string; code?: string; details?: Data };

/** The output as JSON at once: what is recorded is what was returned, whatever the handler does to it later. */
export function outputOf(returned: unknown, bytesMax: number, redactor?: Redactor): Data {
  const output = contentOf(asData(returned), bytesMax, "the output");
  return asData(redactor ? redactor.value(output) : output);
}

/** A value as JSON within its size; what has no JSON, such as a function, is nothing. */
export function contentOf(value: unknown, bytesMax: number, what: string, limit = "payloadBytes"): unknown {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return {};
  checkDepth(text, what);
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return JSON.parse(text) as unknown;
  throw new TroupeError("PAYLOAD_TOO_LARGE", `${what} has ${bytes} bytes, at most ${bytesMax} are allowed`, {
    limit,
    max: bytesMax,
    bytes,
  });
}

/** Anything can be thrown, and may throw itself when it is looked at. */
export function thrownOf(thrown: unknown, redactor?: Redactor): Thrown {
  const said = fromUnknown(thrown).message;
  // Before it is cut: what is left of a value would not be found any more.
  const text = redactor ? redactor.text(said) : said;
  const message = text.length > messageCharsMax ? `${text.slice(0, messageCharsMax)}…` : text;
  const code = fieldOf(thrown, "code");
  const details = detailsOf(fieldOf(thrown, "details"));
  return {
    message: message.toWellFormed(),
    ...(typeof code === "string" && calleeCodePattern.test(code) && { code: redactor ? codeOf(code, redactor) : code }),
    ...(details && { details: redactor ? (redactor.value(details) as Data) : details }),
  };
}

/** A value may look like a code. */
const codeOf = (code: string, redactor: Redactor): string => (redactor.text(code) === code ? code : "SECRET");

function fieldOf(thrown: unknown, name: "code" | "details"): unknown {
  try {
    return (Object(thrown) as Record<string, unknown>)[name];
  } catch {
    // A getter that throws has nothing to say.
    return undefined;
  }
}

/** Details that are no JSON object, or too many, are left out: the failure is told without them. */
function detailsOf(details: unknown): Data | undefined {
  if (typeof details !== "object" || details === null || Array.isArray(details)) return undefined;
  try {
    const text: string | undefined = JSON.stringify(details);
    if (text === undefined || text.length > detailsCharsMax) return undefined;
    const data: unknown = JSON.parse(text);
    return typeof data === "object" && data !== null && !Array.isArray(data) ? (data as Data) : undefined;
  } catch {
    return undefined;
  }
}
