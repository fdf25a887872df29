import type { Log } from "../common/log.ts";
import type { Clock } from "../common/clock.ts";
import { messageOf, type Retry } from "../common/errors.ts";
import type { Observer } from "../common/observer.ts";
import type { Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import type { Config, ServerConfig } from "../config/config.ts";
import { parseSecretLine, parseTokens } from "../config/secret-text.ts";
import type { Pass } from "../pass/reconcile.ts";
import { buildApp } from "./app.ts";
import type { LoopLimits } from "./health.ts";
import { Metrics } from "./metrics.ts";
import { PassWatch } from "./pass-watch.ts";
import { SecretFile } from "./secret-file.ts";
import { TransitionLog } from "./transition-log.ts";
import { type StreamLimits, STREAM_LIMITS, TransitionStreams } from "./transition-stream.ts";

export interface ServerDeps {
  readonly config: Config & { readonly server: ServerConfig };
  readonly clock: Clock;
  readonly log: Log;
  /** A webhook says that there may be news: for the branch, or among the open requests. */
  readonly onWebhook: (about: "branch" | "requests") => void;
  readonly streamLimits?: StreamLimits;
}

/** The daemon's HTTP server while it runs. The loop of passes tells it what it does; it tells the loop of webhooks. */
export interface Server {
  readonly url: URL;
  readonly observer: Observer;
  readonly transitions: TransitionLog;
  passBegins(): void;
  /** Without a pass: it threw `failure`. */
  passEnded(pass: Pass | undefined, failure?: string): void;
  /** From now on it is not ready any more; it goes on answering. */
  leaves(): void;
  /** Ends all streams, lets answers under way come to their end for a moment, then closes all connections. */
  close(): Promise<void>;
}

/** The address cannot be listened on. The message says the way out. */
export class ServerListenError extends Error {
  override readonly name = "ServerListenError";
  readonly code = "server-cannot-listen";
  readonly retry: Retry = "after-input-changes";
}

const CLOSE_PATIENCE_MS = 1000;
/** What a pass does beside waiting for Git. */
const PASS_MS = 60_000;
/** Git gives an operation up after ten times its longest silence. */
const GIT_FACTOR = 10;

/** Listens at once; until the first pass is done it is alive and not ready. */
export async function startServer(deps: ServerDeps): Promise<Server> {
  const { config, clock, log } = deps;
  const watch = new PassWatch(clock);
  const metrics = new Metrics(clock, watch, config);
  const transitions = new TransitionLog(clock);
  const streams = new TransitionStreams(transitions, deps.streamLimits ?? STREAM_LIMITS);
  metrics.watchStreams(streams);
  const parts = {
    ...deps,
    watch,
    metrics,
    transitions,
    streams,
    limits: loopLimits(config),
    ...secretsOf(config.server, clock, log),
  };
  const app = await buildApp(parts);
  const url = await listen(app, config.server);
  log.info({ url: url.href }, "listening");
  return {
    url,
    observer: metrics,
    transitions,
    passBegins: () => watch.begins(),
    passEnded(pass, failure) {
      metrics.passEnded(pass, watch.ended(pass, failure));
      if (pass?.kind === "done") transitions.passEnded(pass);
    },
    leaves: () => void (watch.leaving = true),
    async close() {
      streams.close();
      const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_PATIENCE_MS);
      await app.close();
      clearTimeout(timer);
    },
  };
}

async function listen(app: Awaited<ReturnType<typeof buildApp>>, { host, port, tls }: ServerConfig): Promise<URL> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const because = oneLine(messageOf(error), 200);
    throw new ServerListenError(
      `cannot listen on ${host} port ${port}: ${because}; set server.host and server.port to what is free here (port 0 takes any), or server.enabled: false`,
      { cause: error },
    );
  }
  const address = app.server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  return new URL(`${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${actual}/`);
}

function loopLimits({ repository, zones }: Config): LoopLimits {
  const polls = [...zones.values()].flatMap(({ clusters }) => clusters.map(({ pollIntervalMs }) => pollIntervalMs));
  return { passMs: repository.timeoutMs * GIT_FACTOR + PASS_MS, pauseMs: Math.min(...polls) + PASS_MS };
}

/** Both are read again when their files change. */
function secretsOf({ tokens, webhookSecret }: ServerConfig, clock: Clock, log: Log) {
  const tokenFile =
    tokens === undefined ? undefined : new SecretFile({ file: tokens.file, parse: parseTokenFile, clock, log }, tokens.values);
  const secretFile =
    webhookSecret?.file === undefined
      ? undefined
      : new SecretFile({ file: webhookSecret.file, parse: parseSecret, clock, log }, webhookSecret.value);
  return {
    tokens: tokenFile === undefined ? undefined : async () => tokenFile.current(),
    secret: webhookSecret === undefined ? undefined : async () => secretFile?.current() ?? webhookSecret.value,
  };
}

function parseTokenFile(text: string): { readonly value: readonly Secret[] } | { readonly problem: string } {
  const { tokens, problem } = parseTokens(text);
  return problem === undefined ? { value: tokens } : { problem };
}

function parseSecret(text: string): { readonly value: Secret } | { readonly problem: string } {
  const { secret, problem } = parseSecretLine(text);
  return problem === undefined ? { value: secret } : { problem };
}
