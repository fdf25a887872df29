import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Clock, systemClock } from "../../src/common/clock.ts";
import type { FlinkState } from "../../src/flink/responses.ts";
import type { FakeAnswer } from "./fake-flink-bodies.ts";
import { FakeCluster, runFailure } from "./fake-flink-cluster.ts";
import type { FakeJob } from "./fake-flink-job.ts";
import { answerRequest } from "./fake-flink-routes.ts";

export type { FakeJob } from "./fake-flink-job.ts";

export interface FakeFlinkOptions {
  /** `1.16.3` by default; 1.20.5 and 2.3.0 answer as those do. */
  readonly version?: string;
  /** 8 by default. */
  readonly slots?: number;
  readonly adaptive?: boolean;
  readonly highAvailability?: string;
  /** False: the cluster is configured without directories. */
  readonly directories?: boolean;
  /** `file://…` URIs of another cluster, for one that its jobs may move to. */
  readonly sharedDirectories?: { readonly checkpointsDir: string; readonly savepointsDir: string };
  /** Checkpoints and bounded jobs go by it; the system's by default. */
  readonly clock?: Clock;
}

export type Fault =
  /** No answer, ever; the work is not done. */
  | { readonly kind: "hang" }
  /** The connection breaks before anything is done. */
  | { readonly kind: "drop" }
  /** The work is done, then the connection breaks without an answer. */
  | { readonly kind: "lose-answer" }
  /** The work is done; half of the answer arrives. */
  | { readonly kind: "cut" }
  /** A proxy's page instead of Flink; the work is not done. */
  | { readonly kind: "html"; readonly status?: number }
  /** An answer without end. */
  | { readonly kind: "oversized" }
  /** The work is done, the answer waits for `release`. */
  | { readonly kind: "slow"; readonly release: Promise<void> }
  /** This answer instead of the real one; the work is not done. */
  | { readonly kind: "answer"; readonly answer: FakeAnswer };

export interface FakeCall {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Text of a JSON body; "" for others. */
  readonly body: string;
}

/** A session cluster that answers as Flink does, over HTTP, and can be made to misbehave. */
export interface FakeFlink {
  readonly url: URL;
  readonly version: string;
  /** `file://…` URIs; real files that look like Flink's are written there. */
  readonly checkpointsDir: string;
  readonly savepointsDir: string;
  readonly incarnation: string;
  readonly jobs: readonly FakeJob[];
  /** The names of the uploaded jars, oldest first. */
  readonly jarNames: readonly string[];
  /** The bytes of an uploaded jar. */
  jar(jarId: string): Buffer;
  /** Everything that was asked, oldest first; `METHOD /path` to match on. */
  readonly calls: readonly FakeCall[];
  countCalls(pattern: RegExp): number;
  /** When so many calls that match were carried out, or swallowed by a fault; those of before count. */
  untilCalled(pattern: RegExp, times?: number): Promise<void>;
  job(flinkJobId: string): FakeJob;

  /** Puts a fault on calls whose `METHOD /path` matches; for so many of them, or until `clearFaults`. */
  inject(match: RegExp, fault: Fault, times?: number): void;
  clearFaults(): void;
  /** No connection comes about any more, as when the host is down; `accept` ends it, same port. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  /**
   * kill -9 of the JobManager and a new one: no jars, new incarnation, jobs only with high availability. Checkpoints stay on
   * the disk. With another version it was upgraded in place.
   */
  restart(version?: string): void;

  setSlots(slots: number): void;
  /** Jobs stay RUNNING with waiting tasks until they are released. */
  holdDeployments(): void;
  releaseDeployments(): void;
  /** main() does not return until the function is called; meanwhile the job is not known. */
  holdMain(): () => void;
  /** Savepoints and stops stay in progress. */
  holdSavepoints(): void;
  releaseSavepoints(): void;
  /** Savepoints and stops fail with this message; undefined ends it. */
  failSavepoints(message: string | undefined): void;
  failDisposals(message: string | undefined): void;
  /** Stops take their savepoint and then fail; the job is left in this state. Undefined ends it. */
  breakStops(state: FlinkState | undefined): void;
  /** As after five minutes: nobody knows any more what came of savepoints and stops. */
  forgetOperations(): void;
  /** Cancelled jobs stay CANCELLING. */
  holdCancellations(): void;
  releaseCancellations(): void;
  /** A rescale in place is accepted and not carried out. */
  holdRescales(): void;
  releaseRescales(): void;
  /** The next submissions are refused like a main() that throws, or for no known reason. */
  failRuns(times: number, kind: "main-threw" | "other", message: string): void;
  setJobState(flinkJobId: string, state: FlinkState, because?: string): void;
  completeCheckpoint(flinkJobId: string): void;
  /** As after an hour: the job is no longer listed; its id stays spent. */
  forgetJob(flinkJobId: string): void;

  /** Closes the server and removes the directories. */
  close(): Promise<void>;
}

export async function startFakeFlink(options: FakeFlinkOptions = {}): Promise<FakeFlink> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-fake-flink-"));
  const uriOf = (name: string): string => pathToFileURL(join(folder, name)).href;
  const own = { checkpointsDir: uriOf("checkpoints"), savepointsDir: uriOf("savepoints") };
  const directories = options.directories === false ? undefined : (options.sharedDirectories ?? own);
  const cluster = new FakeCluster({
    version: options.version ?? "1.16.3",
    adaptive: options.adaptive ?? false,
    slots: options.slots ?? 8,
    checkpointsDir: directories?.checkpointsDir,
    savepointsDir: directories?.savepointsDir,
    highAvailability: options.highAvailability,
    clock: options.clock ?? systemClock,
  });
  const endpoint = await FakeEndpoint.listen(cluster);
  const close = async (): Promise<void> => {
    await endpoint.refuse();
    await rm(folder, { recursive: true, force: true });
  };
  return fakeFlinkOf(cluster, endpoint, directories ?? own, close);
}

function fakeFlinkOf(
  cluster: FakeCluster,
  endpoint: FakeEndpoint,
  directories: Pick<FakeFlink, "checkpointsDir" | "savepointsDir">,
  close: () => Promise<void>,
): FakeFlink {
  const job = (flinkJobId: string): FakeJob => {
    cluster.advance();
    const found = cluster.jobs.get(flinkJobId);
    if (found === undefined) throw new Error(`the fake has no job ${flinkJobId}`);
    return found;
  };
  return {
    ...directories,
    url: endpoint.url,
    get version() {
      return cluster.settings.version;
    },
    get incarnation() {
      return cluster.incarnation;
    },
    get jobs() {
      cluster.advance();
      return [...cluster.jobs.values()];
    },
    get jarNames() {
      return [...cluster.jars.values()].map(({ name }) => name);
    },
    jar: (jarId) => {
      const found = cluster.jars.get(jarId);
      if (found === undefined) throw new Error(`the fake has no jar ${jarId}`);
      return found.content;
    },
    calls: endpoint.calls,
    countCalls: (pattern) => endpoint.calls.filter(({ method, path }) => pattern.test(`${method} ${path}`)).length,
    untilCalled: (pattern, times = 1) => endpoint.untilCalled(pattern, times),
    job,
    inject: (match, fault, times) => endpoint.inject(match, fault, times),
    clearFaults: () => endpoint.clearFaults(),
    refuse: () => endpoint.refuse(),
    accept: () => endpoint.accept(),
    restart: (version) => cluster.restart(version),
    setSlots: (slots) => void (cluster.slots = slots),
    holdDeployments: () => void (cluster.deploymentsHeld = true),
    releaseDeployments: () => void (cluster.deploymentsHeld = false),
    holdMain: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      cluster.mainGate = promise;
      return () => {
        cluster.mainGate = undefined;
        resolve();
      };
    },
    holdSavepoints: () => void (cluster.savepointsHeld = true),
    releaseSavepoints: () => void (cluster.savepointsHeld = false),
    failSavepoints: (message) => void (cluster.savepointFailure = message),
    failDisposals: (message) => void (cluster.disposalFailure = message),
    breakStops: (state) => void (cluster.brokenStops = state),
    forgetOperations: () => cluster.forgetOperations(),
    holdCancellations: () => void (cluster.cancellationsHeld = true),
    releaseCancellations: () => void (cluster.cancellationsHeld = false),
    holdRescales: () => void (cluster.rescalesHeld = true),
    releaseRescales: () => void (cluster.rescalesHeld = false),
    failRuns: (times, kind, message) => {
      for (let index = 0; index < times; index += 1) cluster.runFailures.push(runFailure(kind, message));
    },
    setJobState: (flinkJobId, state, because) => cluster.setState(job(flinkJobId), state, because),
    completeCheckpoint: (flinkJobId) => void cluster.completeCheckpoint(job(flinkJobId)),
    forgetJob: (flinkJobId) => void cluster.jobs.delete(flinkJobId),
    close,
  };
}

interface Injected {
  readonly match: RegExp;
  readonly fault: Fault;
  left: number;
}

/** The HTTP side: listens, logs, carries out faults. */
class FakeEndpoint {
  readonly calls: FakeCall[] = [];
  readonly url: URL;
  readonly #cluster: FakeCluster;
  readonly #port: number;
  readonly #faults: Injected[] = [];
  /** As `METHOD /path`, in the order in which they were done. */
  readonly #done: string[] = [];
  readonly #onDone = new Set<() => void>();
  #server: Server | undefined;

  static async listen(cluster: FakeCluster): Promise<FakeEndpoint> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    return new FakeEndpoint(cluster, server);
  }

  constructor(cluster: FakeCluster, server: Server) {
    this.#cluster = cluster;
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.url = new URL(`http://127.0.0.1:${this.#port}/`);
    server.on("request", this.#onRequest);
  }

  inject(match: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#faults.push({ match, fault, left: times });
  }

  clearFaults(): void {
    this.#faults.length = 0;
  }

  async untilCalled(pattern: RegExp, times: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#done.filter((call) => pattern.test(call)).length >= times) resolve();
    };
    this.#onDone.add(look);
    look();
    await promise;
    this.#onDone.delete(look);
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer(this.#onRequest);
    this.#server = server;
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(this.#port, "127.0.0.1", resolve));
  }

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    this.#answer(request, response).catch((error: unknown) => {
      // A client that left, or a mistake of the fake's: the test sees a broken connection, and why.
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  };

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const url = new URL(request.url ?? "/", this.url);
    const method = request.method ?? "GET";
    const contentType = request.headers["content-type"] ?? "";
    const text = contentType.startsWith("application/json") ? body.toString("utf8") : "";
    this.calls.push({ method, path: url.pathname, query: url.search, headers: request.headers, body: text });
    const call = `${method} ${url.pathname}`;
    const fault = this.#faultFor(call);
    if (fault !== undefined && !isAfterwards(fault)) {
      this.#noteDone(call);
      return misbehave(fault, response);
    }
    const asked = { method, path: url.pathname, query: url.searchParams, contentType, body, address: this.url.origin };
    const answer = await answerRequest(this.#cluster, asked);
    this.#noteDone(call);
    if (fault === undefined) return send(response, answer);
    return misbehaveAfterwards(fault, response, answer);
  }

  #noteDone(call: string): void {
    this.#done.push(call);
    for (const look of this.#onDone) look();
  }

  #faultFor(endpoint: string): Fault | undefined {
    const found = this.#faults.find(({ match, left }) => left > 0 && match.test(endpoint));
    if (found !== undefined) found.left -= 1;
    return found?.fault;
  }
}

type Afterwards = Extract<Fault, { readonly kind: "lose-answer" | "cut" | "slow" }>;

function isAfterwards(fault: Fault): fault is Afterwards {
  return fault.kind === "lose-answer" || fault.kind === "cut" || fault.kind === "slow";
}

async function misbehave(fault: Exclude<Fault, Afterwards>, response: ServerResponse): Promise<void> {
  switch (fault.kind) {
    case "hang":
      return;
    case "drop":
      response.destroy();
      return;
    case "html":
      response.writeHead(fault.status ?? 500, { "content-type": "text/html" });
      response.end(
        "<html><head><title>500</title><style>b{}</style></head><body><h1>Internal <b>Server</b> Error</h1></body></html>",
      );
      return;
    case "oversized":
      await pourWithoutEnd(response);
      return;
    case "answer":
      send(response, fault.answer);
      return;
    default:
      return fault satisfies never;
  }
}

async function misbehaveAfterwards(fault: Afterwards, response: ServerResponse, answer: FakeAnswer): Promise<void> {
  if (fault.kind === "slow") {
    await fault.release;
    send(response, answer);
    return;
  }
  if (fault.kind === "cut") {
    const text = JSON.stringify(answer.body);
    response.writeHead(answer.status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    await new Promise<void>((resolve) => response.write(text.slice(0, text.length / 2), () => resolve()));
  }
  response.destroy();
}

function send(response: ServerResponse, { status, body }: FakeAnswer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

async function pourWithoutEnd(response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  const chunk = Buffer.alloc(1024 * 1024, "[");
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  while (!response.destroyed) {
    if (response.write(chunk)) continue;
    await Promise.race([closed, new Promise<void>((resolve) => response.once("drain", resolve))]);
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
