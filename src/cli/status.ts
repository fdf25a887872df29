import { listOf, oneLine, shownPath } from "../common/text.ts";
import { messageOf } from "../common/errors.ts";
import { createLog } from "../common/log.ts";
import { formatDuration } from "../common/units.ts";
import type { Config } from "../config/config.ts";
import { openForReading } from "../daemon/open-reading.ts";
import { findCondition, isTrouble } from "../model/conditions.ts";
import { displayName } from "../model/resource.ts";
import { stateLabel } from "../model/state-label.ts";
import { publicRecord } from "../model/status-document.ts";
import type { Condition, JobRecord, ResourceRecord } from "../model/status.ts";
import type { StatusView } from "../pass/snapshot.ts";
import { buildStatusView } from "../pass/status-view.ts";
import { paint, printLine, type Colour, type ExitStatus, type Io } from "./io.ts";
import { readConfig } from "./read-config.ts";
import { formatTable } from "./table.ts";

/** A message may hold manifests that are ready to paste. */
const WHOLE_MESSAGE = 20_000;

export interface StatusOptions {
  readonly config: string;
  readonly output: "text" | "json";
}

interface StatusRead {
  readonly view: StatusView;
  readonly committedAtMs: number | undefined;
  /** Where the manifests' branch stands now; undefined when it does not exist. */
  readonly newest: string | undefined;
}

/** The status branch for a person, or one resource of it by name. Says how old it is and whether a newer commit waits. */
export async function status(io: Io, name: string | undefined, options: StatusOptions): Promise<ExitStatus> {
  const loaded = await readConfig(io, options.config);
  if (loaded === undefined) return 2;
  const { config } = loaded;
  let read: StatusRead;
  try {
    read = await readStatus(config, io);
  } catch (error) {
    printLine(io.stderr, `the status cannot be read: ${oneLine(messageOf(error))}`);
    return 2;
  }
  if (read.view.head === undefined) {
    printLine(
      io.stderr,
      `branch ${config.status.branch} does not exist: no daemon of instance ${config.instance} has written it yet`,
    );
    return 2;
  }
  const all = [...read.view.records.values()];
  const chosen = name === undefined ? all : all.filter(({ id }) => id.name === name || displayName(id) === name);
  if (chosen.length === 0 && name !== undefined) {
    printLine(io.stderr, `no resource is called ${name}; there are ${all.map(({ id }) => displayName(id)).join(", ") || "none"}`);
    return 2;
  }
  if (options.output === "json") printJson(io, read, chosen);
  else printText(io, read, chosen, name !== undefined);
  const { summary, unreadable } = read.view;
  const { problems = [], unmirrored = [], refused } = summary ?? {};
  const isWhole = name !== undefined || (refused === undefined && problems.length + unmirrored.length + unreadable.size === 0);
  const isWell = isWhole && chosen.every((record) => worstOf(record) === undefined);
  return isWell ? 0 : 1;
}

async function readStatus(config: Config, io: Io): Promise<StatusRead> {
  const log = createLog({ level: "warn", people: io.stderr.isTTY === true, stream: io.stderr });
  const repository = openForReading(config, { clock: io.clock, log });
  try {
    const [snapshot, head] = await Promise.all([repository.statusBranch.read(io.stop), repository.manifests.readHead(io.stop)]);
    return {
      view: buildStatusView(snapshot),
      committedAtMs: snapshot.committedAtMs,
      newest: head.kind === "at" ? head.oid : undefined,
    };
  } finally {
    await repository.close();
  }
}

function printJson(io: Io, { view, committedAtMs, newest }: StatusRead, records: readonly ResourceRecord[]): void {
  const resources = records.map((record) => {
    const { id, labels, annotations, spec, status: shown } = publicRecord(record);
    return { ...id, labels, annotations, spec, status: shown };
  });
  const facts = {
    head: view.head,
    writtenAt: committedAtMs === undefined ? undefined : new Date(committedAtMs).toISOString(),
    newestCommit: newest,
  };
  printLine(
    io.stdout,
    JSON.stringify({ ...facts, summary: view.summary, unreadable: [...view.unreadable.values()], resources }, undefined, 2),
  );
}

function printText(io: Io, read: StatusRead, records: readonly ResourceRecord[], inDetail: boolean): void {
  printLine(io.stdout, describeAge(io, read));
  const refused = read.view.summary?.refused;
  if (refused !== undefined) printLine(io.stdout, paint(io, io.stdout, "red", oneLine(refused, WHOLE_MESSAGE)));
  for (const problem of read.view.summary?.problems ?? []) printLine(io.stdout, paint(io, io.stdout, "red", problem));
  for (const because of read.view.summary?.unmirrored ?? []) printLine(io.stdout, paint(io, io.stdout, "yellow", because));
  for (const problem of read.view.unreadable.values())
    printLine(io.stdout, paint(io, io.stdout, "red", `${shownPath(problem.file)} cannot be understood: ${problem.message}`));
  printLine(io.stdout);
  const header = ["KIND", "NAME", "PHASE", "RUNS ON", "WHAT IS MISSING"].map((title) => paint(io, io.stdout, "bold", title));
  for (const line of formatTable([header, ...records.map((record) => rowOf(io, record))])) printLine(io.stdout, line);
  if (inDetail) for (const record of records) printDetail(io, record);
}

function describeAge(io: Io, { view, committedAtMs, newest }: StatusRead): string {
  const applied = view.summary?.appliedCommit;
  const age =
    committedAtMs === undefined ? "" : `, last changed ${formatDuration(Math.max(0, io.clock.now() - committedAtMs))} ago`;
  const text = `applied commit ${applied?.slice(0, 12) ?? "unknown"}${age}`;
  if (newest === undefined || newest === applied) return text;
  return `${text}; the branch is at ${newest.slice(0, 12)}, which changes no manifest or is not applied yet`;
}

function rowOf(io: Io, record: ResourceRecord): readonly string[] {
  const worst = worstOf(record);
  const colour: Colour = worst === undefined ? "green" : worst.status === "Unknown" ? "yellow" : "red";
  return [
    record.kind,
    displayName(record.id),
    paint(io, io.stdout, colour, stateLabel(record.status)),
    placeOf(record),
    worst === undefined ? "" : oneLine(worst.message, 160),
  ];
}

function placeOf(record: ResourceRecord): string {
  if (record.kind !== "Job" || record.status.cluster === undefined) return "";
  const { cluster, flinkVersion, parallelism, requestedRpus } = record.status;
  return `${cluster.name} (${flinkVersion ?? "?"}), ${parallelism ?? "?"} of ${requestedRpus ?? "?"} rpus`;
}

/** The first condition that a person has to look after. */
function worstOf(record: ResourceRecord): Condition | undefined {
  if (record.kind === "Job" && record.status.deleted !== undefined) return undefined; // its tombstone is nobody's trouble
  const wrong = record.status.conditions.filter(isTrouble);
  return findCondition(wrong, "Accepted") ?? wrong[0];
}

function printDetail(io: Io, record: ResourceRecord): void {
  const { stdout } = io;
  const { source } = record.status;
  printLine(stdout);
  printLine(stdout, paint(io, stdout, "bold", `${record.kind} ${displayName(record.id)} in zone ${record.id.zone}`));
  printLine(stdout, `accepted from ${shownPath(source.path)}:${source.line} in commit ${source.commit.slice(0, 12)}`);
  if (record.kind === "Job") printJob(io, record);
  if (record.status.conditions.length > 0) printLine(stdout, paint(io, stdout, "bold", "conditions"));
  const conditions = record.status.conditions.map(({ type, status: shown, reason, message, since }) => [
    `  ${type}`,
    shown,
    reason,
    since,
    oneLine(message, WHOLE_MESSAGE),
  ]);
  for (const line of formatTable(conditions)) printLine(stdout, line);
  if (record.status.history.length > 0) printLine(stdout, paint(io, stdout, "bold", "history"));
  const history = record.status.history.map(({ when, from, to, because }) => [
    `  ${when}`,
    `${from === "" ? "new" : from} → ${to}`,
    oneLine(because),
  ]);
  for (const line of formatTable(history)) printLine(stdout, line);
}

function printJob(io: Io, { status: shown }: JobRecord): void {
  const { flinkJobId, cluster, artifact, startedFrom } = shown;
  if (flinkJobId !== undefined && cluster !== undefined)
    printLine(io.stdout, `Flink job ${flinkJobId} on ${cluster.url}, run ${shown.run}, attempt ${shown.attempt}`);
  if (shown.secrets !== undefined) {
    const digests = Object.entries(shown.secrets).map(([name, digest]) => `${name} (sha256 ${digest}…)`);
    printLine(io.stdout, `submitted with secret ${listOf(digests)}`);
  }
  if (artifact !== undefined)
    printLine(
      io.stdout,
      `jar of Artifact ${artifact.name}, sha256 ${artifact.sha256}, entry class ${artifact.jarOptions.entryClass ?? "of its manifest"}`,
    );
  if (startedFrom !== undefined) printLine(io.stdout, `started from ${startedFrom.kind} ${startedFrom.uri}`);
}
