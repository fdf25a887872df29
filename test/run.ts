import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { preflight } from "./preflight.ts";
import { formatTotals, sumTotals, type Totals, totalsOfCommand, totalsOfReport } from "./support/totals.ts";

/**
 * `npm test`, with `--container` the container as well, for which it has to be root; with `--only fast` `npm run test:fast`, with `--only
 * long` `npm run test:long`: looks first whether the machine has what it
 * takes, then runs the stages, all of them also after a failed one, so that one look shows everything. Nothing is skipped for want of a tool. The last line is
 * `N passed, N failed`; where `TEST_TOTALS_FILE` names a file, it goes there instead.
 */
interface Stage {
  /** A script of package.json, which alone says what the stage does. */
  readonly script: string;
  readonly kind: "command" | "vitest";
}

const FAST: readonly Stage[] = [
  { script: "types", kind: "command" },
  { script: "lint", kind: "command" },
  { script: "format:check", kind: "command" },
  { script: "test:unit", kind: "vitest" },
];
const ALL: readonly Stage[] = [...FAST, { script: "test:flink", kind: "vitest" }];
const STAGES: Readonly<Record<"all" | "container" | "fast" | "long", readonly Stage[]>> = {
  all: ALL,
  container: [...ALL, { script: "test:container", kind: "vitest" }],
  fast: FAST,
  long: [{ script: "test:endurance", kind: "vitest" }],
};

const { values } = parseArgs({ options: { only: { type: "string" }, container: { type: "boolean", default: false } } });
const only = values.only ?? (values.container ? "container" : "all");
if (only !== "all" && only !== "container" && only !== "fast" && only !== "long")
  throw new Error(`--only knows "fast" and "long", not "${only}"`);

const leaving = new AbortController();
// The terminal interrupts the stage under way as well: it ends by itself, no other one starts, and the reports are removed.
process.once("SIGINT", () => leaving.abort());

const ready = await preflight(only === "long" ? "all" : only, (line) => console.log(line));
const totals = ready ? await runStages(STAGES[only]) : totalsOfCommand(1);
const totalsFile = process.env["TEST_TOTALS_FILE"];
if (totalsFile === undefined || totalsFile === "") console.log(formatTotals(totals));
else await writeFile(totalsFile, `${formatTotals(totals)}\n`);
if (totals.failed > 0) process.exitCode = 1;

async function runStages(stages: readonly Stage[]): Promise<Totals> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-reports-"));
  try {
    const results: { readonly script: string; readonly totals: Totals }[] = [];
    for (const stage of stages) {
      if (leaving.signal.aborted) break;
      console.log(`\n── npm run ${stage.script}`);
      results.push({ script: stage.script, totals: await runStage(stage, join(folder, `${results.length}.json`)) });
    }
    console.log("");
    for (const result of results) {
      console.log([`${result.script}: ${formatTotals(result.totals)}`, ...result.totals.remarks].join("; "));
    }
    return sumTotals(results.map((result) => result.totals));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runStage({ script, kind }: Stage, reportFile: string): Promise<Totals> {
  const reporters = kind === "command" ? [] : ["--", "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const child = spawn("npm", ["run", "--silent", script, ...reporters], { stdio: "inherit" });
  const [status] = (await once(child, "exit")) as [number | null];
  const exitStatus = status ?? 1; // ended by a signal
  if (kind === "command") return totalsOfCommand(exitStatus);
  // Not readable: vitest died before it wrote one, and that is what the totals say then.
  return totalsOfReport(await readFile(reportFile, "utf8").catch(() => undefined), exitStatus);
}
