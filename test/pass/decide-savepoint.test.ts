import { expect, it } from "vitest";
import { decideSavepoint } from "../../src/pass/decide-savepoint.ts";
import { aDesiredSavepoint } from "./builders.ts";

it.each([
  [
    "says that nothing is done with it yet",
    {},
    undefined,
    "wait",
    "Savepoints are not yet acted on: none is taken, and no Job is stopped for it",
  ],
  [
    "leaves one whose record is unreadable",
    { recordProblem: "x.yaml:1:1 no" },
    undefined,
    "leave",
    "its record cannot be understood: x.yaml:1:1 no",
  ],
  [
    "leaves one whose manifest is broken",
    { declared: "broken" },
    undefined,
    "leave",
    "its manifest has problems, so nothing is done with it",
  ],
  [
    "forgets one whose manifest is gone",
    { declared: "absent" },
    undefined,
    "forget",
    "its manifest is gone and it was never acted on",
  ],
  ["keeps one whose manifest is gone while deletions are held", { declared: "absent" }, "held", "leave", "held"],
] as const)("%s", (_, savepoint, deletionsHeld, kind, because) => {
  expect(decideSavepoint(aDesiredSavepoint(savepoint), deletionsHeld)).toMatchObject({ kind, because });
});
