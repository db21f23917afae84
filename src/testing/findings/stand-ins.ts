// What agents and tools answer in a check, as somebody wrote it down: a value, a function, codes of errors.
//
//   judge: { ok: true }                             always the same (an object without `answers` or `codes`)
//   judge: (input, attempt) => ({ ok: input.n > 3 })  worked out, at once
//   judge: { answers: …, codes: [CARD_DECLINED] }     and what it is known to fail with

import { nearest } from "../../protocol/nearest.ts";
import { isObject } from "../../protocol/json.ts";
import { TroupeError } from "../../protocol/errors.ts";
import { atOnce } from "../../language/function.ts";
import type { CalleeSpec } from "../check/trial.ts";
import type { Loaded } from "./load.ts";

type Answers = NonNullable<CalleeSpec["answers"]>;
type Script = Pick<CalleeSpec, "answers" | "codes">;

/** The same project, with these in place of the stand-ins that its schemas give. */
export function withScripts(loaded: Loaded, given: unknown, file: string): Loaded {
  if (!isObject(given)) throw refused(file, "it must give an object: agents and tools by their ids");
  const { subject, cast } = loaded;
  const known = new Set([...(cast.agents ?? []), ...(cast.tools ?? [])].map(({ id }) => id));
  const scripts = new Map(Object.entries(given).map(([id, one]) => [id, scriptOf(id, one, file)]));
  const stranger = [...scripts.keys()].find((id) => !known.has(id));
  if (stranger !== undefined) {
    const guess = nearest(stranger, [...known]);
    const hint = guess === undefined ? `there are ${[...known].join(", ") || "none"}` : `did you mean '${guess}'?`;
    throw refused(file, `there is no agent and no tool '${stranger}'; ${hint}`);
  }
  const scripted = (one: CalleeSpec): CalleeSpec => ({ ...one, ...scripts.get(one.id) });
  const all = (callees: ReadonlyMap<string, CalleeSpec>): Map<string, CalleeSpec> =>
    new Map([...callees].map(([id, one]) => [id, scripted(one)]));
  return {
    ...loaded,
    cast: { ...cast, agents: (cast.agents ?? []).map(scripted), tools: (cast.tools ?? []).map(scripted) },
    ...(subject && { subject: { ...subject, agents: all(subject.agents), tools: all(subject.tools) } }),
  };
}

function scriptOf(id: string, given: unknown, file: string): Script {
  if (!isObject(given) || !("answers" in given || "codes" in given)) return { answers: answersOf(given, id) };
  const { answers, codes, ...rest } = given;
  const [odd] = Object.keys(rest);
  if (odd !== undefined) throw refused(file, `'${id}' has '${odd}' beside answers and codes`);
  if (codes !== undefined && !(Array.isArray(codes) && codes.every((code) => typeof code === "string"))) {
    throw refused(file, `codes of '${id}' must be a list of texts`);
  }
  return {
    ...(answers !== undefined && { answers: answersOf(answers, id) }),
    ...(codes !== undefined && { codes: codes as string[] }),
  };
}

function answersOf(given: unknown, id: string): Answers {
  if (typeof given !== "function") return () => structuredClone(given);
  const make = given as Answers;
  return (input, attempt) => atOnce(make(input, attempt), `the stand-in of '${id}'`);
}

const refused = (file: string, why: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `--agents ${file}: ${why}`, { file });
