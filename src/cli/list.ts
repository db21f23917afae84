// The command `troupe list`: executions, newest first, with the filters that the HTTP interface has.

import { type Command, Option } from "commander";
import type { Client } from "../gateway/client.ts";
import { statuses } from "../protocol/statuses.ts";
import { byRun, waitText } from "../protocol/waiting.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { countOf, gathered, labelsOf, sinceOf } from "./given.ts";
import type { Execution } from "./pick.ts";
import {
  dim,
  inStatus,
  lengthOf,
  markOf,
  next,
  print,
  printJson,
  remark,
  self,
  table,
  tookOf,
  whenOf,
} from "./words.ts";

type Entities = "workflows" | "tasks" | "agents" | "tools" | "any";
type Options = Reach & {
  kind: Entities;
  workflow?: string;
  id?: string;
  status?: string[];
  label?: string[];
  text?: string;
  run?: string;
  parent?: string;
  correlation?: string;
  error?: string;
  since?: string;
  until?: string;
  limit: string;
  cursor?: string;
  oldest?: true;
  all?: true;
  json?: true;
};

const kinds: readonly Entities[] = ["workflows", "tasks", "agents", "tools", "any"];
const known: readonly string[] = [...new Set([...statuses.workflow, ...statuses.task])];
const pageMax = 200;

export const list = (program: Command): void =>
  void withConnection(
    program
      .command("list")
      .alias("ls")
      .description("List executions, newest first.")
      .addOption(new Option("--kind <kind>", "of what").choices(kinds).default("workflows"))
      .option("--workflow <id>", "only those of this workflow")
      .option("--id <id>", "only those of this definition, of whatever kind")
      .addOption(
        new Option("--status <status>", `only those that stand so; may be repeated: ${known.join(", ")}`).argParser(
          gathered,
        ),
      )
      .addOption(new Option("--label <name=value>", "only those with this label; may be repeated").argParser(gathered))
      .option("--text <text>", "only those with this in an id, a label or an error")
      .option("--run <exec>", "only what is a part of this execution")
      .option("--parent <exec>", "only what this execution contains or called")
      .option("--correlation <id>", "only what belongs to this")
      .option("--error <code>", "only those that failed with this code")
      .option("--since <when>", "only those begun since: a time, or how long ago, such as 2h")
      .option("--until <when>", "only those begun before")
      .option("--limit <count>", `how many, at most ${pageMax}`, "20")
      .option("--cursor <cursor>", "go on where the page before ended")
      .option("--oldest", "oldest first")
      .option("--all", "all pages")
      .option("--json", "one JSON document; with --all one line for each execution"),
  ).action(show);

async function show(options: Options): Promise<void> {
  const { kind, workflow, all, json } = options;
  const client = clientOf(options);
  const asked = queryOf(options);
  let { cursor } = options;
  for (let isFirst = true; ; isFirst = false) {
    const page = await client.listExecutions({
      entities: workflow === undefined ? kind : "workflows",
      ...asked,
      ...(cursor !== undefined && { cursor }),
    });
    if (json && all) page.items.forEach(printJson);
    else if (json) return printJson(page);
    else if (page.items.length === 0 && isFirst) return sayNothing(options);
    else print(tableOf(page.items, await waitingIn(client, page.items), kind !== "workflows", isFirst));
    cursor = page.next_cursor ?? undefined;
    if (cursor === undefined || !all) break;
  }
  if (cursor !== undefined && !json) remark(dim(`more: ${self} list --cursor ${cursor}${filtersIn(options)}`));
}

function queryOf(options: Options) {
  const {
    workflow,
    id = workflow,
    status,
    label,
    text,
    run,
    parent,
    correlation,
    error,
    since,
    until,
    limit,
    oldest,
  } = options;
  const labels = Object.entries(labelsOf(label)).map(([name, value]) => `${name}:${value}`);
  return {
    limit: countOf(limit, "--limit", pageMax),
    ...(id !== undefined && { id }),
    ...(status && { status: status.map((one) => one.toUpperCase()) as never }),
    ...(labels.length > 0 && { label: labels }),
    ...(text !== undefined && { text }),
    ...(run !== undefined && { run }),
    ...(parent !== undefined && { parent }),
    ...(correlation !== undefined && { correlation_id: correlation }),
    ...(error !== undefined && { error_code: error }),
    ...(since !== undefined && { created_from: sinceOf(since, "--since") }),
    ...(until !== undefined && { created_until: sinceOf(until, "--until") }),
    ...(oldest && { order: "oldest" as const }),
  };
}

/** What the next page has to be asked with again. */
const filtersIn = (options: Options): string =>
  (
    [
      "kind",
      "workflow",
      "id",
      "status",
      "label",
      "text",
      "run",
      "parent",
      "correlation",
      "error",
      "since",
      "until",
      "limit",
    ] as const
  )
    .flatMap((name) => [options[name] ?? []].flat().map((value) => ({ name, value })))
    .filter(({ name, value }) => !(name === "kind" && value === "workflows") && !(name === "limit" && value === "20"))
    .map(({ name, value }) => ` --${name} ${value}`)
    .join("") + (options.oldest ? " --oldest" : "");

/** The tasks that wait, by their run: a workflow that runs may do nothing else. */
async function waitingIn(client: Client, items: readonly Execution[]): Promise<ReadonlyMap<string, Execution>> {
  if (!items.some(({ entity, status }) => entity === "workflow" && status === "RUNNING")) return new Map();
  return byRun((await client.listExecutions({ entities: "tasks", status: ["WAITING"], limit: pageMax })).items);
}

function tableOf(
  items: readonly Execution[],
  waits: ReadonlyMap<string, Execution>,
  hasKinds: boolean,
  hasHead: boolean,
): string {
  const now = new Date().getTime();
  const rows = items.map((row) => {
    const { exec_id, entity, id, status, created_at, started_at, ended_at, error_code, imported } = row;
    const waiting = waitText(row, lengthOf, entity === "workflow" ? waits.get(exec_id) : undefined);
    return [
      exec_id,
      ...(hasKinds ? [entity] : []),
      id,
      `${markOf(status)} ${inStatus(status)}`,
      whenOf(created_at, now),
      tookOf(started_at, ended_at, now),
      [error_code ?? "", waiting ?? "", imported ? "imported" : ""].filter(Boolean).join(" "),
    ];
  });
  const text = table(["execution", ...(hasKinds ? ["kind"] : []), "id", "status", "begun", "took", ""], rows);
  return hasHead ? text : text.slice(text.indexOf("\n") + 1);
}

function sayNothing(options: Options): void {
  if (filtersIn(options) !== "") return print(`nothing fits; \`${self} list\` without filters shows all`);
  print(
    `nothing has been run yet\n` +
      next(["run <workflow>", "begins one"], ["run <workflow> --watch", "and shows how it goes"]),
  );
}
