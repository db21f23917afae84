// The tests as mutation testing runs them: those of machines and protocol, with short searches, since each runs often.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/machines/**/*.test.ts", "test/protocol/**/*.test.ts"],
    // These read the source as text, or documents made from it, which mutants change without being wrong for it.
    exclude: ["test/protocol/documents.test.ts", "test/protocol/asyncapi.test.ts", "test/protocol/spelling.test.ts"],
    env: { TROUPE_RUNS: "25" },
    pool: "threads",
    testTimeout: 60_000,
  },
});
