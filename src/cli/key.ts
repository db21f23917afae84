// The command `troupe key`: makes the file with the keys that a data directory is sealed with, and lists their ids.

import { type Command, Option } from "commander";

type Options = { keyFile: string; json?: true };

const fileOption = (): Option =>
  new Option("--key-file <file>", "the file with the keys").env("TROUPE_KEY_FILE").makeOptionMandatory();

export function key(program: Command): void {
  const keys = program.command("key").description("Make and list the keys that what is stored is encrypted with.");
  keys
    .command("create")
    .description("Make a key; one more is put before those that are there, and seals from the next start on.")
    .addOption(fileOption())
    .option("--json", "one JSON object")
    .action(async ({ keyFile, json }: Options) => {
      const { addKey } = await import("../store/key-file.ts");
      const id = addKey(keyFile);
      console.log(json ? JSON.stringify({ id, file: keyFile }) : id);
      console.error(`${keyFile} holds it. Keep a copy elsewhere: without it nothing that it sealed can be read again.`);
    });
  keys
    .command("list")
    .description("List the ids of the keys; the first one seals, all of them open.")
    .addOption(fileOption())
    .option("--json", "one JSON object for each")
    .action(async ({ keyFile, json }: Options) => {
      const { readKeyFile } = await import("../store/key-file.ts");
      for (const { id } of readKeyFile(keyFile)) console.log(json ? JSON.stringify({ id }) : id);
    });
}
