// Which values are secrets, and what keeps them out of everything that is told of this troupe.
//
//   names (option `secrets`, `secrets` of the project, keys of webhooks) + environment ─▶ values ─▶ redactor
//
// Values of names that are merely under `env` are no secrets: regions and addresses occur everywhere.

import type { Workflow } from "../actors/definition.ts";
import { charsMin, type Redactor, redactorOf } from "../actors/redact.ts";
import type { Log } from "../protocol/handler.ts";
import type { Report } from "../protocol/report.ts";
import type { Options } from "./options.ts";

export type Secrets = ReturnType<typeof openSecrets>;

export function openSecrets({ secrets = [], environment = process.env, log = () => undefined }: Options) {
  const names = new Set<string>();
  let redactor: Redactor | undefined;

  const report: Report = (level, message, fields) => {
    if (!redactor) return log(level, message, fields);
    log(level, redactor.text(message), redactor.value(fields) as typeof fields);
  };

  /** These are secrets, too, from now on. */
  function learn(more: Iterable<string>): void {
    const known = names.size;
    for (const name of more) {
      if (names.has(name)) continue;
      names.add(name);
      const length = valueOf(name)?.length ?? 0;
      if (length === 0 || length >= charsMin) continue;
      // Whoever hears of its length knows much of it already.
      report("warn", `a secret has less than ${charsMin} characters: it is not looked for in what handlers say`, {
        name,
      });
    }
    if (names.size > known) redactor = redactorOf([...names].map((name) => valueOf(name) ?? ""));
  }
  const valueOf = (name: string): string | undefined =>
    Object.hasOwn(environment, name) ? environment[name] : undefined;

  learn(secrets);
  return {
    learn,
    /** What deliveries are signed with. */
    learnFrom(workflows: ReadonlyMap<string, Workflow>): void {
      const triggers = [...workflows.values()].flatMap(({ spec }) => spec.triggers ?? []);
      learn(
        triggers.flatMap((one) =>
          one.type === "webhook" && one.verify && one.verify !== "none" ? [one.verify.secret] : [],
        ),
      );
    },
    redactor: (): Redactor | undefined => redactor,
    valueOf,
    /** What the engine and handlers report, without values. */
    report,
    /** A text without values: for whoever shows what did not come from a handler. */
    redact: (text: string): string => redactor?.text(text) ?? text,
    /** What is done while modules of people are loaded: these may throw whatever they know. */
    async guarded<T>(act: () => Promise<T>): Promise<T> {
      try {
        return await act();
      } catch (error) {
        throw redactor ? redactor.value(error) : error;
      }
    },
  };
}

/** What a handler says goes where everything goes, with who it is. */
export const logOf =
  (report: Report) =>
  (fields: Readonly<Record<string, unknown>>): Log => {
    const at =
      (level: Parameters<Report>[0]) =>
      (message: string, more: Readonly<Record<string, unknown>> = {}): void =>
        report(level, message, { ...fields, ...more });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  };
