import { resolve } from "node:path";
import type { ReadBlob } from "../artifacts/path-source.ts";
import { messageOf } from "../common/errors.ts";
import { createLog } from "../common/log.ts";
import { Redactor } from "../common/redactor.ts";
import { oneLine } from "../common/text.ts";
import type { Config } from "../config/config.ts";
import { openForReading, type OpenForReading } from "../daemon/open-reading.ts";
import { readBlobOf } from "../daemon/read-blob.ts";
import { desiredOf } from "../pass/observe-and-decide.ts";
import { headOf, manifestsOf } from "../pass/read-manifests.ts";
import { SnapshotReader } from "../pass/read-snapshot.ts";
import { SecretReader } from "../pass/read-secrets.ts";
import { wantedSecrets } from "../pass/secrets-for-job.ts";
import type { Snapshot } from "../pass/snapshot.ts";
import { buildStatusView } from "../pass/status-view.ts";
import type { Verification } from "../pass/verify-head.ts";
import { formatPlanJson } from "../preview/format-json.ts";
import { formatPlanMarkdown } from "../preview/format-markdown.ts";
import { formatPlanText } from "../preview/format-text.ts";
import { changesOf, type Plan, type PlanSubject } from "../preview/plan.ts";
import { planNow } from "../preview/plan-now.ts";
import { readFolderTree } from "./folder-tree.ts";
import { paint, printLine, type ExitStatus, type Io } from "./io.ts";
import { readConfig } from "./read-config.ts";

export interface PlanOptions {
  readonly config: string;
  readonly dir?: string;
  readonly ref?: string;
  readonly output: "text" | "json" | "markdown";
}

/** What is planned, and where the jars of its repository are read. */
interface Planned {
  readonly snapshot: Snapshot;
  readonly subject: PlanSubject;
  readonly readBlob: ReadBlob;
}

const DEFAULT_COLUMNS = 80;

/** What `run` would do now. Changes nothing: nothing that could write is even made. */
export async function plan(io: Io, options: PlanOptions): Promise<ExitStatus> {
  if (options.dir !== undefined && options.ref !== undefined) {
    printLine(io.stderr, "--dir and --ref are two ways to say what to plan; give one of them");
    return 2;
  }
  const loaded = await readConfig(io, options.config);
  if (loaded === undefined) return 2;
  const { config } = loaded;
  const log = createLog({ level: "error", people: io.stderr.isTTY === true, stream: io.stderr });
  const redactor = new Redactor();
  const world = openForReading(config, { clock: io.clock, log, redactor }, options.ref);
  try {
    const { snapshot, subject, readBlob } = await readPlanned(io, config, options, world);
    // No plan needs a secret, but Flink may tell one; where they are at hand they are known by sight.
    await new SecretReader(config.secrets.dir, redactor).read(wantedSecrets(desiredOf(snapshot)), io.stop);
    const planned = await planNow({ config, clock: io.clock, clusters: world.clusters, readBlob }, snapshot, subject, io.stop);
    if (planned.kind === "undetermined") {
      printLine(io.stderr, `nothing can be planned: ${oneLine(planned.because)}`);
      return 2;
    }
    io.stdout.write(formatPlan(planned.plan, io, options.output));
    return exitStatusOf(planned.plan);
  } catch (error) {
    printLine(io.stderr, `nothing can be planned: ${oneLine(messageOf(error))}`);
    return 2;
  } finally {
    await world.close();
  }
}

async function readPlanned(io: Io, config: Config, options: PlanOptions, world: OpenForReading): Promise<Planned> {
  if (options.dir !== undefined) return readFolder(io, config, options.dir, world);
  const { manifests, statusBranch } = world;
  if (options.ref !== undefined && (await manifests.readHead(io.stop)).kind !== "at")
    throw new Error(`the repository has no ${options.ref}; give a branch's name, or a full ref such as refs/pull/7/head`);
  const log = createLog({ level: "silent", people: false, stream: io.stderr });
  const { paths } = config.repository;
  const reader = new SnapshotReader({ manifests, statusBranch, paths, log, verification: verificationFor(options, world) });
  const read = await reader.read(io.stop);
  if (read.kind === "unreadable") throw new Error(read.because);
  const { snapshot } = read;
  const kind = options.ref === undefined ? "branch" : "ref";
  return {
    snapshot,
    subject: { kind, name: options.ref ?? config.repository.branch, commit: snapshot.commit },
    readBlob: async (blob, maxBytes, signal) => readBlobOf(manifests, blob, maxBytes, signal),
  };
}

/** A ref is planned as if it were merged, so whether its own head is signed is no reason to plan something else. */
function verificationFor({ ref }: PlanOptions, { verification }: OpenForReading): Verification | undefined {
  return ref === undefined ? verification : undefined;
}

async function readFolder(io: Io, config: Config, dir: string, { statusBranch }: OpenForReading): Promise<Planned> {
  const root = resolve(io.folder, dir);
  const [{ tree, readBlob }, status] = await Promise.all([
    readFolderTree(root, config.repository.paths, io.stop),
    statusBranch.read(io.stop),
  ]);
  const name = oneLine(dir, 200);
  return {
    snapshot: {
      head: headOf(tree, name),
      commit: name,
      ...manifestsOf(tree, name),
      trailers: new Map(),
      stale: undefined,
      ahead: undefined,
      status: buildStatusView(status),
    },
    subject: { kind: "folder", name },
    readBlob: async ({ oid }, maxBytes) => readBlob(oid, maxBytes),
  };
}

function formatPlan(planned: Plan, io: Io, output: PlanOptions["output"]): string {
  switch (output) {
    case "json":
      return formatPlanJson(planned);
    case "markdown":
      return formatPlanMarkdown(planned);
    case "text":
      return formatPlanText(planned, {
        columns: io.stdout.columns ?? DEFAULT_COLUMNS,
        paint: (colour, text) => paint(io, io.stdout, colour, text),
      });
    default:
      return output satisfies never;
  }
}

/** A cluster that cannot be seen is trouble: what would be done there is not known. */
function exitStatusOf(planned: Plan): ExitStatus {
  if (planned.problems.length > 0 || planned.clusters.some(({ unreachable }) => unreachable !== undefined)) return 2;
  return changesOf(planned).length > 0 ? 1 : 0;
}
