import { resolve } from "node:path";
import { isPenstockError } from "../common/errors.ts";
import { createLog, type Log } from "../common/log.ts";
import { parseDurationMs } from "../common/units.ts";
import type { Config } from "../config/config.ts";
import { createConfigLoader } from "../config/load-config.ts";
import { runDaemon } from "../daemon/daemon.ts";
import { runReloading } from "../daemon/reload.ts";
import { describeJobs } from "../daemon/schedule.ts";
import { newWriter } from "../git/status-branch.ts";
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
  const load = createConfigLoader(resolve(io.folder, options.config), io.environment);
  const first = await readConfig(io, options.config, load);
  if (first === undefined) return 2;
  const logOf = ({ config }: { readonly config: Config }): Log =>
    createLog({ level: config.log.level, people: io.stderr.isTTY === true, stream: io.stderr });
  const { config } = first;
  const log = logOf(first);
  const writer = newWriter();
  log.info({ instance: config.instance, branch: config.repository.branch, once: options.once, writer }, "penstock starts");
  const common = { clock: io.clock, stop: io.stop, writer };
  if (!options.once) {
    const listened = await explainPort(io, runReloading({ ...common, first, load, createLog: logOf }));
    log.info("penstock ends");
    return listened ? 0 : 2;
  }
  const end = await runDaemon({ ...common, config, log, once: { timeoutMs } });
  log.info("penstock ends");
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

/** False after it was said why the daemon cannot listen: that is a matter of the configuration, and no fault of ours. */
async function explainPort(io: Io, daemon: Promise<unknown>): Promise<boolean> {
  try {
    await daemon;
    return true;
  } catch (error) {
    if (!isPenstockError(error) || error.code !== "server-cannot-listen") throw error;
    printLine(io.stderr, paint(io, io.stderr, "red", error.message));
    return false;
  }
}
