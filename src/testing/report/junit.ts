// A check as JUnit XML, as servers of continuous integration read it: one case for each kind of finding.

import { kinds } from "../findings/kinds.ts";
import { type Checked, isBad, type Told } from "./checked.ts";
import { whereOf } from "./text.ts";

export function junitOf(all: readonly Checked[]): string {
  const suites = all.map(suiteOf);
  return ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", ...suites.flat(), "</testsuites>", ""].join("\n");
}

function suiteOf({ workflow, findings }: Checked): string[] {
  const bad = findings.filter(isBad);
  const cases = Object.keys(kinds).flatMap((id) =>
    caseOf(
      workflow,
      id,
      bad.filter((one) => one.id === id),
    ),
  );
  const failed = new Set(bad.map(({ id }) => id)).size;
  const counts = `tests="${Object.keys(kinds).length}" failures="${failed}" errors="0"`;
  return [`  <testsuite name="${escaped(workflow)}" ${counts}>`, ...cases, "  </testsuite>"];
}

function caseOf(workflow: string, id: string, found: readonly Told[]): string[] {
  const opening = `    <testcase classname="${escaped(workflow)}" name="${id}"`;
  if (found.length === 0) return [`${opening}/>`];
  const failures = found.map((one) => {
    const text = [one.explanation, ...(one.shown?.story ?? []), `fix: ${one.fix}`].join("\n");
    const message = escaped(`${whereOf(one)}: ${one.title}`);
    return `      <failure type="${one.severity}" message="${message}">${escaped(text)}</failure>`;
  });
  return [`${opening}>`, ...failures, "    </testcase>"];
}

const letters: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
// What XML cannot hold at all is left out.
const impossible = /[^\P{Cc}\t\n\r]|\p{Cs}/gu;
const escaped = (text: string): string =>
  text.replace(impossible, "").replace(/[&<>"]/g, (letter) => letters[letter] ?? letter);
