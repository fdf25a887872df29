import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const HEADING = "## What users of other systems live with";

/** What the last cell of a row names: `scenarios/field` "text of a test", "of another". */
function shownBy(row: string): readonly (readonly [file: string, text: string])[] {
  const cell = row.split("|").at(-2)!;
  return cell.split(/(?=`)(?<=[ ,])/).flatMap((part) => {
    const file = /`([^`]+)`/.exec(part)?.[1];
    return [...part.matchAll(/"([^"]+)"/g)].map((match) => [file ?? "", match[1]!] as const);
  });
}

describe("the README's table of what users of other systems live with", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const section = readme.slice(readme.indexOf(HEADING)).split("\n## ")[0]!;
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && !/^\| (?:elsewhere|---)/.test(line));

  it("has a row for each of the seven that were measured, and more", () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows.map((row) => [row.split("|")[1]!.trim(), row]))("names tests that exist: %s", async (_, row) => {
    const named = shownBy(row);
    expect(named).not.toEqual([]);
    for (const [file, text] of named) {
      const tests = await readFile(join(ROOT, `test/${file}.test.ts`), "utf8");
      const names = [...tests.matchAll(/(?:it|describe|each|walkEach)\b[^\n]*?"([^"\n]+)"/gi)].map((match) => match[1]!);
      expect(
        names.some((name) => name.includes(text)),
        `${file}.test.ts has a test with "${text}"`,
      ).toBe(true);
    }
  });
});
