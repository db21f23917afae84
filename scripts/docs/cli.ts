// Writes docs/cli.md: every command with its arguments and options, as its own help has them.

import type { Command } from "commander";
import { programOf } from "../../src/cli/program.ts";
import { code, type Document, generatedFrom, table } from "./document.ts";

const about = [
  "Human output goes to a terminal as people read it, and `--json` gives the same as JSON: one document, or one line",
  "for each thing where there is a stream of them. The output holds what was asked for and nothing else; remarks and",
  "errors go beside it. `NO_COLOR` is honoured, and there is no colour where the output is no terminal.",
].join("\n");

const exits = table(
  ["exit code", "meaning"],
  [
    ["0", "done; an execution that was waited for ended well"],
    ["1", "an execution failed, did not end in time, or did not stop when it was canceled"],
    ["2", "wrong usage, or the daemon refused it: nothing was changed"],
    ["3", "no daemon answers"],
    ["130", "interrupted; a run that was watched on a daemon goes on"],
  ],
);

const reaching = [
  "Commands that need a daemon look for it at `--url`, then `TROUPE_URL`, then in `.troupe/ready.json` of this folder",
  "and those above it, then at `http://127.0.0.1:7420`. `--token` or `TROUPE_TOKEN` goes with every request. Where an",
  "execution is asked for, its id, the end of its id, or `last` for the newest is taken.",
  "",
  "An error is told by its code, its cause and what to do next; [errors.md](errors.md) lists the codes. With `--json`",
  'it is one line on the standard error: `{"error":{"code","message","summary","fix","details"}}`.',
].join("\n");

const files = [
  "`troupe export` writes one execution with the workflows that it called to one JSON file, and `troupe import` takes",
  "it in on any daemon: there it is shown with `imported: true`, stepped through, retried and forked if its workflow",
  "is defined, and hears no command. It goes when what ended is forgotten, or with `troupe forget`.",
  "",
  table(
    ["field", "what it is"],
    [
      ["`format` `version`", '`"troupe-run"`, `1`'],
      ["`troupe` `exported_at` `exec_id`", "which release wrote it, when, and the run that it is about"],
      ["`machines`", "the version of each lifecycle chart that it ran on"],
      ["`definitions`", "the workflows as the runs began with them; `spec` is null where one holds functions"],
      ["`runs`", "of each run every record of the log: what came, what was said, what was answered"],
      [
        "`runs[].records[].sum`",
        "covers the record and all before it: what was changed or left out is found, and where",
      ],
      ["`executions`", "how each execution stands; held against the records when it is imported"],
      [
        "`journal` `steps` `chart`",
        "made from the records, for readers without a daemon; not read when it is imported",
      ],
    ],
  ),
].join("\n");

export function cli(): Document[] {
  const program = programOf();
  const groups = Map.groupBy(commandsIn(program), (command) => command.helpGroup());
  const chapters = [...groups].flatMap(([group, commands]) => [
    `## ${group.replace(/:$/, "")}`,
    ...commands.flatMap((command) => chapterOf(command, "###")),
  ]);
  const text = [
    "# Command line",
    generatedFrom("src/cli"),
    program.description(),
    about,
    exits,
    reaching,
    ...chapters,
    "## Exported runs",
    files,
  ];
  return [{ path: "docs/cli.md", text: `${text.join("\n\n")}\n` }];
}

const commandsIn = (command: Command): Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");

function chapterOf(command: Command, mark: string): string[] {
  const name = pathOf(command);
  const aliases = command.aliases().length > 0 ? ` Also ${command.aliases().map(code).join(", ")}.` : "";
  const inner = commandsIn(command);
  if (inner.length > 0)
    return [`${mark} ${name}`, command.description() + aliases, ...inner.flatMap((one) => chapterOf(one, `${mark}#`))];
  const rows = [...argumentsOf(command), ...optionsOf(command)];
  return [
    `${mark} ${name}`,
    `${code(`${name} ${command.usage()}`)}`,
    command.description() + aliases,
    ...(rows.length > 0 ? [table(["", "", "default"], rows)] : []),
  ];
}

const pathOf = (command: Command): string => (command.parent ? `${pathOf(command.parent)} ` : "") + command.name();

const argumentsOf = (command: Command): string[][] =>
  command.registeredArguments.map((one) => [
    code(one.required ? `<${one.name()}>` : `[${one.name()}]`),
    one.description + choicesIn(one.argChoices),
    one.defaultValue === undefined ? "" : code(String(one.defaultValue)),
  ]);

const optionsOf = (command: Command): string[][] =>
  command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help")
    .map((one) => [
      code(one.flags),
      one.description +
        choicesIn(one.argChoices) +
        (one.envVar === undefined ? "" : ` (environment: ${code(one.envVar)})`),
      one.defaultValue === undefined || one.negate ? "" : code(String(one.defaultValueDescription ?? one.defaultValue)),
    ]);

const choicesIn = (choices: readonly string[] | undefined): string =>
  choices === undefined ? "" : `: ${choices.map(code).join(", ")}`;
