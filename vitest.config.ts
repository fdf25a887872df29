import { defineConfig } from "vitest/config";

/**
 * Two sets: `fast` needs only Node and Git; `flink` starts real clusters, so its files run one after another. Nothing here has state of a module
 * or of the process, so the files of a worker share their modules, which halves the time of the fast ones.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**"],
          isolate: false,
          testTimeout: 60_000,
        },
      },
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
