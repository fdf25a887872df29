import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { preflight } from "../preflight.ts";
import type { BenchOptions } from "./bench-world.ts";
import { measureIdle } from "./measure-idle.ts";
import { measurePairs } from "./measure-pairs.ts";
import { measureWebhooks } from "./measure-webhooks.ts";
import { measureTwenty } from "./measure-twenty.ts";
import { formatMarkdown, formatText, type Results } from "./report.ts";

/**
 * How long it takes from a commit to running tasks, beside a plain script on the same cluster, and what an idle daemon costs. On real
 * Flink, real Git over HTTP, and Penstock as a process of its own. Figures are reported, never a gate.
 */

const HELP = `npm run bench -- [options]

  --pairs N            pairs of one new job each (30)
  --rounds N           rounds of twenty new jobs (3)
  --webhooks N         webhooks, each for one new job (30)
  --idle-seconds N     how long to look at an idle daemon, twice (60)
  --only A,B           of pairs, twenty, webhooks and idle; all by default
  --without-server     daemons without their HTTP server, and so without webhooks
  --flink-version V    1.16.3 (the default), 1.20.5 or 2.3.0
  --output FORM        text (the default), json or markdown, on the standard output; progress goes to the error output
  --node-option O      for the daemon's node, as often as needed: --cpu-prof, --cpu-prof-dir=…
  --help               this text

Best on a machine that does nothing else. Ctrl-C ends everything that was started.
`;

const FORMATS = {
  text: formatText,
  markdown: formatMarkdown,
  json: (results: Results) => JSON.stringify(results, undefined, 2),
};
const SECTIONS = ["pairs", "twenty", "webhooks", "idle"] as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "30" },
      rounds: { type: "string", default: "3" },
      webhooks: { type: "string", default: "30" },
      "idle-seconds": { type: "string", default: "60" },
      "without-server": { type: "boolean", default: false },
      only: { type: "string", default: SECTIONS.join(",") },
      "flink-version": { type: "string", default: "1.16.3" },
      output: { type: "string", default: "text" },
      "node-option": { type: "string", multiple: true, default: [] },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const format = Object.entries(FORMATS).find(([name]) => name === values.output)?.[1];
  const only = values.only.split(",");
  const counts = [values.pairs, values.rounds, values["idle-seconds"], values.webhooks].map(Number);
  const isWrong = counts.some((count) => !Number.isInteger(count) || count < 1) || only.some((name) => !isSection(name));
  if (format === undefined || isWrong) {
    process.stderr.write(HELP);
    return 2;
  }
  if (!(await preflight("all", say, "programs"))) return 1;
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
  const environment: Readonly<Record<string, string>> = values["without-server"] ? { PENSTOCK__SERVER__ENABLED: "false" } : {};
  const options = {
    flinkVersion: values["flink-version"],
    nodeOptions: values["node-option"],
    environment,
    signal: stop.signal,
    say,
  };
  try {
    const results = await measure(options, new Set(only), counts as [number, number, number, number]);
    process.stdout.write(`${format(results)}\n`);
    return 0;
  } catch (error) {
    const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
    say(`the bench ended: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
}

async function measure(
  options: BenchOptions,
  only: ReadonlySet<string>,
  [pairs, rounds, idleSeconds, webhooks]: readonly [number, number, number, number],
): Promise<Results> {
  const startedAt = new Date().toISOString();
  const before = loadavg()[0]!; // always three numbers
  return {
    pairs: only.has("pairs") ? await measurePairs(pairs, options) : [],
    twenty: only.has("twenty") ? await measureTwenty(rounds, options) : [],
    webhooks:
      only.has("webhooks") && options.environment["PENSTOCK__SERVER__ENABLED"] === undefined
        ? await measureWebhooks(webhooks, options)
        : [],
    idle: only.has("idle") ? await measureIdle(idleSeconds, options) : [],
    startedAt,
    command: ["npm run bench", ...(process.argv.length > 2 ? ["--"] : []), ...process.argv.slice(2)].join(" "),
    machine: `${availableParallelism()} × ${cpus()[0]?.model ?? "processor"}, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
    versions: { Flink: options.flinkVersion, Node: process.versions.node, Penstock: commit() },
    load: { before, after: loadavg()[0]! },
  };
}

/** What is measured; with a + when files were changed since. */
function commit(): string {
  return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", "../../src") === "" ? "" : "+"}`;
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
}

function isSection(name: string): boolean {
  return SECTIONS.some((section) => section === name);
}

process.exitCode = await main();
