// Adapter of Mastra with its LibSQL store in a local file: runs are started and awaited in this process.

import { join } from "node:path";
import { Mastra } from "@mastra/core";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { LibSQLStore } from "@mastra/libsql";
import { z } from "zod";

const given = z.object({ n: z.number() });
const step = (id) =>
  createStep({ id, inputSchema: given, outputSchema: given, execute: async ({ inputData }) => ({ n: inputData.n }) });
const workflow = (id, outputSchema = given) => createWorkflow({ id, inputSchema: given, outputSchema });
let mastra;

export const adapter = {
  fsync: "no: libSQL in WAL mode, synchronous=NORMAL; survives kill -9, not a power failure",
  note: "a snapshot of the whole run is replaced after each step; recovery has to be asked for",
  start(folder) {
    const W1 = workflow("W1").then(step("a")).commit();
    const W3 = workflow("W3").then(step("a")).then(step("b")).then(step("c")).commit();
    const steps = Array.from({ length: 100 }, (_, n) => step(`s${n}`));
    const FAN = workflow("FAN", z.any()).parallel(steps).commit();
    const storage = new LibSQLStore({ id: "store", url: `file:${join(folder, "mastra.db")}` });
    mastra = new Mastra({ workflows: { W1, W3, FAN }, storage, logger: false });
  },
  async run(kind, n) {
    const run = await mastra.getWorkflow(kind).createRun();
    const { status } = await run.start({ inputData: { n } });
    if (status !== "success") throw new Error(`${kind} ended as ${status}`);
  },
  stop() {},
};
