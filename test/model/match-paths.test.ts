import { expect, it } from "vitest";
import { matchesPaths } from "../../src/model/match-paths.ts";

it.each([
  ["orders.yaml", ["**/*.yaml"], true],
  ["a/b/orders.yml", ["**/*.yaml", "**/*.yml"], true],
  ["a/orders.json", ["**/*.yaml"], false],
  ["a/orders.yaml", ["*.yaml"], false],
  ["jobs/orders.yaml", ["jobs/**"], true],
  ["jobs/orders.yaml", ["./jobs/*.yaml"], true],
  ["jobs/orders.yaml", ["/jobs/*.yaml"], true],
  ["jobs/orders.yaml", ["jobs/*.{yml,yaml}"], true],
  [".github/workflows/ci.yaml", ["**/*.yaml"], false],
  [".github/workflows/ci.yaml", [".github/**"], true],
  ["a/[x] y\n.yaml", ["**/*.yaml"], true],
  ["a.yaml", [], false],
])("%j among %j: %s", (path, patterns, expected) => {
  expect(matchesPaths(path, patterns)).toBe(expected);
});
