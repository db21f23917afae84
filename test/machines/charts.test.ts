// Goal: what holds for every chart, however many there are.
// Method: the boot check, a complete search with the chart's part, and the rows of the protocol's tables looked up in
// the titles of the tests.

import { describe, expect, test } from "vitest";
import { assertSound } from "../../src/machines/check.ts";
import { conversationStatuses } from "../../src/machines/conversation.ts";
import { mermaidOf } from "../../src/machines/mermaid.ts";
import { statuses } from "../../src/protocol/statuses.ts";
import { explore } from "../../src/testing/explore.ts";
import { parts } from "../../src/testing/parts/index.ts";
import { treeOf } from "../kit/tree.ts";

const charts = [
  "workflowExecution",
  "taskExecution",
  "taskDispatch",
  "taskAttempt",
  "agentExecution",
  "toolExecution",
  "agentDispatch",
  "agentRuntime",
  "handlerRun",
  "lateCall",
  "conversation",
];

test("every chart has a part", () => {
  expect(parts.map(({ machine }) => machine.id)).toEqual(charts);
});

describe.each(parts.map((part) => ({ name: part.machine.id, part })))("$name", ({ part }) => {
  const { root } = part.machine;

  test("is sound", () => {
    assertSound(part.machine, { ...statuses, conversation: conversationStatuses });
  });

  test("is searched completely, and every state of it is reached", () => {
    const { complete, reached } = explore(part);
    expect(complete).toBe(true);
    const leaves = leavesOf(root).filter((leaf) => !isTransient(leaf));
    expect(leaves.map(({ id }) => id).filter((id) => !reached.has(id))).toEqual([]);
  });

  test("is drawn with each of its states", () => {
    const drawing = mermaidOf(part.machine);
    for (const { key } of leavesOf(root)) expect(drawing).toContain(`state "${key}"`);
  });
});

type Node = (typeof parts)[number]["machine"]["root"];

const leavesOf = (node: Node): Node[] => {
  const inner = Object.values(node.states) as Node[];
  return inner.length === 0 ? [node] : inner.flatMap(leavesOf);
};

/** Left in the very step that enters it. */
const isTransient = (node: Node): boolean => (node.always ?? []).some(({ guard }) => guard === undefined);

test("every row of the transition tables is played by a test that names it", () => {
  // Invariants have ids of the same form, but are keys: a row is the title of a test or of a group.
  const titles = [...treeOf("test/machines/*.test.ts").values()].join("\n");
  const numbered = (letter: string, last: number) =>
    Array.from({ length: last }, (_, index) => `${letter}${index + 1}`);
  const rows = [...numbered("W", 14), ...numbered("T", 15), ...numbered("C", 13), ...numbered("R", 4)];
  expect(rows.filter((row) => !new RegExp(`\\(\\s*["\`]${row}\\b`).test(titles))).toEqual([]);
});
