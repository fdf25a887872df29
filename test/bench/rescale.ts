import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { preflight } from "../preflight.ts";
import { measureRescale, type Interruption, type RescalePair, type RescaleWay } from "./measure-rescale.ts";
import { summarize, type Summary } from "./statistics.ts";

/**
 * How long a rescale interrupts a job, beside the same steps done by a plain script on the same cluster in the same run. Figures are
 * reported, never a gate.
 */

const HELP = `npm run bench:rescale -- [options]

  --pairs N            pairs of one rescale each, half of them up and half down (20)
  --only A             savepoint or in-place; both by default
  --flink-version V    1.20.5 (the default) or 2.3.0; in place needs 1.18 or newer
  --output FORM        text (the default) or json, on the standard output; progress goes to the error output
  --help               this text

Best on a machine that does nothing else. Ctrl-C ends everything that was started.
`;

const WAYS: Readonly<Record<string, RescaleWay>> = { savepoint: "by savepoint", "in-place": "in place" };
/** The aim. */
const EXTRA_MS = 150;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

interface Measured {
  readonly way: RescaleWay;
  readonly pairs: readonly RescalePair[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "20" },
      only: { type: "string" },
      "flink-version": { type: "string", default: "1.20.5" },
      output: { type: "string", default: "text" },
      help: { type: "boolean" },
    },
  });
  const count = Number(values.pairs);
  const ways = values.only === undefined ? Object.values(WAYS) : [WAYS[values.only]];
  const isWrong = !Number.isInteger(count) || count < 1 || ways.includes(undefined) || !/^(?:text|json)$/.test(values.output);
  if (values.help === true || isWrong) {
    (isWrong ? process.stderr : process.stdout).write(HELP);
    return isWrong ? 2 : 0;
  }
  if (!(await preflight("all", say))) return 1;
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
  const options = { flinkVersion: values["flink-version"], nodeOptions: [], environment: {}, signal: stop.signal, say };
  try {
    const before = loadavg()[0]!; // always three numbers
    const measured: Measured[] = [];
    for (const way of ways) if (way !== undefined) measured.push({ way, pairs: await measureRescale(way, count, options) });
    say(`load average ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after`);
    process.stdout.write(
      values.output === "json" ? `${JSON.stringify(measured, undefined, 2)}\n` : format(measured, options.flinkVersion),
    );
    return 0;
  } catch (error) {
    const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
    say(`the bench ended: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
}

function format(measured: readonly Measured[], flinkVersion: string): string {
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? "processor"}, ${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const head = `${new Date().toISOString().slice(0, 10)}, ${machine}, Flink ${flinkVersion}, Node ${process.versions.node}`;
  return [head, ...measured.flatMap(formatWay), ""].join("\n");
}

function formatWay({ way, pairs }: Measured): readonly string[] {
  const plain = downOf(pairs, (pair) => pair.plain);
  const ours = downOf(pairs, (pair) => pair.penstock);
  const extraMs = ours.median - plain.median;
  const listed = (of: (pair: RescalePair) => Interruption): string =>
    summarize(pairs.map((pair) => of(pair).untilListedMs)).median.toFixed(0);
  return [
    "",
    `${way}, ${pairs.length} pairs: not all tasks running, median and the middle half`,
    `  plain script  ${spread(plain)}, of that ${listed((pair) => pair.plain)} ms until the next job is listed`,
    `  Penstock      ${spread(ours)}, of that ${listed((pair) => pair.penstock)} ms until the next job is listed`,
    `  difference    ${extraMs.toFixed(0)} ms, ${(ours.median / plain.median).toFixed(2)} ×; aim at most ${EXTRA_MS} ms: ${extraMs <= EXTRA_MS ? "met" : "MISSED"}`,
  ];
}

function downOf(pairs: readonly RescalePair[], of: (pair: RescalePair) => Interruption): Summary {
  return summarize(pairs.map((pair) => of(pair).downMs));
}

function spread({ lowerQuartile, median, upperQuartile }: Summary): string {
  return `${median.toFixed(0)} ms [${lowerQuartile.toFixed(0)}, ${upperQuartile.toFixed(0)}]`;
}

process.exitCode = await main();
