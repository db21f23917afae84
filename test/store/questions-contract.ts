// What every store must answer: the part of the contract about rows, records, keys and who lives.

import { describe, expect, test } from "vitest";
import type { Query, Store } from "../../src/store/store.ts";
import { type Plan, plan, rowOf, type Script } from "./units.ts";

/** What the suite made for the present test. */
export type Stage = {
  bed(): { open(): Store };
  script(): Script;
  appendAll(store: Store, script: Script, ...plans: readonly Plan[]): Promise<void>;
};

export function questionsContract(stage: Stage): void {
  describe("answers", () => {
    const many = (): Plan[] =>
      ["run-1", "run-2", "run-3", "run-4", "run-5"].map((run, index) =>
        plan({
          run,
          state: index === 1 ? "ended" : "waiting",
          rows: ["a", "b", "c"].map((each) => ({ name: each, status: index % 2 === 0 ? "RUNNING" : "SUCCESS" })),
        }),
      );

    test("G8: rows are as the newest unit left them", async () => {
      const store = stage.bed().open();
      await stage.appendAll(store, stage.script(), plan(), plan({ rows: [{ name: "a", status: "SUCCESS" }] }));
      expect(store.row("run-1-a")).toEqual(rowOf("run-1", "a", "SUCCESS", 2));
      expect(store.rowsOf("run-1")).toEqual([store.row("run-1-a")]);
      expect(await store.count({}, "status")).toEqual({ SUCCESS: 1 });
      expect(store.row("run-9-a")).toBeUndefined();
      await store.close();
    });

    // What each question must find, by the names of the rows.
    const questions: readonly (readonly [Omit<Query, "limit">, (row: ReturnType<typeof rowOf>) => boolean])[] = [
      [{}, () => true],
      [{ entity: "task" }, (row) => row.entity === "task"],
      [{ id: "definition-b" }, (row) => row.id === "definition-b"],
      [{ status: ["SUCCESS"] }, (row) => row.status === "SUCCESS"],
      [{ status: ["SUCCESS", "RUNNING", "SUCCESS"] }, () => true],
      [{ status: [] }, () => false],
      [{ status: ["RUNNING"], id: "definition-c" }, (row) => row.status === "RUNNING" && row.id === "definition-c"],
      [{ run: "run-2" }, (row) => row.run === "run-2"],
      [{ run: "run-2", parent: "run-3-a" }, () => false],
      [{ parent: "run-3-a" }, (row) => row.parent === "run-3-a"],
      [{ errorCode: "TASK_FAILED" }, (row) => row.errorCode === "TASK_FAILED"],
      [{ correlationId: "correlation-run-4" }, (row) => row.run === "run-4"],
      [{ text: "äRGER MIT B" }, (row) => row.text.endsWith("b")],
      [{ text: "100%_" }, () => false],
      [{ labels: { 'team "x"': "blue", tier: "1" } }, (row) => row.labels !== null],
      [{ labels: { tier: "2" } }, () => false],
      [{ createdFrom: 1_051, createdUntil: 1_053 }, (row) => row.createdAt >= 1_051 && row.createdAt < 1_053],
    ];

    test.each(questions)(
      "G8: what fits %j is found on pages of any size, both ways, and counted",
      async (query, fits) => {
        const store = stage.bed().open();
        await stage.appendAll(store, stage.script(), ...many());
        const expected = stage.script().expected().rows.filter(fits);
        for (const order of ["oldest", "newest"] as const) {
          const ordered = order === "oldest" ? expected : [...expected].reverse();
          for (const limit of [1, 2, 100]) {
            const found: string[] = [];
            let after: string | null = null;
            do {
              const page = await store.find({ ...query, order, limit, ...(after !== null && { after }) });
              found.push(...page.rows.map(({ execId }) => execId));
              after = page.cursor;
            } while (after !== null);
            expect(found).toEqual(ordered.map(({ execId }) => execId));
          }
        }
        const counts = Object.entries(Object.groupBy(expected, ({ id }) => id)).map(([id, rows]) => [id, rows?.length]);
        expect(await store.count(query, "id")).toEqual(Object.fromEntries(counts));
        await store.close();
      },
    );

    test("a cursor that no page gave is refused", async () => {
      const store = stage.bed().open();
      await stage.appendAll(store, stage.script(), plan());
      await expect(store.find({ after: "nonsense", limit: 1 })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
      expect((await store.find({ limit: 1 })).rows).toHaveLength(1);
      await store.close();
    });

    test("records are read from any place, of one run or of all", async () => {
      const store = stage.bed().open();
      const plans = Array.from({ length: 40 }, (_, index) => plan({ run: `run-${index % 3}`, lines: index % 4 }));
      await stage.appendAll(store, stage.script(), ...plans);
      const all = stage.script().expected().records;
      expect(await store.read({ limit: 7 })).toEqual(all.slice(0, 7));
      const chars = (count: number): number => all.slice(0, count).reduce((sum, { body }) => sum + body.length, 0);
      for (const [charsMax, count] of [
        [1, 1],
        [chars(3), 3],
        [chars(3) + 1, 4],
        [Infinity, 7],
      ] as const) {
        expect(await store.read({ limit: 7, charsMax }), `${charsMax}`).toEqual(all.slice(0, count));
      }
      expect(await store.read({ run: "run-1", afterSeq: 5, limit: 4 })).toEqual(
        all.filter(({ run, seq }) => run === "run-1" && seq > 5).slice(0, 4),
      );
      for (let fromLine = 0; fromLine <= stage.script().line + 1; fromLine += 1) {
        const expected = all.filter(({ line, lines }) => line + lines > fromLine).slice(0, 3);
        expect(await store.read({ fromLine, limit: 3 }), `line ${fromLine}`).toEqual(expected);
      }
      await store.close();
    });

    test("who lives is told by due time, those who wait for nothing last", async () => {
      const store = stage.bed().open();
      await stage.appendAll(
        store,
        stage.script(),
        plan({ run: "busy", state: "busy" }),
        ...many(),
        plan({ run: "odd", state: "parked" }),
      );
      const live = [...store.live()];
      expect(live.map(({ run }) => run)).toEqual(["run-5", "run-4", "run-3", "run-1", "busy", "odd"]);
      expect(live[0]).toEqual({ run: "run-5", state: "waiting", dueAt: 8_994, at: 1_006 });
      await store.close();
    });

    test("a key is told until it expires", async () => {
      const store = stage.bed().open();
      await stage.appendAll(store, stage.script(), plan());
      const key = { key: "key-run-1", execId: "run-1", fingerprint: "1", expiresAt: 50_000 };
      expect(store.key("key-run-1", 49_999)).toEqual(key);
      expect(store.key("key-run-1", 50_000)).toBeUndefined();
      expect(store.key("key-run-2", 0)).toBeUndefined();
      await store.close();
    });
  });
}
