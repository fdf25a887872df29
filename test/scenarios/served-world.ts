import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestDelivery } from "../support/deliveries.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

/** A world whose daemon has its HTTP server; `await using` ends all of it. */
export interface ServedWorld extends AsyncDisposable {
  readonly world: World;
  readonly daemon: RunningDaemon;
  readonly url: URL;
  /** Where the secret of the webhooks stands. */
  readonly secretFile: string;
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly json: (path: string) => Promise<unknown>;
  /** As a forge sends it. */
  readonly deliver: (delivery: TestDelivery) => Promise<{ readonly status: number; readonly answer: unknown }>;
}

export const WEBHOOK_SECRET = "whsec-4e1f0b9d";

/** Nothing but a webhook makes it ask Git again: that is what most of these tests are about. */
export const NEVER_POLLS = { pollInterval: "24h" };

export async function createServedWorld(
  options: WorldOptions = {},
  prepare: (world: World) => Promise<unknown> = async () => {},
): Promise<ServedWorld> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-served-"));
  const secretFile = join(folder, "webhook-secret");
  await writeFile(secretFile, `${WEBHOOK_SECRET}\n`);
  const server = { port: 0, webhookSecretFile: secretFile };
  const world = await createWorld({ ...options, config: { server, ...options.config } });
  await prepare(world);
  const daemon = world.startDaemon();
  const url = await daemon.listening;
  const get = async (path: string, init: RequestInit = {}) =>
    fetch(new URL(path, url), { signal: AbortSignal.timeout(20_000), ...init });
  return {
    world,
    daemon,
    url,
    secretFile,
    fetch: get,
    json: async (path) => (await get(path)).json(),
    async deliver({ path, headers, body }) {
      const response = await get(path, { method: "POST", headers, body });
      return { status: response.status, answer: await response.json() };
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
