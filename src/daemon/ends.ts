// How runs end, as lines of the log: one for each workflow and each direct run, and none for what they are made of.

import type { Troupe } from "../runtime/troupe.ts";
import type { Log } from "./log.ts";

const endOf = /^event:(?:Workflow|Task)Execution(Success|Failed|Canceled|TimedOut)$/;

/** Tells until what it gives is called. */
export const tellEnds = (troupe: Troupe, { report, isWorth }: Log): (() => void) =>
  // Our own, who change nothing of what they hear.
  troupe.system.subscribe((committed) => {
    if (!isWorth("info")) return;
    for (const { word } of committed.said) {
      const how = endOf.exec(word.type)?.[1];
      const own = how === undefined ? undefined : (word.workflow ?? word.task);
      // Tasks of a workflow end on its way.
      if (how === undefined || own?.exec_id !== committed.run || (word.workflow && word.task)) continue;
      const code = codeIn(word["payload"]);
      const what = word.workflow ? "workflow" : "task";
      const fields = { run: committed.run, [what]: own.id, ...(code !== undefined && { code }) };
      report(how === "Success" ? "info" : "warn", `${what} ${own.id}: ${endings[how]}`, fields);
    }
  });

const endings: Readonly<Record<string, string>> = {
  Success: "success",
  Failed: "failed",
  Canceled: "canceled",
  TimedOut: "timed out",
};

const codeIn = (payload: unknown): string | undefined =>
  (payload as { result?: { error?: { code?: string } } | null } | undefined)?.result?.error?.code;
