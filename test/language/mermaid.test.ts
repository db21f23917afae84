// Goal: the drawing of any workflow is text that Mermaid reads as it is meant. Method: random workflows, with texts and
// ids that would be Mermaid's own, are drawn, and every line has to have one of the forms that its grammar knows.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { innerBlocks } from "../../src/language/blocks.ts";
import { waysOf } from "../../src/language/draw.ts";
import { mermaidOfWorkflow } from "../../src/language/mermaid.ts";
import type { TaskSpec, WorkflowSpec } from "../../src/language/spec.ts";
import { anyWorkflow } from "../kit/any-workflow.ts";

// A label ends at a semicolon or a line's end, and may not have two colons in a row or one at its end; a name in
// quotes ends at the next quote. These ids mean something else where a state is named.
const id = "(?!(?:end|state|note|default|class|style|click|scale|classDef)(?!\\w))\\w+";
const text = '(?:(?!::|:$|%%|<(?!br/>|/?small>)[\\w/!]|&[\\w#])[^";\\n`])*';
const forms = [
  `state "${text}" as ${id}(?: \\{)?`,
  `(?:${id}|\\[\\*\\]) --> (?:${id}|\\[\\*\\])(?: : ${text})?`,
  "\\}",
  "--",
  "classDef \\w+ [\\w:#, -]+",
  `class ${id}(?:,${id})* \\w+`,
].map((form) => new RegExp(`^ *${form}$`));

const drawn = (spec: WorkflowSpec): string[] => {
  const [open, title, close, kind, ...lines] = mermaidOfWorkflow(spec).split("\n");
  expect([open, close, kind]).toEqual(["---", "---", "stateDiagram-v2"]);
  expect(typeof JSON.parse(title?.replace(/^title: /, "") ?? "")).toBe("string");
  return lines;
};

const allTasks = (block: readonly TaskSpec[]): TaskSpec[] =>
  block.flatMap((task) => [
    task,
    ...[...innerBlocks(task).map((inside) => inside.block), task.undo ?? []].flatMap(allTasks),
  ]);

const holds = (look: (spec: WorkflowSpec, lines: string[]) => void): void =>
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const spec = anyWorkflow(gen);
      look(spec, drawn(spec));
    }),
    { numRuns: 150 },
  );

describe("the drawing of any workflow", () => {
  test("has no line that Mermaid would not read, or would read as something else", () => {
    holds((_spec, lines) => {
      expect(lines.filter((line) => !forms.some((form) => form.test(line)))).toEqual([]);
    });
  });

  test("has one state for each task, each under a name of its own", () => {
    holds((spec, lines) => {
      const names = lines.flatMap((line) => /^ *state ".*" as (\w+)/.exec(line)?.[1] ?? []);
      const tasks = allTasks(spec.tasks);
      const undone = tasks.filter(({ undo }) => undo !== undefined).length;
      // A frame for all that is undone; one task that undoes needs none of its own.
      const frames = lines.filter((line) => /^ *state "undo .* \{$/.test(line)).length;
      const named = tasks
        .flatMap((task) => (task.type === "parallel" ? Object.values(task.branches) : []))
        .filter(([entry]) => entry !== undefined && innerBlocks(entry).length > 0).length;
      expect(new Set(names).size).toBe(names.length);
      expect(names).toHaveLength(tasks.length + named + frames + (undone > 0 ? 1 : 0));
    });
  });

  test("has an arrow for each way of each task", () => {
    holds((spec, lines) => {
      const arrows = lines.filter((line) => /^ *(?!undo_)\w+ --> /.test(line) && !line.endsWith(" undo_all : undo"));
      const begins = lines.filter((line) => /^ *state "[^<]*" as \w+$/.test(line)).length;
      expect(arrows).toHaveLength(allTasks(spec.tasks).flatMap(waysOf).length + begins);
      const leading = spec.tasks.filter((task) => allTasks([task]).some(({ undo }) => undo !== undefined));
      expect(lines.filter((line) => line.endsWith(" undo_all : undo"))).toHaveLength(leading.length);
    });
  });
});

test("a drawing says who is called, what a route asks, what an error does, and what is undone", () => {
  const spec: WorkflowSpec = {
    id: "trip",
    triggers: [{ type: "schedule", cron: "0 6 * * 1", timezone: "Europe/Paris" }],
    tasks: [
      { id: "pick", type: "route", cases: [{ when: '${{ input.to == "sea" }}', next: "book-it" }], default: "ask" },
      { id: "ask", type: "wait", wait: { approval: "Really?" }, timeout: "2h" },
      {
        id: "book-it",
        type: "tool",
        tool: "book",
        retry: { max_attempts: 3 },
        on_error: [{ codes: ["FULL"], next: "ask" }],
        undo: [{ id: "unbook", type: "agent", agent: "clerk" }],
      },
    ],
  };
  expect(mermaidOfWorkflow(spec).split("\n")).toEqual([
    "---",
    'title: "trip"',
    "---",
    "stateDiagram-v2",
    "  [*] --> pick : 0 6 * * 1 Europe/Paris",
    '  state "pick<br/><small>route</small>" as pick',
    '  state "ask<br/><small>waits for approval: Really?<br/>at most 2h</small>" as ask',
    '  state "book-it<br/><small>tool book<br/>3 attempts</small>" as book_it',
    "  pick --> book_it : input.to == 'sea'",
    "  pick --> ask : otherwise",
    "  ask --> [*]",
    "  book_it --> [*]",
    "  book_it --> ask : on error FULL",
    '  state "if the run does not succeed, what did is undone" as undo_all {',
    '    state "unbook<br/><small>agent clerk</small>" as unbook',
    "    [*] --> unbook",
    "    unbook --> [*]",
    "  }",
    "  book_it --> undo_all : undo",
    "  classDef waits stroke-dasharray: 6 4",
    "  class ask waits",
    "  classDef undoes fill:#fff4e5,stroke:#d9822b",
    "  class unbook undoes",
  ]);
});

test("long texts are clipped, and a function is drawn by its name", () => {
  const isLarge = (): boolean => true;
  const tasks: TaskSpec[] = [
    {
      id: "pick",
      type: "route",
      cases: [
        { when: isLarge, next: "pick" },
        { when: "x".repeat(200), next: "pick" },
      ],
    },
  ];
  const [first, second] = drawn({ id: "long", tasks }).filter((line) => line.startsWith("  pick --> "));
  expect(first).toBe("  pick --> pick : isLarge()");
  expect(second).toMatch(/ : x{59}…$/);
});
