import type { JobStatus, Operation } from "../model/status.ts";

/** What is under way on the Job's own Flink job. The stop of a second one, which should not be there, is not. */
export function ownOperation({ operation }: Pick<JobStatus, "operation">): Operation | undefined {
  return operation?.kind === "stop" && operation.purpose === "duplicate" ? undefined : operation;
}
