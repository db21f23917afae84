// The command `troupe validate`: prints every problem of a project, or of one workflow file, and where it stands.

import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { inOrder, isError, problemText } from "../language/problems.ts";
import type { Problem } from "../language/spec.ts";
import { exits } from "../protocol/errors.ts";

type Options = { json?: true };
type Checked = { problems: readonly Problem[]; files: ReadonlyMap<string, string>; says: string; folder: string };

export const validate = (program: Command): void =>
  void program
    .command("validate")
    .description("Check a project, or one workflow file, without running anything.")
    .argument("[path]", "the folder of a project, or a file", ".")
    .option("--json", "one line of JSON for each problem")
    .action(async (path: string, options: Options) => {
      const { problems, files, says, folder } = await check(resolve(path));
      for (const problem of problems) {
        const file = relative(process.cwd(), join(folder, problem.file)) || problem.file;
        const shown = { ...problem, file: file.startsWith("..") ? join(folder, problem.file) : file };
        console.log(options.json ? lineOf(shown) : `${problemText(shown, files.get(problem.file))}\n`);
      }
      if (problems.some(isError)) process.exitCode = exits.failed;
      if (!options.json) console.log(summary(problems, says));
    });

async function check(path: string): Promise<Checked> {
  const { loadProject, loadWorkflow } = await import("../language/load.ts");
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? !/\.(?:ya?ml|m?[jt]s)$/.test(path);
  if (isFolder || /^troupe\.(?:yaml|ts)$/.test(basename(path))) {
    const folder = isFolder ? path : dirname(path);
    const project = await loadProject(folder);
    const { workflows, agents, tools } = project;
    const has = [counted(workflows.length, "workflow"), counted(agents.length, "agent"), counted(tools.length, "tool")];
    const settings = await ofDaemon(folder, project.spec?.daemon);
    const problems = inOrder([...project.problems, ...project.unserved, ...settings]);
    return { ...project, problems, folder, says: `Project "${project.spec?.name}" is sound: ${has.join(", ")}.` };
  }
  const loaded = await loadWorkflow(path);
  const problems = inOrder([...loaded.problems, ...loaded.unserved]);
  return { ...loaded, problems, folder: dirname(path), says: `Workflow "${loaded.spec?.id}" is sound.` };
}

/** What `troupe up` would refuse; the grammar of a project knows only that settings stand there. */
async function ofDaemon(folder: string, daemon: unknown): Promise<Problem[]> {
  if (daemon === undefined) return [];
  const [{ wrongUnderDaemon }, { readDefinition }] = await Promise.all([
    import("../daemon/config.ts"),
    import("../language/file.ts"),
  ]);
  const file = ["troupe.yaml", "troupe.ts"].find((name) => existsSync(join(folder, name))) ?? "troupe.yaml";
  const { problem } = await readDefinition(join(folder, file), file);
  return wrongUnderDaemon(daemon).map(({ field, message }) => {
    const code = message.startsWith("is no setting") ? "UNKNOWN_KEY" : "BAD_VALUE";
    return problem({ path: ["daemon", field], code, message: `"${field}" ${message}`, severity: "error" });
  });
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;

const lineOf = ({ file, line, col, code, message, hint, severity }: Problem): string =>
  JSON.stringify({ file, line, col, code, message, ...(hint !== undefined && { hint }), severity });

function summary(problems: readonly Problem[], says: string): string {
  const errors = problems.filter(isError).length;
  const warnings = problems.length - errors;
  const told = warnings > 0 ? counted(warnings, "warning") : "";
  if (errors === 0) return told ? `${says} ${told}.` : says;
  return `${counted(errors, "error")}${told && `, ${told}`}.`;
}
