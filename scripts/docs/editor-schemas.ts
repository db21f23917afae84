// Writes schemas/*.schema.json: the JSON Schemas of the language's files, for editors.

import { schemaNames, schemaOfFile } from "../../src/language/schema-file.ts";
import { type Document, json } from "./document.ts";

export const editorSchemas = (): Document[] =>
  schemaNames.map((name) => ({ path: `schemas/${name}.schema.json`, text: json(schemaOfFile(name)) }));
