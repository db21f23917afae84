// The command `troupe completion`: what the shell asks when the tab key is pressed. The script is short and never old:
// it asks the program itself, which walks its own commands, and the daemon for names.

import { Argument, type Command, type Option } from "commander";
import { clientOf } from "./connection.ts";
import { print, printJson } from "./words.ts";

/** Said instead of names, where the shell knows them better. */
const filesMark = ":files";
const patienceMs = 1_000;
const namesMax = 50;

const scripts = {
  bash: `_troupe() {
  local IFS=$'\\n' line current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while read -r line; do
    if [ "$line" = "${filesMark}" ]; then
      compopt -o filenames 2>/dev/null
      COMPREPLY+=($(compgen -f -- "$current"))
    else
      COMPREPLY+=("$line")
    fi
  done < <(troupe complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _troupe troupe`,
  zsh: `#compdef troupe
_troupe() {
  local -a found
  found=("\${(@f)$(troupe complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  (( \${found[(I)${filesMark}]} )) && _files
  found=(\${found:#${filesMark}})
  (( \${#found} )) && compadd -- $found
}
compdef _troupe troupe`,
  fish: `function __troupe_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (troupe complete -- $words[2..-1] 2>/dev/null)
    if test "$line" = "${filesMark}"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c troupe -f -a '(__troupe_complete)'`,
} as const;

type Shell = keyof typeof scripts;
const shells = Object.keys(scripts) as Shell[];

export function completion(program: Command): void {
  program
    .command("completion")
    .description("Print what makes a shell complete commands, options, workflows and executions.")
    .addArgument(new Argument("<shell>", "for which shell").choices(shells))
    .option("--json", "one JSON object")
    .addHelpText(
      "after",
      "\nFor this shell:   source <(troupe completion bash)\nFor every shell:  troupe completion bash >> ~/.bashrc" +
        "\nfish:             troupe completion fish > ~/.config/fish/completions/troupe.fish",
    )
    .action((shell: Shell, { json }: { json?: true }) => {
      if (json) printJson({ shell, script: scripts[shell] });
      else print(scripts[shell]);
    });
  program
    .command("complete", { hidden: true })
    .argument("[words...]", "what was typed, the last word perhaps not to its end")
    .helpOption(false)
    .action(async (words: string[]) => {
      for (const name of await candidates(program, words)) print(name);
    });
}

async function candidates(program: Command, words: readonly string[]): Promise<string[]> {
  const current = words.at(-1) ?? "";
  const { command, operands, asks } = readUpTo(program, words.slice(0, -1));
  const found = asks
    ? await valuesOf(asks)
    : current.startsWith("-")
      ? flagsOf(command)
      : await operandsOf(command, operands);
  return found.filter((name) => name === filesMark || name.startsWith(current));
}

/** Which command it is, how many operands it has, and which option waits for its value. */
function readUpTo(program: Command, words: readonly string[]) {
  let command = program;
  let operands = 0;
  let asks: Option | undefined;
  for (const word of words) {
    if (asks) asks = undefined;
    else if (word.startsWith("-")) {
      const option = command.options.find((one) => one.long === word || one.short === word);
      asks = option?.required === true && !word.includes("=") ? option : undefined;
    } else {
      const inner = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
      if (inner) [command, operands] = [inner, 0];
      else operands += 1;
    }
  }
  return { command, operands, asks };
}

const flagsOf = (command: Command): string[] => [
  ...command.options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? []),
  "--help",
];

async function operandsOf(command: Command, place: number): Promise<string[]> {
  if (command.commands.length > 0)
    return place > 0
      ? []
      : command
          .createHelp()
          .visibleCommands(command)
          .map((one) => one.name());
  const argument = command.registeredArguments[place] ?? command.registeredArguments.find(({ variadic }) => variadic);
  if (!argument) return [];
  return argument.argChoices ?? (await namesOf(argument.name()));
}

async function valuesOf({ argChoices, long, flags }: Option): Promise<string[]> {
  if (argChoices) return argChoices;
  const [, named = ""] = /<([^>]+)>/.exec(flags) ?? [];
  return namesOf(long === "--workflow" ? "workflow" : named);
}

/** Of what is asked for by such a name; where nobody answers, of nothing. */
async function namesOf(named: string): Promise<string[]> {
  const found: string[] = [];
  if (/file|path|folder/.test(named)) found.push(filesMark);
  try {
    const client = clientOf({ ...(process.env["TROUPE_URL"] && { url: process.env["TROUPE_URL"] }), ...tokenOf() });
    const options = { signal: AbortSignal.timeout(patienceMs) };
    if (/workflow/.test(named)) {
      const { items } = await client.listDefinitions({ entities: "workflows" }, options);
      found.push(...items.map(({ id }) => id));
    } else if (named === "exec") {
      const { items } = await client.listExecutions({ entities: "workflows", limit: namesMax }, options);
      found.push("last", ...items.map(({ exec_id }) => exec_id));
    }
  } catch {
    // Whoever presses a key wants no error for it.
  }
  return found;
}

const tokenOf = (): { token?: string } => {
  const token = process.env["TROUPE_TOKEN"];
  return token === undefined ? {} : { token };
};
