import type { Log } from "../common/log.ts";
import type { Cluster } from "./cluster.ts";
import type { JarFile } from "./multipart.ts";
import type { FlinkJar } from "./responses.ts";

export interface UnusedUploads {
  readonly instance: string;
  /** Digests of the jars that may be started from. */
  readonly needed: ReadonlySet<string>;
  readonly nowMs: number;
}

const YOUNG_MS = 600_000;

/**
 * The jars of one JobManager process. A jar is uploaded once and shared by all jobs that are started from it; an upload of an earlier
 * daemon is found again by its name, which holds the digest.
 */
export class Uploads {
  readonly #cluster: Cluster;
  readonly #log: Log;
  readonly #jarIds = new Map<string, Promise<string>>();
  #incarnation = "";

  constructor(cluster: Cluster, log: Log) {
    this.#cluster = cluster;
    this.#log = log;
  }

  /** The id under which the JobManager has the jar; uploads it when it has it not. Whoever asks for the same jar shares one upload. */
  async ensure(jar: JarFile, incarnation: string, signal: AbortSignal): Promise<string> {
    if (incarnation !== this.#incarnation) this.#jarIds.clear();
    this.#incarnation = incarnation;
    const known = this.#jarIds.get(jar.fileName);
    if (known !== undefined) return known;
    const uploading = this.#findOrUpload(jar, signal);
    this.#jarIds.set(jar.fileName, uploading);
    uploading.catch(() => this.#jarIds.delete(jar.fileName)); // Told to those who wait for it; the next one tries again.
    return uploading;
  }

  /** The JobManager says that it has no such jar: the next `ensure` uploads it again. */
  forget(fileName: string): void {
    this.#jarIds.delete(fileName);
  }

  /**
   * Deletes uploads of this instance whose jar nobody needs, and copies beside the one that is used. Flink keeps what it runs elsewhere,
   * so no job minds. What is younger than a while stays: another daemon may be about to run it. Throws when the cluster does not answer.
   */
  async removeUnused(unused: UnusedUploads, signal: AbortSignal): Promise<{ readonly young: number }> {
    const { instance, needed, nowMs } = unused;
    const listed = await this.#cluster.client.listJars(signal);
    const superfluous = findSuperfluous(listed, instance, needed);
    const old = superfluous.filter(({ uploadedAtMs }) => nowMs - uploadedAtMs >= YOUNG_MS);
    for (const { id, name } of old) {
      this.#jarIds.delete(name);
      await this.#cluster.client.deleteJar(id, signal);
      this.#log.info({ cluster: this.#cluster.name, jar: name }, "unused jar removed");
    }
    return { young: superfluous.length - old.length };
  }

  async #findOrUpload(jar: JarFile, signal: AbortSignal): Promise<string> {
    const listed = (await this.#cluster.client.listJars(signal)).find((found) => found.name === jar.fileName);
    if (listed !== undefined) return listed.id;
    const jarId = await this.#cluster.client.uploadJar(jar, signal);
    this.#log.info({ cluster: this.#cluster.name, jar: jar.fileName, bytes: jar.size }, "jar uploaded");
    return jarId;
  }
}

/** Only names that this instance gives. Of several copies under one name the one that is listed first is the one that `ensure` finds. */
function findSuperfluous(listed: readonly FlinkJar[], instance: string, needed: ReadonlySet<string>): readonly FlinkJar[] {
  const seen = new Set<string>();
  return listed.filter(({ name }) => {
    const digest = name.startsWith(`${instance}-`)
      ? /^([0-9a-f]{64})(?:-[\w.-]+)?\.jar$/.exec(name.slice(instance.length + 1))?.[1]
      : undefined;
    if (digest === undefined) return false;
    const isCopy = seen.has(name);
    seen.add(name);
    return isCopy || !needed.has(digest);
  });
}
