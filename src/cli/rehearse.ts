// The command `troupe rehearse`: plays what happens when an agent errs, hangs or is never there, in virtual time.

import { styleText } from "node:util";
import { type Command, Option } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import type { Line } from "../testing/stage.ts";
import type { Story } from "../testing/stories.ts";

type Options = { json?: true; mermaid?: true };
type Told = { status?: string; result?: { error?: { code?: string; message?: string } } | null };

export const rehearse = (program: Command): void =>
  void program
    .command("rehearse")
    .description("Play what happens when an agent answers, errs, hangs, dies, or is never there.")
    .argument("[story]", "which of them, such as hangs; all without it")
    .addOption(new Option("--json", "one line of JSON for each message").conflicts("mermaid"))
    .option("--mermaid", "the conversation as a Mermaid sequence diagram")
    .action(async (id: string | undefined, options: Options) => {
      const { stories } = await import("../testing/stories.ts");
      for (const story of id === undefined ? stories : [storyOf(stories, id)]) await show(story, options);
      if (id === undefined && !options.json && !options.mermaid) {
        console.log("One of them by itself: npx troupe rehearse hangs. As a picture: --mermaid. For scripts: --json.");
      }
    });

function storyOf(stories: readonly Story[], id: string): Story {
  const story = stories.find((candidate) => candidate.id === id);
  if (story) return story;
  const known = stories.map((candidate) => candidate.id);
  const guess = nearest(id, known);
  const hint = guess === undefined ? `there are ${known.join(", ")}` : `did you mean '${guess}'?`;
  throw new TroupeError("VALIDATION_FAILED", `no story '${id}'; ${hint}`, { given: id, known });
}

async function show(story: Story, { json, mermaid }: Options): Promise<void> {
  const { tell } = await import("../testing/stories.ts");
  const { messagesIn, sequenceOf } = await import("../testing/sequence.ts");
  const log = tell(story);
  if (json) {
    for (const { at, by, word } of messagesIn(log)) console.log(JSON.stringify({ story: story.id, at, by, ...word }));
  } else if (mermaid) {
    console.log(sequenceOf(log));
  } else {
    console.log(`${styleText("bold", story.title)} (${story.id})\n`);
    for (const line of rows(messagesIn(log))) console.log(line);
    console.log(`\n${story.tells.replaceAll("`", "")}\n`);
  }
}

/** A line a message: when, who, what, and how it stood. */
function rows(lines: readonly Line[]): string[] {
  const began = lines[0]?.at ?? 0;
  return lines.map(({ at, by, word }) => {
    const { status, result } = (word["payload"] ?? {}) as Told;
    const code = result?.error?.code;
    const outcome = code === undefined ? (status ?? "") : styleText("red", `${status} ${code}`);
    const time = `${((at - began) / 1_000).toFixed(1).padStart(6)} s`;
    const name = word.type.slice(word.type.indexOf(":") + 1);
    return `${styleText("dim", time)}  ${by.padEnd(3)}  ${name.padEnd(26)} ${outcome}`.trimEnd();
  });
}
