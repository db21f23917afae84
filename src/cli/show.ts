// The commands `troupe show` and `troupe why`: one execution as it stands, all that is in it, and what it waits for.

import type { Command } from "commander";
import type { Client } from "../gateway/client.ts";
import { isTerminal } from "../protocol/statuses.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { approvalOf, execArgument, type Execution, executionAt } from "./pick.ts";
import { newProgress } from "./progress.ts";
import { watchOn } from "./run.ts";
import { bold, dim, inStatus, jsonText, markOf, next, print, printJson, tookOf, whenOf } from "./words.ts";

type Options = Reach & { json?: true; watch?: true };

export function show(program: Command): void {
  withConnection(
    program
      .command("show")
      .description("Show one execution: how it stands, what is in it, what came of it.")
      .argument("<exec>", execArgument)
      .option("--watch", "go on showing it until it has ended")
      .option("--json", "one JSON document: the execution, and in `tree` all that is in its run"),
  ).action(showOne);
  withConnection(
    program
      .command("why")
      .description("Say in one line what an execution waits for, since when, and what would end that.")
      .argument("<exec>", execArgument)
      .option("--json", "one JSON document"),
  ).action(async (given: string, options: Options) => {
    const client = clientOf(options);
    const { exec_id } = await executionAt(client, given);
    const answer = await client.getWhy({ exec_id });
    if (options.json) printJson(answer);
    else print(answer.why);
  });
}

async function showOne(given: string, { watch, json, ...reach }: Options): Promise<void> {
  const client = clientOf(reach);
  const execution = await executionAt(client, given);
  if (watch) return watchOn(client, execution.exec_id, json ? { json } : {});
  const items = await familyOf(client, execution);
  if (json) return printJson({ ...execution, tree: items });
  print(await textOf(client, execution, items));
}

const familyMax = 20;

/** All that is in its run, and in those of the workflows that it called, however deep. */
async function familyOf(client: Client, { exec_id, correlation_id }: Execution): Promise<readonly Execution[]> {
  const { items } = await client.getTree({ exec_id });
  const family = [...items];
  const asked = { entities: "workflows", correlation_id, order: "oldest", limit: 200 } as const;
  const found = items.some(({ entity }) => entity === "task") ? (await client.listExecutions(asked)).items : [];
  for (let known = 0; known < familyMax;) {
    const ids = new Set(family.map(({ exec_id: id }) => id));
    const called = childrenAmong(found, family)
      .filter(({ exec_id: id }) => !ids.has(id))
      .slice(0, familyMax - known);
    if (called.length === 0) break;
    for (const { exec_id: id } of called) family.push(...(await client.getTree({ exec_id: id })).items);
    known += called.length;
  }
  return family;
}

function childrenAmong(found: readonly Execution[], family: readonly Execution[]): Execution[] {
  const tasks = new Set(family.filter(({ entity }) => entity === "task").map(({ exec_id }) => exec_id));
  return found.filter(({ parent }) => parent !== null && tasks.has(parent));
}

async function textOf(client: Client, execution: Execution, items: readonly Execution[]): Promise<string> {
  const { exec_id, entity, id, run, status, attempt, created_at, started_at, ended_at, labels, lineage, usage } =
    execution;
  const now = new Date().getTime();
  const isOpen = !isTerminal(status);
  const facts: (readonly [name: string, value: string | undefined])[] = [
    ["execution", exec_id],
    ["of", run === exec_id ? undefined : run],
    ["begun", `${whenOf(created_at, now)} ${dim(`(${created_at})`)}`],
    ["took", tookOf(started_at, ended_at, now)],
    ["attempt", attempt > 1 ? String(attempt) : undefined],
    [
      "labels",
      labels
        ? Object.entries(labels)
            .map(([name, value]) => `${name}=${value}`)
            .join(" ")
        : undefined,
    ],
    ["lineage", lineage && `${lineage.kind} of ${lineage.from_exec_id} at ${lineage.from_task}`],
    ["used", usage && `${usage.tokens} tokens, ${usage.cost} in cost`],
    ["imported", execution.imported ? "yes: it ran elsewhere, and is read-only here" : undefined],
    ["waits", isOpen && !execution.imported ? (await client.getWhy({ exec_id })).why : undefined],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${dim(name.padEnd(9))}  ${value}`]));
  const head = `${markOf(status)} ${bold(id)} ${dim(entity)} ${inStatus(status)}`;
  const progress = newProgress();
  for (const one of items) progress.take(one);
  const tree = items.length > 1 ? ["", ...progress.lines(now)] : [];
  return [head, ...lines, ...tree, ...outcomeOf(execution), "", nextOf(execution, items)].join("\n");
}

function outcomeOf({ result, error }: Execution): string[] {
  const { output } = (result ?? {}) as { output?: unknown };
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  if (code !== undefined) return ["", `${inStatus("FAILED", code)}: ${message}`];
  return output === undefined ? [] : ["", jsonText(output)];
}

const isBad = (status: string): boolean => status === "FAILED" || status === "TIMED_OUT";

function nextOf({ exec_id, status, entity, imported }: Execution, items: readonly Execution[]): string {
  if (imported) return next([`trace ${exec_id}`, "who said what to whom"], [`forget ${exec_id}`, "delete it here"]);
  if (isTerminal(status)) {
    const failed = items.findLast((one) => one.parent === exec_id && one.entity === "task" && isBad(one.status));
    const from = failed === undefined ? "" : ` --from ${failed.id}`;
    const says = failed === undefined ? "once more" : "once more, from where it failed";
    const again = entity === "workflow" ? [[`retry ${exec_id}${from}`, says] as const] : [];
    return next([`events ${exec_id}`, "all that was said"], [`trace ${exec_id}`, "who said it to whom"], ...again);
  }
  const approvals = items.flatMap((one) => approvalOf(one) ?? []);
  const approve = approvals.map((what) => [`approve ${exec_id}`, what] as const).slice(0, 1);
  return next(...approve, [`show ${exec_id} --watch`, "how it goes"], [`cancel ${exec_id}`, "end it"]);
}
