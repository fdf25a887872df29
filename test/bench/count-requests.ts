import { subscribe } from "node:diagnostics_channel";

/** One HTTP request of the daemon, when it was about to be sent. */
export interface SentRequest {
  readonly atMs: number;
  readonly origin: string;
  readonly method: string;
  readonly path: string;
}

/**
 * Loaded into the daemon under test with `--import`: counts the HTTP requests of its undici by origin, keeps the newest ones, and tells
 * them to the bench, which asks over the channel between parent and child. Nothing stands between the daemon and Flink, so nothing is
 * slower for it.
 */
const counts = new Map<string, number>();
const newest: SentRequest[] = [];
const KEPT = 200;

subscribe("undici:request:create", (message) => {
  const { request } = message as {
    readonly request: { readonly origin: URL | string; readonly method: string; readonly path: string };
  };
  const { origin } = new URL(request.origin);
  counts.set(origin, (counts.get(origin) ?? 0) + 1);
  newest.push({ atMs: Date.now(), origin, method: request.method, path: request.path });
  if (newest.length > KEPT) newest.shift();
});

process.on("message", (question) => process.send?.(question === "newest" ? newest : Object.fromEntries(counts)));
process.channel?.unref(); // It holds the daemon up no longer than it wants to live.
