import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { UNOBSERVED } from "../common/observer.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration } from "../common/units.ts";
import { Redactor } from "../common/redactor.ts";
import type { Config } from "../config/config.ts";
import { FIRST_MEMORY, reconcileOnce, type Pass, type PassMemory } from "../pass/reconcile.ts";
import type { Server } from "../server/server.ts";
import { assemble, type Assembly } from "./assemble.ts";
import { findTrouble, isAtRest, nextDelayMs } from "./schedule.ts";
import { Wake } from "./wake.ts";

export interface DaemonOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the daemon is to leave; what it announced is gone on with by the next one. */
  readonly stop: AbortSignal;
  /** Stands in its commits; no other daemon has the same. */
  readonly writer: string;
  /** End as soon as nothing more can happen without a change outside, at the latest after this time. */
  readonly once?: { readonly timeoutMs: number };
  /** What knows the secrets of daemons before this one, where there were any. */
  readonly redactor?: Redactor;
  /** Told of every pass, after what it decided was set going. */
  readonly onPass?: (pass: Pass) => void;
  /** Told where the HTTP server listens, when there is one. */
  readonly onListening?: (url: URL) => void;
}

export interface DaemonEnd {
  /** What is not as it should be; empty when all is well. */
  readonly trouble: readonly string[];
  readonly lastPass: Pass | undefined;
}

/** How long a pass may go on after `stop` before its calls are aborted. */
const GRACE_MS = 8000;
/**
 * The head of the manifests is asked for with each poll, the one of the status branch, which another daemon of the instance may write, with each so
 * many: what such a one announced and did not do is gone on with within half a minute.
 */
const STATUS_POLL_EVERY = 2;

/** After a webhook the branch is asked for once more when it did not move: some servers tell of a push before they show it. */
const SECOND_LOOK_MS = 1000;
/** Requests are planned so long after a webhook. */
const REQUESTS_AFTER_MS = 1000;
/** However many webhooks come. */
const LOOKS_APART_MS = 200;

/**
 * Runs until it is told to stop, or with `once` until there is nothing left to do. One pass after another, never two at a time. Throws a
 * ServerListenError before anything is done when the HTTP server cannot listen.
 */
export async function runDaemon(options: DaemonOptions): Promise<DaemonEnd> {
  const wakes = { polls: new Wake(), requests: new Wake() };
  const server = await openServer(options, wakes);
  try {
    return await runBesideServer(options, wakes, server);
  } finally {
    await server?.close();
  }
}

/** What it needs is loaded only when it is wanted: that is a twentieth of the daemon's memory. */
async function openServer(options: DaemonOptions, { polls, requests }: Wakes): Promise<Server | undefined> {
  const { config, clock, log, once } = options;
  if (config.server === undefined || once !== undefined) return undefined;
  const { startServer } = await import("../server/server.ts");
  const server = await startServer({
    config: { ...config, server: config.server },
    clock,
    log,
    // Whatever it is about: a request that was merged moves the branch, and a push what requests are to be merged into.
    onWebhook: () => {
      polls.wake();
      requests.wake();
    },
  });
  options.onListening?.(server.url);
  return server;
}

/** Who asks the repository: for its branches, and for its requests. */
interface Wakes {
  readonly polls: Wake;
  readonly requests: Wake;
}

async function runBesideServer(
  options: DaemonOptions,
  { polls, requests }: Wakes,
  server: Server | undefined,
): Promise<DaemonEnd> {
  const wake = new Wake();
  const { clock, log, redactor = new Redactor() } = options;
  const observer = server?.observer ?? UNOBSERVED;
  const assembly = assemble(options.config, { writer: options.writer, clock, log, wake: () => wake.wake(), redactor, observer });
  const abort = new AbortController();
  const leave = (): void => {
    server?.leaves();
    wake.wake();
    setTimeout(() => abort.abort(), GRACE_MS).unref();
  };
  options.stop.addEventListener("abort", leave, { once: true });
  const polling = new AbortController();
  const untilTheEnd = AbortSignal.any([polling.signal, options.stop]);
  const polled = pollRepository(assembly, { wake, polls }, untilTheEnd, options);
  const { previews, commitStatuses } = assembly;
  const sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    // The pass that a push wakes comes first, and a burst of webhooks is one round.
    if (await requests.wait(ms, signal)) await new Wake().wait(REQUESTS_AFTER_MS, signal);
  };
  const besides = options.once === undefined ? [previews?.run(untilTheEnd, sleep), commitStatuses?.run(untilTheEnd)] : [];
  try {
    return await passUntilTheEnd({ assembly, wake, server }, options, abort.signal);
  } finally {
    polling.abort();
    abort.abort();
    options.stop.removeEventListener("abort", leave);
    await Promise.all([polled, ...besides]);
    await assembly.close();
  }
}

interface Running {
  readonly assembly: Assembly;
  readonly wake: Wake;
  readonly server: Server | undefined;
}

async function passUntilTheEnd(running: Running, options: DaemonOptions, signal: AbortSignal): Promise<DaemonEnd> {
  const { assembly, wake } = running;
  const { clock, log, stop, once } = options;
  const pollIntervalMs = Math.min(...assembly.deps.clusters.map(({ config }) => config.pollIntervalMs));
  const deadlineMs = once === undefined ? Number.POSITIVE_INFINITY : clock.now() + once.timeoutMs;
  let memory: PassMemory = FIRST_MEMORY;
  let lastPass: Pass | undefined;
  let blindSinceMs: number | undefined;
  while (!stop.aborted) {
    const pass = await tryPass(running, memory, log, signal);
    if (pass !== undefined) {
      lastPass = pass;
      memory = pass.memory;
      assembly.previews?.notePass(pass);
      assembly.commitStatuses?.notePass(pass);
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
async function tryPass(
  { assembly, server }: Running,
  memory: PassMemory,
  log: Log,
  signal: AbortSignal,
): Promise<Pass | undefined> {
  server?.passBegins();
  try {
    const pass = await reconcileOnce(assembly.deps, memory, signal);
    server?.passEnded(pass);
    return pass;
  } catch (error) {
    server?.passEnded(undefined, oneLine(messageOf(error), 300));
    if (!signal.aborted) log.error({ err: error, because: messageOf(error) }, "pass failed; the next one looks again");
    return undefined;
  }
}

/**
 * Asks where the branches stand, with jitter so that many daemons do not come at once, and as soon as `polls` is woken. A wake during a
 * question is one to ask again: its answer may be older than what woke.
 */
async function pollRepository(
  { deps: { reader } }: Assembly,
  { wake, polls }: { readonly wake: Wake; readonly polls: Wake },
  signal: AbortSignal,
  { config, clock }: DaemonOptions,
): Promise<void> {
  let secondLook = false;
  for (let count = 1; !signal.aborted; count += 1) {
    const usualMs = config.repository.pollIntervalMs * (0.9 + 0.2 * clock.random());
    const woken = await polls.wait(secondLook ? Math.min(SECOND_LOOK_MS, usualMs) : usualMs, signal);
    if (signal.aborted) return;
    try {
      const moved = await reader.poll(signal);
      if (moved) wake.wake();
      secondLook = woken && !moved;
      if (count % STATUS_POLL_EVERY === 0 && (await reader.pollStatus(signal))) wake.wake();
      if (woken) await new Wake().wait(LOOKS_APART_MS, signal);
    } catch (error) {
      if (!signal.aborted) throw error; // poll itself turns every failure but an abort into a state
    }
  }
}
