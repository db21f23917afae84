// What a text of each form has to look like, and what to say of one that does not.

import { calleeCodePattern, errors, isErrorCode } from "../protocol/errors.ts";
import { isDefinitionId, reservedIds } from "../protocol/ids.ts";
import { defectOf, defectOfTimezone } from "./cron.ts";
import { meant, type Notes, shown } from "./defects.ts";
import type { Form } from "./kinds.ts";
import type { Path } from "./spec.ts";

type Rule = (text: string) => { code: string; message: string; hint?: string } | undefined;

const nameCharsMax = 256;
/** The forms that a pattern says all of. */
export const patterns = {
  code: calleeCodePattern,
  variable: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  model: /^[^\s:]+:\S+$/,
  prefix: /^[A-Za-z0-9_-]{1,64}$/,
  method: /^[A-Z]{1,16}$/,
  header: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/,
  module: /^[^\0]+$/,
} as const satisfies Partial<Record<Form, RegExp>>;

const fits =
  (form: keyof typeof patterns, should: string): Rule =>
  (text) =>
    patterns[form].test(text) ? undefined : { code: "BAD_VALUE", message: `${shown(text)} is no ${should}` };

const id: Rule = (text) => {
  if (isDefinitionId(text)) return undefined;
  const isReserved = (reservedIds as readonly string[]).includes(text);
  if (isReserved) return { code: "BAD_ID", message: `${shown(text)} is reserved: it means something else already` };
  return { code: "BAD_ID", message: `${shown(text)} is no id`, hint: "ids have 1 to 64 of A-Z, a-z, 0-9, _ and -" };
};

const name: Rule = (text) => {
  if (text === "") return { code: "BAD_VALUE", message: "must not be empty" };
  if (text === "__proto__") return { code: "BAD_ID", message: `${shown(text)} is reserved` };
  if (text.length <= nameCharsMax) return undefined;
  return { code: "BAD_VALUE", message: `has ${text.length} characters, at most ${nameCharsMax} are allowed` };
};

// What is read is in the folder of the project, and to find it takes no long.
const glob: Rule = (text) => {
  const isWithin = !/^(?:[/\\~]|[A-Za-z]:)/.test(text) && !text.split(/[\\/]/).includes("..");
  if (!isWithin) return { code: "BAD_VALUE", message: `${shown(text)} leads out of the folder of the project` };
  const isPlain = text !== "" && text.length <= nameCharsMax && !text.includes("\0");
  return isPlain && text.split(/[{(]/).length <= 4
    ? undefined
    : { code: "BAD_VALUE", message: `${shown(text)} is no glob` };
};
/** Whether it names files that may be looked for. */
export const isGlob = (text: string): boolean => glob(text) === undefined;

const said = (message: string | undefined): ReturnType<Rule> =>
  message === undefined ? undefined : { code: "BAD_VALUE", message };

const forms: Readonly<Record<Form, Rule>> = {
  id,
  name,
  prose: () => undefined,
  code: fits("code", "code: codes are in capitals, such as CARD_DECLINED"),
  variable: fits("variable", "name of an environment value, such as PAY_TOKEN"),
  cron: (text) => said(defectOf(text)),
  timezone: (text) => said(defectOfTimezone(text)),
  model: fits("model", "model: write provider:model"),
  glob,
  prefix: fits("prefix", "prefix: it has 1 to 64 of A-Z, a-z, 0-9, _ and -"),
  method: fits("method", "HTTP method: write it in capitals, such as POST"),
  header: fits("header", "name of a header"),
  module: fits("module", "path of a module"),
};

export function checkText(text: string, form: Form, path: Path, { note, warn }: Notes): void {
  const defect = forms[form](text);
  if (defect) return note(path, defect.code, defect.message, defect.hint);
  if (form === "name" && text.includes("${{")) {
    warn(path, "BAD_VALUE", "is taken as it is written: expressions are not worked out here");
  }
  if (form === "code" && !isErrorCode(text)) {
    const hint = meant(text, Object.keys(errors));
    if (hint !== undefined) warn(path, "UNKNOWN_CODE", `${shown(text)} is nearly a code of the protocol`, hint);
  }
}
