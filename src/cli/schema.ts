// The command `troupe schema`: prints the JSON Schema of a kind of file, for editors.

import { Argument, type Command } from "commander";
import { type SchemaName, schemaNames, schemaOfFile } from "../language/schema-file.ts";

export const schema = (program: Command): void =>
  void program
    .command("schema")
    .description("Print the JSON Schema of workflow files, or of troupe.yaml, for editors.")
    .addArgument(new Argument("[kind]", "of which kind of file").choices(schemaNames).default("workflow"))
    .addHelpText(
      "after",
      "\nAn editor with YAML support takes it from the first line of a file:\n" +
        "  # yaml-language-server: $schema=../node_modules/troupe/schemas/workflow.schema.json",
    )
    .action((kind: SchemaName) => console.log(JSON.stringify(schemaOfFile(kind), null, 2)));
