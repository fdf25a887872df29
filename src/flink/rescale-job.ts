import { isAbort, messageOf } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";
import type { Cluster } from "./cluster.ts";
import { FlinkRejectedError } from "./errors.ts";
import { isFlinkTrouble } from "./poll.ts";
import type { FlinkVertex, ResourceRequirement } from "./responses.ts";

export type RescaleOutcome =
  /** Flink took it. Whether and when it is reached shows in the job's vertices: after Flink's cool-down, and as far as slots go. */
  | { readonly kind: "asked" }
  /** Nothing was changed. */
  | { readonly kind: "refused"; readonly because: string }
  /** Flink may have taken it; asking again is harmless. */
  | { readonly kind: "unknown"; readonly because: string };

/**
 * Asks an adaptive scheduler for another parallelism of a running job. Vertices that did not follow the job's parallelism (`from`) were
 * given theirs by the program and keep it. Does not wait for anything to happen. Never throws but for `signal`.
 */
export async function rescaleInPlace(
  cluster: Cluster,
  flinkJobId: string,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<RescaleOutcome> {
  try {
    const before = await cluster.client.readResourceRequirements(flinkJobId, signal);
    const job = await cluster.client.readJob(flinkJobId, signal);
    if (job === undefined) return { kind: "refused", because: "the cluster does not know the job" };
    if (job.vertices.length === 0) return { kind: "refused", because: `the job shows no vertices while it is ${job.state}` };
    await cluster.client.putResourceRequirements(flinkJobId, requirementsFor(job.vertices, before, from, to), signal);
    return { kind: "asked" };
  } catch (error) {
    if (isAbort(error, signal) || !isFlinkTrouble(error)) throw error;
    return settle(error);
  }
}

type Vertex = Pick<FlinkVertex, "id" | "parallelism" | "maxParallelism">;

/** The parallelism that the job can have at most when `to` is asked of it: that of its widest vertex. */
export function cappedParallelism(job: { readonly vertices: readonly Vertex[] }, to: number): number {
  return Math.max(1, ...job.vertices.map((vertex) => capOf(vertex, to)));
}

/**
 * The parallelism that the job can be started with at most from its own state: state is never spread wider than the max parallelism that it
 * was written with. Counts the vertices that follow the job's parallelism, `from`; undefined where Flink names no maximum.
 */
export function mostFromState(job: { readonly vertices: readonly Vertex[] }, from: number): number | undefined {
  const followers = job.vertices.filter(({ parallelism }) => parallelism === from);
  const bounds = followers.map(({ maxParallelism }) => maxParallelism).filter((bound) => bound > 0);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}

/** All vertices, as Flink wants it. */
function requirementsFor(
  vertices: readonly Vertex[],
  before: ReadonlyMap<string, ResourceRequirement>,
  from: number,
  to: number,
): ReadonlyMap<string, ResourceRequirement> {
  const askedOf = ({ id, parallelism }: Vertex): number => before.get(id)?.upperBound ?? parallelism;
  const isAtFrom = (vertex: Vertex): boolean => askedOf(vertex) === capOf(vertex, from) || vertex.parallelism === from;
  // None is when a request whose answer was lost had taken effect: then the widest ones are what followed it.
  const widest = Math.max(...vertices.map(askedOf));
  const follows = vertices.some(isAtFrom) ? isAtFrom : (vertex: Vertex): boolean => askedOf(vertex) === widest;
  return new Map(
    vertices.map((vertex) => {
      const upperBound = follows(vertex) ? capOf(vertex, to) : askedOf(vertex);
      // With a lower bound that does not fit any more, the job would fail for good at its next restart.
      return [vertex.id, { lowerBound: 1, upperBound }] as const;
    }),
  );
}

function capOf({ maxParallelism }: Vertex, parallelism: number): number {
  return maxParallelism > 0 ? Math.min(parallelism, maxParallelism) : parallelism;
}

const NEVER_HERE = /does not support changing the parallelism|running in reactive mode|Could not find Flink job/;

/** 500 is what Flink says to a scheduler that cannot, and to anything else that it did not expect. */
function settle(error: Error): RescaleOutcome {
  const because = oneLine(error instanceof FlinkRejectedError ? error.line : messageOf(error), 400);
  if (!(error instanceof FlinkRejectedError)) return { kind: "unknown", because };
  const { status } = error.data;
  const refused = (status >= 400 && status < 500 && status !== 408 && status !== 409) || NEVER_HERE.test(error.line);
  return { kind: refused ? "refused" : "unknown", because };
}
