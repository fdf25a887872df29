import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, it } from "vitest";

/** A file imports only from its own folder or from folders to its left. */
const FOLDERS = "common config model git flink artifacts pass forge preview server daemon cli".split(" ");

/** The files that touch the world outside of the process, and what they touch. A new one is added on purpose, or not at all. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  "artifacts/address-guard.ts": ["network"],
  "artifacts/at-hand.ts": ["disk"],
  "artifacts/cache-size.ts": ["disk"],
  "artifacts/cache.ts": ["disk"],
  "artifacts/http-get.ts": ["network"],
  "artifacts/incoming-file.ts": ["disk"],
  "artifacts/jar-file.ts": ["disk"],
  "artifacts/with-launcher.ts": ["disk"],
  "artifacts/zip-directory.ts": ["disk"],
  "cli/check-jars.ts": ["disk"],
  "cli/entry-below.ts": ["disk"],
  "cli/folder-tree.ts": ["disk"],
  "cli/manifest-folder.ts": ["disk"],
  "cli/validate.ts": ["disk"],
  "common/clock.ts": ["clock"],
  "common/http.ts": ["network"],
  "config/read-file.ts": ["disk"],
  "daemon/file-watch.ts": ["disk"],
  "flink/can-write.ts": ["disk"],
  "flink/file-folders.ts": ["disk"],
  "flink/multipart.ts": ["disk"],
  "flink/s3-connection.ts": ["network"],
  "flink/transport.ts": ["network"],
  "forge/forge-http.ts": ["network"],
  "git/http-transport.ts": ["network"],
  "main.ts": ["process"],
  "server/app.ts": ["network"],
  "server/process-metrics.ts": ["process"],
};

const TOUCHES: Readonly<Record<string, RegExp>> = {
  disk: /from "node:fs(?:\/promises)?"|from "chokidar"/,
  network: /from "(?:undici|node:https?|node:net|node:tls|node:dns)"|import fastify\b/,
  process: /from "node:child_process"|from "node:process"|\bprocess\.(?!stdout\.isTTY\b)\w/,
  clock: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(/,
};

const src = join(import.meta.dirname, "../src");
const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .sort();

describe("the layout", () => {
  it.each(files)("%s imports only from its own folder or from folders to its left", (file) => {
    const own = rankOf(file);
    const imported = [...readFileSync(join(src, file), "utf8").matchAll(/(?:from|import\() ?"(\.[^"]+)"/g)].map(
      (match) => match[1]!,
    );
    const wrong = imported.filter((path) => rankOf(relative(src, normalize(join(src, dirname(file), path)))) > own);
    expect(wrong).toEqual([]);
  });

  it("touches disk, network, process and clock only where the list says so", () => {
    const found = Object.fromEntries(
      files.map((file) => [file, touchesOf(file)] as const).filter(([, touches]) => touches.length > 0),
    );
    expect(found).toEqual(EDGES);
  });
});

function rankOf(file: string): number {
  if (file === "main.ts") return FOLDERS.length;
  const rank = FOLDERS.indexOf(file.split("/")[0]!);
  if (rank < 0) throw new Error(`src/${file} lies in a folder that the layout does not know`);
  return rank;
}

function touchesOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), "utf8");
  return Object.entries(TOUCHES)
    .filter(([, pattern]) => pattern.test(text))
    .map(([name]) => name);
}
