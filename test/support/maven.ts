import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { runTool } from "./java.ts";

const CACHE = join(import.meta.dirname, "../../.cache/flink");
const POM = join(import.meta.dirname, "flink-runtime-set/pom.xml");
const EXTRA_POM = join(import.meta.dirname, "flink-extra-set/pom.xml");
/** Where the patch of Flink that the tests run on has no Table API in the repositories. */
const TABLE_VERSIONS: Readonly<Record<string, string>> = { "1.20.5": "1.20.3" };
const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/** The versions that the tests run on. */
export const FLINK_VERSIONS = ["1.16.3", "1.20.5", "2.3.0"] as const;

/** Programs of Flink's own that tests and the demo run. */
export const EXAMPLES = {
  topSpeed116: "org.apache.flink:flink-examples-streaming_2.12:1.16.2:jar:TopSpeedWindowing",
  wordCount116: "org.apache.flink:flink-examples-streaming_2.12:1.16.2:jar:WordCount",
  topSpeed120: "org.apache.flink:flink-examples-streaming:1.20.0:jar:TopSpeedWindowing",
} as const;

interface FetchOptions {
  readonly onProgress?: (sentence: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * The jars of a Flink of that version in one folder, fetched by Maven as it is set up on this machine. Kept under .cache/flink and used
 * again when complete; a marker file is written last.
 */
export async function fetchWithMaven(flinkVersion: string, options: FetchOptions = {}): Promise<string> {
  return fetchSet(flinkVersion, ["-f", POM, `-Dflink.version=${flinkVersion}`], `the jars of Flink ${flinkVersion}`, options);
}

/** The Table API of that Flink, or of the newest patch of it that is published, and its state backends on disk; kept in the same way. */
export async function fetchExtraWithMaven(flinkVersion: string, options: FetchOptions = {}): Promise<string> {
  const versions = [`-Dflink.version=${flinkVersion}`, `-Dtable.version=${TABLE_VERSIONS[flinkVersion] ?? flinkVersion}`];
  const profile = flinkVersion.startsWith("1.") ? [] : ["-P", "forst"];
  const what = `the Table API and state backends of Flink ${flinkVersion}`;
  return fetchSet(`${flinkVersion}-extra`, ["-f", EXTRA_POM, ...versions, ...profile], what, options);
}

async function fetchSet(name: string, args: readonly string[], what: string, options: FetchOptions): Promise<string> {
  const folder = join(CACHE, name);
  const lib = join(folder, "lib");
  if (await exists(join(folder, "complete"))) return lib;
  options.onProgress?.(`Maven fetches ${what}`);
  // In a folder of this process: two at the same time do not disturb each other, one of them wins.
  const incoming = `${folder}.${process.pid}`;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  try {
    const settings = [`-Dlib.dir=${join(incoming, "lib")}`];
    await runMaven([...args, "generate-resources", ...settings], what, options.signal, countDownloads(options.onProgress));
    await writeFile(join(incoming, "complete"), "");
    await rm(folder, { recursive: true, force: true });
    await rename(incoming, folder);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
  return lib;
}

/** Fetches `group:artifact:version:jar:classifier` into Maven's local repository; where the file lies there. */
export async function fetchMavenArtifact(coordinates: string, signal?: AbortSignal): Promise<string> {
  const [group = "", artifact = "", version = "", type = "jar", classifier] = coordinates.split(":");
  const name = `${artifact}-${version}${classifier === undefined ? "" : `-${classifier}`}.${type}`;
  const path = join(await readLocalRepository(), ...group.split("."), artifact, version, name);
  if (await exists(path)) return path;
  await runMaven([`${DEPENDENCY_PLUGIN}:get`, `-Dartifact=${coordinates}`, "-Dtransitive=false"], coordinates, signal);
  return path;
}

/** Where Maven keeps what it fetched: `maven.repo.local`, the user's settings, or ~/.m2/repository. */
export async function readLocalRepository(): Promise<string> {
  const home = homedir();
  const settings = await readFile(join(home, ".m2/settings.xml"), "utf8").catch(() => ""); // Most people have none.
  const configured = /<localRepository>\s*([^<]+?)\s*<\/localRepository>/.exec(settings)?.[1];
  return configured?.replace(/\$\{user\.home\}/g, home) ?? join(home, ".m2/repository");
}

export interface LocalMavenRepository {
  readonly url: URL;
  /** Paths that were asked for, in Maven's layout. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/**
 * Maven's local repository over HTTP on the loopback interface, laid out as any Maven repository: files with GET and HEAD, ranges,
 * checksums (`.sha1`, computed). Optionally behind a user name and a password.
 */
export async function serveLocalMavenRepository(
  options: { readonly root?: string; readonly basic?: { readonly username: string; readonly password: string } } = {},
): Promise<LocalMavenRepository> {
  const root = resolve(options.root ?? (await readLocalRepository()));
  const requests: string[] = [];
  const expected = options.basic === undefined ? undefined : `${options.basic.username}:${options.basic.password}`;
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    const authorized =
      expected === undefined || request.headers.authorization === `Basic ${Buffer.from(expected).toString("base64")}`;
    const answered = authorized ? serveFile(root, request, response) : refuse(response, 401, { "www-authenticate": "Basic" });
    answered.catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined)); // The client sees it break.
  });
  await new Promise<void>((done, reject) => server.once("error", reject).listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/maven2/`),
    requests,
    close: async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serveFile(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, { allow: "GET, HEAD" });
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname).replace(/^\/maven2\//, "");
  const file = resolve(root, path);
  if (!file.startsWith(root + sep)) return refuse(response, 404);
  const found = await stat(file).catch(() => undefined); // Not there: perhaps it can be computed.
  if (found?.isFile() === true) return sendFile(file, found.size, request, response);
  if (!file.endsWith(".sha1") || !(await exists(file.slice(0, -5)))) return refuse(response, 404);
  const digest = createHash("sha1");
  await pipeline(createReadStream(file.slice(0, -5)), digest);
  response.writeHead(200, { "content-type": "text/plain", "content-length": 40 });
  response.end(request.method === "HEAD" ? undefined : digest.digest("hex"));
}

async function sendFile(file: string, size: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range === null || range[2] === "" ? size - 1 : Math.min(Number(range[2]), size - 1);
  if (range !== null && start > end) return refuse(response, 416, { "content-range": `bytes */${size}` });
  response.writeHead(range === null ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end}/${size}` }),
  });
  if (request.method === "HEAD" || size === 0) {
    response.end();
    return;
  }
  await pipeline(createReadStream(file, { start, end }), response);
}

async function refuse(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  response.writeHead(status, headers).end();
}

/** How often somebody who waits for a download is told how far it is, in files. */
const FILES_PER_REPORT = 25;

/** Maven says "Downloaded from …" for each file; every few of them are a line of progress. */
function countDownloads(onProgress?: (sentence: string) => void): ((text: string) => void) | undefined {
  if (onProgress === undefined) return undefined;
  let files = 0;
  return (text) => {
    for (const _ of text.matchAll(/^(?:\[INFO\] )?Downloaded from /gm)) {
      files += 1;
      if (files % FILES_PER_REPORT === 0) onProgress(`${files} files fetched`);
    }
  };
}

async function runMaven(
  args: readonly string[],
  what: string,
  signal?: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<void> {
  try {
    const quiet = onOutput === undefined ? ["-q", "-ntp"] : [];
    await runTool("mvn", ["-B", ...quiet, ...args], signal, onOutput);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice =
      "Maven 3.8 or newer must be installed and must reach a repository that has it (settings.xml can name a mirror)";
    throw new Error(`Maven could not fetch ${what}: ${advice}.\n${reason}`, { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
