interface WritingCallSpec {
  readonly to: "flink" | "git" | "forge";
  /** What the call is in HTTP, where one method and one path are this call and no other; `:id` is a job's or a jar's. */
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path?: string;
}

/**
 * Every call that changes something outside of this process, by its name. A transport is given the name and nothing else to write with, so what is
 * not listed here cannot be sent; a test kills the daemon before and after each.
 */
export const WRITING_CALLS = {
  "upload-jar": { to: "flink", method: "POST", path: "/jars/upload" },
  "run-jar": { to: "flink", method: "POST", path: "/jars/:id/run" },
  "delete-jar": { to: "flink", method: "DELETE", path: "/jars/:id" },
  "cancel-job": { to: "flink", method: "PATCH", path: "/jobs/:id?mode=cancel" },
  "stop-job": { to: "flink", method: "POST", path: "/jobs/:id/stop" },
  "take-savepoint": { to: "flink", method: "POST", path: "/jobs/:id/savepoints" },
  "dispose-savepoint": { to: "flink", method: "POST", path: "/savepoint-disposal" },
  "rescale-job": { to: "flink", method: "PUT", path: "/jobs/:id/resource-requirements" },
  "push-status": { to: "git" },
  "push-mirror": { to: "git" },
  "push-previews": { to: "git" },
  "create-comment": { to: "forge" },
  "update-comment": { to: "forge" },
  "set-commit-status": { to: "forge" },
} as const satisfies Readonly<Record<string, WritingCallSpec>>;

export type WritingCall = keyof typeof WRITING_CALLS;
export type FlinkWrite = WritesTo<"flink">;
/** Those whose path names a job or a jar. */
export type FlinkWriteWithId = {
  [Name in FlinkWrite]: (typeof WRITING_CALLS)[Name]["path"] extends `${string}:id${string}` ? Name : never;
}[FlinkWrite];
export type GitWrite = WritesTo<"git">;
export type ForgeWrite = WritesTo<"forge">;

type WritesTo<Where extends WritingCallSpec["to"]> = {
  [Name in WritingCall]: (typeof WRITING_CALLS)[Name]["to"] extends Where ? Name : never;
}[WritingCall];
