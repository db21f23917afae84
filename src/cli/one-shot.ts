// A workflow run in this process, where no daemon is: it is gone when the process is.

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { loadWorkflow } from "../language/load.ts";
import { isError, problemText } from "../language/problems.ts";
import type { WorkflowSpec } from "../language/spec.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Shown } from "../runtime/questions.ts";
import { troupe } from "../runtime/troupe.ts";
import type { Execution } from "./pick.ts";
import { interrupted, openTelling, tellEnd, untilInterrupted } from "./watch.ts";
import { remark } from "./words.ts";

type Here = {
  content: unknown;
  labels: Record<string, string>;
  waitMs: number | undefined;
  whyHere: string;
  watch?: true;
  json?: true;
};

/** The workflow of a file, and its text. */
export async function specIn(file: string): Promise<{ id: string; text: string; spec: WorkflowSpec }> {
  const path = resolve(file);
  const { spec, problems, files } = await loadWorkflow(path);
  for (const problem of problems) remark(problemText(problem, files.get(problem.file)));
  if (spec) return { id: spec.id, text: existsSync(path) ? readFileSync(path, "utf8") : "", spec };
  const count = problems.filter(isError).length;
  const message = `${basename(file)} cannot be run: it has ${count === 1 ? "a problem" : `${count} problems`}`;
  throw new TroupeError("DEFINITION_INVALID", message, { file });
}

/** The nearest folder above with a project in it. */
function projectOf(start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    if (["troupe.yaml", "troupe.ts"].some((name) => existsSync(join(folder, name)))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

/** With the workflow of the file beside those of the project, where it is none of them. */
async function opened(given: string, file: string | undefined) {
  const log = (level: string, message: string, fields: object): void => {
    if (level === "error") remark(`troupe: ${message} ${JSON.stringify(fields)}`);
  };
  const project = projectOf(file === undefined ? process.cwd() : dirname(resolve(file)));
  if (file === undefined && project === undefined) {
    const message = `no daemon answers, and there is no project here to run '${given}' from`;
    throw new TroupeError("DAEMON_UNREACHABLE", message, { given });
  }
  if (file === undefined && project !== undefined) return { id: given, here: await troupe({ project, log }) };
  const { id, spec } = await specIn(file ?? given);
  if (project === undefined)
    return { id, here: await troupe({ workflows: [spec], folder: dirname(resolve(file ?? given)), log }) };
  const here = await troupe({ project, log });
  // A file of the project has its defaults filled in already.
  if (!here.workflowIds().includes(id)) await here.define({ workflows: [spec] });
  return { id, here };
}

export async function runHere(given: string, file: string | undefined, options: Here): Promise<void> {
  const { content, labels, waitMs, whyHere, json } = options;
  const { id, here } = await opened(given, file);
  const form = json ? { json } : {};
  remark(whyHere);
  try {
    const { execId, result } = here.start(id, content, Object.keys(labels).length > 0 ? { labels } : {});
    const telling = openTelling(form);
    const off = here.subscribe(({ run, at, said }) => {
      if (run !== execId || (json && !options.watch)) return;
      for (const { word } of said) telling.hear({ type: word.type, at, content: word });
    });
    const patience = waitMs === undefined ? [] : [AbortSignal.timeout(waitMs)];
    const isWished = await untilInterrupted(async (wish) => {
      const signal = AbortSignal.any([wish, ...patience]);
      const canceled = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => {
          here.cancel(execId, wish.aborted ? "interrupted" : "over its --wait").catch((error: unknown) => {
            // What has ended in the same moment cannot be canceled, and its end is told all the same.
            if (fromUnknown(error).code !== "INVALID_STATE") reject(fromUnknown(error));
          });
        });
      });
      await Promise.race([result(), canceled]);
      return wish.aborted;
    });
    off();
    telling.end();
    tellEnd(executionOf(here.get(execId)), form, false);
    if (isWished) process.exitCode = interrupted;
  } finally {
    await here.stop({ graceMs: 1_000 });
  }
}

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** As the daemon would say it. */
function executionOf(shown: Shown): Execution {
  const { execId, correlationId, createdAt, startedAt, endedAt, errorCode, labels, ...same } = shown;
  return {
    ...same,
    exec_id: execId,
    correlation_id: correlationId,
    created_at: iso(createdAt) ?? "",
    started_at: iso(startedAt),
    ended_at: iso(endedAt),
    error_code: errorCode,
    labels: labels === null ? null : { ...labels },
  } as Execution;
}
