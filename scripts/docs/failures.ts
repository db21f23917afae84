// Writes docs/when-things-fail.md: each story of an agent that errs, hangs or is never there, as it was played.

import { messagesIn, sequenceOf } from "../../src/testing/sequence.ts";
import { stories, tell } from "../../src/testing/stories.ts";
import { code, type Document, generatedFrom, table } from "./document.ts";

type Ended = {
  status?: string;
  result?: { error?: { code: string; message: string; details?: object } } | null;
};

export const failures = (): Document[] => {
  const told = stories.map((story) => ({ story, log: messagesIn(tell(story)) }));
  const rows = told.map(({ story, log }) => {
    const ended = log.findLast(({ word }) => word.type.startsWith("event:WorkflowExecution"));
    const task = log.findLast(({ word }) => /^event:TaskExecution(?!Started)/.test(word.type));
    const seconds = ((ended?.at ?? 0) - (log[0]?.at ?? 0)) / 1_000;
    const { status } = (ended?.word["payload"] ?? {}) as Ended;
    const error = ((task?.word["payload"] ?? {}) as Ended).result?.error;
    const reason = (error?.details as { reason?: string } | undefined)?.reason;
    const why = error === undefined ? "" : code(reason === undefined ? error.code : `${error.code} (${reason})`);
    return [`[${story.title}](#${anchorOf(story.title)})`, code(status ?? ""), why, `${seconds} s`];
  });
  const text = [
    "# When things fail",
    generatedFrom("src/testing/stories.ts"),
    "One workflow, one task, one agent with a timeout of 30 s (300 s where its runtime dies), and everything that can" +
      " go wrong between them. Each story was played on the real charts in virtual time; the diagrams show what was" +
      " said. `troupe rehearse` plays them in a terminal.",
    table(["story", "the workflow ends as", "the task's error", "after"], rows),
    "Nothing here is special to agents: a tool that errs, hangs or is not there goes the same way with TOOL_ERROR," +
      " TOOL_INVOCATION_TIMEOUT and TOOL_DISPATCH_FAILED. All codes are in [errors.md](errors.md), all charts in" +
      " [charts](charts/README.md).",
    ...told.flatMap(({ story, log }) => [
      `## ${story.title}`,
      story.tells,
      ["```mermaid", sequenceOf(log), "```"].join("\n"),
    ]),
  ];
  return [{ path: "docs/when-things-fail.md", text: `${text.join("\n\n")}\n` }];
};

const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
