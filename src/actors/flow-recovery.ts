// Who held a slot and who waited for one before a restart, read from the rows.

import type { Query, Row, Store } from "../store/store.ts";
import { hasFlow, type RunFlow } from "./flow-rules.ts";
import { openImports } from "./imported.ts";
import type { Inheritance, Inherited } from "./slots.ts";
import type { Definitions } from "./world.ts";

const pageRows = 2_000;

export async function inheritanceOf(store: Store, { workflows }: Pick<Definitions, "workflows">): Promise<Inheritance> {
  const begun: Pick<Query, "entity" | "status"> = { entity: "workflow", status: ["RUNNING", "PAUSED"] };
  const counts = await store.count(begun, "id");
  // What was brought here as it stood elsewhere is not under way.
  for (const [id, open] of Object.entries(openImports(store))) counts[id] = (counts[id] ?? open) - open;
  const waiting: Inheritance["waiting"][number][] = [];
  // What was ordered and not yet heard stands in no line: it asks when it is.
  const live = new Set([...store.live()].map(({ run }) => run));
  for await (const row of rowsOf(store, { entity: "workflow", status: ["PENDING"] })) {
    if (live.has(row.run)) waiting.push(inheritedIn(row) ?? row.execId);
  }
  const limited = [...workflows.values()].filter(({ spec }) => hasFlow(spec));
  const ids = new Set([...limited.map(({ id }) => id), ...waiting.flatMap(workflowOf)]);
  const known: Inherited[] = [];
  for (const id of ids) {
    if (counts[id] === undefined) continue;
    for await (const row of rowsOf(store, { ...begun, id })) {
      const inherited = inheritedIn(row);
      if (inherited) known.push(inherited);
    }
  }
  return { begun: Object.values(counts).reduce((sum, count) => sum + count, 0), known, waiting };
}

const workflowOf = (one: Inherited | string): string[] => (typeof one === "string" ? [] : [one.flow.workflow]);

async function* rowsOf(store: Store, query: Omit<Query, "limit" | "order">): AsyncGenerator<Row> {
  for (let after: string | null | undefined; after !== null;) {
    const from = after === undefined ? {} : { after };
    const page = await store.find({ ...query, ...from, order: "oldest", limit: pageRows });
    yield* page.rows;
    after = page.cursor;
  }
}

/** Nothing if its definition said nothing of who may begin. */
export function inheritedIn({ execId, createdAt, body }: Row): Inherited | undefined {
  // Most have none: they need not be read.
  if (!body.includes('"flow":')) return undefined;
  const { flow } = JSON.parse(body) as { flow?: RunFlow };
  return flow && { run: execId, createdAt, flow };
}
