// The commands that are said to executions under way: signal, approve, pause, resume, cancel.

import type { Command } from "commander";
import type { Answer, Client } from "../gateway/client.ts";
import { TroupeError } from "../protocol/errors.ts";
import { isObject } from "../protocol/json.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { contentOf } from "./given.ts";
import { approvalOf, execArgument, type Execution, executionAt } from "./pick.ts";
import { inStatus, lengthOf, next, print, printJson, table } from "./words.ts";

type Options = Reach & { json?: true };

const command = (program: Command, name: string, says: string): Command =>
  withConnection(program.command(name).description(says).argument("<exec>", execArgument)).option(
    "--json",
    "one JSON document",
  );

export function steer(program: Command): void {
  command(program, "signal", "Give a signal to a workflow; it is kept for a wait that comes later.")
    .argument("<name>", "the name of the signal")
    .option("--payload <json>", "JSON, @file, or - for the standard input")
    .action(async (given: string, name: string, options: Options & { payload?: string }) => {
      const client = clientOf(options);
      const { exec_id, run } = await executionAt(client, given);
      const payload = options.payload === undefined ? {} : { payload: contentOf(options.payload, "--payload") };
      // Signals go to workflows: one of its tasks stands for it.
      const taken = await client.signalExecution({ exec_id: run, name, ...payload });
      tell(options, taken, `signal '${name}' was given`, exec_id);
    });
  command(program, "approve", "Answer a task that waits for an approval.")
    .option("--reject", "say no")
    .option("--comment <text>", "what goes with the answer")
    .option("--data <json>", "more that goes with it: a JSON object, @file, or -")
    .action(approve);
  command(program, "pause", "Pause a workflow: what is under way goes on to its end, nothing new begins.")
    .option("--reason <text>", "why, for whoever asks")
    .action(async (given: string, options: Options & { reason?: string }) => {
      const client = clientOf(options);
      const { exec_id } = await executionAt(client, given);
      const { reason } = options;
      tell(
        options,
        await client.pauseExecution({ exec_id, ...(reason !== undefined && { reason }) }),
        "paused",
        exec_id,
      );
    });
  command(program, "resume", "Let a paused workflow go on, or give a waiting task what it waits for.")
    .option("--data <json>", "what it is given: JSON, @file, or -")
    .action(async (given: string, options: Options & { data?: string }) => {
      const client = clientOf(options);
      const { exec_id, entity } = await executionAt(client, given);
      const data = options.data === undefined ? {} : { resume_data: contentOf(options.data, "--data") };
      const asked = { exec_id, ...data };
      const taken = entity === "task" ? client.resumeTask(asked) : client.resumeExecution(asked);
      tell(options, await taken, "goes on", exec_id);
    });
  command(program, "cancel", "End an execution and all below it, and report who confirmed and who did not.")
    .option("--reason <text>", "why, for whoever asks")
    .option("--no-wait", "do not wait for the report")
    .action(cancel);
}

function tell({ json }: Options, taken: unknown, says: string, execId: string): void {
  if (json) return printJson(taken);
  print(`${says}: ${execId}\n${next([`show ${execId}`, "how it stands now"])}`);
}

type Approval = Options & { reject?: true; comment?: string; data?: string };

async function approve(given: string, options: Approval): Promise<void> {
  const client = clientOf(options);
  const task = await waitingIn(client, await executionAt(client, given));
  const data = options.data === undefined ? {} : contentOf(options.data, "--data");
  if (!isObject(data)) throw new TroupeError("VALIDATION_FAILED", "--data must be a JSON object", { option: "--data" });
  const approved = options.reject !== true;
  const { comment } = options;
  const resume_data = { ...data, approved, ...(comment !== undefined && { comment }) };
  const taken = await client.resumeTask({ exec_id: task.exec_id, resume_data });
  tell(options, taken, approved ? `approved '${task.id}'` : `rejected '${task.id}'`, task.run);
}

/** The task that waits for an approval: the one that is named, or the only one of its run. */
async function waitingIn(client: Client, execution: Execution): Promise<Execution> {
  if (approvalOf(execution) !== undefined) return execution;
  const { items } = await client.getTree({ exec_id: execution.exec_id });
  const waiting = items.filter((one) => approvalOf(one) !== undefined);
  const [only, other] = waiting;
  if (only && !other) return only;
  const { exec_id, status } = execution;
  if (!only)
    throw new TroupeError("INVALID_STATE", `nothing in '${exec_id}' waits for an approval: it is ${status}`, {
      status,
    });
  const asked = waiting.map((one) => `${one.exec_id} (${one.id}: ${approvalOf(one)})`);
  throw new TroupeError("INVALID_STATE", `several tasks wait for an approval: name one of ${asked.join(", ")}`, {
    status,
  });
}

type Canceled = Answer<"cancelExecution">;
const reportWaitMs = 30_000;

async function cancel(given: string, options: Options & { reason?: string; wait: boolean }): Promise<void> {
  const client = clientOf(options);
  const { exec_id, entity } = await executionAt(client, given);
  const { reason, wait } = options;
  const asked = { exec_id, ...(reason !== undefined && { reason }), ...(wait && { wait_ms: reportWaitMs }) };
  const taken: Canceled =
    entity === "task"
      ? await client.cancelTask(asked)
      : entity === "agent"
        ? await client.cancelAgent(asked)
        : await client.cancelExecution(asked);
  if (options.json) printJson(taken);
  else print(reportText(taken));
  const { report } = taken;
  if (report?.children.some(({ outcome }) => outcome === "ignored" || outcome === "open")) process.exitCode = 1;
}

const outcomes = {
  confirmed: ["SUCCESS", "stopped, and said so"],
  ended: ["PENDING", "had ended by itself"],
  ignored: ["FAILED", "did not stop, and was given up: it may still be at work"],
  open: ["CANCELED", "has not been heard of yet"],
} as const;

function reportText({ exec_id, changed, report }: Canceled): string {
  if (!changed) return `${exec_id} had ended before, or was being canceled already: nothing was changed`;
  if (!report) return `is being canceled: ${exec_id}\n${next([`show ${exec_id}`, "how it stands now"])}`;
  const head = `canceled: ${exec_id} in ${lengthOf(report.took_ms)}`;
  if (report.children.length === 0) return `${head}; nothing was under way in it`;
  const rows = report.children.map(({ entity, id, exec_id: own, outcome, took_ms }) => {
    const [colour, says] = outcomes[outcome];
    return [`${entity} ${id}`, inStatus(colour, outcome), outcome === "open" ? "-" : lengthOf(took_ms), says, own];
  });
  return `${head}\n${table(["what", "outcome", "after", "", "execution"], rows)}`;
}
