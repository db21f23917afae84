// How long a project takes to load: 1,000 workflow files of YAML, each of ten tasks with templates, read and checked.
//
//   node bench/load-files.ts [files]

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadProject } from "../src/language/load.ts";

const count = Number(process.argv[2] ?? 1_000);
const folder = mkdtempSync(join(tmpdir(), "troupe-load-files-"));
const project = `version: 1
name: bench
agents: [{ id: clerk, kind: remote, input: { type: object, properties: { order: { type: string } } } }]
tools: [{ id: look, kind: command, command: [look] }]
`;

/** Agents, tools, a route, a parallel, an each and an error path, as people would write them. */
const workflow = (id: string): string => `id: ${id}
description: One of many.
input: { type: object, properties: { order: { type: string } }, required: [order] }
tasks:
  - { id: decide, type: agent, agent: clerk, with: { order: "\${{ input.order }}" }, next: pick }
  - id: pick
    type: route
    cases: [{ when: "\${{ tasks.decide.output.ok && input.order != '${id}' }}", next: pay }]
    default: refuse
  - id: pay
    type: tool
    tool: look
    with: { order: "\${{ input.order }}", text: "Order \${{ input.order }} of \${{ workflow.id }}" }
    retry: { max_attempts: 3, backoff: { initial: 1s, factor: 2, max: 1m }, never_on: [CARD_DECLINED] }
    on_error: refuse
    next: both
  - id: both
    type: parallel
    branches:
      mail: [{ id: mail, type: tool, tool: look, with: "\${{ tasks.pay.output }}" }]
      book: [{ id: book, type: tool, tool: look, next: note }, { id: note, type: tool, tool: look }]
    next: all
  - id: all
    type: each
    items: "\${{ input.lines }}"
    do: [{ id: line, type: tool, tool: look, with: "\${{ item }}" }]
  - { id: refuse, type: tool, tool: look, with: { why: "\${{ default(error.code, 'none') }}" } }
result: { paid: "\${{ has(tasks.pay.output) }}" }
`;

try {
  mkdirSync(join(folder, "workflows"));
  writeFileSync(join(folder, "troupe.yaml"), project);
  for (let index = 0; index < count; index++) {
    writeFileSync(join(folder, `workflows/w${index}.yaml`), workflow(`w${index}`));
  }
  for (const run of ["cold", "warm", "warm"]) {
    const cpu = process.cpuUsage();
    const began = performance.now();
    const { workflows, problems } = await loadProject(folder);
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    const cpuMs = Math.round((user + system) / 1_000);
    if (workflows.length !== count || problems.length > 0)
      throw new Error(`${problems.length} problems: ${problems[0]?.message}`);
    const each = (cpuMs / count).toFixed(2);
    console.log(`${run}: ${count} files in ${Math.round(ms)} ms; processor ${cpuMs} ms, ${each} ms a file`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
