import { claimModeField, supportsFlinkConfiguration } from "./cluster-version.ts";
import { launcherArgs } from "./launcher/launcher-args.ts";
import { LAUNCHER_CLASS_NAME } from "./launcher/launcher-class.ts";

/** Everything a submission consists of, whatever the cluster's version. */
export interface RunOptions {
  /** The cluster's, with its patch: it decides which fields the request has. */
  readonly flinkVersion: string;
  /** Chosen by us; 32 hex digits. Flink refuses one that it has seen before. */
  readonly flinkJobId: string;
  readonly entryClass: string;
  readonly programArgs: readonly string[];
  readonly parallelism: number;
  /** The job's own options. Before 1.17 they travel through the launcher, which then has to be in the uploaded jar. */
  readonly flinkConfiguration: Readonly<Record<string, string>>;
  readonly restore?: { readonly path: string; readonly allowNonRestoredState: boolean };
}

/** Whether the uploaded jar needs the launcher class for a job with options: `/jars/:id/run` takes none before 1.17. */
export function needsLauncher(flinkVersion: string): boolean {
  return !supportsFlinkConfiguration(flinkVersion);
}

/** The body of `POST /jars/:id/run`. Fields that a version does not know are left out: up to 1.19 they are refused, later ignored in silence. */
export function buildRunRequest(options: RunOptions): Readonly<Record<string, unknown>> {
  const { flinkVersion, flinkJobId, parallelism, restore } = options;
  return {
    jobId: flinkJobId,
    parallelism,
    ...programOf(options),
    ...(restore === undefined
      ? {}
      : {
          savepointPath: restore.path,
          allowNonRestoredState: restore.allowNonRestoredState,
          [claimModeField(flinkVersion)]: "NO_CLAIM",
        }),
  };
}

function programOf(options: RunOptions): Readonly<Record<string, unknown>> {
  const { flinkVersion, entryClass, programArgs, flinkConfiguration } = options;
  if (Object.keys(flinkConfiguration).length === 0) return { entryClass, programArgsList: programArgs };
  if (needsLauncher(flinkVersion)) {
    return {
      entryClass: LAUNCHER_CLASS_NAME,
      programArgsList: launcherArgs(entryClass, flinkConfiguration, programArgs),
    };
  }
  return { entryClass, programArgsList: programArgs, flinkConfiguration };
}
