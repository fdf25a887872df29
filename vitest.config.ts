import { defineConfig } from "vitest/config";

/** Two sets: `fast` needs only Node and Git; `flink` starts real clusters, so its files run one after another. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "fast", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**", "test/bench/**"], testTimeout: 60_000 } },
      {
        test: {
          name: "flink",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
