// How the tests run: every core, and a time limit that only a hang can reach.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Threads start faster than processes, and no test changes anything that its process shares.
    pool: "threads",
    maxWorkers: "100%",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ["default"],
  },
});
