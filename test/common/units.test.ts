import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDurationMs, parseSizeBytes } from "../../src/common/units.ts";

describe("parseDurationMs", () => {
  it.each([
    ["250ms", 250],
    ["10s", 10_000],
    ["10 s", 10_000],
    ["5m", 300_000],
    ["5min", 300_000],
    ["2h", 7_200_000],
    ["30d", 2_592_000_000],
    [" 1s ", 1000],
    ["0s", 0],
  ])("reads %s", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(["", "10", "s", "1.5s", "-1s", "10 seconds", "1h30m", "10S", "9999999999s"])("does not read %o", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

describe("parseSizeBytes", () => {
  it.each([
    ["512", 512],
    ["512b", 512],
    ["64KB", 65_536],
    ["64 kb", 65_536],
    ["20MB", 20_971_520],
    ["1GB", 1_073_741_824],
  ])("reads %s", (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
  });

  it.each(["", "MB", "1.5MB", "-1", "1TB", "20 megabytes"])("does not read %o", (text) => {
    expect(parseSizeBytes(text)).toBeUndefined();
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0ms"],
    [800, "800ms"],
    [45_000, "45s"],
    [180_000, "3m"],
    [195_000, "3m 15s"],
    [7_500_000, "2h 5m"],
    [7_510_000, "2h 5m"],
    [90_000_000, "1d 1h"],
    [59_999, "1m"],
  ])("shows %d ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe("formatSize", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 kB"],
    [20 * 1024 ** 2, "20 MB"],
    [1.5 * 1024 ** 3, "1.5 GB"],
    [5000 * 1024 ** 3, "5000 GB"],
  ])("shows %d bytes as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
