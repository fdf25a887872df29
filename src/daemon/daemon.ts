import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { UNOBSERVED } from "../common/observer.ts";
import { formatDuration } from "../common/units.ts";
import { Redactor } from "../common/redactor.ts";
import type { Config } from "../config/config.ts";
import { FIRST_MEMORY, reconcileOnce, type Pass, type PassMemory } from "../pass/reconcile.ts";
import { assemble, type Assembly } from "./assemble.ts";
import { findTrouble, isAtRest, nextDelayMs } from "./schedule.ts";
import { Wake } from "./wake.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the daemon is to leave; what it announced is gone on with by the next one. */
  readonly stop: AbortSignal;
  /** End as soon as nothing more can happen without a change outside, at the latest after this time. */
  readonly once?: { readonly timeoutMs: number };
  /** What knows the secrets of daemons before this one, where there were any. */
  readonly redactor?: Redactor;
  /** Told of every pass, after what it decided was set going. */
  readonly onPass?: (pass: Pass) => void;
}

export interface DaemonEnd {
  /** What is not as it should be; empty when all is well. */
  readonly trouble: readonly string[];
  readonly lastPass: Pass | undefined;
}

/** How long a pass may go on after `stop` before its calls are aborted. */
const GRACE_MS = 8000;
/** The head of the manifests is asked for with each poll, the one of the status branch, which only we write, with each so many. */
const STATUS_POLL_EVERY = 6;

/** Runs until it is told to stop, or with `once` until there is nothing left to do. One pass after another, never two at a time. */
export async function runDaemon(options: DaemonOptions): Promise<DaemonEnd> {
  const wake = new Wake();
  const { clock, log, redactor = new Redactor() } = options;
  const assembly = assemble(options.config, { clock, log, wake: () => wake.wake(), redactor, observer: UNOBSERVED });
  const abort = new AbortController();
  const leave = (): void => {
    wake.wake();
    setTimeout(() => abort.abort(), GRACE_MS).unref();
  };
  options.stop.addEventListener("abort", leave, { once: true });
  const polling = new AbortController();
  const polls = pollRepository(assembly, wake, AbortSignal.any([polling.signal, options.stop]), options);
  try {
    return await passUntilTheEnd(assembly, wake, options, abort.signal);
  } finally {
    polling.abort();
    abort.abort();
    options.stop.removeEventListener("abort", leave);
    await polls;
    await assembly.close();
  }
}

async function passUntilTheEnd(assembly: Assembly, wake: Wake, options: DaemonOptions, signal: AbortSignal): Promise<DaemonEnd> {
  const { clock, log, stop, once } = options;
  const pollIntervalMs = Math.min(...assembly.deps.clusters.map(({ config }) => config.pollIntervalMs));
  const deadlineMs = once === undefined ? Number.POSITIVE_INFINITY : clock.now() + once.timeoutMs;
  let memory: PassMemory = FIRST_MEMORY;
  let lastPass: Pass | undefined;
  let blindSinceMs: number | undefined;
  while (!stop.aborted) {
    const pass = await tryPass(assembly, memory, log, signal);
    if (pass !== undefined) {
      lastPass = pass;
      memory = pass.memory;
      options.onPass?.(pass);
    }
    const now = clock.now();
    const busy = assembly.deps.actions.isBusy() || assembly.deps.mirror?.isBusy() === true;
    blindSinceMs = pass?.kind === "blind" ? (blindSinceMs ?? now) : undefined;
    if (once !== undefined && pass !== undefined && isAtRest(pass, { busy, blindSinceMs, now }))
      return { trouble: findTrouble(pass), lastPass };
    if (now >= deadlineMs)
      return {
        trouble: [`not at rest after ${formatDuration(once?.timeoutMs ?? 0)}`, ...(pass === undefined ? [] : findTrouble(pass))],
        lastPass,
      };
    const delayMs = pass === undefined ? pollIntervalMs : nextDelayMs(pass, { pollIntervalMs, busy, now });
    await wake.wait(Math.min(delayMs, deadlineMs - now), stop);
  }
  return { trouble: lastPass === undefined ? [] : findTrouble(lastPass), lastPass };
}

/** Whatever goes wrong in a pass, the next one looks again; only being told to leave ends them. */
async function tryPass(assembly: Assembly, memory: PassMemory, log: Log, signal: AbortSignal): Promise<Pass | undefined> {
  try {
    return await reconcileOnce(assembly.deps, memory, signal);
  } catch (error) {
    if (!signal.aborted) log.error({ err: error, because: messageOf(error) }, "pass failed; the next one looks again");
    return undefined;
  }
}

/** Asks where the branches stand, with jitter so that many daemons do not come at once. */
async function pollRepository(
  assembly: Assembly,
  wake: Wake,
  signal: AbortSignal,
  { config, clock }: DaemonOptions,
): Promise<void> {
  const timer = new Wake();
  for (let polls = 1; !signal.aborted; polls += 1) {
    await timer.wait(config.repository.pollIntervalMs * (0.9 + 0.2 * clock.random()), signal);
    if (signal.aborted) return;
    const { reader } = assembly.deps;
    try {
      if (await reader.poll(signal)) wake.wake();
      if (polls % STATUS_POLL_EVERY === 0 && (await reader.pollStatus(signal))) wake.wake();
    } catch (error) {
      if (!signal.aborted) throw error; // poll itself turns every failure but an abort into a state
    }
  }
}
