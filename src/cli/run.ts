// The command `troupe run`: begins a workflow on the daemon, or runs it in this process where there is none.

import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import type { Client } from "../gateway/client.ts";
import { nearest } from "../protocol/nearest.ts";
import { TroupeError } from "../protocol/errors.ts";
import { type Reach, type Reached, reachIfAny, withConnection } from "./connection.ts";
import { contentOf, gathered, labelsOf, msOf } from "./given.ts";
import type { Execution } from "./pick.ts";
import { follow, interrupted, tellEnd, untilInterrupted } from "./watch.ts";
import { dim, next, print, printJson, remark, self } from "./words.ts";

export type RunOptions = Reach & {
  input?: string;
  label?: string[];
  key?: string;
  watch?: true;
  wait?: string;
  here?: true;
  json?: true;
};

export const run = (program: Command): void =>
  void withConnection(
    program
      .command("run")
      .description("Run a workflow: on the daemon if there is one, else in this process.")
      .argument("<workflow|file>", "the id of a workflow, or a file with one")
      .option("--input <json>", "JSON, @file, or - for the standard input")
      .addOption(new Option("--label <name=value>", "found by it later; may be repeated").argParser(gathered))
      .option("--key <key>", "runs it once: the same key gives the same execution for 24 hours")
      .option("--watch", "show how it goes, until it has ended")
      .option("--wait <duration>", "wait so long for its end, such as 30s")
      .option("--here", "run it in this process, also where there is a daemon")
      .option("--json", "one JSON document; with --watch one line for each message, and the execution last"),
  ).action(start);

/** What looks like a file, and is no id of a workflow. */
const isFile = (given: string): boolean =>
  /[/\\]|\.(?:ya?ml|m?[jt]s)$/.test(given) || (given.includes(".") && existsSync(given));

async function start(given: string, options: RunOptions): Promise<void> {
  const input = options.input === undefined ? {} : contentOf(options.input, "--input");
  const labels = labelsOf(options.label);
  const waitMs = options.wait === undefined ? undefined : msOf(options.wait, "--wait");
  const reached = options.here ? undefined : await reachIfAny(options);
  const file = isFile(given) ? given : undefined;
  const id = file === undefined ? given : reached && (await idOnDaemon(reached.client, file));
  if (reached && id !== undefined) return onDaemon(reached, id, { ...options, input, labels, waitMs });
  const { runHere } = await import("./one-shot.ts");
  await runHere(given, file, { ...options, content: input, labels, waitMs, whyHere: whyHere(options, reached, given) });
}

const whyHere = ({ here }: RunOptions, reached: Reached | undefined, given: string): string => {
  if (here) return "runs in this process";
  if (reached) return `the daemon at ${reached.url} does not have ${given} as it is: it runs in this process`;
  return `no daemon answers: it runs in this process and is not kept (\`${self} up\` starts one)`;
};

/** The id of a file's workflow, if the daemon has the same. */
async function idOnDaemon(client: Client, file: string): Promise<string | undefined> {
  const { specIn } = await import("./one-shot.ts");
  const { id, text } = await specIn(file);
  const { items } = await client.listDefinitions({ entities: "workflows" });
  if (!items.some((one) => one.id === id)) return undefined;
  const { source } = await client.getDefinition({ entities: "workflows", id });
  return source === text ? id : undefined;
}

type Ordered = Pick<RunOptions, "key" | "watch" | "json"> & {
  input: unknown;
  labels: Record<string, string>;
  waitMs: number | undefined;
};

async function onDaemon(
  { client, url }: Reached,
  id: string,
  { input, labels, key, watch, json, waitMs }: Ordered,
): Promise<void> {
  const more = key === undefined ? {} : { idempotencyKey: key };
  const { exec_id, duplicate } = await began(client, id, () =>
    client.executeWorkflowAsync({ id, input, ...(Object.keys(labels).length > 0 && { labels }) }, more),
  );
  if (watch) return watchOn(client, exec_id, json ? { json } : {});
  if (waitMs !== undefined) return waitFor(client, exec_id, waitMs, json ? { json } : {});
  if (json) return printJson(await client.getExecution({ exec_id }));
  print(`${duplicate ? "was begun before with this key" : "started"}: ${exec_id}`);
  print(
    next(
      [`show ${exec_id} --watch`, "how it goes"],
      [`events ${exec_id}`, "what is said"],
      [`why ${exec_id}`, "what it waits for"],
    ),
  );
  print(dim(`  ${url}/executions/${exec_id}`));
}

/** An unknown id is answered with the one that was most likely meant. */
async function began<T>(client: Client, id: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof TroupeError) || error.code !== "WORKFLOW_NOT_FOUND" || /did you mean/.test(error.message))
      throw error;
    const { items } = await client.listDefinitions({ entities: "workflows" });
    const known = items.map((one) => one.id);
    const meant = nearest(id, known);
    const hint = meant === undefined ? `; there are ${known.join(", ") || "none"}` : `; did you mean '${meant}'?`;
    throw new TroupeError(error.code, `${error.message}${hint}`, error.details);
  }
}

/** Whoever looks away leaves it running. */
export async function watchOn(client: Client, execId: string, form: { json?: true }): Promise<void> {
  const root = await client.getExecution({ exec_id: execId });
  if (root.imported)
    throw new TroupeError("INVALID_STATE", `'${execId}' was imported: it does not go on here`, { status: root.status });
  const ended = await untilInterrupted((signal) => follow(client, root, form, signal));
  if (ended) return tellEnd(ended, form, true);
  remark(
    `\nit goes on: you only stopped looking\n` +
      next([`show ${execId} --watch`, "look again"], [`cancel ${execId}`, "end it"]),
  );
  process.exitCode = interrupted;
}

async function waitFor(client: Client, execId: string, waitMs: number, form: { json?: true }): Promise<void> {
  const patience = AbortSignal.timeout(waitMs);
  let ended: Execution | undefined;
  await untilInterrupted(async (wish) => {
    const signal = AbortSignal.any([wish, patience]);
    ended = await follow(client, { exec_id: execId, entity: "workflow" }, null, signal);
  });
  if (ended) return tellEnd(ended, form, true);
  if (form.json) printJson(await client.getExecution({ exec_id: execId }));
  if (!patience.aborted) process.exitCode = interrupted;
  else throw new TroupeError("API_TIMEOUT", `${execId} has not ended in ${waitMs} ms; it goes on`, { exec_id: execId });
}
