// The commands `troupe retry` and `troupe fork`: an execution begun again, whole or at one of its tasks.

import type { Command } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import type { Client } from "../gateway/client.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { contentOf, gathered, labelsOf } from "./given.ts";
import { execArgument, executionAt } from "./pick.ts";
import { watchOn } from "./run.ts";
import { next, print, printJson } from "./words.ts";

type Options = Reach & { from?: string; input?: string; newest?: true; label?: string[]; watch?: true; json?: true };

export function again(program: Command): void {
  const common = (name: string, says: string): Command =>
    withConnection(program.command(name).description(says).argument("<exec>", execArgument))
      .option("--input <json>", "another input: JSON, @file, or -")
      .option("--newest", "with the definition of today, not the one that it ran")
      .option("--watch", "show how it goes, until it has ended")
      .option("--json", "one JSON document");
  common("retry", "Begin an ended execution once more.")
    .option("--from <task>", "at this task, with the results of those before it")
    .action(async (given: string, options: Options) => {
      const client = clientOf(options);
      const { exec_id } = await executionAt(client, given);
      const { from } = options;
      const asked = { exec_id, ...(from !== undefined && { from }), ...changesIn(options) };
      const begun = await guessed(client, exec_id, from, () => client.retryExecution(asked));
      return tell(client, begun, options, `retries ${exec_id}`);
    });
  common("fork", "Begin a second execution with the results that this one had when a task began.")
    .requiredOption("--from <task>", "the task that it begins at")
    .option("--label <name=value>", "found by it later; may be repeated", gathered)
    .action(async (given: string, options: Options & { from: string }) => {
      const client = clientOf(options);
      const { exec_id } = await executionAt(client, given);
      const labels = labelsOf(options.label);
      const more = Object.keys(labels).length > 0 ? { labels } : {};
      const asked = { exec_id, from: options.from, ...changesIn(options), ...more };
      const begun = await guessed(client, exec_id, options.from, () => client.forkExecution(asked));
      return tell(client, begun, options, `forks ${exec_id}`);
    });
}

const changesIn = ({ input, newest }: Options) => ({
  ...(input !== undefined && { input: contentOf(input, "--input") }),
  ...(newest && { definition: "newest" as const }),
});

/** A task that is none is answered with the one that was most likely meant. */
async function guessed<T>(
  client: Client,
  exec_id: string,
  from: string | undefined,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== "TASK_NOT_FOUND" || from === undefined) throw error;
    const { items } = await client.getTree({ exec_id });
    const known = [...new Set(items.filter(({ entity }) => entity === "task").map(({ id }) => id))];
    const meant = nearest(from, known);
    const hint = meant === undefined ? `; it ran ${known.join(", ")}` : `; did you mean '${meant}'?`;
    throw new TroupeError(error.code, `${error.message}${hint}`, error.details);
  }
}

function tell(
  client: Client,
  begun: { exec_id: string },
  { watch, json }: Options,
  says: string,
): Promise<void> | void {
  const { exec_id } = begun;
  if (watch) return watchOn(client, exec_id, json ? { json } : {});
  if (json) return printJson(begun);
  print(`started: ${exec_id}, which ${says}`);
  print(next([`show ${exec_id} --watch`, "how it goes"], [`why ${exec_id}`, "what it waits for"]));
}
