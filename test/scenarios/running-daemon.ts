import type { Clock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import type { Config } from "../../src/config/config.ts";
import { runDaemon, type DaemonEnd } from "../../src/daemon/daemon.ts";
import { isAtRest } from "../../src/daemon/schedule.ts";
import { newWriter } from "../../src/git/status-branch.ts";
import type { JobStatus, ResourceRecord } from "../../src/model/status.ts";
import type { DonePass, Pass } from "../../src/pass/reconcile.ts";

/** A daemon in this process, as it is started by `run`. */
export interface RunningDaemon {
  /** The first pass, from now on, of which this is true. Fails when the daemon ends before, or takes too long. */
  until(what: string, test: (pass: DonePass) => boolean): Promise<DonePass>;
  untilBlind(): Promise<Pass & { readonly kind: "blind" }>;
  /** When the status branch says so of a Job of the default project. */
  untilJob(name: string, test: (status: JobStatus) => boolean): Promise<JobStatus>;
  /** When what this commit declares is decided, and written where there is anything to write. */
  untilApplied(commit: string): Promise<DonePass>;
  /** When nothing more happens unless something changes outside. */
  untilAtRest(): Promise<DonePass>;
  /** Where its HTTP server listens; never, when it has none. */
  readonly listening: Promise<URL>;
  /** So many further passes. */
  passes(count: number): Promise<void>;
  /** Everything logged so far, as JSON lines. */
  readonly log: () => string;
  /** The lines of these levels, without their times. */
  logged(...levels: readonly ("info" | "warn" | "error")[]): readonly LogLine[];
  /** As SIGTERM does. */
  stop(): Promise<DaemonEnd>;
}

export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

interface Waiter {
  readonly what: string;
  readonly test: (pass: Pass) => boolean;
  readonly resolve: (pass: Pass) => void;
  readonly reject: (error: Error) => void;
}

/** Less than a test may take, so that the log is shown and not only that it took too long. */
const PATIENCE_MS = 40_000;
const LEVELS = { info: 30, warn: 40, error: 50 };

export function startDaemon(config: Config, clock: Clock): RunningDaemon {
  const stop = new AbortController();
  const lines: string[] = [];
  const log = createLog({ level: "debug", people: false, stream: { write: (line) => void lines.push(line) } });
  const waiting = new Set<Waiter>();
  const explain = (what: string, because: string): Error => new Error(`${because} before ${what}:\n${lines.slice(-30).join("")}`);
  const onPass = (pass: Pass): void => {
    for (const waiter of waiting) {
      if (!waiter.test(pass)) continue;
      waiting.delete(waiter);
      waiter.resolve(pass);
    }
  };
  const listening = Promise.withResolvers<URL>();
  const end = runDaemon({ writer: newWriter(), config, clock, log, stop: stop.signal, onPass, onListening: listening.resolve });
  void end.finally(() => {
    for (const { what, reject } of waiting) reject(explain(what, "the daemon ended"));
  });
  const untilPass = async (what: string, test: (pass: Pass) => boolean): Promise<Pass> => {
    const { promise, resolve, reject } = Promise.withResolvers<Pass>();
    const timer = setTimeout(() => reject(explain(what, `${PATIENCE_MS} ms went by`)), PATIENCE_MS);
    waiting.add({ what, test, resolve, reject });
    return promise.finally(() => clearTimeout(timer));
  };
  const until = async (what: string, test: (pass: DonePass) => boolean): Promise<DonePass> =>
    (await untilPass(what, (pass) => pass.kind === "done" && test(pass))) as DonePass;
  return {
    until,
    untilBlind: async () =>
      (await untilPass("nothing can be decided", ({ kind }) => kind === "blind")) as Pass & { kind: "blind" },
    async untilJob(name, test) {
      const pass = await until(`job ${name} is so on the status branch`, (seen) => isOnBranch(seen) && matches(seen, name, test));
      return statusOfJob(pass, name)!;
    },
    untilApplied: async (commit) => until(`${commit} is applied`, (pass) => pass.snapshot.commit === commit && isOnBranch(pass)),
    untilAtRest: async () =>
      until("it is at rest", (pass) => isAtRest(pass, { busy: false, blindSinceMs: undefined, now: clock.now() })),
    listening: listening.promise,
    async passes(count) {
      for (let seen = 0; seen < count; seen += 1) await untilPass("another pass", () => true);
    },
    log: () => lines.join(""),
    logged: (...levels) => readLog(lines, levels),
    async stop() {
      stop.abort();
      return end;
    },
  };
}

export function statusOfJob(pass: Pass, name: string): JobStatus | undefined {
  if (pass.kind !== "done") return undefined;
  const key = [...pass.update.records.keys()].find((candidate) => candidate.endsWith(`/default/job/${name}`));
  const record = key === undefined ? undefined : recordOf(pass, key);
  return record?.kind === "Job" ? record.status : undefined;
}

function recordOf(pass: DonePass, key: string): ResourceRecord | undefined {
  return (pass.update.records as ReadonlyMap<string, ResourceRecord>).get(key);
}

/** What the pass decided is what the branch holds. */
export function isOnBranch({ published }: DonePass): boolean {
  return published.kind === "written" || published.kind === "nothing-to-write";
}

function matches(pass: DonePass, name: string, test: (status: JobStatus) => boolean): boolean {
  const status = statusOfJob(pass, name);
  return status !== undefined && test(status);
}

function readLog(lines: readonly string[], levels: readonly (keyof typeof LEVELS)[]): readonly LogLine[] {
  const wanted = new Set(levels.map((level) => LEVELS[level]));
  return lines
    .map((line) => JSON.parse(line) as { readonly level: number; readonly time: string; readonly msg: string })
    .filter(({ level }) => wanted.has(level))
    .map(({ level: _level, time: _time, ...line }) => line);
}
