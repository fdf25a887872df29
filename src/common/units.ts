const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Milliseconds of `250ms`, `10s`, `5m`, `2h`, `30d`; undefined when it is none. These are Penstock's own durations, not Flink's. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,9})\s*(ms|s|m|min|h|d)$/.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * DURATION_UNITS_MS[match[2]!]!;
}

/** Bytes of `512`, `64KB`, `20MB`, `1GB` (powers of 1024); undefined when it is none. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,9})\s*(b|kb|mb|gb|)$/i.exec(text.trim());
  return match === null ? undefined : Number(match[1]) * SIZE_UNITS_BYTES[match[2]!.toLowerCase()]!;
}

/** `800ms`, `45s`, `3m`, `2h 5m`: for people, never parsed again. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor((seconds % 86_400) / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "m"],
    [seconds % 60, "s"],
  ];
  const shown = parts.filter(([amount]) => amount > 0).slice(0, 2);
  return shown.map(([amount, unit]) => `${amount}${unit}`).join(" ");
}

/** `512 B`, `20 MB`: for people, never parsed again. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let amount = bytes / 1024;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}
