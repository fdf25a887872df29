import type { Clock } from "../common/clock.ts";
import { isAbort, messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { oneLine } from "../common/text.ts";
import type { ClusterConfig } from "../config/config.ts";
import { isOurs } from "../model/flink-job-id.ts";
import {
  hasEnded,
  isHealthy,
  type ClusterSeen,
  type FlinkJobDetail,
  type FlinkJobSeen,
  type ReachableCluster,
  type RestorePointsSeen,
  type SlotsSeen,
} from "./cluster-seen.ts";
import { supportsResourceRequirements } from "./cluster-version.ts";
import { canWrite } from "./can-write.ts";
import type { FlinkClient } from "./flink-client.ts";
import type { FlinkReader } from "./flink-reader.ts";
import type { Folders } from "./folders.ts";
import type { FlinkConfig, FlinkJobSummary, JobManagerConfig } from "./responses.ts";
import { JobDetails } from "./job-details.ts";
import { ListingProbe } from "./listing-probe.ts";
import { byAge, findSavepoint, listRestorePoints, type SavepointFound } from "./restore-directories.ts";
import { within } from "./within.ts";

/** One that can be looked at, and perhaps no more than that. */
export type SightedCluster = Cluster<FlinkReader>;

export interface LookRequest {
  /** What was seen is good enough when it is not older than this. */
  readonly maxAgeMs: number;
  /** Somebody wants to start a job: the slots have to be fresh. */
  readonly slots: boolean;
  /** Prefixes of Flink job ids whose checkpoint and savepoint directories are to be listed; a whole id is one as well. */
  readonly restorePointsOf: readonly string[];
}

interface Identity {
  readonly config: FlinkConfig;
  readonly jobManager: JobManagerConfig;
  readonly javaVersion: number | undefined;
  readonly readAtMs: number;
}

/** A look that is under way. */
interface Look {
  readonly request: LookRequest;
  readonly sinceMs: number;
  readonly seen: Promise<ClusterSeen>;
  /** Somebody did not wait for it. */
  isLate: boolean;
}

interface LastLook {
  readonly request: LookRequest;
  readonly seen: ClusterSeen;
  readonly atMs: number;
  /** Its answer came too late for whoever asked, so the next one gets it, or a slow cluster would never be seen. */
  readonly isLate: boolean;
}

const IDENTITY_MAX_AGE_MS = 60_000;
const SLOTS_MAX_AGE_MS = 15_000;

/**
 * One Flink cluster as it is seen over time. A look costs one call as long as nothing changed; what changes slowly (version, slots,
 * details of jobs) is kept and read again when it is old or when the list of jobs says that it moved. Looking takes no more than a reader;
 * whoever acts as well has a cluster with a client.
 */
export class Cluster<Client extends FlinkReader = FlinkClient> {
  readonly zone: string;
  readonly config: ClusterConfig;
  readonly client: Client;
  readonly #instance: string;
  readonly #s3: Folders | undefined;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #details: JobDetails;
  readonly #listing: ListingProbe;
  #identity: Identity | undefined;
  #slots: { readonly seen: SlotsSeen; readonly readAtMs: number } | undefined;
  #last: LastLook | undefined;
  #unreachableSinceMs: number | undefined;
  /** The log says that it cannot be reached. One that only took longer than a pass waits is not worth a line. */
  #isToldUnreachable = false;
  #looking: Look | undefined;

  constructor(options: {
    readonly zone: string;
    readonly config: ClusterConfig;
    readonly client: Client;
    readonly instance: string;
    readonly clock: Clock;
    readonly log: Log;
    /** Without it directories on S3 cannot be listed. Not closed by the cluster. */
    readonly s3?: Folders;
  }) {
    this.zone = options.zone;
    this.config = options.config;
    this.client = options.client;
    this.#instance = options.instance;
    this.#s3 = options.s3;
    this.#clock = options.clock;
    this.#log = options.log.child({ cluster: options.config.name });
    this.#details = new JobDetails(options.client, options.clock);
    this.#listing = new ListingProbe(options.clock, options.s3);
  }

  get name(): string {
    return this.config.name;
  }

  get url(): string {
    return this.config.url.href;
  }

  /**
   * Never throws but for `signal`: what cannot be reached is seen as unreachable. When the answer takes longer than `patienceMs` the
   * look goes on in the background, and until it is done the cluster counts as unreachable; its answer is for the next one who asks.
   */
  async look(request: LookRequest, patienceMs: number, signal: AbortSignal): Promise<ClusterSeen> {
    const known = this.#looking === undefined ? this.#knownFor(request) : undefined;
    if (known !== undefined) return known;
    const look = (this.#looking ??= this.#startLook(request, signal));
    const seen = await within(look.seen, patienceMs - (this.#clock.now() - look.sinceMs));
    if (seen !== undefined) return seen;
    look.isLate = true;
    return this.#unreachable(`it has not answered within ${patienceMs} ms`);
  }

  /** Something was just done to the cluster: the next look asks again, whatever was seen or is being looked at. */
  expire(): void {
    this.#last = undefined;
    this.#slots = undefined;
    this.#looking = undefined;
  }

  /** What the cluster's directories hold of this instance. Without directories no checkpoint outlives its JobManager, so there is none. */
  async readRestorePoints(prefix: string, signal: AbortSignal): Promise<RestorePointsSeen> {
    return this.#restorePointsOf(prefix, await this.#readIdentity(false, signal), signal);
  }

  /** The complete savepoint in the target directory of one operation. */
  async findSavepoint(targetDirectory: string, signal: AbortSignal): Promise<SavepointFound> {
    return findSavepoint(targetDirectory, signal, this.#s3);
  }

  #knownFor(request: LookRequest): ClusterSeen | undefined {
    const last = this.#last;
    if (last === undefined || !isAnswerTo(last.request, request)) return undefined;
    if (!last.isLate && this.#clock.now() - last.atMs >= request.maxAgeMs) return undefined;
    this.#last = { ...last, isLate: false };
    return last.seen;
  }

  #startLook(request: LookRequest, signal: AbortSignal): Look {
    const look: Look = {
      request,
      sinceMs: this.#clock.now(),
      isLate: false,
      seen: this.#tryLook(request, signal)
        .then((seen) => {
          const isLate = look.isLate && seen.kind === "reachable";
          if (this.#looking === look) this.#last = { request, seen, atMs: this.#clock.now(), isLate };
          return seen;
        })
        .finally(() => {
          if (this.#looking === look) this.#looking = undefined;
        }),
    };
    look.seen.catch(() => {}); // Only an abort rejects, and then there may be nobody left who waits for it.
    return look;
  }

  async #tryLook(request: LookRequest, signal: AbortSignal): Promise<ClusterSeen> {
    try {
      const seen = await this.#readAll(request, signal);
      if (this.#isToldUnreachable) this.#log.info({ incarnation: seen.incarnation }, "cluster can be reached again");
      this.#isToldUnreachable = false;
      this.#unreachableSinceMs = undefined;
      return seen;
    } catch (error) {
      if (isAbort(error, signal)) throw error;
      const because = oneLine(messageOf(error), 300);
      if (!this.#isToldUnreachable) this.#log.warn({ because }, "cluster cannot be reached; it is asked again");
      this.#isToldUnreachable = true;
      return this.#unreachable(because);
    }
  }

  async #readAll(request: LookRequest, signal: AbortSignal): Promise<ReachableCluster> {
    const [jobs, slots, identity] = await Promise.all([
      this.client.readJobs(signal),
      this.#readSlots(request.slots, signal),
      // A cluster may have been restarted, or upgraded in place, between two looks: what is to start there has to fit what is there now.
      this.#readIdentity(request.slots, signal),
    ]);
    // A job that was there and is not listed any more: perhaps another JobManager answers.
    const sure =
      this.#details.misses(jobs) || this.#unreachableSinceMs !== undefined ? await this.#readIdentity(true, signal) : identity;
    const ours = jobs.filter((job) => isOurs(job.flinkJobId, this.#instance));
    const details = await this.#details.read(ours, signal);
    const seenJobs = jobs.map((job) => seeJob(job, details.get(job.flinkJobId)));
    const { checkpointsDir, savepointsDir } = this.#directories(sure);
    return {
      kind: "reachable",
      zone: this.zone,
      name: this.name,
      url: this.url,
      draining: this.config.draining,
      incarnation: sure.jobManager.incarnation,
      flinkVersion: sure.config.flinkVersion,
      javaVersion: sure.javaVersion,
      webSubmit: sure.config.features.webSubmit,
      highAvailability: sure.jobManager.highAvailability.toUpperCase() !== "NONE",
      scheduler: sure.jobManager.scheduler,
      inPlaceRescale: sure.config.features.webRescale && supportsResourceRequirements(sure.config.flinkVersion),
      checkpointsDir,
      savepointsDir,
      savepointsRefused: request.slots ? await whyNotWritable(savepointsDir ?? checkpointsDir) : undefined,
      directoriesUnlistable: await this.#listing.see(this.#directoriesOf(sure), signal),
      slots: await this.#withHolders(slots, seenJobs, request.slots, signal),
      jobs: new Map(seenJobs.map((job) => [job.flinkJobId, job])),
      restorePoints: await this.#readRestorePoints(request.restorePointsOf, sure, signal),
    };
  }

  async #readIdentity(fresh: boolean, signal: AbortSignal): Promise<Identity> {
    const known = this.#identity;
    if (!fresh && known !== undefined && this.#clock.now() - known.readAtMs < IDENTITY_MAX_AGE_MS) return known;
    const [config, jobManager] = await Promise.all([this.client.readConfig(signal), this.client.readJobManagerConfig(signal)]);
    // A process keeps its JVM.
    const same = known?.jobManager.incarnation === jobManager.incarnation ? known : undefined;
    const javaVersion = same?.javaVersion ?? (await this.#readJavaVersion(signal));
    this.#identity = { config, jobManager, javaVersion, readAtMs: this.#clock.now() };
    return this.#identity;
  }

  /** Good to know and nothing more: a cluster that does not tell is no worse for it. */
  async #readJavaVersion(signal: AbortSignal): Promise<number | undefined> {
    try {
      return await this.client.readJavaVersion(signal);
    } catch (error) {
      if (isAbort(error, signal)) throw error;
      this.#log.debug({ because: oneLine(messageOf(error), 300) }, "the cluster does not say which Java it runs on");
      return undefined;
    }
  }

  async #readSlots(fresh: boolean, signal: AbortSignal): Promise<SlotsSeen> {
    const known = this.#slots;
    if (!fresh && known !== undefined && this.#clock.now() - known.readAtMs < SLOTS_MAX_AGE_MS) return known.seen;
    const { slotsTotal, slotsFree } = await this.client.readOverview(signal);
    const seen: SlotsSeen = { total: slotsTotal, free: slotsFree, heldByJob: undefined };
    this.#slots = { seen, readAtMs: this.#clock.now() };
    return seen;
  }

  /** Who holds which slot costs a call for each TaskManager, so it is asked only when a job that is not healthy has a claim to defend. */
  async #withHolders(slots: SlotsSeen, jobs: readonly FlinkJobSeen[], wanted: boolean, signal: AbortSignal): Promise<SlotsSeen> {
    const unhealthy = jobs.some((job) => isOurs(job.flinkJobId, this.#instance) && !hasEnded(job) && !isHealthy(job));
    return wanted && unhealthy ? { ...slots, heldByJob: await this.client.readSlotHolders(signal) } : slots;
  }

  #directories(identity: Identity): { readonly checkpointsDir: string | undefined; readonly savepointsDir: string | undefined } {
    return {
      checkpointsDir: this.config.checkpointsDir ?? identity.jobManager.checkpointsDir,
      savepointsDir: this.config.savepointsDir ?? identity.jobManager.savepointsDir,
    };
  }

  /** Each once: they may be one and the same. */
  #directoriesOf(identity: Identity): readonly string[] {
    const { checkpointsDir, savepointsDir } = this.#directories(identity);
    return [...new Set([checkpointsDir, savepointsDir])].filter((dir) => dir !== undefined);
  }

  async #readRestorePoints(
    ids: readonly string[],
    identity: Identity,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RestorePointsSeen>> {
    const found = await Promise.all(ids.map(async (id) => [id, await this.#restorePointsOf(id, identity, signal)] as const));
    return new Map(found);
  }

  async #restorePointsOf(prefix: string, identity: Identity, signal: AbortSignal): Promise<RestorePointsSeen> {
    const lists = await Promise.all(
      this.#directoriesOf(identity).map(async (dir) => listRestorePoints(dir, prefix, signal, this.#s3)),
    );
    for (const list of lists) if (list.kind === "cannot-list") return { kind: "cannot-tell", because: list.because };
    const entries = lists.flatMap((list) => (list.kind === "listed" ? list.entries : []));
    return { kind: "listed", entries: entries.sort(byAge) };
  }

  #unreachable(because: string): ClusterSeen {
    this.#unreachableSinceMs ??= this.#clock.now();
    return { kind: "unreachable", zone: this.zone, name: this.name, url: this.url, because, sinceMs: this.#unreachableSinceMs };
  }
}

/** Whether what was asked for then tells what is asked for now. */
function isAnswerTo(then: LookRequest, now: LookRequest): boolean {
  return (then.slots || !now.slots) && now.restorePointsOf.every((id) => then.restorePointsOf.includes(id));
}

async function whyNotWritable(dir: string | undefined): Promise<string | undefined> {
  const found = dir === undefined ? undefined : await canWrite(dir);
  return found?.kind === "no" ? found.because : undefined;
}

function seeJob(
  { flinkJobId, name, state, startTimeMs, tasks }: FlinkJobSummary,
  detail: FlinkJobDetail | undefined,
): FlinkJobSeen {
  const { total, running, finished } = tasks;
  return { flinkJobId, name, state, startedAtMs: startTimeMs, tasks: { total, running, finished }, detail };
}
