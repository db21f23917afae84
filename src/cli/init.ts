// The command `troupe init`: writes a small project that runs, and says how.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { print, printJson, self } from "./words.ts";

type Options = { name?: string; yes?: true; json?: true };

export const init = (program: Command): void =>
  void program
    .command("init")
    .description("Write a small project that runs: one workflow in YAML, one agent in TypeScript.")
    .argument("[folder]", "where to; it is made if it is not there", ".")
    .option("--name <name>", "what the project is called; the folder's name without it")
    .option("-y, --yes", "ask nothing")
    .option("--json", "one JSON document")
    .action(write);

const fitting = (name: string): string =>
  name
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64) || "project";
const isName = (name: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(name);

async function write(given: string, options: Options): Promise<void> {
  const isAsked = process.stdin.isTTY && process.stdout.isTTY && !options.yes && !options.json;
  const asked = isAsked ? await ask(given, options.name) : undefined;
  if (isAsked && !asked) {
    process.exitCode = 130;
    return;
  }
  const folder = resolve(asked?.folder ?? given);
  const name = asked?.name ?? options.name ?? fitting(basename(folder));
  if (!isName(name)) {
    const message = `'${name}' is no name of a project: it has letters, digits, _ and -, at most 64`;
    throw new TroupeError("VALIDATION_FAILED", message, { name });
  }
  const { filesOf } = await import("./init-files.ts");
  const files = filesOf(name, existsSync(join(folder, "node_modules/troupe/schemas")));
  const there = Object.keys(files).filter((path) => existsSync(join(folder, path)));
  if (there.length > 0) {
    const are = there.length === 1 ? "is" : "are";
    const message = `${there.join(", ")} ${are} in ${folder} already: choose an empty folder`;
    throw new TroupeError("VALIDATION_FAILED", message, { there });
  }
  save(folder, files);
  if (options.json) return printJson({ folder, name, files: Object.keys(files) });
  const here = relative(process.cwd(), folder);
  print(
    `${Object.keys(files)
      .map((path) => `  + ${join(here, path)}`)
      .join("\n")}\n\nnext:`,
  );
  const enter = here === "" ? [] : [`cd ${here}`];
  const commands = [`${self} run hello --input '{"name": "Ada"}'`, `${self} up`];
  print([...enter, ...commands].map((line) => `  ${line}`).join("\n"));
}

function save(folder: string, files: Readonly<Record<string, string>>): void {
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text, { flag: "wx" });
    }
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `cannot write the project: ${message}`, { folder }, { cause: error });
  }
}

/** Nothing, if whoever was asked went away. */
async function ask(given: string, name: string | undefined): Promise<{ folder: string; name: string } | undefined> {
  const { cancel, intro, isCancel, text } = await import("@clack/prompts");
  const leave = (): undefined => {
    cancel("nothing was written");
    return undefined;
  };
  intro("a small project that runs");
  const isFree = !existsSync(given) || readdirSync(given).length === 0;
  const folder = await text({ message: "Where?", initialValue: given === "." && !isFree ? "./hello" : given });
  if (isCancel(folder)) return leave();
  const called = await text({
    message: "What is it called?",
    initialValue: name ?? fitting(basename(resolve(folder))),
    validate: (value) => (isName(value ?? "") ? undefined : "letters, digits, _ and -, at most 64"),
  });
  return isCancel(called) ? leave() : { folder, name: called };
}
