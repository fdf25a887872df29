/** What a condition is about. Nothing else is written as the `type` of one. */
export const CONDITIONS = {
  Accepted: "whether what is declared is in force",
  Available: "whether the bytes of an Artifact, or a Savepoint, are there",
  Deleted: "a Job's manifest is gone: why it is not stopped yet, or that its tombstone stands",
  Duplicate: "two Flink jobs of ours run for one Job; True is trouble here",
  Finalized: "a Final Savepoint stops the Job for good, or why it does not yet",
  FlinkBundled: "the jar brings classes of Flink itself; a warning",
  Healthy: "whether all tasks run",
  Placed: "whether there is a cluster for the Job",
  Reached: "whether the job runs as parallel as was asked for",
  Recoverable: "whether its state would survive a failure now",
  Rescaled: "why a change of `rpus` is not carried out yet",
  Restored: "why a Job that is down does not come back",
  Started: "whether Flink has taken the job, and what holds it back",
  Suspended: "`rpus: 0` keeps the Job down, or why it is not down yet",
  UpToDate: "why the Job is not moved to the newer patch of its Flink, or away from a cluster that drains",
} as const;

export type ConditionType = keyof typeof CONDITIONS;

/** Each `reason` that a condition can have: what it means, and what to do where a person can do something. `config/reasons.md` is made of it. */
export const REASONS = {
  AcceptedByFlink: "Flink took the job.",
  AddressRefused:
    "The address of the jar leads into a private network. Name its host under `artifacts.hosts`, or set `artifacts.allowPrivateNetworks`.",
  AllTasksRunning: "All is well.",
  ArtifactMissing: "No Artifact of that name is declared in the Job's zone and project. Declare it, or mend `artifactRef.name`.",
  ArtifactNotReady: "The jar is not there yet, or no more. Its Artifact's own conditions say why.",
  AsRequested: "All is well.",
  BackingOff:
    "Its attempts failed soon after they began, so the next one waits, longer each time and never for good. Look at what ended it.",
  BadOption: "Flink refuses an option of `configuration`; the message names it. Change the manifest.",
  BlobUnreadable: "The file's bytes could not be read from the Git server. It is tried again.",
  BytesGone:
    "What the Artifact became Ready with is neither at its source nor in the cache. Put those very bytes back, or declare an Artifact under a new name; jobs that run are not touched.",
  CacheUnusable: "The folder `artifacts.cacheDir` cannot be used. Mend its rights, or name another one.",
  CheckpointCompleted: "All is well.",
  CheckpointingOff: "The job takes no checkpoints: its state is lost when it fails. Let the program switch them on again.",
  CheckpointsInMemory: "Its checkpoints go with the JobManager. Set `state.checkpoints.dir` on the cluster.",
  CheckpointsNotRetained:
    "The program has its checkpoints removed when the job ends. Let it set no retention, or RETAIN_ON_CANCELLATION.",
  ChecksumMismatch:
    "What came is not what the repository's, bucket's or Git LFS's checksum says. It is fetched again; if it stays so, the source is broken.",
  ClusterChosen: "All is well.",
  ClusterUnreachable:
    "Its Flink cluster does not answer, or is not in the configuration. The last known state stays, nothing is stopped or started there. Look at the JobManager and the way to it.",
  ContentChanged:
    "The file of a Ready Artifact was changed in the repository. Its Jobs keep the old bytes; declare an Artifact under a new name for the new ones.",
  DeletionHeld:
    "A document cannot be read, and anything may be declared in it, so nothing counts as deleted. Mend the document that the message names.",
  DigestMismatch:
    "The source has other bytes than those that `sha256` names or that the Artifact became Ready with. Put the old ones back, or declare an Artifact under a new name.",
  DirectoriesUnlistable:
    "The daemon cannot look into the cluster's checkpoint or savepoint directories: mount `file://` ones under their own paths, give `s3://` ones an `s3` block.",
  DiskFull: "No room for the jar under `artifacts.cacheDir`. Make room, or set `artifacts.cacheSize` lower.",
  DisposalFailed: "Flink did not remove the Savepoint's files. It is tried again.",
  DisposalWaits: "The Savepoint's files are still needed, as the message says, and are removed afterwards.",
  DownloadFailed: "The source broke off or answered with an error. It is tried again with growing delays.",
  Downloading: "The jar is being fetched.",
  Ended: "Flink ended the job, as the message says. It comes back by itself; `Restored` says if it cannot.",
  EntryClassMissing: "The jar has no such class, or it has no `main`. Mend `jarOptions.entryClass`; the message suggests one.",
  FileMissing: "The file is not in the repository. Mend `source.path`, or commit the file.",
  FinalSavepoint: "A Final Savepoint stopped the Job for good.",
  FinalSavepointFirst:
    "Its manifest is gone, and a Final Savepoint has to be taken of it before it is deleted. The message says what that waits for.",
  FinalSavepointStands:
    "It was stopped by an upgrade and deleted. Revert the upgrade as a whole: the Final Savepoint, and every Job that started from it.",
  Finished: "It ran out of data or was stopped, and stays so.",
  FlinkClassesInJar:
    "Classes of Flink itself in the jar can clash with those of the cluster. Build it with Flink's dependencies as `provided`.",
  InPlaceRefused: "The cluster refused to rescale in place. It is done by savepoint.",
  InitialStateNotReady: "The Savepoint of `initialStateRef` is not declared, or not Ready yet. Its own conditions say why.",
  InternalError: "An error of Penstock itself; the log has more. It is tried again.",
  JarMissing: "The JobManager lost the jar twice while the job was submitted. It is tried again.",
  JarNotExtensible: "No copy of the jar with what Flink 1.16 needs can be made; the message says what is wrong with the jar.",
  JarNotUploaded: "The next attempt's jar does not lie with the JobManager yet, so nothing is stopped. It is tried again.",
  JavaTooOld: "The program needs a newer Java than the clusters have. Build it for theirs.",
  JobNotRunning: "The Savepoint's Job does not run, or not with all its tasks. It is taken as soon as it does.",
  JobNotStopped: "The Savepoint waits until its Job can be stopped with it; the Job's own conditions say why.",
  LfsPointer: "Only a pointer of Git LFS is there, and it cannot be followed; the message says why.",
  LooksLikeRename:
    "One Job went and another like it came, and renaming loses the state. Declare the upgrade that the message shows, or annotate the new Job with `penstock/start-empty: new`.",
  ManifestBroken: "The manifest has problems: see `summary.yaml` on the status branch. What was accepted before stays in force.",
  ManifestGone: "The manifest is gone.",
  ManifestMissing:
    "A start came to nothing, and the manifest is gone, so it is not started again. Put it back, or let the deletion go.",
  MaxParallelism: "The job's state or program has a max parallelism below that. Ask for fewer `rpus`.",
  NeedsRestore:
    "It may have had state, and what to go on from cannot be told. Annotate the Job with `penstock/restore-from` or `penstock/start-empty`, as the message shows.",
  NextStartFailed:
    "The rescale was tried and the new attempt failed, so the job runs as before. The message says why; ask for another number of `rpus`.",
  NoCheckpointYet: "It runs and has not completed its first checkpoint.",
  NoChecksum: "The Maven repository has no checksum of the jar. Write `sha256` into the Artifact.",
  NoCluster: "No cluster of the zone takes jobs of that Flink version. Mend `flinkVersion`, or add a cluster.",
  NoMavenRepository: "`artifacts.maven.repositories` names none.",
  NoSavepointDirectory: "Set `state.savepoints.dir` on the cluster, or `savepointsDir` in the configuration.",
  NoZone: "The configuration has no cluster in the Job's zone. Mend `zone`, or add one under `zones`.",
  NotAJar: "The file is no jar that can be read; the message says what is wrong.",
  NotAuthorized: "The source refuses access. Mend the credentials in the configuration.",
  NotDone: "A rescale or a suspension came to nothing, and is tried again. The message says what happened.",
  NotEnoughSlots: "The clusters have too few free slots. Add TaskManagers, ask for fewer `rpus`, or wait for other jobs.",
  NotFound: "The source has no such file. Mend the address or the coordinates.",
  NotHealthy: "Flink takes no savepoint while tasks are restarting. It is done as soon as all run.",
  NotRunning: "Flink shows another state than RUNNING; the message names it and its cause.",
  OtherParallelism: "The program fixes the parallelism of its vertices, or slots are missing.",
  OutcomeUnknown: "The answer of Flink was lost. It is looked at again before anything else is done.",
  Paused: "`penstock/paused` or `policy.paused` is set. Remove it.",
  PlainHttpRefused: "`http://` is refused. Use https, or `allowPlainHttp` for the host under `artifacts.hosts`.",
  ProgramFailed:
    "The program's `main` threw; the message has the root cause. Mend its arguments, or the program under a new Artifact.",
  ProgramStartsNoJob: "The program's `main` ended without starting a job. Is it the right entry class?",
  ProjectNotAllowed: "The zone names projects, or the repository declares some, and this one is not among them. Add it.",
  QuotaExceeded: "The project's jobs would have more than `maxRpus` together. Lower others, or raise it.",
  RecordUnusable: "Its file on the status branch cannot be understood: see `summary.yaml`. Put the file back.",
  RedirectRefused: "The source redirects to where the jar is not fetched from; the message says why. Name the right address.",
  Rescaling: "It is stopped with a savepoint and started again from it.",
  Restarting: "Its next attempt is being started.",
  RestorePointMissing:
    "It had state, and what it would go on from is gone. Put the files back, or annotate the Job as the message shows. Nothing starts empty by itself.",
  RestorePointNotProven:
    "With `repository.verify`, no signed manifest names the state that the status branch wants it started from. Name it in a signed commit.",
  RestorePointUnknown:
    "What state it left cannot be listed or is not known. Mend the way to the directories, or annotate the Job as the message shows.",
  RpusZero: "`rpus: 0` stopped it with a savepoint. Raise `rpus` to go on from there.",
  SavepointFailed:
    "Flink could not complete a savepoint, and the job runs on. It is tried again; the message says what Flink said.",
  SavepointUnderWay: "Another savepoint of the Job is being taken. It is done afterwards.",
  SavepointsRefused:
    "The cluster cannot write savepoints where it should. Mend the directory or its rights; nothing is stopped before.",
  SecretMissing: "A file that a `${secret:NAME}` stands for is not there. Put it under `secrets.dir`; the message names it.",
  SecretUnusable: "A secret's content is no value that its option takes. The message says what would be right.",
  SourceChanged:
    "The daemon's repository, branch, paths or zones were changed, so nothing counts as deleted. If it is meant, push a commit with the trailer `Penstock-Allow-Deletions: N`.",
  SourceMissing: "The file that `source.path` names is not in the repository, or is no file. Mend the path, or commit the file.",
  SpecAccepted: "All is well.",
  SpecChanged:
    "More was changed than may be, so nothing of the change counts. Put it back, and declare what is different under a new name; for a Job the message has it ready to paste.",
  SpecUnknown: "The spec that the job ran with was lost with the status branch. Put the manifest back as it was.",
  StartFailed:
    "Flink took the job, and it failed before it ran; the message says why. Tried again with growing delays; the manifest may be edited.",
  StateDoesNotFit:
    "The program cannot take the state it is given. Give its operators the uids of before, or set `initialStateRef.allowNonRestoredState`.",
  StatusLost:
    "The Job ran before, and the status branch does not say how it ended. Put the branch back, or push a commit with the trailer `Penstock-Rebuild-Status: yes`.",
  Stopping: "It is being stopped.",
  SubmissionDisabled: "The cluster takes no jars. Set `web.submit.enable: true` in its Flink configuration.",
  SubmissionRefused: "Flink refused the job; the message has its own words.",
  Suspended: "`rpus` is 0. Raise it to start the job.",
  Taken: "All is well: the Savepoint is there.",
  TasksNotRunning: "Not all tasks run. Flink restarts them, and the message has the last cause.",
  TimedOut: "The source did not answer in time, or the download took longer than `artifacts.timeout`. It is tried again.",
  Tombstone: "It was deleted. Its last restore point is kept for 30 days, and declaring it again goes on from there.",
  TombstoneStands:
    "A deleted Job of this name had another spec. Take another name, name the state with `initialStateRef`, or annotate the Job as the message shows.",
  TooLarge: "The jar is larger than `artifacts.maxSize`, or, in the repository, than `repository.maxBlobSize`.",
  TooManyDeletions:
    "More Jobs went at once than `policy.deletions` lets, or all. If it is meant, push a commit with the trailer `Penstock-Allow-Deletions: N`.",
  UpdateAvailable: "A newer patch of its Flink is there, or its cluster drains, and `policy.runtimeUpdates` is `manual`.",
  UpdateFailed: "Moving it was tried and undone; the message says why.",
  UpdateWaits: "It moves when its turn comes and there is room.",
  Vanished: "The cluster answers and does not list the job. It is brought back; `Restored` says if it cannot be.",
  Verified: "All is well: the jar is there.",
  WaitersNotReady:
    "The Job is not stopped before every Job that waits for its Final Savepoint could start. The message names what is missing.",
  WasDown:
    "It had failed or was cancelled by hand, and `rpus: 0` keeps it down. Raise `rpus` to bring it back from its newest restore point.",
} as const;

export type Reason = keyof typeof REASONS;

/** Whether a word that was read is one that is written: the status branch may hold anything. */
export function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}

/** `config/reasons.md`. */
export function reasonsReference(): string {
  return `# Conditions and their reasons

Generated from \`src/model/reasons.ts\` by \`npm run generate\`. The conditions of a resource are in its file on the status branch, and in what
\`penstock status --config FILE NAME\` shows; the \`message\` beside a reason says what it is in this very case.

| condition | is about |
| --- | --- |
${rows(CONDITIONS)}

| reason | means, and what to do |
| --- | --- |
${rows(REASONS)}
`;
}

function rows(texts: Readonly<Record<string, string>>): string {
  return Object.entries(texts)
    .map(([name, text]) => `| \`${name}\` | ${text} |`)
    .join("\n");
}
