// What a new project is made of.

import { schemaOfFile } from "../language/schema-file.ts";

/** Editors take the schemas from the installed package, or from beside the project where it is not installed. */
export function filesOf(name: string, isInstalled: boolean): Record<string, string> {
  const schemas = isInstalled ? "node_modules/troupe/schemas" : "schemas";
  return {
    "troupe.yaml": `# yaml-language-server: $schema=./${schemas}/project.schema.json
version: 1
name: ${name}
agents:
  - { id: greeter, kind: module, module: "./agents/greeter.ts#greet" }
`,
    "workflows/hello.yaml": `# yaml-language-server: $schema=../${schemas}/workflow.schema.json
id: hello
input: { type: object, properties: { name: { type: string, default: world } } }
tasks:
  - id: greet
    type: agent
    agent: greeter
    with: { name: "\${{ input.name }}" }
    retry: { max_attempts: 3 }
`,
    "agents/greeter.ts": `// An agent is a function: it is given the task's \`with\`, and gives the task's output.

export const greet = ({ name }: { name: string }): { text: string } => ({ text: \`hello, \${name}\` });
`,
    ".gitignore": ".troupe/\nnode_modules/\n",
    ...(!isInstalled && {
      "schemas/project.schema.json": `${JSON.stringify(schemaOfFile("project"), null, 2)}\n`,
      "schemas/workflow.schema.json": `${JSON.stringify(schemaOfFile("workflow"), null, 2)}\n`,
    }),
  };
}
