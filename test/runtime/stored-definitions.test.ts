// Goal: definitions that were put by themselves are there after every restart and crash, and in nobody's way. Method: a
// troupe on a disk that outlives it, killed and opened again; a project in a folder beside it.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Bed, heldAgent, openBed, refusal } from "./bed.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const look = { id: "look", handler: async (input: unknown) => ({ seen: input }) };
const workflow = (version: number) => ({
  tasks: [{ id: "look", type: "tool", tool: "look", with: { version } }],
});
/** The process is gone from one moment to the next. */
async function killed(bed: Bed, options: Parameters<typeof openBed>[0] = {}): Promise<Bed> {
  bed.store.crash();
  return openBed({ tools: [look], disk: bed.disk, clock: bed.clock, ...options });
}
const ran = async ({ t, pass }: Bed, id: string): Promise<unknown> => {
  const { result } = t.start(id);
  await pass(1_000);
  return (await result()).output;
};
const ids = ({ t }: Bed): string[] => t.definitionsOf("workflow").map(({ id }) => id);

describe("what was put", () => {
  test("SD1: is defined after a crash, as it was put last, and gone after a crash once it was taken away", async () => {
    let bed = await openBed({ tools: [look] });
    expect(await bed.t.putDefinition("workflow", "one", workflow(1))).toBe(true);
    expect(await bed.t.putDefinition("workflow", "one", workflow(2))).toBe(false);
    await bed.t.putDefinition("workflow", "two", workflow(1));
    bed = await killed(bed);
    expect(ids(bed).toSorted()).toEqual(["one", "two"]);
    expect(await ran(bed, "one")).toEqual({ seen: { version: 2 } });
    expect(bed.t.definition("workflow", "one").origin).toBe("stored");
    await bed.t.deleteDefinition("workflow", "two");
    bed = await killed(bed);
    expect(ids(bed)).toEqual(["one"]);
  });

  test("is refused whole if anything is wrong with it, and nothing of it is stored", async () => {
    let bed = await openBed({ tools: [look] });
    for (const [given, code] of [
      [{ tasks: [] }, "DEFINITION_INVALID"],
      [{ ...workflow(1), id: "other" }, "DEFINITION_INVALID"],
      [{ ...workflow(1), tools: [] }, "DEFINITION_INVALID"],
      [{ tasks: [{ id: "a", type: "tool", tool: "none" }] }, "DEFINITION_INVALID"],
    ] as const) {
      expect((await refusal(() => bed.t.putDefinition("workflow", "one", given))).code).toBe(code);
    }
    expect((await refusal(() => bed.t.putDefinition("workflow", "no id", workflow(1)))).code).toBe("INVALID_ID");
    bed = await killed(bed);
    expect(ids(bed)).toEqual([]);
  });

  test("that cannot be used at a start is said, and hinders nobody", async () => {
    let bed = await openBed({ tools: [look] });
    await bed.t.putDefinition("workflow", "one", workflow(1));
    bed = await killed(bed, { tools: [] });
    expect(ids(bed)).toEqual([]);
    expect(bed.reports).toContainEqual(
      expect.objectContaining({ level: "error", message: "a stored definition cannot be used" }),
    );
    bed = await killed(bed);
    expect(ids(bed)).toEqual(["one"]);
  });

  test("agents come from modules of the folder, and are shown as they were put", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-stored-"));
    folders.push(folder);
    writeFileSync(join(folder, "clerk.ts"), "export default () => ({ text: 'done' });\n");
    let bed = await openBed({ folder });
    await bed.t.putDefinition("agent", "clerk", { module: "./clerk.ts", description: "Answers." });
    bed = await killed(bed, { folder });
    expect(bed.t.definition("agent", "clerk").definition).toMatchObject({ module: "./clerk.ts" });
    const { result } = bed.t.startOne({ agent: "clerk" });
    await bed.pass(1_000);
    expect((await result()).output).toEqual({ text: "done" });
  });
});

describe("what is defined elsewhere", () => {
  test("SD2: by the program cannot be changed or taken away here, and wins over what is stored", async () => {
    let bed = await openBed({ tools: [look] });
    await bed.t.putDefinition("workflow", "one", workflow(1));
    const own = { id: "one", ...workflow(7) } as never;
    bed = await killed(bed, { workflows: [own] });
    expect(await ran(bed, "one")).toEqual({ seen: { version: 7 } });
    expect((await refusal(() => bed.t.putDefinition("tool", "look", { module: "./x.ts" }))).details).toMatchObject({
      status: "code",
    });
    expect((await refusal(() => bed.t.deleteDefinition("tool", "look"))).code).toBe("INVALID_STATE");
  });

  test("SD2: by a file is changed in the file, and shown with its text", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-stored-"));
    folders.push(folder);
    mkdirSync(join(folder, "workflows"));
    writeFileSync(join(folder, "troupe.yaml"), "version: 1\nname: shop\n");
    const text = "id: order\ntasks:\n  - { id: wait, type: wait, wait: { duration: 1s } }\n";
    writeFileSync(join(folder, "workflows/order.yaml"), text);
    const bed = await openBed({ project: folder });
    for (const act of [
      () => bed.t.putDefinition("workflow", "order", workflow(1)),
      () => bed.t.deleteDefinition("workflow", "order"),
    ]) {
      expect(await refusal(act)).toMatchObject({ code: "INVALID_STATE", details: { status: "file" } });
    }
    expect(bed.t.definition("workflow", "order")).toMatchObject({
      origin: "file",
      file: "workflows/order.yaml",
      source: text,
    });
  });
});

describe("what is needed", () => {
  test("SD3: a workflow with an open run, and a tool that a workflow calls, are not taken away", async () => {
    const held = heldAgent("clerk");
    const bed = await openBed({ agents: [held.definition as never] });
    await bed.t.putDefinition("workflow", "one", { tasks: [{ id: "a", type: "agent", agent: "clerk" }] });
    const { result } = bed.t.start("one");
    await bed.pass(10);
    expect((await refusal(() => bed.t.deleteDefinition("workflow", "one"))).code).toBe("DEFINITION_IN_USE");
    held.runs[0]?.end({});
    await bed.pass(1_000);
    await result();
    await bed.t.deleteDefinition("workflow", "one");
    expect((await refusal(() => bed.t.deleteDefinition("workflow", "one"))).code).toBe("WORKFLOW_NOT_FOUND");
  });

  test("SD3: an agent that a workflow calls is not taken away", async () => {
    const folder = mkdtempSync(join(tmpdir(), "troupe-stored-"));
    folders.push(folder);
    writeFileSync(join(folder, "clerk.ts"), "export default () => ({ text: 'done' });\n");
    const bed = await openBed({ folder });
    await bed.t.putDefinition("agent", "clerk", { module: "./clerk.ts" });
    await bed.t.putDefinition("workflow", "one", { tasks: [{ id: "a", type: "agent", agent: "clerk" }] });
    expect(await refusal(() => bed.t.deleteDefinition("agent", "clerk"))).toMatchObject({
      code: "DEFINITION_IN_USE",
      details: { workflows: ["one"] },
    });
    await bed.t.deleteDefinition("workflow", "one");
    await bed.t.deleteDefinition("agent", "clerk");
    expect(bed.t.definitionsOf("agent")).toEqual([]);
  });
});

test("what is wrong with a definition is told without taking it over", async () => {
  const bed = await openBed({ tools: [look] });
  expect(bed.t.problemsOf("workflow", { id: "one", ...workflow(1) })).toEqual([]);
  const problems = bed.t.problemsOf("workflow", { id: "one", tasks: [{ id: "a", type: "agnt" }] });
  expect(problems.some(({ severity, field }) => severity === "error" && field.startsWith("tasks.0"))).toBe(true);
  const [missing] = bed.t.problemsOf("workflow", { id: "one", tasks: [{ id: "a", type: "tool", tool: "lok" }] });
  expect(missing?.message).toContain("look");
  expect(bed.t.problemsOf("tool", { id: "x" })).not.toEqual([]);
  expect(ids(bed)).toEqual([]);
});
