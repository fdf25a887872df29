import { subscribe } from "node:diagnostics_channel";

/**
 * Loaded into the daemon under test with `--import`: counts the HTTP requests of its undici by origin and tells them to the bench, which
 * asks over the channel between parent and child. Nothing stands between the daemon and Flink, so nothing is slower for it.
 */
const counts = new Map<string, number>();

subscribe("undici:request:create", (message) => {
  const { request } = message as { readonly request: { readonly origin: URL | string } };
  const origin = new URL(request.origin).origin;
  counts.set(origin, (counts.get(origin) ?? 0) + 1);
});

process.on("message", () => process.send?.(Object.fromEntries(counts)));
process.channel?.unref(); // It holds the daemon up no longer than it wants to live.
