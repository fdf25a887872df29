import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Clock } from "../common/clock.ts";
import type { BreakerState, FlinkObserver, Observer } from "../common/observer.ts";
import { VERSION } from "../common/version.ts";
import type { Config } from "../config/config.ts";
import type { Pass } from "../pass/reconcile.ts";
import { CommitTimes, type Step } from "./commit-times.ts";
import { flinkEndpoint } from "./flink-endpoint.ts";
import type { PassWatch } from "./pass-watch.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { addStateMetrics } from "./state-metrics.ts";
import type { TransitionStreams } from "./transition-stream.ts";
import { FORGES, type Forge } from "./webhook-signature.ts";
import type { WebhookOutcome } from "./webhooks.ts";

const CALL_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];
const PASS_SECONDS = [0.01, 0.05, 0.2, 1, 5, 30, 120];
const WAY_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const WEBHOOK_OUTCOMES: readonly WebhookOutcome[] = ["wake", "ignored", "unreadable", "unproven"];
const BREAKER_STATES: readonly BreakerState[] = ["closed", "half-open", "open"];

/** Everything that is counted, by Prometheus' conventions. No label takes a value that a manifest or a request could choose. */
export class Metrics implements Observer {
  readonly #registry = new Registry();
  readonly #passes = this.#counter("penstock_passes_total", "Passes by how they ended.", ["result"]);
  readonly #passSeconds = this.#histogram("penstock_pass_duration_seconds", "How long passes took.", [], PASS_SECONDS);
  readonly #actions = this.#counter(
    "penstock_actions_total",
    "Steps at Flink that were announced and ended, by kind and by how; each try counts.",
    ["zone", "cluster", "kind", "result"],
  );
  readonly #submissions = this.#counter(
    "penstock_cluster_submissions_total",
    "Programs that the cluster was asked to run; each one loads classes into its JobManager.",
    ["zone", "cluster"],
  );
  readonly #flinkCalls = this.#counter("penstock_flink_requests_total", "Calls to Flink by endpoint and outcome.", [
    "zone",
    "cluster",
    "endpoint",
    "outcome",
  ]);
  readonly #flinkSeconds = this.#histogram(
    "penstock_flink_request_duration_seconds",
    "How long calls to Flink took, until the whole answer was there.",
    ["zone", "cluster", "outcome"],
    CALL_SECONDS,
  );
  readonly #breaker: Gauge;
  readonly #gitSeconds = this.#histogram(
    "penstock_git_request_duration_seconds",
    "How long requests to the Git server took, until the whole answer was there.",
    ["operation", "outcome"],
    CALL_SECONDS,
  );
  readonly #pushes = this.#counter("penstock_status_pushes_total", "Pushes to the status branch by result.", ["result"]);
  readonly #downloads = this.#counter("penstock_artifact_downloads_total", "Looks for the bytes of an Artifact, by result.", [
    "source",
    "result",
  ]);
  readonly #downloadBytes = this.#counter("penstock_artifact_download_bytes_total", "Bytes of jars that were fetched.", [
    "source",
  ]);
  readonly #webhooks = this.#counter("penstock_webhooks_total", "Webhooks by forge and by what they were taken for.", [
    "forge",
    "outcome",
  ]);
  readonly #requests = this.#counter("penstock_http_requests_total", "Requests to this server by route and status.", [
    "route",
    "code",
  ]);
  readonly #ways: Readonly<Record<Step, Histogram>> = {
    seen: this.#histogram("penstock_commit_to_seen_seconds", "From a commit's own time to when it was seen.", [], WAY_SECONDS),
    applied: this.#histogram(
      "penstock_seen_to_applied_seconds",
      "From when a commit was seen to when all that it changes was decided and written.",
      [],
      WAY_SECONDS,
    ),
    running: this.#histogram(
      "penstock_applied_to_running_seconds",
      "From when a commit was applied to when all tasks of a Job that it started ran.",
      [],
      WAY_SECONDS,
    ),
    "first-checkpoint": this.#histogram(
      "penstock_running_to_first_checkpoint_seconds",
      "From when all tasks of a Job that a commit started ran to its first checkpoint.",
      [],
      WAY_SECONDS,
    ),
  };
  readonly #commitTimes: CommitTimes;

  constructor(clock: Clock, watch: PassWatch, config: Pick<Config, "zones" | "instance">) {
    this.#commitTimes = new CommitTimes(clock, (step, seconds) => this.#ways[step].observe(seconds));
    this.#gauge("penstock_build_info", "1, with the version and the instance as labels.", ["version", "instance"]).set(
      { version: VERSION, instance: config.instance },
      1,
    );
    this.#breaker = this.#gauge("penstock_cluster_breaker", "1 for the state that the cluster's circuit breaker is in.", [
      "zone",
      "cluster",
      "state",
    ]);
    for (const zone of config.zones.values())
      for (const { name } of zone.clusters) this.flink(zone.name, name).breakerChanged("closed");
    this.#gauge("penstock_last_pass_timestamp_seconds", "When the newest pass ended.", [], (gauge) => {
      if (watch.lastEndedAtMs !== undefined) gauge.set(watch.lastEndedAtMs / 1000);
    });
    // A counter that is not there yet cannot be told from one that was forgotten.
    for (const forge of FORGES) for (const outcome of WEBHOOK_OUTCOMES) this.#webhooks.inc({ forge, outcome }, 0);
    addStateMetrics(this.#registry, watch);
    addProcessMetrics(this.#registry, clock);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async format(): Promise<string> {
    return this.#registry.metrics();
  }

  watchStreams(streams: TransitionStreams): void {
    const dropped = this.#counter(
      "penstock_event_streams_dropped_total",
      "Readers of server-sent events that were dropped because they were too slow.",
      [],
    );
    this.#gauge("penstock_event_streams", "Readers of server-sent events.", [], (gauge) => gauge.set(streams.count));
    streams.onDrop = () => dropped.inc();
  }

  passEnded(pass: Pass | undefined, ms: number): void {
    this.#passSeconds.observe(ms / 1000);
    if (pass?.kind !== "done") return this.#passes.inc({ result: pass?.kind ?? "error" });
    const { kind } = pass.published;
    this.#passes.inc({ result: kind });
    if (kind === "written" || kind === "conflict" || kind === "failed") this.#pushes.inc({ result: kind });
    this.#commitTimes.passEnded(pass);
  }

  webhook(forge: Forge, outcome: WebhookOutcome): void {
    this.#webhooks.inc({ forge, outcome });
  }

  answered(route: string, code: number): void {
    this.#requests.inc({ route, code: String(code) });
  }

  flink(zone: string, cluster: string): FlinkObserver {
    return {
      called: (called, outcome, ms) => {
        const endpoint = flinkEndpoint(called);
        this.#flinkCalls.inc({ zone, cluster, endpoint, outcome });
        if (outcome !== "not-tried") this.#flinkSeconds.observe({ zone, cluster, outcome }, ms / 1000);
        if (endpoint === "POST /jars/:id/run" && outcome !== "not-tried") this.#submissions.inc({ zone, cluster });
      },
      breakerChanged: (state) => {
        for (const one of BREAKER_STATES) this.#breaker.set({ zone, cluster, state: one }, one === state ? 1 : 0);
      },
    };
  }

  gitCalled: Observer["gitCalled"] = (operation, outcome, ms) => this.#gitSeconds.observe({ operation, outcome }, ms / 1000);

  branchMoved: Observer["branchMoved"] = (commit) => this.#commitTimes.branchMoved(commit);

  commitRead: Observer["commitRead"] = (commit, committedAtMs) => this.#commitTimes.commitRead(commit, committedAtMs);

  acted: Observer["acted"] = ({ zone, cluster, kind, result }) => this.#actions.inc({ zone, cluster, kind, result });

  artifactLoaded: Observer["artifactLoaded"] = (source, result, bytes) => {
    this.#downloads.inc({ source, result });
    this.#downloadBytes.inc({ source }, bytes);
  };

  #counter(name: string, help: string, labelNames: readonly string[]): Counter {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  #histogram(name: string, help: string, labelNames: readonly string[], buckets: readonly number[]): Histogram {
    return new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [this.#registry] });
  }

  #gauge(name: string, help: string, labelNames: readonly string[], read?: (gauge: Gauge) => void): Gauge {
    const collect = read === undefined ? {} : { collect: (): void => read(gauge) };
    const gauge: Gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry], ...collect });
    return gauge;
  }
}
