import { setTimeout as delay } from "node:timers/promises";
import { hasAllTasksRunning, type FlinkScript } from "./flink-script.ts";

const POLL_MS = 5;
const PATIENCE_MS = 60_000;

/**
 * Does `work` and asks Flink all the while, every 5 ms, until so many jobs that were not there before have all their tasks running;
 * the time of that answer. Both sides are watched by this, so both pay for it.
 */
export async function watchNewJobs(
  script: FlinkScript,
  count: number,
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly runningAtMs: number }> {
  const known = new Set((await script.jobs()).map(({ jid }) => jid));
  const failed = new AbortController();
  const watching = untilRunning(script, count, known, AbortSignal.any([signal, failed.signal]));
  // Whatever fails first is what is told; the other one is ended by it.
  const working = work().catch((error: unknown) => {
    failed.abort(error);
    throw error;
  });
  const [runningAtMs] = await Promise.all([watching, working]);
  return { runningAtMs };
}

async function untilRunning(
  script: FlinkScript,
  count: number,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<number> {
  const deadlineMs = Date.now() + PATIENCE_MS;
  for (;;) {
    const askedAtMs = Date.now();
    const jobs = (await script.jobs()).filter(({ jid }) => !known.has(jid));
    const nowMs = Date.now();
    if (jobs.filter(hasAllTasksRunning).length >= count) return nowMs;
    if (nowMs > deadlineMs) throw new Error(`after ${PATIENCE_MS / 1000} s Flink shows ${JSON.stringify(jobs)}`);
    await delay(Math.max(0, askedAtMs + POLL_MS - nowMs), undefined, { signal });
  }
}
