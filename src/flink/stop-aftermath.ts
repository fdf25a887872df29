import { oneLine } from "../common/text.ts";
import type { Cluster } from "./cluster.ts";
import type { FlinkCheckpoints } from "./responses.ts";
import type { SavepointFound } from "./restore-directories.ts";

/** What can be learnt of a job that has ended, or that the cluster does not know any more, besides the operation itself. */
export interface Aftermath {
  /** Whether Flink still has its checkpoints in numbers. */
  readonly numbers: boolean;
  /** The savepoint of the operation, as Flink's numbers name it. */
  readonly uri: string | undefined;
  readonly wentOn: WentOn;
}

/** Whether the job took another checkpoint or savepoint after that of the operation, so that it is not its last state. */
export type WentOn =
  | { readonly kind: "no" }
  /** `sure` is false when Flink's numbers may only be older than the savepoint. */
  | { readonly kind: "yes"; readonly sure: boolean }
  | { readonly kind: "cannot-tell"; readonly because: string };

interface Operation {
  readonly flinkJobId: string;
  readonly targetDirectory: string;
}

export async function readAftermath(
  cluster: Cluster,
  operation: Operation,
  directory: SavepointFound,
  signal: AbortSignal,
): Promise<Aftermath> {
  const numbers = await cluster.client.readCheckpoints(operation.flinkJobId, signal);
  const saved = numbers?.latestSavepoint;
  const uri = saved?.externalPath === undefined ? undefined : uriIn(operation.targetDirectory, saved.externalPath);
  if (saved !== undefined && uri !== undefined) {
    const later = (numbers?.latestCompleted?.id ?? 0) > saved.id;
    return { numbers: true, uri, wentOn: later ? { kind: "yes", sure: true } : { kind: "no" } };
  }
  const wentOn =
    directory.kind === "saved" ? await lookForLater(cluster, operation, directory, numbers, signal) : { kind: "no" as const };
  return { numbers: numbers !== undefined, uri: undefined, wentOn };
}

async function lookForLater(
  cluster: Cluster,
  { flinkJobId }: Operation,
  { uri, writtenAtMs }: Extract<SavepointFound, { readonly kind: "saved" }>,
  numbers: FlinkCheckpoints | undefined,
  signal: AbortSignal,
): Promise<WentOn> {
  const counted = [numbers?.latestCompleted, numbers?.latestSavepoint];
  if (counted.some((taken) => taken !== undefined && taken.triggeredAtMs > writtenAtMs)) return { kind: "yes", sure: false };
  const seen = await cluster.readRestorePoints(flinkJobId, signal);
  if (seen.kind === "cannot-tell") {
    const because = `whether the job went on after the savepoint ${oneLine(uri, 300)} cannot be told: ${seen.because}`;
    return { kind: "cannot-tell", because };
  }
  const later = seen.entries.some((entry) => entry.uri !== uri && entry.writtenAtMs > writtenAtMs);
  return later ? { kind: "yes", sure: true } : { kind: "no" };
}

/** The location in the words of the directory (Flink writes `file:/a` where it was told `file:///a`); undefined when it lies elsewhere. */
export function uriIn(directory: string, location: string): string | undefined {
  const root = directory.replace(/\/+$/, "");
  const [plainRoot, plain] = [root, location.replace(/\/+$/, "")].map((uri) => uri.replace(/^file:\/+/, "file:/")) as [
    string,
    string,
  ];
  if (plain !== plainRoot && !plain.startsWith(`${plainRoot}/`)) return undefined;
  return root + plain.slice(plainRoot.length);
}
