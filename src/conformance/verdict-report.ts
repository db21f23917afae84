// The verdicts as people, programs and test runners read them.

import type { Outcome } from "./conformance.ts";
import { type RuleId, rules, type Verdict } from "./rules.ts";

export type Count = { kept: number; broken: number; untried: number };

const rows = ({ verdicts }: Outcome): [RuleId, Verdict][] =>
  (Object.keys(rules) as RuleId[]).map((rule) => [rule, verdicts[rule]]);

export function countOf(outcome: Outcome): Count {
  const count = { kept: 0, broken: 0, untried: 0 };
  for (const [, { is }] of rows(outcome)) count[is] += 1;
  return count;
}

type Paint = (is: Verdict["is"], text: string) => string;
const marks = { kept: "✓", broken: "✗", untried: "–" } as const;
const shownChars = 2_000;
const cut = (text: string): string => (text.length > shownChars ? `${text.slice(0, shownChars)}…` : text);

/** A line for each rule, and of a broken one what was expected, what came, its bytes, and where that stands. */
export function textOf(outcome: Outcome, paint: Paint = (_is, text) => text): string {
  const { runtime, agent, tool } = outcome;
  const { kept, broken, untried } = countOf(outcome);
  const width = Math.max(...Object.keys(rules).map((rule) => rule.length));
  const spoken = [runtime.language, runtime.version].filter((one) => one !== undefined).join(" ");
  const head = `runtime ${runtime.id} ${runtime.exec_id}${spoken === "" ? "" : ` (${spoken})`}`;
  const tried = `agent ${agent ?? "none"}, tool ${tool ?? "none"}`;
  const lines = rows(outcome).flatMap(([rule, verdict]) => [
    `${paint(verdict.is, marks[verdict.is])} ${rule.padEnd(width)}  ${rules[rule].says}`,
    ...more(rule, verdict),
  ]);
  const tail = `${kept} rules kept, ${broken} broken, ${untried} not tried`;
  return [head, tried, "", ...lines, "", tail].join("\n");
}

function more(rule: RuleId, { is, expected, came, subject, bytes, because }: Verdict): string[] {
  if (is === "untried") return [`    not tried  because ${because ?? "nothing was said"}`];
  if (is === "kept") return [];
  return [
    `    expected   ${expected ?? ""}`,
    `    came       ${cut(came ?? "nothing")}`,
    ...(subject === undefined ? [] : [`    on         ${subject}`]),
    ...(bytes === undefined ? [] : [`    bytes      ${cut(bytes)}`]),
    `    clause     ${rules[rule].clause}`,
  ];
}

export const jsonOf = (outcome: Outcome): string =>
  JSON.stringify({
    runtime: outcome.runtime,
    agent: outcome.agent ?? null,
    tool: outcome.tool ?? null,
    ...countOf(outcome),
    rules: rows(outcome).map(([rule, verdict]) => ({ rule, ...rules[rule], ...verdict })),
  });

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
// oxlint-disable-next-line no-control-regex -- XML cannot hold them
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(forbidden, "\ufffd")
    .replace(/[&<>"]/g, (letter) => entities[letter] ?? letter);

/** As test runners write it. */
export function junitOf(outcome: Outcome): string {
  const { broken, untried, kept } = countOf(outcome);
  const name = `troupe runtime-test ${outcome.runtime.id}`;
  const cases = rows(outcome).map(([rule, verdict]) => {
    const open = `  <testcase classname="${escaped(name)}" name="${escaped(`${rule}: ${rules[rule].says}`)}"`;
    if (verdict.is === "kept") return `${open}/>`;
    if (verdict.is === "untried") return `${open}><skipped message="${escaped(verdict.because ?? "")}"/></testcase>`;
    const body = escaped(more(rule, verdict).join("\n"));
    return `${open}><failure message="${escaped(`expected ${verdict.expected ?? ""}`)}">${body}</failure></testcase>`;
  });
  const tests = kept + broken + untried;
  const suite = `<testsuite name="${escaped(name)}" tests="${tests}" failures="${broken}" skipped="${untried}">`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${[suite, ...cases, "</testsuite>"].join("\n")}\n`;
}
