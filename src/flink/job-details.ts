import type { Clock } from "../common/clock.ts";
import type { FlinkJobDetail } from "./cluster-seen.ts";
import { FlinkRejectedError } from "./errors.ts";
import type { FlinkReader } from "./flink-reader.ts";
import type { FlinkCheckpoints, FlinkJobSummary } from "./responses.ts";

interface KnownDetail {
  readonly detail: FlinkJobDetail;
  readonly summary: FlinkJobSummary;
  readonly readAtMs: number;
}

/** `/jobs/:id` and its like are up to 3 s older than the overview, so what was read right after a change is read once more. */
const SETTLES_MS = 4000;
const MAX_AGE_MS = 300_000;
const FIRST_CHECKPOINT_LOOK_MS = 5000;
/** So many of those that did nothing but grow old are read again at a time: a look stays short, however many jobs there are. */
const OLD_ONES_AT_ONCE = 8;

/** What the list of jobs does not tell, kept from one look to the next and read again when that list says that a job moved. */
export class JobDetails {
  readonly #client: FlinkReader;
  readonly #clock: Clock;
  readonly #known = new Map<string, KnownDetail>();

  constructor(client: FlinkReader, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Whether a job that was there is not listed any more. */
  misses(jobs: readonly FlinkJobSummary[]): boolean {
    const listed = new Set(jobs.map((job) => job.flinkJobId));
    return [...this.#known.keys()].some((id) => !listed.has(id));
  }

  /** By Flink job id; undefined for a job that has gone since it was listed. Others than these are forgotten. */
  async read(jobs: readonly FlinkJobSummary[], signal: AbortSignal): Promise<ReadonlyMap<string, FlinkJobDetail | undefined>> {
    this.#forgetAllBut(jobs);
    const old = this.#chooseOld(jobs);
    const details = await Promise.all(
      jobs.map(async (summary) => [summary.flinkJobId, await this.#see(summary, old, signal)] as const),
    );
    return new Map(details);
  }

  async #see(summary: FlinkJobSummary, old: ReadonlySet<string>, signal: AbortSignal): Promise<FlinkJobDetail | undefined> {
    const known = this.#known.get(summary.flinkJobId);
    const isNews = known === undefined || this.#hasMoved(known, summary);
    if (!isNews && !old.has(summary.flinkJobId)) return known.detail;
    try {
      return await (isNews ? this.#readAll(summary, known, signal) : this.#readCheckpointsOf(known, signal));
    } catch (error) {
      // Flink does not tell the checkpoints of a job that is just being initialized. Its cluster is there, and the next look asks again.
      if (error instanceof FlinkRejectedError) return known?.detail;
      throw error;
    }
  }

  async #readAll(
    summary: FlinkJobSummary,
    known: KnownDetail | undefined,
    signal: AbortSignal,
  ): Promise<FlinkJobDetail | undefined> {
    const id = summary.flinkJobId;
    const [job, checkpoints, failure] = await Promise.all([
      this.#client.readJob(id, signal),
      this.#client.readCheckpoints(id, signal),
      summary.state === "RUNNING" ? undefined : this.#client.readExceptions(id, signal),
    ]);
    if (job === undefined) return known?.detail;
    const detail: FlinkJobDetail = {
      parallelism: Math.max(0, ...job.vertices.map((vertex) => vertex.parallelism)),
      vertices: job.vertices.map(({ id: vertex, parallelism, maxParallelism }) => ({ id: vertex, parallelism, maxParallelism })),
      startedAtMs: job.startTimeMs,
      checkpoints: { ...summarize(checkpoints), ...(await this.#readCheckpointing(id, known, signal)) },
      rootCause: failure?.cause.line,
    };
    return this.#keep(detail, summary);
  }

  /** All that changes of a job which runs and does not move. */
  async #readCheckpointsOf({ detail, summary }: KnownDetail, signal: AbortSignal): Promise<FlinkJobDetail> {
    const checkpoints = await this.#client.readCheckpoints(summary.flinkJobId, signal);
    if (checkpoints === undefined) return detail; // it has gone since it was listed
    return this.#keep({ ...detail, checkpoints: { ...detail.checkpoints, ...summarize(checkpoints) } }, summary);
  }

  #keep(detail: FlinkJobDetail, summary: FlinkJobSummary): FlinkJobDetail {
    this.#known.set(summary.flinkJobId, { detail, summary, readAtMs: this.#clock.now() });
    return detail;
  }

  /** Options of the job, which never change while it lives: asked once. */
  async #readCheckpointing(
    flinkJobId: string,
    known: KnownDetail | undefined,
    signal: AbortSignal,
  ): Promise<Pick<FlinkJobDetail["checkpoints"], "enabled" | "retained">> {
    if (known !== undefined) {
      const { enabled, retained } = known.detail.checkpoints;
      return { enabled, retained };
    }
    const config = await this.#client.readCheckpointConfig(flinkJobId, signal);
    return { enabled: config?.intervalMs !== undefined, retained: config?.retained ?? false };
  }

  #hasMoved(known: KnownDetail, summary: FlinkJobSummary): boolean {
    if (known.summary.state !== summary.state || known.summary.lastModifiedMs !== summary.lastModifiedMs) return true;
    const age = this.#clock.now() - known.readAtMs;
    return known.readAtMs - summary.lastModifiedMs < SETTLES_MS && age >= SETTLES_MS;
  }

  /** Those that are read again although nothing moved, the oldest first. */
  #chooseOld(jobs: readonly FlinkJobSummary[]): ReadonlySet<string> {
    const old = jobs.flatMap((summary) => {
      const known = this.#known.get(summary.flinkJobId);
      return known !== undefined && this.#isOld(known, summary) ? [known] : [];
    });
    const waiting = old.toSorted((a, b) => a.readAtMs - b.readAtMs).slice(0, OLD_ONES_AT_ONCE);
    return new Set(waiting.map(({ summary }) => summary.flinkJobId));
  }

  #isOld({ detail, readAtMs }: KnownDetail, summary: FlinkJobSummary): boolean {
    if (summary.state !== "RUNNING") return false;
    const { enabled, completed } = detail.checkpoints;
    const isYoung = enabled && completed === 0;
    return this.#clock.now() - readAtMs >= (isYoung ? FIRST_CHECKPOINT_LOOK_MS : MAX_AGE_MS);
  }

  #forgetAllBut(jobs: readonly FlinkJobSummary[]): void {
    const listed = new Set(jobs.map((job) => job.flinkJobId));
    for (const id of this.#known.keys()) if (!listed.has(id)) this.#known.delete(id);
  }
}

function summarize(checkpoints: FlinkCheckpoints | undefined): Pick<FlinkJobDetail["checkpoints"], "completed" | "latestPath"> {
  return {
    completed: checkpoints?.counts.completed ?? 0,
    latestPath: (checkpoints?.latestCompleted ?? checkpoints?.latestSavepoint)?.externalPath,
  };
}
