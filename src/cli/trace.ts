// The command `troupe trace`: the messages of an execution as a conversation, who said what to whom.

import { type Command, Option } from "commander";
import type { Answer } from "../gateway/client.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { execArgument, executionAt } from "./pick.ts";
import { dim, inStatus, print, printJson, table } from "./words.ts";

type Options = Reach & { mermaid?: true; json?: true };
type Line = Answer<"getJournal">["items"][number];

export const trace = (program: Command): void =>
  void withConnection(
    program
      .command("trace")
      .description("Show the messages of an execution as a conversation: who said what to whom.")
      .argument("<exec>", execArgument)
      .addOption(new Option("--mermaid", "as a Mermaid sequence diagram").conflicts("json"))
      .option("--json", "one line of JSON for each message"),
  ).action(async (given: string, options: Options) => {
    const client = clientOf(options);
    const { exec_id } = await executionAt(client, given);
    const lines: Line[] = [];
    for (let from_line: number | null = 0; from_line !== null;) {
      const page: Answer<"getJournal"> = await client.getJournal({ exec_id, from_line, limit: 1_000 });
      lines.push(...page.items);
      from_line = page.next_line;
    }
    await tell(lines, options);
  });

async function tell(lines: readonly Line[], { mermaid, json }: Options): Promise<void> {
  const { conversationOf, exchangesIn, spokenIn } = await import("../testing/conversation.ts");
  const spoken = spokenIn(lines as unknown as Parameters<typeof spokenIn>[0]);
  if (mermaid) {
    const { subjectCodec } = await import("../protocol/subjects.ts");
    return print(conversationOf(spoken, subjectCodec({ prefix: "compozy", layout: "flow" })));
  }
  const exchanges = exchangesIn(spoken);
  if (json) {
    for (const { line, to, name } of exchanges)
      printJson({ at: new Date(line.at).toISOString(), from: line.by, to, name, ...line.word });
    return;
  }
  const beganAt = spoken[0]?.at ?? 0;
  const rows = exchanges.map(({ line, to, name }) => [
    dim(`+${((line.at - beganAt) / 1_000).toFixed(3)} s`),
    line.by,
    `→ ${to.join(" ")}`,
    name,
    aboutOf(line.word),
    outcomeOf(line.word),
  ]);
  if (rows.length === 0) return print("nothing of it was said yet");
  print(table(["after", "from", "to", "message", "of", ""], rows));
}

type Word = { type: string; payload?: unknown; [section: string]: unknown };

const aboutOf = (word: Word): string => {
  const own = (word["tool"] ?? word["agent"] ?? word["task"] ?? word["workflow"] ?? {}) as { id?: string };
  return own.id ?? "";
};

function outcomeOf({ payload }: Word): string {
  const { status, result } = (payload ?? {}) as { status?: string; result?: { error?: { code?: string } } | null };
  return [status && inStatus(status), result?.error?.code].filter(Boolean).join(" ");
}
