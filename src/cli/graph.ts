// The command `troupe graph`: prints a workflow as it will run, before it does, as Mermaid or as an XState machine.

import { existsSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Command, Option } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { jsonText, remark } from "./words.ts";

type Options = Reach & { as: "mermaid" | "xstate"; json?: true; out?: string };

export const graph = (program: Command): void =>
  void withConnection(
    program
      .command("graph")
      .alias("draw")
      .description("Print a workflow as it will run: a Mermaid state diagram, or an XState machine as JSON.")
      .argument("<file|workflow>", "a workflow file, YAML or TypeScript; or the id of a workflow of the daemon")
      .addOption(new Option("--as <form>", "how it is drawn").choices(["mermaid", "xstate"]).default("mermaid"))
      .option("--json", "the same as --as xstate")
      .option("--out <file>", "where it is written, instead of to the output"),
  ).action(async (given: string, asked: Options) => {
    const options: Options = asked.json ? { ...asked, as: "xstate" } : asked;
    const isFile = existsSync(given) || /[./\\]/.test(given);
    const text = `${isFile ? await ofFile(given, options) : await ofDaemon(given, options)}\n`;
    if (options.out === undefined) process.stdout.write(text);
    else save(options.out, text);
  });

async function ofDaemon(id: string, options: Options): Promise<string> {
  const { mermaid, statechart } = await clientOf(options).getChart({ id });
  return options.as === "mermaid" ? mermaid.trimEnd() : jsonText(statechart);
}

async function ofFile(file: string, { as }: Options): Promise<string> {
  const { loadWorkflow } = await import("../language/load.ts");
  const { isError, problemText } = await import("../language/problems.ts");
  const { spec, problems, files } = await loadWorkflow(file);
  for (const problem of problems) remark(problemText(problem, files.get(problem.file)));
  if (!spec) {
    const count = problems.filter(isError).length;
    const message = `${basename(file)} cannot be drawn: it has ${count === 1 ? "a problem" : `${count} problems`}`;
    throw new TroupeError("DEFINITION_INVALID", message);
  }
  if (as === "mermaid") return (await import("../language/mermaid.ts")).mermaidOfWorkflow(spec);
  return jsonText((await import("../language/statechart.ts")).statechartOf(spec));
}

function save(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `cannot write the drawing: ${message}`, { path }, { cause: error });
  }
}
