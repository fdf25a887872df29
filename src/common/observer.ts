/**
 * Who is told what the daemon does, for figures. The parts that do it know no more of figures than this; an observer never throws, never
 * waits and decides nothing.
 */
export interface Observer {
  /** Of the calls to one cluster of the configuration. */
  flink(zone: string, cluster: string): FlinkObserver;
  /** One request to the Git server is over. */
  gitCalled(operation: GitOperation, outcome: CallOutcome, ms: number): void;
  /** The branch of the manifests was found at another commit than before; not told of the first look. */
  branchMoved(commit: string): void;
  /** A commit of the manifests was read; `committedAtMs` is what its committer's clock said. */
  commitRead(commit: string, committedAtMs: number): void;
  /** Something that was announced ended: `kind` is `start`, `stop`, …, and `result` how. */
  acted(action: { readonly kind: string; readonly result: string; readonly zone: string; readonly cluster: string }): void;
  /** The bytes of an Artifact were looked for; `bytes` is what was fetched, 0 when they lay in the cache. */
  artifactLoaded(source: string, result: "fetched" | "cached" | "failed", bytes: number): void;
}

export interface FlinkObserver {
  /** `GET /jobs/…`: with the ids that were asked for. */
  called(endpoint: string, outcome: CallOutcome, ms: number): void;
  breakerChanged(state: BreakerState): void;
}

/**
 * `ok` and `refused` are answers of the other side itself; `strange` is one of somebody else; `unreachable` is none; `not-tried`: the
 * circuit breaker held it back; `aborted`: nobody waits for it any more.
 */
export type CallOutcome = "ok" | "refused" | "strange" | "unreachable" | "not-tried" | "aborted";

export type GitOperation = "advertisement" | "list-refs" | "fetch" | "push";

export type BreakerState = "closed" | "open" | "half-open";

export const UNOBSERVED_FLINK: FlinkObserver = { called: () => {}, breakerChanged: () => {} };

export const UNOBSERVED: Observer = {
  flink: () => UNOBSERVED_FLINK,
  gitCalled: () => {},
  branchMoved: () => {},
  commitRead: () => {},
  acted: () => {},
  artifactLoaded: () => {},
};
