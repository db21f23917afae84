// What a check is given from outside: inputs of real runs, from exported files or from a daemon, and stand-ins.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { readDefinition } from "../language/file.ts";
import { isObject } from "../protocol/json.ts";
import { TroupeError } from "../protocol/errors.ts";
import { clientOf } from "./connection.ts";
import { contentOf } from "./given.ts";

/** Runs that are looked at: the newest, each input once. */
const runsMax = 200;

/** Inputs of what ran: from a folder of exported runs, or from the daemon at an address. */
export async function inputsFrom(given: string, workflow: string, token: string | undefined): Promise<unknown[]> {
  const isUrl = /^https?:\/\//.test(given);
  const bundles = isUrl ? bundlesAt(given, workflow, token) : bundlesIn(resolve(given));
  const inputs = new Map<string, unknown>();
  for await (const bundle of bundles) {
    for (const input of inputsOf(bundle, workflow)) inputs.set(JSON.stringify(input), input);
  }
  if (inputs.size > 0) return [...inputs.values()];
  const message = `--from-history ${given}: there is no run of '${workflow}'`;
  throw new TroupeError("VALIDATION_FAILED", `${message}; write some with troupe export`, { given, workflow });
}

async function* bundlesAt(url: string, workflow: string, token: string | undefined): AsyncGenerator<unknown> {
  const client = clientOf({ url, ...(token !== undefined && { token }) });
  const { items } = await client.listExecutions({ entities: "workflows", id: workflow, limit: runsMax });
  for (const { exec_id } of items) yield client.exportExecution({ exec_id });
}

function* bundlesIn(folder: string): Generator<unknown> {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const message = `--from-history '${folder}' is no folder of exported runs, and no address of a daemon`;
    throw new TroupeError("VALIDATION_FAILED", message, { folder });
  }
  const files = readdirSync(folder).filter((name) => extname(name) === ".json");
  for (const name of files.toSorted().slice(0, runsMax)) {
    try {
      yield JSON.parse(readFileSync(join(folder, name), "utf8"));
    } catch (error) {
      const message = `--from-history: ${name} is no exported run: ${(error as Error).message}`;
      throw new TroupeError("VALIDATION_FAILED", message, { file: name }, { cause: error });
    }
  }
}

type Order = {
  i?: { word?: { type?: string; workflow?: { id?: string }; payload?: { context?: { input?: unknown } } } };
};

/** The first record of each of its runs is the order that began it. */
function inputsOf(bundle: unknown, workflow: string): unknown[] {
  const runs = isObject(bundle) && Array.isArray(bundle["runs"]) ? (bundle["runs"] as unknown[]) : [];
  return runs.flatMap((run) => {
    const [first] = isObject(run) && Array.isArray(run["records"]) ? (run["records"] as { body?: Order }[]) : [];
    const word = first?.body?.i?.word;
    if (word?.type !== "command:WorkflowExecute" || word.workflow?.id !== workflow) return [];
    return [word.payload?.context?.input ?? {}];
  });
}

/** What the file of `--agents` gives: JSON, YAML, or the default export of a module. */
export async function scriptsIn(file: string): Promise<unknown> {
  if (extname(file) === ".json") return contentOf(`@${file}`, "--agents");
  const { value, problems } = await readDefinition(resolve(file), file);
  const [problem] = problems;
  if (!problem) return value;
  throw new TroupeError("VALIDATION_FAILED", `--agents ${file}: ${problem.message}`, { file });
}
