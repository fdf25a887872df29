import { isTerminal } from "../../src/flink/responses.ts";
import { bodies, type FakeAnswer } from "./fake-flink-bodies.ts";
import type { FakeCluster, RunRequest } from "./fake-flink-cluster.ts";
import * as view from "./fake-flink-views.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: Buffer;
  readonly address: string;
}

type Handler = (cluster: FakeCluster, request: FakeRequest, ...parts: string[]) => FakeAnswer | Promise<FakeAnswer>;

const ROUTES: readonly (readonly [string, RegExp, Handler])[] = [
  ["GET", /^\/config$/, (cluster) => ok(view.configView(cluster))],
  ["GET", /^\/jobmanager\/environment$/, () => ok(view.environmentView())],
  ["GET", /^\/jobmanager\/config$/, (cluster) => ok(view.jobManagerConfigView(cluster))],
  ["GET", /^\/overview$/, (cluster) => ok(view.overviewView(cluster))],
  ["GET", /^\/taskmanagers$/, (cluster) => ok(view.taskManagersView(cluster))],
  ["GET", /^\/taskmanagers\/([^/]+)$/, (cluster) => ok(view.taskManagerView(cluster))],
  ["GET", /^\/jobs\/overview$/, (cluster) => ok(view.jobsView(cluster))],
  ["GET", /^\/jars$/, (cluster, request) => ok(view.jarsView(cluster, request.address))],
  ["POST", /^\/jars\/upload$/, upload],
  ["DELETE", /^\/jars\/([^/]+)$/, (cluster, _, id = "") => (cluster.jars.delete(id) ? ok({}) : bodies.jarToDeleteMissing(id))],
  ["POST", /^\/jars\/([^/]+)\/run$/, (cluster, request, id = "") => run(cluster, request, id)],
  ["GET", /^\/jobs\/([^/]+)$/, ofJob((cluster, job) => ok(view.jobView(cluster, job)))],
  ["GET", /^\/jobs\/([^/]+)\/checkpoints$/, ofJob((_, job) => ok(view.checkpointsView(job)))],
  ["GET", /^\/jobs\/([^/]+)\/checkpoints\/config$/, ofJob((_, job) => ok(view.checkpointConfigView(job)))],
  [
    "GET",
    /^\/jobs\/([^/]+)\/exceptions$/,
    ofJob((cluster, job, { query }) => ok(view.exceptionsView(cluster, job, Number(query.get("maxExceptions") ?? "20")))),
  ],
  ["PATCH", /^\/jobs\/([^/]+)$/, (cluster, _, id = "") => cancel(cluster, id)],
  [
    "POST",
    /^\/jobs\/([^/]+)\/stop$/,
    (cluster, request, id = "") => trigger(cluster, request, id, "targetDirectory", "FINISHED"),
  ],
  [
    "POST",
    /^\/jobs\/([^/]+)\/savepoints$/,
    (cluster, request, id = "") => trigger(cluster, request, id, "target-directory", "CANCELED"),
  ],
  ["GET", /^\/jobs\/([^/]+)\/savepoints\/([^/]+)$/, (cluster, _, id = "", triggerId = "") => operation(cluster, id, triggerId)],
  ["POST", /^\/savepoint-disposal$/, dispose],
  ["GET", /^\/savepoint-disposal\/([^/]+)$/, (cluster, _, triggerId = "") => disposal(cluster, triggerId)],
  ["GET", /^\/jobs\/([^/]+)\/resource-requirements$/, (cluster, _, id = "") => readRequirements(cluster, id)],
  ["PUT", /^\/jobs\/([^/]+)\/resource-requirements$/, (cluster, request, id = "") => putRequirements(cluster, request, id)],
];

/** Flink's answer to a request; the work is done when it is there. */
export async function answerRequest(cluster: FakeCluster, request: FakeRequest): Promise<FakeAnswer> {
  cluster.advance();
  for (const [method, pattern, handler] of ROUTES) {
    const match = method === request.method ? pattern.exec(request.path) : null;
    if (match !== null) return handler(cluster, request, ...match.slice(1).map(decodeURIComponent));
  }
  return bodies.unroutable(request.method, request.path);
}

function ok(body: unknown, status = 200): FakeAnswer {
  return { status, body };
}

type JobHandler = (
  cluster: FakeCluster,
  job: NonNullable<ReturnType<FakeCluster["jobs"]["get"]>>,
  request: FakeRequest,
) => FakeAnswer;

function ofJob(handler: JobHandler): Handler {
  return (cluster, request, flinkJobId = "") => {
    const job = cluster.jobs.get(flinkJobId);
    return job === undefined ? bodies.jobNotFound(flinkJobId) : handler(cluster, job, request);
  };
}

function upload(cluster: FakeCluster, request: FakeRequest): FakeAnswer {
  const boundary = /boundary=(.+)$/.exec(request.contentType)?.[1] ?? "";
  const headEnd = request.body.indexOf("\r\n\r\n");
  const name = /filename="([^"]*)"/.exec(request.body.subarray(0, headEnd).toString("latin1"))?.[1] ?? "";
  if (!name.endsWith(".jar")) return bodies.onlyJars();
  const content = request.body.subarray(headEnd + 4, request.body.lastIndexOf(`\r\n--${boundary}--`));
  const jar = cluster.upload(name, Buffer.from(content));
  return ok({ filename: `/tmp/flink-web-${cluster.incarnation}/flink-web-upload/${jar.id}`, status: "success" });
}

const RUN_FIELDS = "entryClass programArgsList parallelism jobId allowNonRestoredState savepointPath restoreMode".split(" ");

async function run(cluster: FakeCluster, request: FakeRequest, jarId: string): Promise<FakeAnswer> {
  const body = jsonOf(request);
  const known = new Set(RUN_FIELDS);
  if (cluster.minor >= 117) known.add("flinkConfiguration");
  if (cluster.minor >= 120) known.add("claimMode");
  if (cluster.minor < 200) known.add("programArgs");
  const unknown = Object.keys(body).find((field) => !known.has(field));
  if (unknown !== undefined && cluster.minor < 120) return bodies.unrecognizedField(unknown);
  const jobId = String(body["jobId"]);
  if (!/^[0-9a-f]{32}$/.test(jobId))
    return bodies.wrongFormat("JarRunRequestBody", `java.lang.IllegalArgumentException: Cannot parse JobID from "${jobId}".`);
  return cluster.run(jarId, runRequestOf(body, jobId));
}

function runRequestOf(body: Readonly<Record<string, unknown>>, jobId: string): RunRequest {
  const { entryClass, programArgsList, parallelism, savepointPath, flinkConfiguration } = body;
  return {
    jobId,
    entryClass: String(entryClass),
    programArgs: Array.isArray(programArgsList) ? programArgsList.map(String) : [],
    parallelism: typeof parallelism === "number" ? parallelism : 1,
    savepointPath: typeof savepointPath === "string" ? savepointPath : undefined,
    configuration: textsOf(flinkConfiguration),
  };
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  const entries: readonly (readonly [string, unknown])[] =
    typeof value === "object" && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.map(([key, member]) => [key, String(member)]));
}

function cancel(cluster: FakeCluster, flinkJobId: string): FakeAnswer {
  const job = cluster.jobs.get(flinkJobId);
  if (job === undefined) return bodies.cancelUnknown();
  if (job.state === "FINISHED" || job.state === "FAILED") return bodies.cancelEnded(job.state);
  if (job.state !== "CANCELED") cluster.setState(job, cluster.cancellationsHeld ? "CANCELLING" : "CANCELED");
  return ok({}, 202);
}

function trigger(
  cluster: FakeCluster,
  request: FakeRequest,
  flinkJobId: string,
  directoryField: string,
  ending: "FINISHED" | "CANCELED",
): FakeAnswer {
  const body = jsonOf(request);
  const triggerId = String(body["triggerId"]);
  const isStop = ending === "FINISHED";
  if (!/^[0-9a-f]{32}$/.test(triggerId)) {
    const format = isStop ? "StopWithSavepointRequestBody" : "SavepointTriggerRequestBody";
    return bodies.wrongFormat(format, `java.lang.IllegalArgumentException: Cannot parse TriggerId from "${triggerId}".`);
  }
  const targetDirectory = body[directoryField] ?? cluster.settings.savepointsDir;
  if (typeof targetDirectory !== "string") return bodies.noSavepointDir(cluster.minor >= 120);
  cluster.trigger(flinkJobId, triggerId, { targetDirectory, ending: isStop || body["cancel-job"] === true ? ending : undefined });
  return ok({ "request-id": triggerId }, 202);
}

function operation(cluster: FakeCluster, flinkJobId: string, triggerId: string): FakeAnswer {
  const found = cluster.operation(flinkJobId, triggerId);
  return found === undefined ? bodies.unknownTrigger(triggerId) : ok(view.operationView(found.result));
}

function disposal(cluster: FakeCluster, triggerId: string): FakeAnswer {
  const found = cluster.operation("disposal", triggerId);
  return found === undefined ? bodies.unknownDisposal() : ok(view.operationView(found.result));
}

function dispose(cluster: FakeCluster, request: FakeRequest): FakeAnswer {
  return ok({ "request-id": cluster.dispose(String(jsonOf(request)["savepoint-path"])) });
}

function readRequirements(cluster: FakeCluster, flinkJobId: string): FakeAnswer {
  if (cluster.minor < 118) return bodies.unroutable("GET", `/jobs/${flinkJobId}/resource-requirements`);
  if (!cluster.settings.adaptive) return bodies.notAdaptive();
  const job = cluster.jobs.get(flinkJobId);
  if (job === undefined) return bodies.jobGoneFromScheduler(flinkJobId);
  const vertices = view.verticesOf(job).map(({ id }, index) => {
    const upperBound = index === 0 ? job.sourceParallelism : job.requestedParallelism;
    return [id, { parallelism: { lowerBound: 1, upperBound } }] as const;
  });
  return ok(Object.fromEntries(vertices));
}

function putRequirements(cluster: FakeCluster, request: FakeRequest, flinkJobId: string): FakeAnswer {
  if (cluster.minor < 118) return bodies.unroutable("PUT", request.path);
  if (!cluster.settings.adaptive) return bodies.notAdaptive();
  const job = cluster.jobs.get(flinkJobId);
  if (job === undefined || isTerminal(job.state)) return bodies.jobGoneFromScheduler(flinkJobId);
  const body = jsonOf(request);
  const vertices = view.verticesOf(job);
  const missing = vertices.find(({ id }) => body[id] === undefined);
  if (missing !== undefined) return bodies.incompleteRequirements(missing.id);
  const bounds = vertices.map(({ id }) =>
    Number(Reflect.get(Object(Reflect.get(Object(body[id]), "parallelism")), "upperBound")),
  );
  const above = vertices.findIndex(({ maxParallelism }, index) => bounds[index]! > maxParallelism);
  if (above >= 0) return bodies.aboveMaxParallelism(bounds[above]!, vertices[above]!.id, vertices[above]!.maxParallelism);
  [job.sourceParallelism, job.requestedParallelism] = [bounds[0]!, bounds[1]!];
  cluster.advance();
  return ok({});
}

function jsonOf(request: FakeRequest): Readonly<Record<string, unknown>> {
  return Object(JSON.parse(request.body.toString("utf8") || "{}")) as Record<string, unknown>;
}
