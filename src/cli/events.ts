// The command `troupe events`: what was said in an execution, and what is said now.

import { type Command, Option } from "commander";
import type { Answer, Client } from "../gateway/client.ts";
import { isTerminal } from "../protocol/statuses.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { gathered } from "./given.ts";
import { messageKeys } from "./message-names.ts";
import { execArgument, type Execution, executionAt } from "./pick.ts";
import { heardIn, interrupted, untilInterrupted } from "./watch.ts";
import { isStateOf } from "./progress.ts";
import { dim, inStatus, next, print, printJson, remark } from "./words.ts";

type Options = Reach & { follow?: true; type?: string[]; progress?: true; json?: true };
type Line = Answer<"getJournal">["items"][number];

const pageLines = 1_000;

export const events = (program: Command): void =>
  void withConnection(
    program
      .command("events")
      .description("Print what was said in an execution; without one, what is said anywhere from now on.")
      .argument("[exec]", execArgument)
      .option("-f, --follow", "go on until it has ended, or you have seen enough")
      .addOption(
        new Option("--type <name>", "only messages of this name, such as TaskScheduled; may be repeated").argParser(
          gathered,
        ),
      )
      .option("--progress", "with what agents and tools say while they run; not recorded, so only with --follow")
      .option("--json", "one line of JSON for each message"),
  ).action(tell);

async function tell(given: string | undefined, options: Options): Promise<void> {
  const client = clientOf(options);
  if (given === undefined) return tellAll(client, options);
  const execution = await executionAt(client, given);
  if (options.follow) return tellOn(client, execution, options);
  let told = 0;
  for (let from_line: number | null = 0; from_line !== null;) {
    const page: Answer<"getJournal"> = await client.getJournal({
      exec_id: execution.exec_id,
      from_line,
      limit: pageLines,
    });
    for (const line of page.items) if (isWanted(line.type, options)) told += sayLine(line, options);
    from_line = page.next_line;
  }
  if (told > 0 || options.json) return;
  print(`nothing of it was said yet\n${next([`events ${execution.exec_id} --follow`, "wait for it"])}`);
}

const isWanted = (type: string, { type: wanted }: Options): boolean =>
  wanted === undefined || wanted.some((name) => name === type || name === type.slice(type.indexOf(":") + 1));

async function tellOn(client: Client, { exec_id, entity, status }: Execution, options: Options): Promise<void> {
  const isOver = await untilInterrupted(async (signal) => {
    const given = { exec_id, last_event_id: "0", ...(options.progress && { progress: true }) };
    const keyOf = await messageKeys();
    for await (const { event: name, data } of client.streamExecution(given, { signal })) {
      const event = keyOf(name, data);
      if (isWanted(event, options)) saySaid(event, data, options);
      if (!isStateOf(heardIn(event, data), entity, exec_id)) continue;
      if (isTerminal(status) || isTerminal((await client.getExecution({ exec_id })).status)) return true;
    }
    return false;
  });
  if (!isOver) process.exitCode = interrupted;
}

async function tellAll(client: Client, options: Options): Promise<void> {
  if (!options.json) remark(dim("listening to all executions; Ctrl-C ends it"));
  await untilInterrupted(async (signal) => {
    const given = options.progress ? { progress: true } : {};
    const keyOf = await messageKeys();
    for await (const { event: name, data } of client.streamEvents(given, { signal })) {
      const event = keyOf(name, data);
      if (isWanted(event, options)) saySaid(event, data, options);
    }
  });
  process.exitCode = interrupted;
}

function sayLine(line: Line, { json }: Options): number {
  if (json) printJson(line);
  else print(textOf(line.type, line.envelope, line.disposition));
  return 1;
}

function saySaid(type: string, envelope: Record<string, unknown>, { json }: Options): void {
  if (json) printJson({ type, envelope });
  else print(textOf(type, envelope, "applied"));
}

type Payload = {
  status?: string;
  result?: { error?: { code?: string; message?: string } } | null;
  context?: { text?: unknown; attempt?: number };
};
type Metadata = { event_timestamp?: string; source_component?: string };

/** When, who, what, of which, and how it stands. */
function textOf(type: string, envelope: Record<string, unknown>, disposition: string): string {
  const { event_timestamp = "", source_component = "" } = (envelope["metadata"] ?? {}) as Metadata;
  const own = (envelope["tool"] ?? envelope["agent"] ?? envelope["task"] ?? envelope["workflow"] ?? {}) as {
    id?: string;
  };
  const { status, result, context } = (envelope["payload"] ?? {}) as Payload;
  const error = result?.error;
  const said = typeof context?.text === "string" ? JSON.stringify(context.text) : "";
  const outcome = [status && inStatus(status), error?.code, error?.message?.replaceAll(/\s+/g, " "), said]
    .filter(Boolean)
    .join(" ");
  const late = disposition === "applied" ? "" : dim(` [${disposition}]`);
  const time = dim(event_timestamp.slice(11, 23));
  const columns = [time, source_component.padEnd(21), type.padEnd(30), (own.id ?? "").padEnd(16), outcome + late];
  return columns.join("  ").trimEnd();
}
