import { createLog } from "../common/log.ts";
import { parseDurationMs } from "../common/units.ts";
import { runDaemon } from "../daemon/daemon.ts";
import { describeJobs } from "../daemon/schedule.ts";
import { paint, printLine, type ExitStatus, type Io } from "./io.ts";
import { readConfig } from "./read-config.ts";

export interface RunOptions {
  readonly config: string;
  readonly once: boolean;
  readonly timeout: string;
}

/** The daemon. Logs go to the error output, JSON lines unless it is a terminal; what `--once` found goes to the standard output. */
export async function run(io: Io, options: RunOptions): Promise<ExitStatus> {
  const timeoutMs = parseDurationMs(options.timeout);
  if (timeoutMs === undefined) {
    printLine(io.stderr, `--timeout must be a duration like 90s or 10m, found "${options.timeout}"`);
    return 2;
  }
  const config = await readConfig(io, options.config);
  if (config === undefined) return 2;
  const log = createLog({ level: config.log.level, people: io.stderr.isTTY === true, stream: io.stderr });
  log.info({ instance: config.instance, branch: config.repository.branch, once: options.once }, "penstock starts");
  const end = await runDaemon({ config, clock: io.clock, log, stop: io.stop, ...(options.once ? { once: { timeoutMs } } : {}) });
  log.info("penstock ends");
  if (!options.once) return 0;
  for (const line of end.trouble) printLine(io.stdout, line);
  const sum = end.lastPass?.kind === "done" ? describeJobs(end.lastPass) : "nothing was decided";
  printLine(
    io.stdout,
    end.trouble.length === 0
      ? paint(io, io.stdout, "green", sum)
      : paint(io, io.stdout, "red", `${sum}; ${end.trouble.length} to look after`),
  );
  return end.trouble.length === 0 ? 0 : 1;
}
