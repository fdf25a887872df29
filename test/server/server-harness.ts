import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { startServer, type Server } from "../../src/server/server.ts";
import type { StreamLimits } from "../../src/server/transition-stream.ts";

/** The HTTP server alone, with no daemon beside it. */
export interface TestServer extends AsyncDisposable {
  readonly server: Server;
  readonly clock: ManualClock;
  /** For `tokensFile` and its like, which are relative to it. */
  readonly folder: string;
  readonly log: readonly string[];
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
}

export class ManualClock implements Clock {
  #nowMs = Date.UTC(2026, 10, 22, 17, 0, 0);

  now(): number {
    return this.#nowMs;
  }

  random(): number {
    return 0.5;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }
}

export interface TestServerOptions {
  /** The block `server:`, without its port. */
  readonly server?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly streamLimits?: StreamLimits;
}

export async function startTestServer({
  server: block = {},
  files = {},
  streamLimits,
}: TestServerOptions = {}): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-server-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const file = join(folder, "penstock.yaml");
  const written = {
    instance: "test",
    repository: { url: "https://git.example.com/jobs.git" },
    zones: { eu: { clusters: { a: { url: "http://flink:8081" } } } },
    server: { port: 0, ...block },
  };
  await writeFile(file, JSON.stringify(written));
  const loaded = await loadConfig(file, {});
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const { config } = loaded;
  const log: string[] = [];
  const clock = new ManualClock();
  const server = await startServer({
    config: { ...config, server: config.server! }, // written above
    clock,
    log: createLog({ level: "debug", people: false, stream: { write: (line) => log.push(line) } }),
    onWebhook: () => {},
    ...(streamLimits === undefined ? {} : { streamLimits }),
  });
  return {
    server,
    clock,
    folder,
    log,
    fetch: async (path, init = {}) => fetch(new URL(path, server.url), { signal: AbortSignal.timeout(20_000), ...init }),
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
