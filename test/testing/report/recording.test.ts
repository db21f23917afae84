// Goal: a played run is a file that any troupe opens, and a page in a browser steps through it like through a real run.
// Method: plays of every shape are imported by a real troupe; one is opened in a real browser from its file.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { WorkflowSpec } from "../../../src/language/spec.ts";
import type { Bundle } from "../../../src/runtime/bundle-format.ts";
import { troupe } from "../../../src/runtime/troupe.ts";
import { openMemory } from "../../../src/store/memory.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { play } from "../../../src/testing/check/play.ts";
import type { Trial } from "../../../src/testing/check/trial.ts";
import { recordingOf } from "../../../src/testing/report/recording.ts";
import { inBrowser } from "../../kit/browser.ts";
import { openHouse } from "../../kit/house.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-recording-"));
afterAll(() => rmSync(folder, { recursive: true }));

const agent = { type: "agent", agent: "worker" } as const;
const workflows: WorkflowSpec[] = [
  {
    id: "order",
    tasks: [
      { ...agent, id: "charge", retry: { max_attempts: 2 }, undo: [{ ...agent, id: "refund" }], next: "pack" },
      { id: "pack", type: "workflow", workflow: "packing", next: "ship" },
      { ...agent, id: "ship" },
    ],
  },
  {
    id: "packing",
    tasks: [
      { ...agent, id: "box", next: "seal" },
      { ...agent, id: "seal" },
    ],
  },
];
const output = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] } as const;
const company = prepareCast({ workflows, agents: [{ id: "worker", output }] });
const plain: Trial = { workflow: "order", seed: 3, input: {}, calls: {}, disturbances: [] };
const broken = { do: "fails", code: "BROKEN" } as const;

const trials: Readonly<Record<string, Partial<Trial>>> = {
  plain: {},
  "with a retry and an undo": { calls: { charge: broken, ship: broken } },
  "with a failure in the child": { calls: { "pack/seal": broken } },
  "with a crash": { disturbances: [{ append: 4, do: "crash", kept: true, downMs: 1_000 }] },
  canceled: { disturbances: [{ append: 3, do: "cancel" }] },
};

const recorded = async (trial: Partial<Trial>): Promise<{ bundle: Bundle; run: string; status: string }> => {
  const played = await play(company, { ...plain, ...trial });
  const bundle = JSON.parse(JSON.stringify(await recordingOf(played, company))) as Bundle;
  return { bundle, run: played.run, status: played.status };
};

describe("a recording", () => {
  test.each(Object.entries(trials))(
    "of a run, %s, is imported, told the same, and can be stepped through",
    async (_what, trial) => {
      const { bundle, run, status } = await recorded(trial);
      const t = await troupe({
        store: openMemory(),
        agents: [{ id: "worker", handler: () => ({ ok: true }) }],
        workflows: [],
      });
      try {
        expect(await t.importRun(bundle)).toMatchObject({ execId: run, isReplayable: true, isDuplicate: false });
        expect(t.get(run)).toMatchObject({ id: "order", status, imported: true });
        expect((await t.steps(run)).steps.length).toBeGreaterThan(5);
      } finally {
        await t.stop({ graceMs: 0 });
      }
    },
  );

  test("of the same trial is the same file", async () => {
    expect((await recorded({})).bundle).toEqual((await recorded({})).bundle);
  });

  inBrowser("opens in the pages from its file, and is stepped through", async ({ open }) => {
    const house = await openHouse();
    try {
      const { bundle } = await recorded(trials["with a retry and an undo"] ?? {});
      const file = join(folder, "finding.json");
      writeFileSync(file, JSON.stringify(bundle));
      const page = await open(`${house.url}/open`);
      await page.locator("input[type=file]").setInputFiles(file);
      const standing = (task: string, face: string) =>
        page.locator(`.execution-canvas [data-task="${task}"][data-face="${face}"]`).first().waitFor();
      await standing("ship", "failed");
      await page.keyboard.press("Home");
      await standing("ship", "idle");
      await page.keyboard.press("End");
      await standing("charge", "success");
    } finally {
      await house.close();
    }
  });
});
