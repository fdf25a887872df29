import { styleText } from "node:util";
import { expect, it } from "vitest";
import { formatTable } from "../../src/cli/table.ts";

it.each([
  ["nothing", [], []],
  ["no row's cells", [[]], [""]],
  [
    "columns as wide as their widest cell, two spaces between them",
    [
      ["KIND", "NAME", "PHASE"],
      ["Artifact", "app", "Ready"],
      ["Job", "default/orders", "Pending"],
    ],
    ["KIND      NAME            PHASE", "Artifact  app             Ready", "Job       default/orders  Pending"],
  ],
  [
    "no spaces at the end of a line",
    [
      ["a", ""],
      ["bbb", "c"],
      ["d", "", ""],
    ],
    ["a", "bbb  c", "d"],
  ],
  [
    "rows of different length, the last cell of each as it is",
    [["a", "b"], ["a long one"], ["c", "d", "e"]],
    ["a           b", "a long one", "c           d  e"],
  ],
] as const)("formats %s", (_, rows, lines) => {
  expect(formatTable(rows)).toEqual(lines);
});

it("measures cells without their colour", () => {
  const green = styleText("green", "Ready", { validateStream: false });
  expect(
    formatTable([
      [green, "x"],
      ["Pending", "y"],
    ]),
  ).toEqual([`${green}    x`, "Pending  y"]);
});
