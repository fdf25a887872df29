import { parseArgs } from "node:util";
import { runSoak } from "./run-soak.ts";
import { formatSoak } from "./format-soak.ts";

const HELP = `npm run bench:soak -- [options]

One daemon on two fake clusters and a real Git server through pushes and faults without a pause, held against what it promises.

  --rounds N   pushes and faults in all (2000, which takes about a quarter of an hour; at least 75)
  --seed N     plays the same ones again (1)
  --help       this text

Ctrl-C ends everything that was started.
`;

/** Three rests, or there is nothing to compare. */
const FEWEST = 75;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "2000" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean" },
    },
  });
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
  const isWrong = !Number.isInteger(rounds) || rounds < FEWEST || !Number.isInteger(seed);
  if (values.help === true || isWrong) {
    (isWrong ? process.stderr : process.stdout).write(HELP);
    return isWrong ? 2 : 0;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
  try {
    const result = await runSoak({ rounds, seed, signal: stop.signal, say });
    process.stdout.write(`${formatSoak(result)}\n`);
    return result.violations.length === 0 ? 0 : 1;
  } catch (error) {
    const cause: unknown = stop.signal.aborted ? stop.signal.reason : error;
    say(`the soak ended: ${cause instanceof Error ? cause.message : String(cause)}`);
    return 1;
  }
}

process.exitCode = await main();
