import PQueue from "p-queue";
import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import type { Lookup, ProxySettings } from "../common/http.ts";
import type { Log } from "../common/log.ts";
import { type Observer, UNOBSERVED } from "../common/observer.ts";
import { retryDelayMs } from "../common/retry-delay.ts";
import type { ArtifactsConfig } from "../config/config.ts";
import { LAUNCHER_VERSION } from "../flink/launcher/launcher-class.ts";
import type { JarFile } from "../flink/multipart.ts";
import { S3Connection } from "../flink/s3-connection.ts";
import type { ResourceKey } from "../model/resource.ts";
import { AddressGuard } from "./address-guard.ts";
import { ArtifactError, diskFailure, type FailureReason } from "./artifact-error.ts";
import { type ArtifactRequest, placeOf } from "./artifact-request.ts";
import { JarCache } from "./cache.ts";
import { CutDownloads } from "./download.ts";
import { inspectClasses } from "./entry-class.ts";
import { type CreateDispatcher, HttpGetter, tookTooLong } from "./http-get.ts";
import type { JarContent } from "./inspect-jar.ts";
import { LauncherJars } from "./launcher-jars.ts";
import type { LfsServer } from "./lfs.ts";
import { type LoadedArtifact, loadArtifact } from "./load-artifact.ts";
import type { ReadBlob } from "./path-source.ts";
import { UrlHosts } from "./url-source.ts";

export type ArtifactSeen =
  | { readonly kind: "absent" }
  | {
      readonly kind: "downloading";
      readonly bytes: number;
      readonly totalBytes?: number;
      readonly sinceMs: number;
      /** How the attempt before this one ended: a status that shows it stays as it is while the next attempt runs. */
      readonly lastFailure?: ArtifactFailure;
    }
  | ({ readonly kind: "ready" } & ReadyArtifact)
  | ({ readonly kind: "failed"; readonly retryAtMs: number } & ArtifactFailure);

export type { ArtifactRequest } from "./artifact-request.ts";

export interface ReadyArtifact {
  readonly sha256: string;
  readonly size: number;
  readonly file: string;
  readonly inspection: JarContent;
}

export interface ArtifactFailure {
  readonly because: string;
  readonly reason: FailureReason;
  readonly failures: number;
}

export interface ArtifactStoreSettings extends ArtifactsConfig {
  /** The daemon's: the first part of the names that jars are uploaded under. */
  readonly instance: string;
  /** The Git server: `path` sources may be kept in its Git LFS, and `url` sources may point to it. */
  readonly repository?: LfsServer;
  readonly proxy?: ProxySettings;
}

export interface ArtifactStoreDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly readBlob: ReadBlob;
  /** Called after an artifact became ready, failed or was lost; never from within a call of the store. */
  readonly onChange: () => void;
  readonly createDispatcher: CreateDispatcher;
  /** Finds the addresses of hosts of `url` sources, in place of the system's. */
  readonly lookup?: Lookup;
  readonly observer?: Pick<Observer, "artifactLoaded">;
  /** How long a server may be silent. */
  readonly idleTimeoutMs?: number;
}

const RETRY = { baseMs: 5000, maxMs: 300_000 };
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;
const DOWNLOADS_AT_ONCE = 4;
/** Blobs lie in memory as a whole, so few at once; they have a queue of their own, for no download may delay them. */
const BLOBS_AT_ONCE = 2;

interface Entry {
  readonly request: ArtifactRequest;
  readonly abort: AbortController;
  state: ArtifactSeen;
}

/**
 * The jars that Artifacts stand for: fetched in the background, kept in the cache by digest, retried for ever. What is seen comes from
 * memory; a request that is new or changed is absent until somebody calls `fetch`. Whoever creates it closes it.
 */
export class ArtifactStore {
  readonly #settings: ArtifactStoreSettings;
  readonly #deps: ArtifactStoreDeps;
  readonly #cache: JarCache;
  readonly #http: HttpGetter;
  readonly #hosts: UrlHosts;
  readonly #s3: S3Connection;
  readonly #cuts = new CutDownloads();
  readonly #downloads = new PQueue({ concurrency: DOWNLOADS_AT_ONCE });
  readonly #blobs = new PQueue({ concurrency: BLOBS_AT_ONCE });
  readonly #entries = new Map<ResourceKey, Entry>();
  /** By source: two Artifacts of one source do not fetch it at once; the second finds it in the cache. */
  readonly #loading = new Map<string, Promise<void>>();
  readonly #launcherJars: LauncherJars;
  readonly #closing = new AbortController();
  readonly #inspecting = new Set<string>();
  /** Digests that the status branch speaks of: their bytes may be nowhere else. */
  #needed: ReadonlySet<string> = new Set();
  #cleaning: Promise<void> | undefined;
  #shrinking: Promise<void> = Promise.resolve();
  #isOverfull = false;

  constructor(settings: ArtifactStoreSettings, deps: ArtifactStoreDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#cache = new JarCache(settings.cacheDir, deps.clock);
    const idleTimeoutMs = deps.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS;
    this.#launcherJars = new LauncherJars(this.#cache, settings.timeoutMs, this.#closing.signal);
    this.#http = new HttpGetter(deps.createDispatcher, idleTimeoutMs);
    this.#hosts = buildUrlHosts(settings, deps.lookup);
    this.#s3 = new S3Connection(settings.s3, { proxy: settings.proxy ?? {}, idleTimeoutMs });
  }

  see(request: ArtifactRequest): ArtifactSeen {
    const entry = this.#entries.get(request.key);
    return entry !== undefined && isSame(entry, request) ? entry.state : { kind: "absent" };
  }

  /** Starts fetching what is absent, or has failed and is due again; harmless otherwise. */
  fetch(request: ArtifactRequest): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#deps.clock.now();
    const before = this.see(request);
    if (before.kind === "ready" || before.kind === "downloading") return;
    if (before.kind === "failed" && now < before.retryAtMs) return;
    this.#entries.get(request.key)?.abort.abort();
    const lastFailure = before.kind === "failed" ? { lastFailure: failureOf(before) } : {};
    const entry: Entry = {
      request,
      abort: new AbortController(),
      state: { kind: "downloading", bytes: 0, sinceMs: now, ...lastFailure },
    };
    this.#entries.set(request.key, entry);
    this.#cleaning ??= this.#removeLeftovers();
    const queue = request.source.kind === "path" ? this.#blobs : this.#downloads;
    void queue.add(() => this.#runAfterSameSource(entry));
  }

  /**
   * The jar to upload, with the launcher in it when asked. Rejects with an ArtifactError; when its bytes are gone from the cache, the
   * Artifacts of this digest are absent from then on and can be fetched again.
   */
  async submittable(sha256: string, options: { readonly launcher: boolean }): Promise<JarFile> {
    const cached = await this.#cache.find(sha256, this.#closing.signal);
    if (cached === undefined) {
      this.#lose(sha256);
      throw new ArtifactError("BytesGone", `the jar ${sha256.slice(0, 12)}… is no longer in the cache; it is fetched again`);
    }
    const name = `${this.#settings.instance}-${sha256}`;
    if (!options.launcher) return { path: cached.file, size: cached.size, fileName: `${name}.jar` };
    const jar = await this.#launcherJars.of(sha256, cached.file, `${name}-${LAUNCHER_VERSION}.jar`);
    if (jar.isNew) this.#shrink();
    return jar.file;
  }

  /** Looks into further classes of a jar that is ready; `see` shows them when it is done. */
  inspect(request: ArtifactRequest): void {
    const seen = this.see(request);
    if (seen.kind !== "ready" || this.#closing.signal.aborted || this.#inspecting.has(seen.sha256)) return;
    this.#inspecting.add(seen.sha256);
    void this.#blobs.add(() => this.#inspect(seen, request.entryClasses ?? []));
  }

  /** The digests that the status branch speaks of: what the cache keeps, however much there is. */
  retain(digests: ReadonlySet<string>): void {
    this.#needed = digests;
  }

  /** Ends what is under way for these and drops what is known; the cache keeps its files. */
  forget(keys: Iterable<ResourceKey>): void {
    for (const key of keys) {
      this.#entries.get(key)?.abort.abort();
      this.#entries.delete(key);
    }
  }

  /** Ends everything under way and waits until nothing touches disk or network any more. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.forget([...this.#entries.keys()]);
    await Promise.all([this.#downloads.onIdle(), this.#blobs.onIdle(), this.#cleaning]);
    await this.#launcherJars.onIdle();
    await Promise.all([this.#shrinking, this.#cuts.close(), this.#http.close(), this.#s3.close()]);
  }

  /** Never rejects. */
  async #runAfterSameSource(entry: Entry): Promise<void> {
    const source = placeOf(entry.request);
    for (let other = this.#loading.get(source); other !== undefined; other = this.#loading.get(source)) await other;
    const run = this.#run(entry);
    this.#loading.set(source, run);
    await run;
    this.#loading.delete(source);
  }

  async #run(entry: Entry): Promise<void> {
    const { request, abort } = entry;
    if (abort.signal.aborted) return;
    const timeout = AbortSignal.timeout(this.#settings.timeoutMs);
    try {
      const loaded = await loadArtifact(request, this.#loadDeps(), {
        signal: AbortSignal.any([abort.signal, timeout]),
        onProgress: (bytes, totalBytes) => this.#noteProgress(entry, bytes, totalBytes),
      });
      if (abort.signal.aborted) return; // forgotten, replaced or closed meanwhile: nobody asks for it any more
      this.#noteReady(entry, loaded);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.#noteFailure(
        entry,
        timeout.aborted ? tookTooLong(this.#settings.timeoutMs) : toArtifactError(error, this.#settings.cacheDir),
      );
    }
    this.#deps.onChange();
  }

  #loadDeps(): Parameters<typeof loadArtifact>[1] {
    return {
      cache: this.#cache,
      http: this.#http,
      hosts: this.#hosts,
      s3: this.#s3,
      lfs: this.#settings.repository,
      cuts: this.#cuts,
      readBlob: this.#deps.readBlob,
      config: this.#settings,
      inspected: (sha256) => this.#readyWith(sha256).next().value?.inspection,
    };
  }

  #noteProgress(entry: Entry, bytes: number, totalBytes: number | undefined): void {
    if (entry.state.kind !== "downloading") return;
    entry.state = { ...entry.state, bytes, ...(totalBytes === undefined ? {} : { totalBytes }) };
  }

  #noteReady(entry: Entry, { sha256, size, file, inspection, fetched }: LoadedArtifact): void {
    entry.state = { kind: "ready", sha256, size, file, inspection };
    this.#tell(entry.request, fetched ? "fetched" : "cached", fetched ? size : 0);
    const facts = { artifact: entry.request.key, sha256, size, ...blobFacts(entry.request) };
    if (fetched) {
      this.#deps.log.info(facts, "artifact fetched");
      this.#shrink();
    } else this.#deps.log.debug(facts, "artifact found in the cache");
  }

  #noteFailure(entry: Entry, error: ArtifactError): void {
    const last = entry.state.kind === "downloading" ? entry.state.lastFailure : undefined;
    const failures = (last?.failures ?? 0) + 1;
    const { reason } = error.data;
    const retryAtMs = this.#deps.clock.now() + retryDelayMs(failures, RETRY, () => this.#deps.clock.random());
    entry.state = { kind: "failed", because: error.message, reason, failures, retryAtMs };
    this.#tell(entry.request, "failed", 0);
    const facts = { artifact: entry.request.key, reason, because: error.message, failures };
    // It goes on for ever: only what is new about it is worth a line that everybody sees.
    if (last?.because === error.message) this.#deps.log.debug(facts, "artifact not available; it will be tried again");
    else
      this.#deps.log.warn(
        { ...facts, ...(error.cause === undefined ? {} : { err: error.cause }) },
        "artifact not available; it will be tried again",
      );
  }

  #tell({ source }: ArtifactRequest, result: "fetched" | "cached" | "failed", bytes: number): void {
    const { observer = UNOBSERVED } = this.#deps;
    observer.artifactLoaded(source.kind, result, bytes);
  }

  *#readyWith(sha256: string): Generator<ReadyArtifact & { readonly key: ResourceKey }, undefined> {
    for (const [key, { state }] of this.#entries) {
      if (state.kind === "ready" && state.sha256 === sha256) yield { ...state, key };
    }
  }

  /** Never rejects. */
  async #inspect({ sha256, file, inspection }: ReadyArtifact, entryClasses: readonly string[]): Promise<void> {
    try {
      const inspected = await inspectClasses(file, inspection, entryClasses);
      for (const entry of this.#entries.values()) {
        if (entry.state.kind === "ready" && entry.state.sha256 === sha256)
          entry.state = { ...entry.state, inspection: inspected };
      }
    } catch (error) {
      // The jar was there and can no longer be read: it is fetched again, and looked into then.
      this.#deps.log.debug({ err: error, sha256 }, "jar not readable");
      this.#lose(sha256);
    }
    this.#inspecting.delete(sha256);
    if (!this.#closing.signal.aborted) this.#deps.onChange();
  }

  /** One after the other, and never waited for: what is there serves as well in a folder that is too large. */
  #shrink(): void {
    this.#shrinking = this.#shrinking
      .then(async () => this.#shrinkNow())
      .catch((err: unknown) => {
        this.#deps.log.debug({ err }, "the artifact cache was not made smaller");
      });
  }

  async #shrinkNow(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { cacheBytes, cacheDir } = this.#settings;
    const ready = [...this.#entries.values()].flatMap(({ state }) => (state.kind === "ready" ? [state.sha256] : []));
    const { bytes, removed } = await this.#cache.shrink(cacheBytes, new Set([...this.#needed, ...ready]));
    if (removed > 0) this.#deps.log.info({ removed, bytes }, "jars that nobody needs were removed from the cache");
    if (bytes > cacheBytes && !this.#isOverfull) {
      this.#deps.log.warn(
        { bytes, cacheBytes, cacheDir },
        "the jars that are in use weigh more than artifacts.cacheSize; they stay",
      );
    }
    this.#isOverfull = bytes > cacheBytes;
  }

  #lose(sha256: string): void {
    const lost = [...this.#readyWith(sha256)];
    if (lost.length === 0) return;
    for (const { key } of lost) this.#entries.delete(key);
    this.#deps.log.warn({ sha256, artifacts: lost.map(({ key }) => key) }, "the cache lost a jar; it will be fetched again");
    this.#deps.onChange();
  }

  /** Old temporary files only cost room, so a failure to remove them is none of the artifacts'. */
  async #removeLeftovers(): Promise<void> {
    await this.#cache.removeLeftovers().catch((err: unknown) => {
      this.#deps.log.debug({ err }, "old temporary files of the artifact cache not removed");
    });
    this.#shrink();
  }
}

function buildUrlHosts(settings: ArtifactStoreSettings, lookup: Lookup | undefined): UrlHosts {
  const { hosts, maven, s3, repository, proxy, allowPrivateNetworks } = settings;
  const endpoint = s3.endpoint === undefined ? [] : [s3.endpoint];
  const named = [...maven.repositories.map(({ url }) => url), ...endpoint, ...(repository === undefined ? [] : [repository.url])];
  const proxied = (proxy?.http ?? "") !== "" || (proxy?.https ?? "") !== "";
  const guard = new AddressGuard({ allowPrivateNetworks, proxied, ...(lookup === undefined ? {} : { lookup }) });
  return new UrlHosts(hosts, named, guard);
}

/** Whether what is known still answers the request. */
function isSame({ request, state }: Entry, other: ArtifactRequest): boolean {
  if (placeOf(request) !== placeOf(other)) return false;
  if (state.kind === "ready") return other.sha256 === undefined || other.sha256 === state.sha256;
  return request.sha256 === other.sha256 && request.maxBytes === other.maxBytes;
}

function failureOf({ because, reason, failures }: ArtifactFailure): ArtifactFailure {
  return { because, reason, failures };
}

function blobFacts({ blob }: ArtifactRequest): object {
  return blob === undefined ? {} : { commit: blob.commit, blob: blob.oid };
}

function toArtifactError(error: unknown, cacheDir: string): ArtifactError {
  const known = diskFailure(error, cacheDir);
  if (known instanceof ArtifactError) return known;
  return new ArtifactError("InternalError", `an error of Penstock itself: ${messageOf(error)}`, { cause: error });
}
