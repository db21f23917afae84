// Writes docs/flows: each golden flow as it was held on the real engine, in virtual time and with one seed.

import { type Flow, flows as golden } from "../../test/kit/flows.ts";
import { conversationOf } from "../../src/testing/conversation.ts";
import { leftOut, playScene, scenes } from "../../test/kit/flow-scenes.ts";
import { codecs, compared } from "../../test/kit/recorder.ts";
import { code, type Document, generatedFrom, table } from "./document.ts";

const source = "test/flows.yaml";

const families = {
  agent: ["An agent is called", "How one agent execution goes: from its trigger to the report of whoever called it."],
  task: [
    "A task is run",
    "How one task goes: scheduled, dispatched, begun, perhaps waiting, perhaps tried again, ended.",
  ],
  tool: ["A tool is called", "How one tool execution goes, called by a task or by an agent."],
  workflow: ["A workflow is run", "How one workflow goes, with the tasks in it."],
  bus: ["A message is refused", "What comes of a message that nobody may send so."],
} as const;
type Family = keyof typeof families;
const familyOf = ({ id }: Flow): string => id.slice(0, id.indexOf("-"));
const isShown = ({ id }: Flow): boolean => id in scenes;

export async function flows(): Promise<Document[]> {
  const pages: Document[] = [];
  for (const [family, [title, about]] of Object.entries(families) as [Family, readonly [string, string]][]) {
    const own = golden.filter((flow) => familyOf(flow) === family && isShown(flow));
    if (own.length === 0) continue;
    const chapters: string[] = [];
    for (const flow of own) chapters.push(await chapterOf(flow));
    const text = [`# ${title}`, generatedFrom(source), about, ...chapters].join("\n\n");
    pages.push({ path: `docs/flows/${family}.md`, text: `${text}\n` });
  }
  return [{ path: "docs/flows/README.md", text: index() }, ...pages];
}

async function chapterOf(flow: Flow): Promise<string> {
  const scene = scenes[flow.id];
  if (!scene) throw new Error(`'${flow.id}' is not played`);
  const { troupe, lines } = await playScene(scene);
  const { problem, bindings, trace } = compared(flow, lines);
  if (problem !== null) throw new Error(problem);
  const rows = Object.keys(flow.then).map((name) => [code(name), code(troupe.get(bindings.get(name) ?? "").status)]);
  return [
    `## ${flow.id}`,
    `**${flow.title}.** ${flow.given.trim()}`,
    ["```mermaid", conversationOf(trace, codecs.flow), "```"].join("\n"),
    ...(rows.length > 0 ? [table(["execution", "ends as"], rows)] : []),
  ].join("\n\n");
}

function index(): string {
  const rows = golden
    .filter(isShown)
    .map((flow) => [`[${flow.id}](${familyOf(flow)}.md#${flow.id})`, flow.title, flow.scope.map(code).join(" ")]);
  const others = golden.filter((flow) => !isShown(flow)).map(({ id, title }) => [code(id), title, leftOut[id] ?? ""]);
  return `${[
    "# Golden flows",
    generatedFrom(source),
    "What has to be said, by whom, in which order: the conversations that every change has to keep. Each was held on" +
      " the engine itself, in virtual time over a store in memory, and compared with its flow message for message;" +
      " the diagrams show what was said. Times are those of the virtual clock.",
    table(["flow", "what happens", "complete for"], rows),
    "## Not shown here",
    table(["flow", "what happens", "why"], others),
  ].join("\n\n")}\n`;
}
