import { join, relative, resolve } from "node:path";
import { watch } from "chokidar";
import { formatProblem, sortProblems, type Problem } from "../common/problem.ts";
import { messageOf } from "../common/errors.ts";
import { countOf } from "../common/text.ts";
import { parseManifests } from "../model/parse-manifests.ts";
import { paint, printLine, type ExitStatus, type Io } from "./io.ts";
import { findMissingSources, readManifestFolders, type ManifestFolder } from "./manifest-folder.ts";

export interface ValidateOptions {
  readonly watch: boolean;
  readonly output: "text" | "json";
}

const SETTLE_MS = 100;

/** Problems of folders or single files, without any network. With `--watch` again after each change, until it is stopped. */
export async function validate(io: Io, paths: readonly string[], options: ValidateOptions): Promise<ExitStatus> {
  const places = paths.length === 0 ? ["."] : paths;
  const status = await validateOnce(io, places, options);
  if (!options.watch || status === 2) return status;
  await watchPlaces(io, places, async () => void (await validateOnce(io, places, options)));
  return 0;
}

async function validateOnce(io: Io, places: readonly string[], options: ValidateOptions): Promise<ExitStatus> {
  let folders: readonly ManifestFolder[];
  try {
    folders = await readManifestFolders(places, io.folder, io.stop);
  } catch (error) {
    printLine(io.stderr, messageOf(error));
    return 2;
  }
  const problems: Problem[] = [];
  let resources = 0;
  let files = 0;
  for (const folder of folders) {
    const parsed = parseManifests(folder.files, undefined, folder.others);
    const missing = await findMissingSources(parsed.manifests, folder.root);
    problems.push(...[...parsed.problems, ...missing].map((problem) => seenFrom(io.folder, folder.root, problem)));
    resources += parsed.manifests.length;
    files += folder.files.length;
  }
  report(io, sortProblems(problems), files, resources, options);
  return problems.length === 0 ? 0 : 1;
}

/** With the path that a terminal can open from where the command was called. */
function seenFrom(base: string, root: string, problem: Problem): Problem {
  return { ...problem, file: relative(base, join(root, problem.file)) };
}

function report(io: Io, problems: readonly Problem[], files: number, resources: number, options: ValidateOptions): void {
  if (options.output === "json") {
    printLine(io.stdout, JSON.stringify({ files, resources, problems }, undefined, 2));
    return;
  }
  for (const problem of problems) printLine(io.stdout, formatProblem(problem));
  const where = `${countOf(resources, "valid resource")} in ${countOf(files, "file")}`;
  if (problems.length === 0) printLine(io.stdout, paint(io, io.stdout, "green", `no problems, ${where}`));
  else printLine(io.stdout, paint(io, io.stdout, "red", `${countOf(problems.length, "problem")}, ${where}`));
}

async function watchPlaces(io: Io, places: readonly string[], again: () => Promise<void>): Promise<void> {
  const watcher = watch(
    places.map((place) => resolve(io.folder, place)),
    {
      ignoreInitial: true,
      ignored: /(?:^|[/\\])(?:\.git|node_modules)(?:[/\\]|$)/,
      awaitWriteFinish: { stabilityThreshold: SETTLE_MS, pollInterval: SETTLE_MS / 2 },
    },
  );
  printLine(io.stderr, paint(io, io.stderr, "gray", "watching for changes; Ctrl-C ends it"));
  let running: Promise<void> = Promise.resolve();
  let queued = false;
  watcher.on("all", () => {
    if (queued) return;
    queued = true;
    running = running.then(async () => {
      queued = false;
      await again();
    });
  });
  const { promise, resolve: stopped } = Promise.withResolvers<void>();
  if (io.stop.aborted) stopped();
  io.stop.addEventListener("abort", () => stopped(), { once: true });
  await promise;
  await watcher.close();
  await running;
}
