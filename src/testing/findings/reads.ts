// What the expressions of a definition read of tasks: which task, and which fields of its output.

import { isObject } from "../../protocol/json.ts";
import type { WorkflowSpec } from "../../language/spec.ts";

/** One place that is read: the task, what of it (`output`, `status`, `error`, or all), and the fields within. */
export type Read = { task: string; of: string | undefined; fields: readonly string[] };

const pathForm =
  /\btasks(?:\.([A-Za-z_]\w*)|\[(?:"([^"]*)"|'([^']*)')\])((?:\.[A-Za-z_]\w*|\[(?:"[^"]*"|'[^']*'|\d+)\])*)/g;
const stepForm = /\.([A-Za-z_]\w*)|\[(?:"([^"]*)"|'([^']*)'|(\d+))\]/g;

/** All of them; `anything` where a function of TypeScript may look at whatever it likes. */
export function outputReads(spec: WorkflowSpec): readonly Read[] | "anything" {
  const reads: Read[] = [];
  return collect({ ...spec, agents: undefined, tools: undefined }, reads) ? reads : "anything";
}

function collect(value: unknown, reads: Read[]): boolean {
  if (typeof value === "function") return false;
  if (typeof value === "string") {
    reads.push(...readsIn(value));
    return true;
  }
  if (Array.isArray(value)) return value.every((inner) => collect(inner, reads));
  return !isObject(value) || Object.values(value).every((inner) => collect(inner, reads));
}

/** Of a text with templates, or of a bare expression. */
export function readsIn(text: string): Read[] {
  return [...text.matchAll(pathForm)].map(([, plain, double, single, rest = ""]) => {
    const steps = [...rest.matchAll(stepForm)].map(([, a, b, c, d]) => a ?? b ?? c ?? d ?? "");
    const [of, ...fields] = steps;
    return { task: plain ?? double ?? single ?? "", of, fields };
  });
}

/** Whether the output of a task is read, in a way that counts. */
export const mentions = (
  reads: readonly Read[],
  task: string,
  counts: (fields: readonly string[]) => boolean,
): boolean =>
  reads.some((read) => read.task === task && (read.of === undefined || (read.of === "output" && counts(read.fields))));
