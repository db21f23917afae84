// Reads the golden flows and holds what was said on a stage against one: order, names, producers, statuses, codes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { catalogue, isKey } from "../../src/protocol/catalogue.ts";
import type { Line } from "../../src/testing/stage.ts";

export type Expected = {
  /** Of a subject only the placeholders are open. */
  subject: string;
  kind: string;
  type: string;
  by: string;
  to: string[];
  status?: string;
  code?: string;
  match?: Record<string, unknown>;
  optional?: boolean;
  group?: string;
};
export type Flow = {
  id: string;
  title: string;
  given: string;
  scope: string[];
  messages: Expected[];
  then: Readonly<Record<string, string>>;
};

export const flows = parse(readFileSync(join(import.meta.dirname, "../flows.yaml"), "utf8")) as Flow[];

export const flowOf = (id: string): Flow => {
  const flow = flows.find((candidate) => candidate.id === id);
  if (!flow) throw new Error(`no flow '${id}'`);
  return flow;
};

type Told = { payload?: { status?: string; result?: { error?: { code?: string } } | null } } & Record<string, unknown>;

/** The entity whose subject a message goes to: an acknowledgment goes to that of its command. */
function entityOf({ word }: Line): string {
  if (!isKey(word.type)) return "cue";
  if (word.type !== "result:CommandAck") return catalogue[word.type].entity ?? "log";
  return ["agent_runtime", "task", "workflow", "agent"].find((section) => word[section] !== undefined) ?? "workflow";
}

const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, step) => (inner as Record<string, unknown> | undefined)?.[step], value);

function fits({ word, by }: Line, expected: Expected): boolean {
  const { payload } = word as Told;
  const literal = Object.entries(expected.match ?? {}).filter(([, value]) => !String(value).startsWith("{"));
  return (
    word.type === `${expected.kind}:${expected.type}` &&
    by === expected.by &&
    (expected.status === undefined || payload?.status === expected.status) &&
    (expected.code === undefined || payload?.result?.error?.code === expected.code) &&
    literal.every(([path, value]) => at(word, path) === value)
  );
}

const isProgress = (line: Line): boolean => line.word.type.startsWith("progress:");
/** An answer to whoever is outside: it may come anywhere after its command. */
const isOutside = ({ type, to }: Expected): boolean =>
  type === "CommandAck" && to.some((receiver) => ["API", "GW", "CLIENT"].includes(receiver));

const told = ({ by, word }: Line): string => `${by} ${word.type} ${(word as Told).payload?.status ?? ""}`.trim();

/** What is wrong, as a sentence; null if the conversation is the flow. */
export function mismatch(flow: Flow, log: readonly Line[]): string | null {
  const first = flow.messages[0];
  const begins = log.findIndex((line) => first !== undefined && fits(line, first));
  if (begins < 0) return `nobody said ${first?.kind}:${first?.type}`;
  const lines = log.slice(begins).filter((line) => isKey(line.word.type) && !isProgress(line));
  const outside = flow.messages.filter(isOutside);
  const spare = lines.filter((line) => line.word.type === "result:CommandAck" && isToOutside(line));
  for (const expected of outside) {
    const index = spare.findIndex((line) => fits(line, expected));
    if (index < 0) return `nobody outside was answered ${expected.status ?? ""} ${expected.code ?? ""}`;
    spare.splice(index, 1);
  }
  if (spare.length > 0 && flow.scope.includes("workflow")) return `an answer too many: ${told(spare[0] as Line)}`;

  const wanted = flow.messages.filter((expected) => expected.kind !== "progress" && !isOutside(expected));
  const actual = lines.filter((line) => flow.scope.includes(entityOf(line)) && !isToOutside(line));
  for (const block of blocksOf(wanted)) {
    const open = [...block];
    while (open.length > 0) {
      const next = actual[0];
      const index = next ? open.findIndex((expected) => fits(next, expected)) : -1;
      if (index < 0) break;
      open.splice(index, 1);
      actual.shift();
    }
    const missing = open.find(({ optional }) => !optional);
    if (missing) {
      const came = actual[0] ? told(actual[0]) : "nothing";
      return `expected ${missing.by} ${missing.kind}:${missing.type}, but ${came} came`;
    }
  }
  return actual[0] ? `nothing more was expected, but ${told(actual[0])} came` : null;
}

const isToOutside = ({ word }: Line): boolean =>
  word.type === "result:CommandAck" &&
  /^(?:results\.workflow|_INBOX\.(?:client|signal))/.test(typeof word["to"] === "string" ? word["to"] : "");

/** Neighbours with one group name come in any order. */
function blocksOf(messages: readonly Expected[]): Expected[][] {
  const blocks: Expected[][] = [];
  for (const message of messages) {
    const last = blocks.at(-1);
    if (message.group !== undefined && last?.[0]?.group === message.group) last.push(message);
    else blocks.push([message]);
  }
  return blocks;
}
