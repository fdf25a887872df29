import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { GENERATED_FILES } from "./support/generated-files.ts";

it.each(GENERATED_FILES)("$path is what the sources make of it", ({ path, content }) => {
  const file = readFileSync(join(import.meta.dirname, "..", path), "utf8");
  expect(file === content(), `${path} is not what the sources say; run: npm run generate`).toBe(true);
});
