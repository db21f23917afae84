// The command `troupe schema`: prints the JSON Schema of a kind of file, for editors.

import { Argument, type Command } from "commander";
import type { SchemaName } from "../language/schema-file.ts";
import { jsonText, print, printJson } from "./words.ts";

const schemaNames: readonly SchemaName[] = ["workflow", "project"];

export const schema = (program: Command): void =>
  void program
    .command("schema")
    .description("Print the JSON Schema of workflow files, or of troupe.yaml, for editors.")
    .addArgument(new Argument("[kind]", "of which kind of file").choices(schemaNames).default("workflow"))
    .option("--json", "in one line")
    .addHelpText(
      "after",
      "\nAn editor with YAML support takes it from the first line of a file:\n" +
        "  # yaml-language-server: $schema=../node_modules/troupe/schemas/workflow.schema.json",
    )
    .action(async (kind: SchemaName, { json }: { json?: true }) => {
      const { schemaOfFile } = await import("../language/schema-file.ts");
      if (json) printJson(schemaOfFile(kind));
      else print(jsonText(schemaOfFile(kind)));
    });
