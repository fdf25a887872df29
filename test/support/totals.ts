/** What came of the checks so far; `remarks` says what the numbers alone do not. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly remarks: readonly string[];
}

/** The part of vitest's JSON report (Jest's format) that is counted. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** A command without a report counts as one check. */
export function totalsOfCommand(exitStatus: number): Totals {
  return exitStatus === 0 ? { passed: 1, failed: 0, remarks: [] } : { passed: 0, failed: 1, remarks: [] };
}

/**
 * Counts a vitest run. A skipped test counts as failed, since it proves nothing; so does a file that could not be loaded, and a run
 * that failed although each of its tests passed (an unhandled error) or that left no readable report (`undefined`).
 */
export function totalsOfReport(text: string | undefined, exitStatus: number): Totals {
  const report = text === undefined ? undefined : (JSON.parse(text) as Report); // vitest's own file, written a moment ago
  if (report === undefined) return { passed: 0, failed: 1, remarks: ["the run left no report"] };
  const skipped = report.numPendingTests + report.numTodoTests;
  const unloaded = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const remarks = unloaded.map((file) => `could not be run: ${file.name}`);
  if (skipped > 0) remarks.push(`${skipped} skipped, counted as failed`);
  const failed = report.numFailedTests + skipped + unloaded.length;
  if (failed > 0 || exitStatus === 0) return { passed: report.numPassedTests, failed, remarks };
  return { passed: report.numPassedTests, failed: 1, remarks: ["each test passed, but the run failed: see its errors above"] };
}

export function sumTotals(all: readonly Totals[]): Totals {
  let [passed, failed] = [0, 0];
  for (const totals of all) {
    passed += totals.passed;
    failed += totals.failed;
  }
  return { passed, failed, remarks: all.flatMap((totals) => totals.remarks) };
}

export function formatTotals(totals: Totals): string {
  return `${totals.passed} passed, ${totals.failed} failed`;
}
