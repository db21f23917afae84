// The commands `troupe export`, `import` and `forget`: one execution as a file that can be opened elsewhere.

import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { execArgument, executionAt } from "./pick.ts";
import { next, print, printJson, printRaw, remark } from "./words.ts";

type Options = Reach & { json?: true };

export function bundles(program: Command): void {
  withConnection(
    program
      .command("export")
      .description("Write one execution, with its definition and all that was said in it, to one file.")
      .argument("<exec>", execArgument)
      .option("-o, --out <file>", "where to; to the output without it")
      .option("--json", "one JSON document, which the file is anyway; with --out what was written"),
  ).action(exportOne);
  withConnection(
    program
      .command("import")
      .description("Open the file of an exported execution here: to look at, step through, retry and fork.")
      .argument("<file>", "the file, or - for the standard input")
      .option("--json", "one JSON document"),
  ).action(importOne);
  withConnection(
    program
      .command("forget")
      .description("Delete an execution that was imported.")
      .argument("<exec>", execArgument)
      .option("--json", "one JSON document"),
  ).action(async (given: string, options: Options) => {
    const client = clientOf(options);
    const { exec_id } = await executionAt(client, given);
    await client.deleteImported({ exec_id });
    if (options.json) printJson({ exec_id, deleted: true });
    else print(`forgotten: ${exec_id}`);
  });
}

async function exportOne(given: string, { out, json, ...reach }: Options & { out?: string }): Promise<void> {
  const client = clientOf(reach);
  const { exec_id } = await executionAt(client, given);
  const text = JSON.stringify(await client.exportExecution({ exec_id }));
  if (out === undefined) return printRaw(text);
  try {
    writeFileSync(out, `${text}\n`);
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw new TroupeError("VALIDATION_FAILED", `cannot write the file: ${message}`, { path: out }, { cause: error });
  }
  if (json) return printJson({ exec_id, file: out, bytes: Buffer.byteLength(text) + 1 });
  remark(`wrote ${out} (${Math.ceil(text.length / 1_024)} KiB)\n${next([`import ${out}`, "opens it, on any daemon"])}`);
}

async function importOne(file: string, options: Options): Promise<void> {
  const client = clientOf(options);
  const report = await client.importExecution({ body: contentIn(file) });
  if (options.json) return printJson(report);
  const { exec_id, runs, executions, is_duplicate, is_replayable, reason } = report;
  const parts = `${executions} executions in ${runs} ${runs === 1 ? "run" : "runs"}`;
  print(is_duplicate ? `is here already: ${exec_id}` : `imported: ${exec_id} (${parts})`);
  if (!is_replayable) remark(`its charts cannot be stepped through here: ${reason}`);
  print(
    next([`show ${exec_id}`, "what it did"], [`trace ${exec_id}`, "who said what"], [`forget ${exec_id}`, "delete it"]),
  );
}

function contentIn(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file === "-" ? 0 : file, "utf8")) as Record<string, unknown>;
  } catch (error) {
    const { message } = error as Error;
    throw new TroupeError("VALIDATION_FAILED", `${file} cannot be imported: ${message}`, { file }, { cause: error });
  }
}
