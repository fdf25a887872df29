import { defineConfig } from "vitest/config";

declare module "vitest" {
  interface ProvidedContext {
    /** `long`: a test that can do more (seeds, versions of Flink) does all that it can. */
    readonly extent: "short" | "long";
  }
}

/**
 * Four sets: `fast` needs only Node and Git; `flink` starts real clusters, so its files run one after another; `container` builds the
 * image, as root, and runs it; `long` is what takes more time
 * than anybody waits for: those of the other two that know the extent, with all their seeds and versions, and what stands in test/long. Nothing
 * here has state of a module or of the process, so the files of a worker share their modules, which halves the time of the fast ones.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**", "test/container/**", "test/long/**"],
          isolate: false,
          maxWorkers: 2, // they wait more than they compute, and on two cores one worker is what vitest takes by itself
          testTimeout: 60_000,
          provide: { extent: "short" },
        },
      },
      {
        test: {
          name: "flink",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 300_000,
          provide: { extent: "short" },
        },
      },
      {
        test: {
          name: "container",
          include: ["test/container/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 900_000,
          provide: { extent: "short" },
        },
      },
      {
        test: {
          name: "long",
          include: [
            "test/long/**/*.test.ts",
            "test/e2e/life.test.ts",
            "test/pass/random-walk.test.ts",
            "test/pass/two-walk.test.ts",
          ],
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
          provide: { extent: "long" },
        },
      },
    ],
  },
});
