import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { onTestFinished } from "vitest";
import {
  type ArtifactRequest,
  type ArtifactSeen,
  ArtifactStore,
  type ArtifactStoreDeps,
  type ArtifactStoreSettings,
} from "../../src/artifacts/artifact-store.ts";
import { createDispatcher } from "../../src/common/http.ts";
import { createLog } from "../../src/common/log.ts";
import type { MavenCoordinates } from "../../src/model/manifest.ts";
import type { ResourceKey } from "../../src/model/resource.ts";
import { buildClass } from "../support/class-bytes.ts";
import { buildZip } from "../support/zip.ts";

/** Undone after the test, the last first. A hook of this module would be the first importing file's alone: files share modules. */
export function atEnd(cleanup: () => Promise<void>): void {
  onTestFinished(cleanup);
}

export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-artifacts-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Harness {
  readonly store: ArtifactStore;
  readonly cacheDir: string;
  readonly clock: { nowMs: number };
  readonly logLines: readonly string[];
  /** Fetches and waits until it is settled one way or the other. */
  readonly settle: (request: ArtifactRequest) => Promise<ArtifactSeen>;
}

const SETTINGS = {
  instance: "test",
  maxBytes: 10_000_000,
  cacheBytes: 100_000_000,
  timeoutMs: 10_000,
  allowPrivateNetworks: false,
  hosts: new Map(),
  s3: { region: "eu-west-1", pathStyle: true, tls: {} },
  maven: { repositories: [] },
} as const;

export async function aStore(
  settings: Partial<ArtifactStoreSettings> = {},
  deps: Partial<ArtifactStoreDeps> = {},
): Promise<Harness> {
  const cacheDir = settings.cacheDir ?? (await tempFolder());
  const clock = { nowMs: Date.now() };
  const logLines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      logLines.push(String(chunk));
      done();
    },
  });
  let changed = Promise.withResolvers<void>();
  const store = new ArtifactStore(
    { ...SETTINGS, ...settings, cacheDir },
    {
      log: createLog({ level: "debug", people: false, stream }),
      clock: { now: () => clock.nowMs, random: () => 0.5 },
      readBlob: () => Promise.reject(new Error("no blob in this test")),
      onChange: () => {
        changed.resolve();
        changed = Promise.withResolvers();
      },
      createDispatcher: (tls, lookup) => createDispatcher({ tls, ...(lookup === undefined ? {} : { lookup }) }),
      idleTimeoutMs: 5000,
      ...deps,
    },
  );
  atEnd(() => store.close());
  const settle = async (request: ArtifactRequest) => {
    store.fetch(request);
    for (;;) {
      const waiting = changed.promise;
      const seen = store.see(request);
      if (seen.kind !== "downloading") return seen;
      await waiting;
    }
  };
  return { store, cacheDir, clock, logLines, settle };
}

export const COORDINATES: MavenCoordinates = { group: "org.example", artifact: "jobs", version: "1.0", type: "jar" };
export const JAR_PATH = "org/example/jobs/1.0/jobs-1.0.jar";

export function mavenRequest(changes: Partial<ArtifactRequest> = {}): ArtifactRequest {
  return { key: key("orders"), source: { kind: "maven", coordinates: COORDINATES }, maxBytes: 10_000_000, ...changes };
}

export function pathRequest(changes: Partial<ArtifactRequest> = {}): ArtifactRequest {
  const blob = { commit: "c".repeat(40), oid: "b".repeat(40) };
  return { key: key("orders"), source: { kind: "path", path: "jars/app.jar" }, blob, maxBytes: 10_000_000, ...changes };
}

export function key(name: string): ResourceKey {
  return `zone/default/artifact/${name}` as ResourceKey;
}

/** A small, valid jar; another `salt` gives other bytes. */
export function aJar(salt = ""): Buffer {
  return buildZip([
    { name: "META-INF/MANIFEST.MF", content: "Manifest-Version: 1.0\r\nMain-Class: demo.TopSpeed\r\n\r\n" },
    { name: "demo/TopSpeed.class", content: buildClass({ name: "demo.TopSpeed" }) },
    { name: "salt.txt", content: salt },
  ]);
}

/** All files under a folder, by path, without folders. */
export async function filesUnder(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  const kinds = await Promise.all(names.map(async (name) => ((await stat(join(folder, name))).isFile() ? [name] : [])));
  return kinds.flat().sort();
}
