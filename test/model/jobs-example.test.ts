import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { formatProblem } from "../../src/common/problem.ts";
import { parseManifests } from "../../src/model/parse-manifests.ts";

const folder = join(import.meta.dirname, "../../jobs-example");

it("jobs-example is always valid", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.ya?ml$/.test(path))
    .map((path) => ({ path, blob: path, content: readFileSync(join(folder, path)) }));
  const { manifests, problems } = parseManifests(files);
  expect(problems.map(formatProblem)).toEqual([]);
  expect(manifests.map(({ id }) => `${id.kind} ${id.name}`)).toEqual([
    "Artifact counter-v1",
    "Artifact top-speed-windowing-v1",
    "Job counter-v1",
    "Job top-speed-windowing-v1",
  ]);
});
