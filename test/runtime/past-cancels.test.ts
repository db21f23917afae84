// Goal: what came of a cancel can be asked for later, and is what whoever waited was told. Method: runs with agents
// that obey, ignore, or end by themselves, and a child workflow; the report of then beside the report of later.

import { expect, test } from "vitest";
import { heldAgent, openBed, refusal } from "./bed.ts";

const task = (id: string, agent: string) => ({ id, type: "agent", agent, timeout: "20h" });
const both = {
  id: "both",
  tasks: [
    {
      id: "fan",
      type: "parallel",
      branches: { a: [task("one", "obeys")], b: [task("two", "ignores")] },
    },
  ],
} as never;

test("the report of later names the same executions with the same outcomes", async () => {
  const [obeys, ignores] = [heldAgent("obeys"), heldAgent("ignores", { ignores: true })];
  const bed = await openBed({ workflows: [both], agents: [obeys.definition, ignores.definition] as never });
  const { execId } = bed.t.start("both");
  await bed.pass(100);
  const canceling = bed.t.cancel(execId, "enough");
  await bed.pass(30_000);
  const then = await canceling;
  const later = await bed.t.cancelReport(execId);
  const outcomes = ({ children }: typeof then) =>
    children.map(({ entity, id, outcome }) => `${entity} ${id} ${outcome}`).toSorted();
  expect(outcomes(later)).toEqual(outcomes(then));
  expect(outcomes(later)).toContain("agent ignores ignored");
  expect(later.tookMs).toBe(then.tookMs);
});

test("what was open in child workflows is in it too", async () => {
  const held = heldAgent("obeys");
  const parent = { id: "parent", tasks: [{ id: "call", type: "workflow", workflow: "child" }] } as never;
  const child = { id: "child", tasks: [task("one", "obeys")] } as never;
  const bed = await openBed({ workflows: [parent, child], agents: [held.definition] as never });
  const { execId } = bed.t.start("parent");
  await bed.pass(100);
  const canceling = bed.t.cancel(execId);
  await bed.pass(30_000);
  await canceling;
  const { children } = await bed.t.cancelReport(execId);
  expect(children.map(({ entity, id }) => `${entity} ${id}`).toSorted()).toEqual([
    "agent obeys",
    "task call",
    "task one",
    "workflow child",
  ]);
  expect(children.every(({ outcome }) => outcome === "confirmed")).toBe(true);
});

test("where nobody canceled there is nothing to report", async () => {
  const held = heldAgent("obeys");
  const bed = await openBed({
    workflows: [{ id: "one", tasks: [task("a", "obeys")] } as never],
    agents: [held.definition] as never,
  });
  const { execId } = bed.t.start("one");
  await bed.pass(100);
  expect((await refusal(() => bed.t.cancelReport(execId))).code).toBe("INVALID_STATE");
  const unknown = "01990000-0000-7000-8000-000000000000";
  expect((await refusal(() => bed.t.cancelReport(unknown))).code).toBe("EXECUTION_NOT_FOUND");
});
