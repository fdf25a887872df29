import { isTerminal } from "../../../src/flink/responses.ts";
import type { FakeFlink, FakeJob } from "../../support/fake-flink.ts";

/** The fake's jobs count these before their first checkpoint, whatever they start from. */
const FIRST_RECORDS = 3;

/**
 * Holds the jobs of the clusters against the promise: never two live ones of one Job, and each attempt goes on exactly where the
 * newest completed checkpoint or savepoint before it ended. Looks often; a look before a JobManager is lost misses nothing.
 */
export class StateLedger {
  readonly #flinks: readonly FakeFlink[];
  readonly #predecessorOf: (name: string) => string | undefined;
  /** What the newest checkpoint of a Job holds, by its name. */
  readonly #counts = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #violations = new Set<string>();
  starts = 0;
  restores = 0;

  constructor(flinks: readonly FakeFlink[], predecessorOf: (name: string) => string | undefined) {
    this.#flinks = flinks;
    this.#predecessorOf = predecessorOf;
  }

  get violations(): readonly string[] {
    return [...this.#violations];
  }

  /** Live ones, by the name of their Job. */
  live(): ReadonlyMap<string, FakeJob> {
    return new Map(
      this.#jobs()
        .filter(({ state }) => !isTerminal(state))
        .map((job) => [job.name, job]),
    );
  }

  look(): void {
    const jobs = this.#jobs();
    const names = new Set<string>();
    for (const { name, state, flinkJobId } of jobs) {
      if (isTerminal(state)) continue;
      if (names.has(name)) this.#violations.add(`two live jobs of ${name}, ${flinkJobId} one of them`);
      names.add(name);
    }
    // Savepoints that end one attempt are noted before the next one, which may be seen by the same look, is held against them.
    for (const job of jobs) if (this.#known.has(job.flinkJobId)) this.#noteCheckpoints(job);
    for (const job of jobs) if (!this.#known.has(job.flinkJobId)) this.#noteStart(job);
  }

  #jobs(): readonly FakeJob[] {
    return this.#flinks.flatMap((flink) => flink.jobs);
  }

  #noteStart(job: FakeJob): void {
    this.#known.add(job.flinkJobId);
    this.starts += 1;
    if (job.restoredFrom !== undefined) this.restores += 1;
    const before = this.#counts.get(job.name) ?? this.#counts.get(this.#predecessorOf(job.name) ?? "") ?? 0;
    // Each checkpoint or savepoint counts one.
    const began = job.count - job.checkpoints.length;
    if (began !== before + FIRST_RECORDS)
      this.#violations.add(`${job.name} (${job.flinkJobId}) went on from ${began - FIRST_RECORDS} and not from ${before}`);
    this.#noteCheckpoints(job);
  }

  #noteCheckpoints(job: FakeJob): void {
    if (job.checkpoints.length > 0) this.#counts.set(job.name, Math.max(job.count, this.#counts.get(job.name) ?? 0));
  }
}
