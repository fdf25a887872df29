import { once } from "node:events";
import { join, relative, resolve } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import { formatProblem, sortProblems, type Problem } from "../common/problem.ts";
import { messageOf } from "../common/errors.ts";
import { countOf, oneLine } from "../common/text.ts";
import { parseManifests } from "../model/parse-manifests.ts";
import { checkJars } from "./check-jars.ts";
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
  const check = async (): Promise<ExitStatus> => validateOnce(io, places, options);
  return options.watch ? watchPlaces(io, places, check) : check();
}

async function validateOnce(io: Io, places: readonly string[], options: ValidateOptions): Promise<ExitStatus> {
  let folders: readonly ManifestFolder[];
  try {
    folders = await readManifestFolders(places, io.folder, io.stop);
  } catch (error) {
    printLine(io.stderr, oneLine(messageOf(error)));
    return 2;
  }
  const problems: Problem[] = [];
  const notices: Problem[] = [];
  let resources = 0;
  let files = 0;
  for (const folder of folders) {
    const parsed = parseManifests(folder.files, undefined, folder.others);
    const missing = await findMissingSources(parsed.manifests, folder.root);
    const jars = await checkJars(parsed.manifests, folder.root, io.stop);
    const seen = (problem: Problem): Problem => seenFrom(io.folder, folder.root, problem);
    problems.push(...[...parsed.problems, ...missing, ...jars.problems].map(seen));
    notices.push(...jars.notices.map(seen));
    resources += parsed.manifests.length;
    files += folder.files.length;
  }
  report(io, { files, resources, problems: sortProblems(problems), notices: sortProblems(notices) }, options);
  return problems.length === 0 ? 0 : 1;
}

/** With the path that a terminal can open from where the command was called. */
function seenFrom(base: string, root: string, problem: Problem): Problem {
  return { ...problem, file: relative(base, join(root, problem.file)) };
}

interface Report {
  readonly files: number;
  readonly resources: number;
  readonly problems: readonly Problem[];
  readonly notices: readonly Problem[];
}

function report(io: Io, found: Report, options: ValidateOptions): void {
  if (options.output === "json") {
    printLine(io.stdout, JSON.stringify(found, undefined, 2));
    return;
  }
  const { files, resources, problems, notices } = found;
  for (const notice of notices) printLine(io.stdout, paint(io, io.stdout, "yellow", `note: ${formatProblem(notice)}`));
  for (const problem of problems) printLine(io.stdout, formatProblem(problem));
  const where = `${countOf(resources, "valid resource")} in ${countOf(files, "file")}`;
  if (problems.length === 0) printLine(io.stdout, paint(io, io.stdout, "green", `no problems, ${where}`));
  else printLine(io.stdout, paint(io, io.stdout, "red", `${countOf(problems.length, "problem")}, ${where}`));
}

/** Watching begins before the first check, so that no change between the two goes unseen. */
async function watchPlaces(io: Io, places: readonly string[], check: () => Promise<ExitStatus>): Promise<ExitStatus> {
  const watcher = watch(
    places.map((place) => resolve(io.folder, place)),
    {
      ignoreInitial: true,
      ignored: /(?:^|[/\\])(?:\.git|node_modules)(?:[/\\]|$)/,
      awaitWriteFinish: { stabilityThreshold: SETTLE_MS, pollInterval: SETTLE_MS / 2 },
    },
  );
  try {
    await once(watcher, "ready", { signal: io.stop });
    if ((await check()) === 2) return 2;
    printLine(io.stderr, paint(io, io.stderr, "gray", "watching for changes; Ctrl-C ends it"));
    await checkAfterEachChange(watcher, check, io.stop);
    return 0;
  } catch (error) {
    if (io.stop.aborted) return 0;
    printLine(io.stderr, `changes cannot be watched: ${oneLine(messageOf(error))}`);
    return 2;
  } finally {
    await watcher.close();
  }
}

/** Until the signal is aborted; throws when the watcher fails. Changes that come while a check is under way share the next one. */
async function checkAfterEachChange(watcher: FSWatcher, check: () => Promise<ExitStatus>, stop: AbortSignal): Promise<void> {
  const { promise: ended, resolve: end, reject } = Promise.withResolvers<void>();
  let running: Promise<void> = Promise.resolve();
  let queued = false;
  const checkNext = async (before: Promise<void>): Promise<void> => {
    await before;
    queued = false;
    if (!stop.aborted) await check();
  };
  watcher.on("error", reject);
  watcher.on("all", () => {
    if (queued) return;
    queued = true;
    running = checkNext(running);
    running.catch(reject);
  });
  stop.addEventListener("abort", () => end(), { once: true });
  if (stop.aborted) end();
  await ended;
  await running;
}
