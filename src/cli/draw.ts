// The command `troupe draw`: prints a workflow as it will run, before it does, as Mermaid or as an XState machine.

import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Command, Option } from "commander";
import { loadWorkflow } from "../language/load.ts";
import { mermaidOfWorkflow } from "../language/mermaid.ts";
import { isError, problemText } from "../language/problems.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { statechartOf } from "../language/statechart.ts";
import { TroupeError } from "../protocol/errors.ts";

type Options = { as: keyof typeof drawn; out?: string };

const drawn = {
  mermaid: mermaidOfWorkflow,
  xstate: (spec: WorkflowSpec): string => JSON.stringify(statechartOf(spec), null, 2),
};

export const draw = (program: Command): void =>
  void program
    .command("draw")
    .description("Print a workflow as it will run: a Mermaid state diagram, or an XState machine as JSON.")
    .argument("<file>", "a workflow file, YAML or TypeScript")
    .addOption(new Option("--as <form>", "how it is drawn").choices(Object.keys(drawn)).default("mermaid"))
    .option("--out <file>", "where it is written, instead of to the output")
    .action(async (file: string, { as, out }: Options) => {
      const text = `${drawn[as](await workflowIn(file))}\n`;
      if (out === undefined) process.stdout.write(text);
      else save(out, text);
    });

async function workflowIn(file: string): Promise<WorkflowSpec> {
  const { spec, problems, files } = await loadWorkflow(file);
  for (const problem of problems) console.error(problemText(problem, files.get(problem.file)));
  if (spec) return spec;
  const count = problems.filter(isError).length;
  throw new TroupeError("DEFINITION_INVALID", `${basename(file)} cannot be drawn: it has ${countOf(count)}`);
}

const countOf = (count: number): string => (count === 1 ? "a problem" : `${count} problems`);

function save(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `cannot write the drawing: ${message}`, { path }, { cause: error });
  }
}
