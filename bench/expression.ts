// How many templates are worked out per second of processor time, what making one ready costs, and a cold start.

import { execFileSync } from "node:child_process";
import { expressionOf } from "../src/language/expression.ts";
import { schemaOf } from "../src/language/json-schema.ts";
import type { Scope } from "../src/language/spec.ts";
import { evaluate } from "../src/language/template.ts";

const items = Array.from({ length: 100 }, (_, index) => ({ id: `i${index}`, price: index / 2, tags: ["a", "b"] }));
const scope: Scope = {
  input: { order: { id: "A-17", total: 250.5, country: "FR" }, items, mail: "ada@example.com" },
  tasks: { judge: { status: "SUCCESS", output: { ok: true, score: 0.8 } } },
  workflow: { id: "w", exec_id: "x", correlation_id: "c", started_at: "2026-01-01T00:00:00.000Z" },
  now: 0,
};

const cases: Readonly<Record<string, unknown>> = {
  "plain text": "no expression at all",
  path: "${{ input.order.id }}",
  "object of three paths": {
    a: "${{ input.order.id }}",
    b: { c: "${{ tasks.judge.output }}" },
    d: "${{ input.mail }}",
  },
  "text with two paths": "order ${{ input.order.id }} of ${{ input.order.total }}",
  "condition, three clauses": "${{ input.order.total > 100 && tasks.judge.output.ok && input.order.country == 'FR' }}",
  "arithmetic and default": "${{ input.order.total * 1.2 + default(input.order.fee, 5) }}",
  "filter and map over 100": "${{ input.items.filter(i, i.price > 25).map(i, i.id) }}",
  "matches a pattern": "${{ input.mail.matches('^[^@]+@[^@]+$') }}",
};

const library = new URL("../src/index.ts", import.meta.url).href;

for (const [name, value] of Object.entries(cases)) report(name, () => evaluate(value, scope));

let count = 0;
report("made ready, never seen before", () =>
  expressionOf(`input.order.total > ${(count += 1)} && tasks.judge.output.ok`),
);

const order = schemaOf({
  type: "object",
  properties: {
    id: { type: "string", pattern: "^[A-Z]-\\d+$" },
    total: { type: "number" },
    country: { enum: ["FR", "DE"] },
  },
  required: ["id"],
});
report("checked by a JSON Schema", () => order.check((scope.input as { order: unknown }).order));

function report(name: string, run: () => unknown): void {
  const until = (ms: number): number => {
    const end = performance.now() + ms;
    const from = process.cpuUsage();
    let runs = 0;
    while (performance.now() < end) for (let index = 0; index < 20; index++, runs++) run();
    const { user, system } = process.cpuUsage(from);
    return (runs / (user + system)) * 1e6;
  };
  until(100);
  const perSecond = until(500);
  process.stdout.write(`${name.padEnd(32)} ${Math.round(perSecond).toLocaleString("en").padStart(12)}/s\n`);
}

/** The fastest of seven, each in a process of its own: whatever else the computer does only slows it. */
function startMs(...more: string[]): number {
  const code = `const at = process.cpuUsage();
    for (const name of ${JSON.stringify([...more, library])}) await import(name);
    const { user, system } = process.cpuUsage(at);
    process.stdout.write(String((user + system) / 1_000));`;
  const run = (): number =>
    Number(execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }));
  return Math.round(Math.min(...Array.from({ length: 7 }, run)));
}

const late = ["ajv/dist/2020.js", "ajv-formats", "@marcbachmann/cel-js", "re2js"];
process.stdout.write(
  `\nimport of the library: ${startMs()} ms of processor time; had it all at once: ${startMs(...late)} ms\n`,
);
