import { openAsBlob } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Of `/jobs/overview`, what is needed here. */
export interface ListedJob {
  readonly jid: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly running: number };
}

/**
 * What a person without Penstock writes: a few calls of `fetch` against Flink's REST API. It is the floor that Penstock is measured against.
 */
export class FlinkScript {
  readonly #url: URL;
  readonly #signal: AbortSignal;

  constructor(url: URL, signal: AbortSignal) {
    this.#url = url;
    this.#signal = signal;
  }

  /** The id of the copy that Flink made. */
  async upload(jar: string): Promise<string> {
    const form = new FormData();
    form.append("jarfile", await openAsBlob(jar, { type: "application/x-java-archive" }), "bench.jar");
    const { filename } = (await this.#call("POST", "jars/upload", form)) as { readonly filename: string };
    return filename.slice(filename.lastIndexOf("/") + 1);
  }

  async run(jarId: string, programArgs: readonly string[]): Promise<string> {
    const body = JSON.stringify({ parallelism: 1, programArgsList: programArgs });
    return ((await this.#call("POST", `jars/${jarId}/run`, body)) as { readonly jobid: string }).jobid;
  }

  async jobs(): Promise<readonly ListedJob[]> {
    return ((await this.#call("GET", "jobs/overview")) as { readonly jobs: readonly ListedJob[] }).jobs;
  }

  /** Ends when the job does and its slot is free again. */
  async cancel(jobId: string): Promise<void> {
    await this.#call("PATCH", `jobs/${jobId}?mode=cancel`);
    for (;;) {
      const job = (await this.jobs()).find(({ jid }) => jid === jobId);
      if (job === undefined || job.state === "CANCELED") return;
      await delay(20, undefined, { signal: this.#signal });
    }
  }

  async deleteJar(jarId: string): Promise<void> {
    await this.#call("DELETE", `jars/${jarId}`);
  }

  async #call(method: string, path: string, body?: FormData | string): Promise<unknown> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(30_000)]),
      ...(body === undefined ? {} : { body }),
      ...(typeof body === "string" ? { headers: { "content-type": "application/json" } } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as unknown;
  }
}

export function hasAllTasksRunning({ state, tasks }: ListedJob): boolean {
  return state === "RUNNING" && tasks.total > 0 && tasks.running === tasks.total;
}
