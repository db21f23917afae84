// The command `troupe runtime-test`: plays the daemon against a runtime of any language, and says what it does wrong.

import { writeFileSync } from "node:fs";
import { styleText } from "node:util";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Trial } from "../conformance/try-runtime.ts";
import { exits } from "../protocol/errors.ts";
import { layouts } from "../protocol/layouts.ts";
import { print, printRaw, remark } from "./words.ts";

type Options = Trial & { json?: true; junit?: string };

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("It must be a whole number above 0.");
  return value;
};

export const runtimeTest = (program: Command): void =>
  void program
    .command("runtime-test")
    .description("Play the daemon against an agent runtime, in whatever language, and say what it does wrong.")
    .option("--url <url>", "where the NATS server is; without it, one of its own for --command")
    .option("--creds <file>", "credentials for that server")
    .option("--key <file>", "a key (nkey) for that server")
    .option("--prefix <prefix>", "the namespace", "compozy")
    .addOption(new Option("--subjects <layout>", "the layout of subjects").choices([...layouts]).default("flow"))
    .option("--runtime <name or id>", "which runtime; without it, the first that is heard of")
    .option("--agent <id>", "the agent to try; without it, `conformance` or the first that it serves")
    .option("--tool <id>", "the tool to try")
    .option("--command <line>", "starts the runtime: it finds NATS_URL, NATS_CREDS, NATS_NKEY, TROUPE_PREFIX")
    .option("--pid <number>", "the process of the runtime, which the test may tell to end", whole)
    .option("--patience <ms>", "how long what has to come at once may take", whole, 2_000)
    .option("--only <rules...>", "the rules to try, such as cancel-silent; without it, all")
    .option("--json", "one object of JSON")
    .option("--junit <file>", "the verdicts as JUnit XML, too")
    .action(async (options: Options) => {
      const { tryRuntime } = await import("../conformance/try-runtime.ts");
      const { countOf, jsonOf, junitOf, textOf } = await import("../conformance/verdict-report.ts");
      const outcome = await tryRuntime(options, (line) => void (options.json || remark(line)));
      if (options.json) printRaw(jsonOf(outcome));
      else print(textOf(outcome, (is, text) => styleText(colours[is], text)));
      if (options.junit !== undefined) writeFileSync(options.junit, junitOf(outcome));
      if (countOf(outcome).broken > 0) process.exitCode = exits.failed;
    });

const colours = { kept: "green", broken: "red", untried: "dim" } as const;
