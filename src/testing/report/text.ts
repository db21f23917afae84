// A check as people read it: what was found, each with its story and what mends it, and what was looked at.

import type { FaultKind, Part, Report } from "../check/trial.ts";
import type { Checked, Told } from "./checked.ts";

/** How words are set off: in colour on a terminal, and not at all elsewhere. */
export type Look = { bold(text: string): string; dim(text: string): string; mark(severity: Told["severity"]): string };

const plainLook: Look = {
  bold: (text) => text,
  dim: (text) => text,
  mark: (severity) => ({ error: "✖", warning: "▲", note: "·" })[severity],
};

/** How the same is asked for again: `troupe check orders.yaml`. */
export type Asked = { command: string; files?: ReadonlyMap<Told, string> };

export function reportText(checked: Checked, asked: Asked, look: Look = plainLook): string {
  const { findings, report } = checked;
  const parts = findings.map((one) => findingText(one, asked, look));
  return [...parts, ...(report ? [coverageText(report, look)] : []), summaryOf(checked)].join("\n\n");
}

export function findingText(finding: Told, { command, files }: Asked, look: Look): string {
  const { severity, id, title, explanation, fix, shown } = finding;
  const head = `${look.mark(severity)} ${look.bold(`${severity} ${id}`)}  ${whereOf(finding)}`;
  const story = shown ? ["", ...shown.story.map((line) => `  ${line}`)] : [];
  const drawing = shown ? ["", ...shown.diagram.split("\n").map((line) => look.dim(`  ${line}`))] : [];
  const file = files?.get(finding);
  return [
    head,
    `  ${title}: ${explanation}`,
    ...story,
    ...drawing,
    "",
    `  fix: ${fix}`,
    ...(shown ? [`  replay: ${replayLine(command, shown.replay)}`] : []),
    ...(file === undefined ? [] : [`  look: troupe import ${file}`]),
  ].join("\n");
}

export function whereOf({ place, workflow, task }: Told): string {
  const at = place ? `${place.file}:${place.line}:${place.col}` : workflow;
  return task === undefined ? at : `${at} ${task}`;
}

export const replayLine = (command: string, replay: string): string => `${command} --replay ${shellWord(replay)}`;

/** As a shell takes it. */
export const shellWord = (text: string): string =>
  /^[\w:=.,@%+/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

// ── what was looked at ──

function coverageText(report: Omit<Report, "findings">, look: Look = plainLook): string {
  const { covered, faults, parts, unreached, cutBy, assumed } = report;
  const begun = `${covered.states.reached} of ${covered.states.of}`;
  const taken = covered.transitions.filter(({ times }) => times > 0).length;
  const lines = [
    look.bold("What was looked at"),
    `  ${begun} tasks begun, ${taken} of ${covered.transitions.length} ways taken`,
    `  faults: ${faultsText(faults)}`,
    ...parts.filter(({ of }) => of > 0).map((part) => `  ${partText(part)}`),
    ...(cutBy === null ? [] : [`  cut off by ${cutText[cutBy]}`]),
  ];
  const failures = failuresText(report);
  const missed = unreached.map(({ what, why }) => `  ${what}: ${why}`);
  return [
    ...lines,
    ...(failures.length > 0 ? ["", look.bold("What was made to fail"), ...failures] : []),
    ...(missed.length > 0 ? ["", look.bold("What was not reached"), ...missed] : []),
    "",
    look.bold("What this does not cover"),
    ...assumed.map((one) => `  ${one}`),
  ].join("\n");
}

const cutText = {
  runs: "--runs",
  time: "--time: on another machine it may come further",
  findings: "the number of findings",
};

const partText = ({ what, done, of }: Part): string =>
  `${what}: ${done.toLocaleString("en")} of ${of.toLocaleString("en")}${done === of ? "" : ", not all of them"}`;

const faultsText = (faults: Readonly<Partial<Record<FaultKind, number>>>): string =>
  Object.entries(faults)
    .filter(([, times]) => times > 0)
    .map(([kind, times]) => `${times} ${kind}`)
    .toSorted((one, other) => parseInt(other, 10) - parseInt(one, 10) || (one < other ? -1 : 1))
    .join(", ") || "none";

/** Of each task in which ways it was made to fail, and how often. */
function failuresText({ covered }: Pick<Report, "covered">): string[] {
  const byPlace = Map.groupBy(covered.failures, ({ place }) => place);
  return [...byPlace].map(
    ([place, some]) => `  ${place}: ${some.map(({ fault, times }) => `${fault} ${times}`).join(", ")}`,
  );
}

function summaryOf({ workflow, seed, findings, report }: Checked): string {
  const counts = (["error", "warning", "note"] as const).flatMap((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? "" : "s"}`];
  });
  const runs = report ? ` in ${report.runs.toLocaleString("en")} runs, seed ${seed}` : ", and it cannot be run";
  return `${workflow}: ${counts.length === 0 ? "nothing was found" : counts.join(", ")}${runs}.`;
}
