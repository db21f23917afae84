// A workflow execution as what one would type: to begin the same again, or to look at it.

import type { Life } from "./story.ts";

/** As one word of a shell, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

export function commandsOf({ id, execId }: Pick<Life, "id" | "execId">, input: unknown, origin: string) {
  const content = input ?? {};
  const body = quoted(JSON.stringify({ input: content }));
  return {
    run: `npx troupe run ${id} --input ${quoted(JSON.stringify(content))}`,
    show: `npx troupe show ${execId}`,
    curl: `curl -X POST ${origin}/api/workflows/${id}/execute-async -H 'content-type: application/json' -d ${body}`,
  };
}
