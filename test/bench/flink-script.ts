import { openAsBlob } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Of `/jobs/overview`, what is needed here. */
export interface ListedJob {
  readonly jid: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly running: number };
}

/** In Flink's own words. */
export interface RunOptions {
  readonly parallelism?: number;
  readonly savepointPath?: string;
  readonly flinkConfiguration?: Readonly<Record<string, string>>;
}

interface Operation {
  readonly status: { readonly id: string };
  readonly operation?: { readonly location?: string; readonly "failure-cause"?: unknown };
}

interface Requirement {
  readonly parallelism: { lowerBound: number; upperBound: number };
}

/** As often as a person who wants to be quick lets a script ask. */
const POLL_MS = 20;

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

  async run(jarId: string, programArgs: readonly string[], more: RunOptions = {}): Promise<string> {
    const body = JSON.stringify({ parallelism: 1, programArgsList: programArgs, ...more });
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

  /** Ends when the savepoint is there; the place where it lies. */
  async stopWithSavepoint(jobId: string, targetDirectory: string): Promise<string> {
    const body = JSON.stringify({ targetDirectory, drain: false });
    const asked = (await this.#call("POST", `jobs/${jobId}/stop`, body)) as { readonly "request-id": string };
    for (;;) {
      const { status, operation } = (await this.#call("GET", `jobs/${jobId}/savepoints/${asked["request-id"]}`)) as Operation;
      if (operation?.location !== undefined) return operation.location;
      if (status.id === "COMPLETED") throw new Error(`the stop failed: ${JSON.stringify(operation)}`);
      await delay(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  /** Asks an adaptive scheduler for another parallelism of the vertices that have the old one; does not wait for it. */
  async rescaleInPlace(jobId: string, from: number, to: number): Promise<void> {
    const path = `jobs/${jobId}/resource-requirements`;
    const requirements = (await this.#call("GET", path)) as Readonly<Record<string, Requirement>>;
    for (const { parallelism } of Object.values(requirements)) {
      parallelism.lowerBound = 1;
      if (parallelism.upperBound === from) parallelism.upperBound = to;
    }
    await this.#call("PUT", path, JSON.stringify(requirements));
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
