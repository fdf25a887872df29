import { isPenstockError } from "../common/errors.ts";
import { Redactor } from "../common/redactor.ts";
import { formatProblem } from "../common/problem.ts";
import type { Log } from "../common/log.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { FileWatch } from "./file-watch.ts";
import { runDaemon, type DaemonEnd, type DaemonOptions } from "./daemon.ts";
import { Wake } from "./wake.ts";

type Loaded = LoadedConfig & { readonly kind: "loaded" };

export interface ReloadOptions extends Omit<DaemonOptions, "config" | "log" | "once"> {
  readonly first: Loaded;
  readonly load: (signal: AbortSignal) => Promise<LoadedConfig>;
  /** The configuration says how much is logged. */
  readonly createLog: (loaded: Loaded) => Log;
}

/** Some file systems report no changes; then they are found by looking. */
const LOOK_MS = 60_000;

/**
 * The daemon, which is begun anew with each valid change of its configuration or of a file that this names; an invalid one is reported and
 * the old configuration stays in force. What was under way is gone on with as after any restart, so nothing is lost by a change.
 */
export async function runReloading(options: ReloadOptions): Promise<DaemonEnd> {
  let current = options.first;
  const redactor = new Redactor(); // knows what was read under any of the configurations
  let before: Loaded | undefined;
  /** The fingerprint of one whose port is taken. */
  let refused: string | undefined;
  for (;;) {
    const log = options.createLog(current);
    const over = new AbortController();
    const stop = AbortSignal.any([options.stop, over.signal]);
    const change = untilChanged(current, refused, { log, stop, load: options.load }).finally(() => over.abort());
    const daemon = { ...options, config: current.config, log, stop, redactor };
    const outcome = await runUntilOver(daemon, before).finally(() => over.abort());
    const next = await change;
    if (outcome.kind === "refused") {
      [current, refused] = [outcome.instead, current.fingerprint];
      continue;
    }
    if (next === undefined || options.stop.aborted) return outcome.end;
    [before, current, refused] = [current, next, undefined];
    for (const notice of current.notices) log.warn({ because: formatProblem(notice) }, "an option is not acted on");
    log.info("the configuration has changed, and the new one is in force");
  }
}

type Outcome =
  | { readonly kind: "ended"; readonly end: DaemonEnd }
  /** A changed configuration asks for a port that is taken: nothing was done, and the one before is to be gone on with. */
  | { readonly kind: "refused"; readonly instead: Loaded };

async function runUntilOver(options: DaemonOptions, before: Loaded | undefined): Promise<Outcome> {
  try {
    return { kind: "ended", end: await runDaemon(options) };
  } catch (error) {
    if (before === undefined || !isPenstockError(error) || error.code !== "server-cannot-listen") throw error;
    options.log.error({ because: error.message }, "the changed configuration cannot be used; the old one stays in force");
    return { kind: "refused", instead: before };
  }
}

/** The next valid configuration that is another one; undefined when it is stopped before there is one. */
async function untilChanged(
  current: Loaded,
  refused: string | undefined,
  { log, stop, load }: Pick<DaemonOptions, "log" | "stop"> & Pick<ReloadOptions, "load">,
): Promise<Loaded | undefined> {
  const wake = new Wake();
  const files = new FileWatch(() => wake.wake(), log);
  try {
    let loaded: LoadedConfig = current;
    let reported = "";
    while (!stop.aborted) {
      await files.follow(loaded.files);
      loaded = await load(stop); // after they are watched: a change before that would go unseen
      const isKnown = loaded.kind === "loaded" && [current.fingerprint, refused].includes(loaded.fingerprint);
      if (loaded.kind === "loaded" && !isKnown) return loaded;
      reported = report(loaded, reported, log);
      await wake.wait(LOOK_MS, stop);
    }
    return undefined;
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  } finally {
    await files.close();
  }
}

/** Each state of affairs is said once. */
function report(loaded: LoadedConfig, reported: string, log: Log): string {
  const problems = loaded.kind === "invalid" ? loaded.problems.map(formatProblem) : [];
  const said = problems.join("\n");
  if (said === reported) return said;
  if (said === "") log.info("the configuration is valid again, and as before");
  else log.error({ problems }, "the changed configuration is invalid; the old one stays in force");
  return said;
}
