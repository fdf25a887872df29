import type { Log } from "../common/log.ts";
import type { Cluster } from "./cluster.ts";
import type { JarFile } from "./multipart.ts";

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

  async #findOrUpload(jar: JarFile, signal: AbortSignal): Promise<string> {
    const listed = (await this.#cluster.client.listJars(signal)).find((found) => found.name === jar.fileName);
    if (listed !== undefined) return listed.id;
    const jarId = await this.#cluster.client.uploadJar(jar, signal);
    this.#log.info({ cluster: this.#cluster.name, jar: jar.fileName, bytes: jar.size }, "jar uploaded");
    return jarId;
  }
}
