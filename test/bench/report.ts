import type { Idle } from "./measure-idle.ts";
import { IDLE_JOBS } from "./measure-idle.ts";
import type { Pair } from "./measure-pairs.ts";
import { JOBS, type TwentyRound } from "./measure-twenty.ts";
import type { WebhookRound } from "./measure-webhooks.ts";
import { summarize, type Summary } from "./statistics.ts";

/** Everything that one run of the bench has found, as `--output json` prints it. */
export interface Results {
  readonly startedAt: string;
  readonly command: string;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Average load of the last minute, before and after: above 0 before, somebody else was at work too. */
  readonly load: { readonly before: number; readonly after: number };
  readonly pairs: readonly Pair[];
  readonly twenty: readonly TwentyRound[];
  readonly webhooks: readonly WebhookRound[];
  readonly idle: readonly Idle[];
}

/** One line of the table. */
interface Figure {
  readonly what: string;
  readonly value: string;
  readonly against: string;
  /** What the issue asks for; empty where it asks for nothing. */
  readonly aim: string;
  readonly isMet: boolean | undefined;
}

/** The aims. */
const AIM = { extraMs: 150, firstCallMs: 100, cpuSecondsPerMinute: 0.3, rssMebibytes: 120, flinkRequestsPerMinute: 40 };
const MEBIBYTE = 1024 ** 2;

export function formatText(results: Results): string {
  const figures = buildFigures(results);
  const widths = { what: widest(figures, "what"), value: widest(figures, "value"), against: widest(figures, "against") };
  const lines = figures.map(({ what, value, against, aim, isMet }) =>
    [what.padEnd(widths.what), value.padEnd(widths.value), against.padEnd(widths.against), describeAim(aim, isMet)]
      .join("  ")
      .trimEnd(),
  );
  return [...describeRun(results), "", ...lines, "", ...conditions(results)].join("\n");
}

export function formatMarkdown(results: Results): string {
  const rows = buildFigures(results).map(({ what, value, against, aim, isMet }) =>
    [what, value, against, describeAim(aim, isMet)].map((cell) => cell.replaceAll("|", "\\|")).join(" | "),
  );
  return [
    describeRun(results).join("; ").replace(/$/, "."),
    "",
    "| what | measured | against | aim |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
    "",
    ...conditions(results).map((line) => `- ${line}`),
  ].join("\n");
}

function buildFigures({ pairs, twenty, webhooks, idle }: Results): readonly Figure[] {
  return [
    ...(pairs.length === 0 ? [] : pairFigures(pairs)),
    ...(twenty.length === 0 ? [] : twentyFigures(twenty)),
    ...(webhooks.length === 0 ? [] : webhookFigures(webhooks)),
    ...idle.flatMap(idleFigures),
  ];
}

function pairFigures(pairs: readonly Pair[]): readonly Figure[] {
  const plain = summarize(pairs.map(({ plain: { runningMs } }) => runningMs));
  const seen = summarize(pairs.map(({ penstock: { fromSeenMs } }) => fromSeenMs));
  const pushed = summarize(pairs.map(({ penstock: { fromPushMs } }) => fromPushMs));
  const steps = (of: (pair: Pair) => number): string => milliseconds(summarize(pairs.map(of)).median);
  const extraMs = seen.median - plain.median;
  return [
    figure("new job, plain script: upload to all tasks running", spread(plain)),
    figure(
      "  upload / run call / until all tasks run",
      [
        steps(({ plain: { uploadedMs } }) => uploadedMs),
        steps(({ plain: { uploadedMs, acceptedMs } }) => acceptedMs - uploadedMs),
        steps(({ plain: { acceptedMs, runningMs } }) => runningMs - acceptedMs),
      ].join(" / "),
    ),
    {
      what: "new job, Penstock: commit seen to all tasks running",
      value: spread(seen),
      against: `plain script ${signed(extraMs)}, ${(seen.median / plain.median).toFixed(2)} ×`,
      aim: `at most plain script + ${AIM.extraMs} ms`,
      isMet: extraMs <= AIM.extraMs,
    },
    figure(
      "  to announced / from there to accepted / until all tasks run",
      [
        steps(({ penstock: { announcedMs } }) => announcedMs),
        steps(({ penstock: { announcedMs, acceptedMs } }) => acceptedMs - announcedMs),
        steps(({ penstock: { acceptedMs, fromSeenMs } }) => fromSeenMs - acceptedMs),
      ].join(" / "),
    ),
    {
      ...figure("new job, Penstock: end of git push to all tasks running", spread(pushed)),
      against: `plain script ${signed(pushed.median - plain.median)}, ${(pushed.median / plain.median).toFixed(2)} ×`,
    },
  ];
}

function twentyFigures(rounds: readonly TwentyRound[]): readonly Figure[] {
  const plain = summarize(rounds.map(({ plainMs }) => plainMs));
  const oneUpload = summarize(rounds.map(({ plainOneUploadMs }) => plainOneUploadMs));
  const seen = summarize(rounds.map(({ fromSeenMs }) => fromSeenMs));
  const pushed = summarize(rounds.map(({ fromPushMs }) => fromPushMs));
  const against = (ms: number): string =>
    `serial plain script ${(ms / plain.median).toFixed(2)} ×, with one upload ${(ms / oneUpload.median).toFixed(2)} ×`;
  return [
    figure(`${JOBS} new jobs, serial plain script, an upload each`, spread(plain)),
    figure(`${JOBS} new jobs, serial plain script, one upload`, spread(oneUpload)),
    {
      what: `${JOBS} new jobs in one push, Penstock: commit seen to all running`,
      value: spread(seen),
      against: against(seen.median),
      aim: "at most the serial plain script",
      isMet: seen.median <= plain.median,
    },
    {
      ...figure(`${JOBS} new jobs in one push, Penstock: end of git push to all running`, spread(pushed)),
      against: against(pushed.median),
    },
  ];
}

function webhookFigures(rounds: readonly WebhookRound[]): readonly Figure[] {
  const firstCall = summarize(rounds.map(({ firstCallMs }) => firstCallMs));
  const medianOf = (of: (round: WebhookRound) => number): string => milliseconds(summarize(rounds.map(of)).median);
  return [
    {
      what: "webhook sent to first Flink call",
      value: spread(firstCall),
      against: `at most ${milliseconds(firstCall.max)}`,
      aim: `at most ${AIM.firstCallMs} ms`,
      isMet: firstCall.median <= AIM.firstCallMs,
    },
    figure(
      "  to the answer / to the commit seen / to the call that runs the job",
      [medianOf(({ answeredMs }) => answeredMs), medianOf(({ seenMs }) => seenMs), medianOf(({ runCallMs }) => runCallMs)].join(
        " / ",
      ),
    ),
  ];
}

function idleFigures(idle: Idle): readonly Figure[] {
  const aMinute = (count: number): number => (count / idle.seconds) * 60;
  const cpu = aMinute(idle.cpuSeconds);
  const rss = Math.max(idle.rssBytesAtStart, idle.rssBytesAtEnd) / MEBIBYTE;
  const flink = aMinute(idle.flinkRequests);
  const name = `idle with ${IDLE_JOBS} jobs, Git asked every ${idle.gitPoll}:`;
  const during = `over ${idle.seconds} s`;
  return [
    {
      what: `${name} CPU`,
      value: `${cpu.toFixed(2)} s a minute`,
      against: during,
      aim: `at most ${AIM.cpuSecondsPerMinute} s`,
      isMet: cpu <= AIM.cpuSecondsPerMinute,
    },
    {
      what: `${name} memory (RSS)`,
      value: `${(idle.rssBytesAtStart / MEBIBYTE).toFixed(0)} → ${(idle.rssBytesAtEnd / MEBIBYTE).toFixed(0)} MiB`,
      against: during,
      aim: `at most ${AIM.rssMebibytes} MiB`,
      isMet: rss <= AIM.rssMebibytes,
    },
    {
      what: `${name} Flink requests`,
      value: `${flink.toFixed(0)} a minute`,
      against: during,
      aim: `at most ${AIM.flinkRequestsPerMinute}`,
      isMet: flink <= AIM.flinkRequestsPerMinute,
    },
    {
      ...figure(
        `${name} Git`,
        `${aMinute(idle.gitRequests).toFixed(0)} requests, ${(aMinute(idle.gitBytes) / 1000).toFixed(1)} kB a minute`,
      ),
      against: during,
    },
  ];
}

/** So that nobody has to guess what was compared with what. */
function conditions({ pairs, twenty, webhooks, idle }: Results): readonly string[] {
  return [
    ...(pairs.length === 0
      ? []
      : [
          `${pairs.length} pairs in turn on one Flink cluster, after warm-up: median, and the middle half in brackets. Both sides start the same jar (5 KB, one slot, two tasks, one number a second), and one watcher asks /jobs/overview every 5 ms while either is measured.`,
          "The plain script is undici's fetch: upload, run. Its job is cancelled and its jar deleted after each pair; Penstock's jobs stay, so both sides meet the same cluster, which fills up. Penstock's jobs take a checkpoint every 60 s, the plain ones none.",
          'Penstock is a process of its own, started as `npm run penstock` does; Git is asked every second, and its push is a real `git push` over HTTP. "Commit seen" is the daemon\'s own log line.',
        ]),
    ...(twenty.length === 0
      ? []
      : [
          `${twenty.length} rounds of ${JOBS} jobs after one of warm-up; while the plain script is measured nothing but itself asks Flink.`,
        ]),
    ...(webhooks.length === 0
      ? []
      : [
          `${webhooks.length} webhooks after warm-up, as GitHub signs them, each for a new job that was pushed just before; Git is never asked otherwise. The first call is one that looks, the job is run after the status was pushed.`,
        ]),
    ...(idle.length === 0
      ? []
      : [
          `Idle: after the first checkpoint of all jobs. CPU is user and system time out of /proc; requests to Flink are counted inside the daemon, those to Git by the server (bodies in both directions). Flink is asked every 5 s.`,
        ]),
  ];
}

function describeRun({ startedAt, command, machine, versions, load }: Results): readonly string[] {
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${startedAt.slice(0, 10)}, ${machine}`,
    listed.join(", "),
    `load average ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`,
    `\`${command}\``,
  ];
}

function figure(what: string, value: string): Figure {
  return { what, value, against: "", aim: "", isMet: undefined };
}

function describeAim(aim: string, isMet: boolean | undefined): string {
  return isMet === undefined ? "" : `${aim}: ${isMet ? "met" : "MISSED"}`;
}

function spread({ lowerQuartile, median, upperQuartile }: Summary): string {
  return `${milliseconds(median)} [${lowerQuartile.toFixed(0)}, ${upperQuartile.toFixed(0)}]`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(0)} ms`;
}

function signed(ms: number): string {
  return `${ms < 0 ? "−" : "+"} ${Math.abs(ms).toFixed(0)} ms`;
}

function widest(figures: readonly Figure[], field: "what" | "value" | "against"): number {
  return Math.max(...figures.map((each) => each[field].length));
}
