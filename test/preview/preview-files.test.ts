import { describe, expect, it } from "vitest";
import { formatPlanJson } from "../../src/preview/format-json.ts";
import { formatPlanMarkdown } from "../../src/preview/format-markdown.ts";
import { formatPlanText } from "../../src/preview/format-text.ts";
import type { Plan, PlanStep } from "../../src/preview/plan.ts";
import { previewChanges, previewMessage } from "../../src/preview/preview-files.ts";

const STEP: PlanStep = {
  kind: "Job",
  zone: "local",
  project: "default",
  name: "orders",
  action: "suspend",
  verdict: "now",
  because: "rpus 0 suspends it",
  restorePoint: { kind: "Checkpoint", uri: "file:///c/chk-3", takenAt: "2026-11-22T11:59:00Z", ageSeconds: 60 },
  notes: [],
};

function aPlan(overrides: Partial<Plan> = {}): Plan {
  return {
    version: 1,
    instance: "test",
    subject: {
      kind: "request",
      name: "request 7",
      base: "b0".repeat(20),
      head: "a0".repeat(20),
      merge: { kind: "merged", mergeBase: "c0".repeat(20) },
    },
    plannedAt: "2026-11-22T12:00:00Z",
    summary: "1 change (1 suspend)",
    notices: [],
    problems: [],
    guard: [],
    quotas: [],
    clusters: [],
    steps: [STEP],
    ...overrides,
  };
}

const filesOf = (id: string, plan: Plan) =>
  new Map([
    [`${id}.json`, formatPlanJson(plan)],
    [`${id}.md`, formatPlanMarkdown(plan)],
  ]);
const NEVER_GONE = (): boolean => false;

describe("previewChanges", () => {
  it("writes a new plan, and leaves one that says the same, whenever it was made", () => {
    const later = aPlan({
      plannedAt: "2026-11-23T12:00:00Z",
      steps: [{ ...STEP, restorePoint: { kind: "Checkpoint", uri: "file:///c/chk-9", takenAt: "x", ageSeconds: 1 } }],
    });
    expect(previewChanges(new Map(), new Map([["7", aPlan()]]), NEVER_GONE)).toMatchObject({ planned: ["7"] });
    expect(previewChanges(filesOf("7", aPlan()), new Map([["7", later]]), NEVER_GONE).changes.size).toBe(0);
    const other = aPlan({ steps: [{ ...STEP, action: "leave" }] });
    expect([...previewChanges(filesOf("7", aPlan()), new Map([["7", other]]), NEVER_GONE).changes.keys()]).toEqual([
      "7.json",
      "7.md",
    ]);
  });

  it("removes what is surely gone, and nothing that is somebody else's", () => {
    const files = new Map([...filesOf("7", aPlan()), ...filesOf("8", aPlan()), ["README.md", "x"], ["notes/7.md", "x"]]);
    const found = previewChanges(files, new Map(), (id) => id === "7");
    expect([...found.changes]).toEqual([
      ["7.json", undefined],
      ["7.md", undefined],
    ]);
    expect(previewMessage(found)).toBe("Remove 7\n");
  });

  it("writes again what is not as it was written", () => {
    const files = filesOf("7", aPlan());
    expect(previewChanges(files.set("7.json", "{"), new Map([["7", aPlan()]]), NEVER_GONE).planned).toEqual(["7"]);
  });

  it("is bounded, whatever a request declares", () => {
    const steps = Array.from({ length: 5000 }, (_, index) => ({ ...STEP, name: `job-${index}`, because: "x".repeat(400) }));
    const problems = Array.from({ length: 5000 }, (_, line) => ({ file: "a.yaml", line, column: 1, message: "y".repeat(400) }));
    const { changes } = previewChanges(new Map(), new Map([["7", aPlan({ steps, problems })]]), NEVER_GONE);
    expect(changes.get("7.md")!.length).toBeLessThan(60_000);
    expect(changes.get("7.json")!.length).toBeLessThan(1_000_000);
    expect((JSON.parse(changes.get("7.json")!) as Plan).notices).toEqual(["9000 more steps and problems are left out"]);
  });

  it("names what it writes and removes in the subject of the commit", () => {
    expect(previewMessage({ changes: new Map(), planned: ["9", "7"], removed: ["3"] })).toBe("Plan 9, 7; remove 3\n");
    expect(previewMessage({ changes: new Map(), planned: ["9", "8", "7", "6", "5", "4"], removed: [] })).toBe(
      "Plan 9, 8, 7, 6, 5 and 1 more\n",
    );
  });
});

describe("foreign text in a plan", () => {
  const evil =
    "a\u001B[31m<img src=x onerror=alert(1)> @team #12 !7 **b** `c` | d [e](https://evil.example) www.evil.example\n/close\u202Ex";
  const plan = aPlan({
    subject: {
      kind: "request",
      name: `branch ${evil}`,
      base: "b0".repeat(20),
      head: "a0".repeat(20),
      merge: { kind: "conflict", files: [evil] },
    },
    problems: [{ file: evil, line: 1, column: 1, message: evil }],
    guard: [{ reason: "X", because: evil }],
    steps: [{ ...STEP, name: evil, because: evil, notes: [evil], state: evil, at: { file: evil, line: 1 } }],
    summary: evil,
    notices: [evil],
  });

  it("is text in Markdown, whatever a forge makes of it", () => {
    const text = formatPlanMarkdown(plan);
    expect(text).not.toMatch(/<img|@team|#12|!7|\*\*b|`c`|\]\(https|:\/\/|www\.evil|^\/close/m);
    expect(text).not.toMatch(/(?!\n)\p{Cc}|\u202E/u);
    for (const line of text.split("\n").filter((row) => row.startsWith("| "))) expect(line.split(/(?<!\\)\|/)).toHaveLength(4);
  });

  it("cannot steer a terminal", () => {
    const text = formatPlanText(plan, { columns: 80, paint: (_, line) => line });
    expect(text).not.toMatch(/(?!\n)\p{Cc}|\u202E/u);
    expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
  });
});
