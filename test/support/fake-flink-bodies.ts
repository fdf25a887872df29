/**
 * Flink's error answers: test/flink/fixtures holds recorded ones. One string with a Java stack trace for what the REST layer refuses, two strings
 * for what it did not expect.
 */
export interface FakeAnswer {
  readonly status: number;
  readonly body: unknown;
}

const REST = "org.apache.flink.runtime.rest.handler.RestHandlerException";
const INVOCATION = "org.apache.flink.client.program.ProgramInvocationException";
const FRAMES = [
  "\tat org.apache.flink.runtime.webmonitor.handlers.JarRunHandler.lambda$handleRequest$1(JarRunHandler.java:114)",
  "\tat java.base/java.util.concurrent.CompletableFuture.uniHandle(CompletableFuture.java:934)",
  "\tat java.base/java.lang.Thread.run(Thread.java:840)",
].join("\n");

/** 4xx: the message of a RestHandlerException, then what caused it, innermost last. */
export function refused(status: number, message: string, ...causes: readonly string[]): FakeAnswer {
  return { status, body: { errors: [stackTrace(`${REST}: ${message}`, ...causes)] } };
}

/** 500: whatever Flink did not expect. */
export function failed(...throwables: readonly string[]): FakeAnswer {
  const text = `<Exception on server side:\n${stackTrace(...throwables)}\nEnd of exception on server side>`;
  return { status: 500, body: { errors: ["Internal server error.", text] } };
}

export function stackTrace(...throwables: readonly string[]): string {
  return throwables
    .map((throwable, index) => `${index === 0 ? "" : "Caused by: "}${throwable}\n${FRAMES}${index === 0 ? "" : "\n\t... 3 more"}`)
    .join("\n");
}

export const bodies = {
  unroutable: (method: string, path: string): FakeAnswer =>
    method === "GET"
      ? { status: 404, body: { errors: [`Unable to load requested file ${path}.`] } }
      : { status: 404, body: { errors: [`Not found: ${path}`] } },

  jobNotFound: (flinkJobId: string): FakeAnswer => {
    const missing = `org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (${flinkJobId})`;
    const notFound = `org.apache.flink.runtime.rest.NotFoundException: Job ${flinkJobId} not found`;
    return {
      status: 404,
      body: { errors: [stackTrace(notFound, `java.util.concurrent.CompletionException: ${missing}`, missing)] },
    };
  },

  wrongFormat: (request: string, cause: string): FakeAnswer =>
    refused(400, `Request did not match expected format ${request}.`, cause),

  unrecognizedField: (field: string): FakeAnswer =>
    bodies.wrongFormat(
      "JarRunRequestBody",
      `org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException: Unrecognized field "${field}" (class org.apache.flink.runtime.webmonitor.handlers.JarRunRequestBody), not marked as ignorable (9 known properties: ])\n at [Source: (String)"{"; line: 1, column: 2]`,
    ),

  /** What main() throws, with what caused that. */
  mainThrew: (message: string, ...causes: readonly string[]): FakeAnswer =>
    refused(
      400,
      "Could not execute application.",
      "java.util.concurrent.CompletionException: org.apache.flink.util.FlinkRuntimeException: Could not execute application.",
      "org.apache.flink.util.FlinkRuntimeException: Could not execute application.",
      `${INVOCATION}: The main method caused an error: ${message}`,
      ...causes,
    ),

  duplicate: (isV23: boolean): FakeAnswer => {
    const refusal = isV23
      ? "org.apache.flink.runtime.client.DuplicateApplicationSubmissionException: Application has already been submitted."
      : "org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.";
    const message = "Failed to execute job 'CounterJob'.";
    return bodies.mainThrew(message, `org.apache.flink.util.FlinkException: ${message}`, refusal);
  },

  noJobs: (): FakeAnswer =>
    refused(
      400,
      "No jobs included in application.",
      `${INVOCATION}: The program didn't contain a Flink job. Perhaps you forgot to call execute() on the execution environment.`,
    ),

  jarMissing: (path: string): FakeAnswer =>
    failed(
      `java.util.concurrent.CompletionException: ${REST}: Jar file ${path} does not exist`,
      `${REST}: Jar file ${path} does not exist`,
    ),

  notAJar: (path: string): FakeAnswer =>
    failed(
      `java.util.concurrent.CompletionException: ${INVOCATION}: Error while opening jar file '${path}'. zip END header not found`,
      `${INVOCATION}: Error while opening jar file '${path}'. zip END header not found`,
      "java.util.zip.ZipException: zip END header not found",
    ),

  entryClassMissing: (entryClass: string): FakeAnswer => {
    const message = `The program's entry point class '${entryClass}' was not found in the jar file.`;
    return failed(
      `java.util.concurrent.CompletionException: ${INVOCATION}: ${message}`,
      `${INVOCATION}: ${message}`,
      `java.lang.ClassNotFoundException: ${entryClass}`,
    );
  },

  /** The launcher is found, so the same mistake comes out of main(). */
  entryClassMissingInLauncher: (entryClass: string): FakeAnswer => {
    const message = `The program's entry point class '${entryClass}' was not found in the jar file.`;
    return bodies.mainThrew(
      message,
      `java.lang.IllegalArgumentException: ${message}`,
      `java.lang.ClassNotFoundException: ${entryClass}`,
    );
  },

  /** The fake knows only one kind of class without a main(): nested ones. */
  noMain: (entryClass: string): FakeAnswer => {
    const message = `The given program class does not have a main(String[]) method.`;
    return failed(
      `java.util.concurrent.CompletionException: ${INVOCATION}: ${message}`,
      `${INVOCATION}: ${message}`,
      `java.lang.NoSuchMethodException: ${entryClass}.main`,
    );
  },

  noMainInLauncher: (entryClass: string): FakeAnswer => {
    const message = `The class '${entryClass}' has no main(String[]) method.`;
    return bodies.mainThrew(message, `java.lang.IllegalArgumentException: ${message}`);
  },

  badOption: (value: string, key: string): FakeAnswer => {
    const message = `Could not parse value '${value}' for key '${key}'.`;
    return bodies.mainThrew(
      message,
      `java.lang.IllegalArgumentException: ${message}`,
      `java.lang.NumberFormatException: text does not start with a number`,
    );
  },

  savepointMissing: (path: string): FakeAnswer => {
    const message = `Cannot find checkpoint or savepoint file/directory '${path}' on file system 'file'.`;
    return bodies.mainThrew(
      "Failed to execute job 'CounterJob'.",
      "org.apache.flink.util.FlinkException: Failed to execute job 'CounterJob'.",
      "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.",
      `java.util.concurrent.CompletionException: java.io.FileNotFoundException: ${message}`,
      `java.io.FileNotFoundException: ${message}`,
    );
  },

  onlyJars: (): FakeAnswer => refused(400, "Only Jar files are allowed."),
  jarToDeleteMissing: (jarId: string): FakeAnswer => refused(400, `File ${jarId} does not exist in /tmp/flink-web-upload.`),
  cancelUnknown: (): FakeAnswer => refused(404, "Job could not be found."),
  cancelEnded: (state: string): FakeAnswer =>
    refused(409, `Job cancellation failed because the job has already reached another terminal state (${state}).`),
  unknownTrigger: (triggerId: string): FakeAnswer =>
    refused(404, `There is no savepoint operation with triggerId=${triggerId} for job.`),
  unknownDisposal: (): FakeAnswer => {
    const message = "Operation not found under key: org.apache.flink.runtime.rest.handler.async.OperationKey@2efe671";
    return { status: 404, body: { errors: [stackTrace(`org.apache.flink.runtime.rest.NotFoundException: ${message}`)] } };
  },
  noSavepointDir: (isV120: boolean): FakeAnswer => {
    const key = isV120 ? "execution.checkpointing.savepoint-dir" : "state.savepoints.dir";
    return refused(400, `Config key [${key}] is not set. Property [targetDirectory] must be provided.`);
  },
  notAdaptive: (): FakeAnswer =>
    failed(
      "java.lang.UnsupportedOperationException: The DefaultScheduler does not support changing the parallelism without a job restart. This feature is currently only expected to work with the AdaptiveScheduler.",
    ),
  incompleteRequirements: (vertexId: string): FakeAnswer =>
    refused(400, `The request is incomplete, missing job vertex [${vertexId}].`),
  aboveMaxParallelism: (parallelism: number, vertexId: string, maxParallelism: number): FakeAnswer =>
    refused(
      400,
      `The newly requested parallelism ${parallelism} for the job vertex ${vertexId} exceeds its maximum parallelism ${maxParallelism}.`,
    ),
  /** With Flink's own forgotten argument. */
  updateInProgress: (): FakeAnswer => refused(409, "Another update to the job [%s] resource requirements is in progress."),
  /** What only the scheduler of a running job can answer. */
  jobGoneFromScheduler: (flinkJobId: string): FakeAnswer => {
    const missing = `org.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (${flinkJobId})`;
    return failed(`java.util.concurrent.CompletionException: ${missing}`, missing);
  },
  leaderElection: (): FakeAnswer => ({
    status: 503,
    body: { errors: ["Service temporarily unavailable due to an ongoing leader election. Please refresh."] },
  }),
} as const;
